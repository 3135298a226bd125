-- Jobs are made, changed, declared.
begin;
select plan(17);
select inferpipe_test.setup();
select inferpipe_test.at(0) as t \gset
create function pg_temp.declare(p_names text[], p_schedule text default '@daily',
  p_program text default 'app')
returns void language sql
as $$
  select inferpipe.cron_declare(1, p_program, p_names, array_agg(p_schedule),
  array_agg('UTC'::text),
    array_agg(now() + interval '1 day'), array_agg('order'::text), array_agg(null::text),
    array_agg(null::text), array_agg(3::int2), array_agg('null'::bytea), array_agg(0::int2),
    array_agg(0::int2), array_agg(100), array_agg(0::int8))
  from unnest(p_names)
$$;
create function pg_temp.jobs() returns text language sql
as $$ select string_agg(name || case when declared then '+' else '-' end, ' ' order by name)
  from inferpipe._inferpipe_cron_jobs $$;
select inferpipe_test.schedule('a', :'t');
select throws_ok($$ select inferpipe_test.schedule('a', now()) $$, 'IP409',
  'name: there is a schedule a already', 'a name is taken once');
select inferpipe_test.schedule('a', :'t', p_workspace => 2);
select is((select count(*)::int from inferpipe._inferpipe_cron_jobs), 2, 'in its workspace');
delete from inferpipe._inferpipe_cron_jobs where workspace_id = 2;
select inferpipe_test.schedule('a', :'t'::timestamptz + '9 s', 0, p_replace => true);
select is(next_at::text || overlap, :'t'::timestamptz::text || '0',
  'the same expression keeps its next time, other things change')
from inferpipe._inferpipe_cron_jobs;
select inferpipe_test.schedule('a', :'t'::timestamptz + '9 s', p_schedule => '@hourly',
  p_replace => true);
select is(next_at, :'t'::timestamptz + '9 s', 'another expression takes the new one')
from inferpipe._inferpipe_cron_jobs;

select pg_temp.declare(array['c', 'b']);
select is(pg_temp.jobs(), 'a- b+ c+', 'a program declares its own');
select pg_temp.declare(array['b']);
select is(pg_temp.jobs(), 'a- b+ c-', 'what it no longer has stays, not declared');
select pg_temp.declare(array['x'], p_program => 'other');
select is(pg_temp.jobs(), 'a- b+ c- x+', 'another program leaves it alone');
update inferpipe._inferpipe_cron_jobs set paused = true, next_at = :'t' where name = 'b';
select pg_temp.declare(array['b', 'c']);
select is(format('%s %s', paused, next_at), format('t %s', :'t'::timestamptz),
  'a job that stays as it was keeps pause and next time')
from inferpipe._inferpipe_cron_jobs where name = 'b';
select changed_at as before from inferpipe._inferpipe_cron_jobs where name = 'b' \gset
select inferpipe_test.at(50);
select pg_temp.declare(array['b', 'c']);
select is(changed_at, :'before', 'nothing is written when nothing changed')
from inferpipe._inferpipe_cron_jobs where name = 'b';
select pg_temp.declare(array['b', 'c'], '@hourly');
select is(next_at, now() + interval '1 day', 'a changed expression counts from now')
from inferpipe._inferpipe_cron_jobs where name = 'b';
select pg_temp.declare('{}');
select is(pg_temp.jobs(), 'a- b- c- x+', 'none is left declared');

select throws_ok(format($$ insert into inferpipe._inferpipe_cron_jobs (next_at, created_at,
  changed_at,
  jitter_ms, workspace_id, catchup_max, prio, overlap, catchup, paused, declared, name, schedule,
  timezone, workflow, input) select now(), now(), now(), %s, 1, %s, %s, %s, %s, false, false, 'z',
  '@daily', 'UTC', 'order', 'null' $$, v[1], v[2], v[3], v[4], v[5]), '23514', null,
  'refused: ' || v::text)
from (values (array[-1, 1, 3, 0, 0]), (array[0, 0, 3, 0, 0]), (array[0, 1001, 3, 0, 0]),
  (array[0, 1, 6, 0, 0]), (array[0, 1, 3, 3, 0]), (array[0, 1, 3, 0, 3])) x(v);
select * from finish();
rollback;
