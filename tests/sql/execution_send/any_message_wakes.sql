-- wait_key -1 waits for any message.
begin;
select plan(2);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select exec_id from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 3, p_wait => 'approval');
-- no function does this yet
alter table inferpipe._inferpipe_runs disable trigger inferpipe_test_audit;
update inferpipe._inferpipe_runs set wait_key = -1 where exec_id = :id;
alter table inferpipe._inferpipe_runs enable trigger inferpipe_test_audit;
select ok(inferpipe.execution_send(1, :id, 'whatever', '1', null, null), 'sent');
select is(inferpipe_test.run(:id), 'state 0 owner 0 fence 1', 'it is awake');
select * from finish();
rollback;
