-- Version and queue may be left out; what is unknown is refused.
begin;
select plan(11);
select inferpipe_test.at(0);
select inferpipe.workflow_register(1, array['order', 'order'], array['1', '2'],
  array['default', 'default'], array[null, 5000]::int8[]);
select inferpipe_test.at(1);
select inferpipe.workflow_register(1, array['order'], array['2'], array['fast'], array[5000::int8]);
create function pg_temp.go(p_version text, p_queue text, p_deadline int8) returns int8 language sql
as $$ select exec_id from inferpipe.execution_start(1, 'order', p_version, p_queue, 3::int2, 0,
  p_deadline, null, null, 'null', null, null, null) $$;
create function pg_temp.deadline_of(p_exec int8) returns timestamptz language plpgsql volatile
as $$ begin return (select r.deadline from inferpipe._inferpipe_runs r
where r.exec_id = p_exec); end $$;
create function pg_temp.lane_of(p_exec int8) returns text language sql
as $$ select format('%s %s %s', v.workflow, v.version, v.queue)
  from inferpipe.executions v where v.exec_id = p_exec $$;
select is(pg_temp.lane_of(pg_temp.go(null, null, null)), 'order 2 fast',
  'the newest version in its queue');
select is(pg_temp.lane_of(pg_temp.go('1', null, null)), 'order 1 default', 'the version asked for');
select is(pg_temp.lane_of(pg_temp.go('1', 'slow', null)), 'order 1 slow', 'the queue asked for');
select is(inferpipe.lane_intern(1, 'slow', 'order', '1'),
  inferpipe.lane_intern(1, 'slow', 'order', '1'),
  'a lane is interned once');
select is(pg_temp.deadline_of(pg_temp.go(null, null, null)), inferpipe.clock() + interval '5 s',
  'the workflow''s deadline');
select is(pg_temp.deadline_of(pg_temp.go(null, null, 7000)), inferpipe.clock() + interval '7 s',
  'the start''s deadline is stronger');
select is(pg_temp.deadline_of(pg_temp.go(null, null, -1)), null, 'a negative one means none');
select throws_ok($$ select pg_temp.go('3', null, null) $$, 'IP404', null, 'an unknown version');
select throws_ok($$ select * from inferpipe.execution_start(1, 'nope', null, null, 3::int2, 0, null,
  null, null, 'null', null, null, null) $$, 'IP404', 'workflow: nope is not registered',
  'an unknown workflow is named');
select throws_ok($$ select pg_temp.go(null, 'Not A Slug', null) $$, 'IP400', null, 'a bad queue');
insert into inferpipe._inferpipe_workspaces (slug) values ('other');
select throws_ok($$ select * from inferpipe.execution_start(
  (select workspace_id from inferpipe._inferpipe_workspaces where slug = 'other'), 'order', null,
  null, 3::int2, 0, null, null, null, 'null', null, null, null) $$, 'IP404', null,
  'another workspace does not know our workflows');
select * from finish();
rollback;
