-- Workers say what they run; what nobody runs any more is stranded.
begin;
select plan(10);
select inferpipe.workflow_register(1, array['a', 'a', 'b'], array['1', '2', '1'],
  array['default', 'default', 'default'], array[null, null, null]::int8[]);
select inferpipe_test.worker(1), inferpipe_test.worker(2);
create function pg_temp.roster(p_worker int8, p_names text[], p_versions text[],
  p_clock timestamptz default inferpipe.clock()) returns void language sql
as $$ select inferpipe.worker_roster(p_worker, 1, p_names, p_versions, p_clock) $$;
create function pg_temp.stranded() returns text[] language sql
as $$ select array_agg(format('%s/%s %s', workflow, version, executions) order by workflow, version)
from inferpipe.stranded() $$;
select inferpipe.start('a', p_version => '1'), inferpipe.start('a', p_version => '1'),
  inferpipe.start('a', p_version => '2', p_delay => '1 hour');
select is(pg_temp.stranded(), array['a/1 2', 'a/2 1'], 'nobody has said that he runs them');
select pg_temp.roster(1, array['a', 'b', 'unknown'], array['1', '1', '1']);
select is(pg_temp.stranded(), array['a/2 1'], 'an older program is there');
select pg_temp.roster(2, array['a'], array['2']);
select pg_temp.roster(2, array['a'], array['2']);
select is(pg_temp.stranded(), null, 'a newer one beside it');
select is(array_agg(workflows order by worker_id), array['a/1, b/1', 'a/2'], 'the view shows it')
from inferpipe.workers;
select inferpipe.worker_dead(1, 'test');
select is(pg_temp.stranded(), array['a/1 2'], 'the dead run nothing');
select is(array_agg(check_name || ' ' || subject), array['stranded a/1'], 'doctor tells')
from inferpipe.doctor(null, null) where check_name = 'stranded';
select pg_temp.roster(1, array['a'], array['2']);
select is(count(*)::int, 2, 'and say nothing any more') from inferpipe._inferpipe_worker_workflows
where worker_id = 1;
select pg_temp.roster(2, array['a'], array['2'], inferpipe.clock() + interval '3 s');
select is(detail like 'its clock is % ms ahead of the database', true, 'a clock that is ahead')
from inferpipe.doctor(null, null) where check_name = 'clock_skew';
select pg_temp.roster(2, array['a'], array['2'], inferpipe.clock() - interval '100 years');
select is(clock_ahead_ms, -2147483647, 'far behind') from inferpipe._inferpipe_workers
where worker_id = 2;
delete from inferpipe._inferpipe_workers where worker_id = 1;
select inferpipe.maintain();
select is(count(*)::int, 1, 'what is gone is forgotten')
from inferpipe._inferpipe_worker_workflows;
select * from finish();
rollback;
