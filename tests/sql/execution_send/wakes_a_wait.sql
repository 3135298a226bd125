-- A message wakes the run that waits for its name, and no other.
begin;
select plan(10);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select exec_id from inferpipe_test.claim();
select ok(inferpipe.execution_send(1, :id, 'early', '1', null, null), 'a running one takes mail');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'and goes on running');
select is(verdict || ' ' || got, '0 0', 'it waits for another message')
from inferpipe_test.flush(:id, 1, 3, p_wait => 'approval');
select is(inferpipe_test.run(:id), 'state 3 owner 0 fence 1', 'it is parked');
select ok(inferpipe.execution_send(1, :id, 'other', '1', null, null), 'a message of another name');
select is(inferpipe_test.run(:id), 'state 3 owner 0 fence 1', 'does not wake it');
select inferpipe_test.at(5);
select ok(inferpipe.execution_send(1, :id, 'approval', '"yes"', null, null), 'its message');
select is(inferpipe_test.run(:id), 'state 0 owner 0 fence 1', 'wakes it');
select is(ready_at, inferpipe.clock(), 'at once')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(wait_key, 0::int8, 'it waits no more') from inferpipe._inferpipe_runs where exec_id = :id;
select * from finish();
rollback;
