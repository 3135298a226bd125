-- The constraints hold the legal states, whoever writes.
begin;
select plan(16);
alter table inferpipe._inferpipe_runs disable trigger inferpipe_test_audit;
insert into inferpipe._inferpipe_runs (exec_id, ready_at, workspace_id, lane, shard)
values (1, now(), 1, 1, 1);
select throws_ok('update inferpipe._inferpipe_runs set ' || change, '23514', null, change)
from unnest(array['owner = 5', 'state = 1', 'owner = 5, state = 2', 'ready_at = ''infinity''',
  'ready_at = ''-infinity''', 'wait_key = 5', 'state = 3', 'state = 2, wait_key = 5', 'state = 5',
  'state = 8', 'prio = -1', 'prio = 6', 'fence = -1', 'crashes = -1', 'flags = 256']) change;
select lives_ok('update inferpipe._inferpipe_runs set state = 6, wait_key = 5',
  'a child may be named');
select * from finish();
rollback;
