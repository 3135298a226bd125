-- What happens while an execution of the job lives: skip, queue, allow.
begin;
select plan(20);
select inferpipe_test.setup();
select inferpipe_test.at(0) as t \gset
create function pg_temp.at(n int4) returns timestamptz language sql
as $$ select inferpipe_test.at(0) + n * interval '60 s' $$;
create function pg_temp.end_all() returns bigint language sql
as $$ select count(inferpipe.execution_cancel(1, exec_id, true)) from inferpipe._inferpipe_runs $$;

select inferpipe_test.schedule('skip', :'t', 0) as job \gset
select is(inferpipe_test.fire(:job, pg_temp.at(0), pg_temp.at(1), array[pg_temp.at(0)]), '1 1',
  'skip: the first starts');
select is(inferpipe_test.fire(:job, pg_temp.at(1), pg_temp.at(2), array[pg_temp.at(1)]), '1 0',
  'the second does not, the first lives');
select pg_temp.end_all();
select is(inferpipe_test.fire(:job, pg_temp.at(2), pg_temp.at(4),
  array[pg_temp.at(2), pg_temp.at(3)]), '2 1', 'when it has ended, one of two starts');
select is(inferpipe_test.outcomes(:job), 'started skipped started skipped', 'so it is told');

select inferpipe_test.schedule('allow', :'t', 2) as job \gset
select is(inferpipe_test.fire(:job, pg_temp.at(0), pg_temp.at(3),
  array[pg_temp.at(0), pg_temp.at(1), pg_temp.at(2)]), '3 3', 'allow: all start');

select inferpipe_test.schedule('queue', :'t', 1) as job \gset
select pg_temp.end_all();
select is(inferpipe_test.fire(:job, pg_temp.at(0), pg_temp.at(3),
  array[pg_temp.at(0), pg_temp.at(1), pg_temp.at(2)]), '3 1', 'queue: the first starts');
select is(inferpipe_test.outcomes(:job), 'started waiting waiting', 'the others wait');
select ok(waits, 'the tick tells that some wait') from inferpipe.cron_look(1);
select is(inferpipe.cron_release(1, 10), 0, 'none starts while the first lives');
select pg_temp.end_all();
select is(inferpipe_test.fire(:job, pg_temp.at(3), pg_temp.at(4), array[pg_temp.at(3)]), '1 0',
  'a new one goes behind those that wait');
select is(inferpipe.cron_release(1, 10), 1, 'the next starts');
select is(inferpipe.cron_release(1, 10), 0, 'alone');
select is(inferpipe_test.outcomes(:job), 'started started waiting waiting', 'the oldest');
select is(convert_from(e.input, 'UTF8')::json->>'scheduledTime',
  to_char(pg_temp.at(1) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'with its own time')
from inferpipe._inferpipe_executions e join inferpipe._inferpipe_runs using (exec_id);
update inferpipe._inferpipe_cron_jobs set paused = true where job_id = :job;
select pg_temp.end_all();
select is(inferpipe.cron_release(1, 10), 0, 'a paused job starts none');
update inferpipe._inferpipe_cron_jobs set paused = false where job_id = :job;
select is(inferpipe.cron_release(1, 10), 1, 'until it goes on');
select pg_temp.end_all();
select is(inferpipe.cron_release(1, 10), 1, 'and the last');
select pg_temp.end_all();
select ok(not waits, 'then nothing waits') from inferpipe.cron_look(1);

update inferpipe._inferpipe_cron_jobs set waiting = 999, next_at = pg_temp.at(5)
where job_id = :job;
select is(inferpipe_test.fire(:job, pg_temp.at(5), pg_temp.at(8),
  array[pg_temp.at(5), pg_temp.at(6)]), '2 0', 'not without end:');
select is(inferpipe_test.outcomes(:job), 'started started started started waiting skipped',
  'the thousandth still waits, the next is skipped');
select * from finish();
rollback;
