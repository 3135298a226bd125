-- A worker that is marked dead, or was never registered, gets nothing.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select throws_ok('select * from inferpipe_test.claim(12345)', 'IP001', null, 'unknown');
select ok(inferpipe.reap_mark(99, 0, 'test'), 'it is marked');
select throws_ok('select * from inferpipe_test.claim(99)', 'IP001', null, 'dead');
select is(inferpipe_test.run(:id), 'state 0 owner 0 fence 0', 'the run stays where it was');
select * from finish();
rollback;
