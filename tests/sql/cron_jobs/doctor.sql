-- Doctor finds schedules that nobody fires, whose workflow nobody runs, that fail, or that no
-- program declares.
begin;
select plan(15);
select inferpipe_test.setup();
select inferpipe_test.at(0) as now \gset
select inferpipe_test.schedule('job', :'now'::timestamptz + interval '1 minute') as job \gset
create function pg_temp.found() returns text language sql
as $$ select string_agg(check_name || ': ' || subject, ', ' order by check_name, subject)
from inferpipe.doctor_schedules(null) $$;
-- An execution of the job that ended so.
create function pg_temp.tried(p_job int4, p_status int4) returns int8 language plpgsql
as $$
declare
  v_id int8 := inferpipe_test.start();
begin
  insert into inferpipe._inferpipe_cron_executions
    (job_id, scheduled_time, fired_at, exec_id, outcome)
  values (p_job, inferpipe.clock() - interval '1 year' + v_id % 1000000 * interval '1 second',
    inferpipe.clock(), v_id, 0);
  if p_status > 0 then
    perform inferpipe.run_end(array[v_id], array[p_status::int2], array[0], array[0::int2],
      array[null::bytea], array[case when p_status > 1 then 'BAD' end], array[null]);
  end if;
  return v_id;
end
$$;
select is(pg_temp.found(), null, 'all is well');

select inferpipe_test.at(120) as later \gset
select is(pg_temp.found(), null, 'a minute late may be a busy worker');
select inferpipe_test.at(121) as later \gset
select is(pg_temp.found(), 'schedule_overdue: default/job', 'more is overdue');
select matches(detail, 'no worker fires schedules, of 1 that are alive', 'the lock is free')
from inferpipe.doctor_schedules(null);
select inferpipe.cron_lock(inferpipe.cron_lock_name(1), 99, 30000);
select matches(detail, 'worker 99, which fires schedules, has not', 'somebody has the lock')
from inferpipe.doctor_schedules(null);
select inferpipe.worker_leave(99);
select is(pg_temp.found(), 'schedule_overdue: default/job, schedule_stranded: default/order',
  'without workers nobody runs it either');
select matches(detail, 'no worker is alive', 'and it says so')
from inferpipe.doctor_schedules(null) where check_name = 'schedule_overdue';
select inferpipe.cron_pause(1, 'job', true, '* * * * *', 'UTC', :'now');
select is(pg_temp.found(), null, 'a paused one is left alone');

select inferpipe_test.worker(98);
select inferpipe.worker_roster(98, 1, array['order'], array['1'], inferpipe.clock());
select inferpipe_test.schedule('bad', :'later'::timestamptz + interval '1 hour') as bad \gset
select pg_temp.tried(:bad, 2), pg_temp.tried(:bad, 2);
select is(pg_temp.found(), null, 'two failures are not three');
select pg_temp.tried(:bad, 2) as third \gset
select pg_temp.tried(:bad, 0);
select is(pg_temp.found(), 'schedule_failing: default/bad', 'three are, while the next one runs');
select is(detail, 'its last 3 executions failed, the newest is ' || inferpipe.id_text(:third)
  || ': BAD', 'it names the newest') from inferpipe.doctor_schedules(null);
select is(count(*)::int, 0, 'older ones than asked for do not count')
from inferpipe.doctor_schedules(:third);
select pg_temp.tried(:bad, 1);
select is(pg_temp.found(), null, 'a success ends it');

update inferpipe._inferpipe_cron_jobs set program = 'gone', declared = true where job_id = :bad;
select is(pg_temp.found(), 'schedule_undeclared: default/bad', 'its program is not alive');
update inferpipe._inferpipe_cron_jobs set program = 'test', declared = false where job_id = :bad;
select is(detail, 'program test no longer has it in its code', 'its program is, without it')
from inferpipe.doctor_schedules(null);
select * from finish();
rollback;
