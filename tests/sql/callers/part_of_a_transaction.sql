-- A start and a send that are rolled back never were.
begin;
select plan(3);
select inferpipe_test.setup();
select inferpipe.start('order') as id \gset
savepoint before;
select inferpipe.start('order', p_key => 'k'), inferpipe.send(:'id', 'm', '1', 'd');
rollback to before;
select is(count(*)::int, 1, 'no second execution') from inferpipe._inferpipe_runs;
select is(count(*)::int, 0, 'no key') from inferpipe._inferpipe_idempotency;
select ok(inferpipe.send(:'id', 'm', '1', 'd'), 'the message was not sent');
select * from finish();
rollback;
