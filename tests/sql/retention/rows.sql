-- A short policy deletes rows in weeks that are not over, a bounded number a call.
begin;
select plan(14);
select inferpipe_test.setup();
select throws_ok(format('select inferpipe.retention_set(%L, %L)', s, k), 'IP400', null,
  format('%s for %s is refused', s, k))
from (values ('running', '1 day'), ('completed', '59 seconds'), ('failed', '101 years')) v(s, k);
select inferpipe.retention_set('completed', '1 hour');
select inferpipe.retention_set('canceled', '2 days');
select is(array_agg(format('%s %s', status, keep)),
  array['completed 01:00:00', 'failed ', 'canceled 48:00:00'], 'the policy')
from inferpipe.retention_policy();
create function pg_temp.hour(p_hours int4) returns text language sql as $$
select set_config('inferpipe_test.now', (date_trunc('week', now() at time zone 'UTC')
  + p_hours * interval '1 hour')::text || ' UTC', true) $$;
create function pg_temp.ids() returns int8[] language sql
as $$ select array_agg(exec_id order by exec_id) from inferpipe._inferpipe_executions $$;

select pg_temp.hour(50);
select is(r::text, '(0,dropped,t)', 'an empty week that is over') from inferpipe.retain(3) r;
select inferpipe_test.worker(99);
select array_agg(inferpipe_test.start()) as ids from generate_series(1, 5) \gset
select count(*) from inferpipe_test.claim();
select count(verdict) from unnest((:'ids'::int8[])[1:4]) id, inferpipe_test.flush(id, 1, 2);
select pg_temp.hour(52);
select inferpipe_test.start() as young \gset
select inferpipe.execution_cancel(1, :young, false);
select is(r::text, '(3,deleted,t)', 'as many as it may') from inferpipe.retain(3) r;
select is(pg_temp.ids(), (:'ids'::int8[])[4:5] || :young, 'the oldest first');
select is(r::text, '(1,deleted,t)', 'the rest, by the next call') from inferpipe.retain(3) r;
select is(pg_temp.ids(), array[(:'ids'::int8[])[5], :young], 'what lives and what is younger stay');
select is(r::text, '(0,,f)', 'then there is nothing to do') from inferpipe.retain(3) r;
select pg_temp.hour(54);
select is(r::text, '(0,deleted,t)', 'it looks again an hour later') from inferpipe.retain(3) r;
select pg_temp.hour(101);
select is(r::text, '(1,deleted,t)', 'each status has its own time') from inferpipe.retain(3) r;
select inferpipe.retention_set('completed', null);
select inferpipe.retention_set('canceled', null);
select is(r::text, '(0,,f)', 'null keeps for ever') from inferpipe.retain(3) r;
set local role inferpipe_worker;
select throws_ok('select inferpipe.retention_set(''failed'', ''1 day'')', '42501', null,
  'a worker does not set it');
select * from finish();
rollback;
