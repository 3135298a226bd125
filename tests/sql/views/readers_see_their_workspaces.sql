-- A reader sees the workspaces given to a role that he has, and no other; workers see all.
begin;
select plan(9);
insert into inferpipe._inferpipe_workspaces (slug) values ('team-a'), ('team-b');
select workspace_id as a from inferpipe._inferpipe_workspaces where slug = 'team-a' \gset
select workspace_id as b from inferpipe._inferpipe_workspaces where slug = 'team-b' \gset
create role ifp_test_a in role inferpipe_reader;
create role ifp_test_both in role inferpipe_reader;
create role ifp_test_none in role inferpipe_reader;
create role ifp_test_group;
create role ifp_test_member in role inferpipe_reader, ifp_test_group;
create role ifp_test_worker in role inferpipe_worker;
insert into inferpipe._inferpipe_readers values ('ifp_test_a', :a), ('ifp_test_both', :a),
  ('ifp_test_both', :b), ('ifp_test_group', :b), ('no_such_role', :a);
select inferpipe.workflow_register(w, array['order'], array['1'], array['default'],
  array[null::int8])
from unnest(array[:a, :b]) w;
select exec_id from unnest(array[:a, :b]) w,
  inferpipe.execution_start(w, 'order', null, null, 3::int2, 0,
  null, null, null, 'null', null, null, null);
select inferpipe_test.worker(100 + w, false, w) from unnest(array[:a, :b]) w;
set local role ifp_test_a;
select is((select array_agg(workspace)
from inferpipe.executions), array['team-a'], 'one workspace');
select is(count(*)::int, 1, 'its worker') from inferpipe.workers;
select is(count(*)::int, 1, 'its queue') from inferpipe.queues;
set local role ifp_test_both;
select is((select array_agg(workspace order by workspace) from inferpipe.executions),
  array['team-a', 'team-b'], 'two workspaces');
set local role ifp_test_none;
select is(count(*)::int, 0, 'none') from inferpipe.executions;
set local role ifp_test_member;
select is((select array_agg(workspace)
from inferpipe.executions), array['team-b'], 'by membership');
set local role ifp_test_worker;
select is(count(*)::int, 2, 'workers see all') from inferpipe.executions;
reset role;
select is(count(*)::int, 2, 'so does the owner') from inferpipe.executions;
set local role ifp_test_a;
select throws_ok('select * from inferpipe._inferpipe_executions', '42501', null,
  'the tables stay closed');
reset role;
select * from finish();
rollback;
