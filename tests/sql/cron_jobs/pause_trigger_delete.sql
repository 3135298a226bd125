-- What people do to a job.
begin;
select plan(22);
select inferpipe_test.setup();
select inferpipe_test.at(0) as t \gset
select inferpipe_test.schedule('a', :'t', 0) as job \gset
select ok(inferpipe.cron_pause(1, 'a', true, '* * * * *', 'UTC', null), 'pause');
select ok(not inferpipe.cron_pause(1, 'a', true, '* * * * *', 'UTC', null), 'it is paused already');
select is((select count(*)::int from inferpipe.cron_due(1, '{}', 10)), 0,
  'a paused one is not due');
select is((select count(*)::int from inferpipe.cron_look(1)), 0, 'and no tick looks at it');
select throws_ok($$ select inferpipe.cron_pause(1, 'a', false, '@daily', 'UTC', now()) $$,
  'IP409', null,
  'a next time from another expression is refused');
select ok(inferpipe.cron_pause(1, 'a', false, '* * * * *', 'UTC', :'t'::timestamptz + '9 s'),
  'resume');
select is(next_at, :'t'::timestamptz + '9 s', 'it goes on from now, nothing is missed')
from inferpipe.cron_look(1);

select inferpipe.cron_trigger(1, 'a') as one \gset
select is(convert_from(e.input, 'UTF8')::json->>'manual', 'true', 'a trigger starts it by hand')
from inferpipe._inferpipe_executions e where exec_id = :one;
select inferpipe_test.at(1);
select isnt(inferpipe.cron_trigger(1, 'a'), :one::int8, 'whatever else lives');
select is(inferpipe_test.fire(:job, :'t'::timestamptz + '9 s', :'t'::timestamptz + '60 s',
  array[:'t'::timestamptz + '9 s']), '1 0', 'a time of the schedule heeds it');
select is(next_at, :'t'::timestamptz + '60 s', 'the schedule goes on as it was')
from inferpipe._inferpipe_cron_jobs;
select inferpipe_test.schedule('n', :'t', 0, 'nobody');
select throws_ok($$ select inferpipe.cron_trigger(1, 'n') $$, 'IP404', null, 'an unknown workflow');

select is(array_agg(outcome || ' ' || manual || ' ' || status order by scheduled_time), array[
  'started true queued', 'started true queued', null], 'the history in words')
from inferpipe.cron_executions where job = 'a';
select is(format('%s %s %s %s', schedule, overlap, catchup, last_outcome),
  '* * * * * skip last skipped',
  'the job in words') from inferpipe.cron_jobs where name = 'a';
select inferpipe.cron_delete(1, 'a');
select is((select count(*)::int from inferpipe._inferpipe_cron_executions), 0,
  'the history goes with it');
select is((select count(*)::int from inferpipe._inferpipe_runs), 2, 'executions stay');
select throws_ok(q, 'IP404', 'name: there is no schedule a', q) from (values
  ($$ select inferpipe.cron_delete(1, 'a') $$), ($$ select inferpipe.cron_trigger(1, 'a') $$),
  ($$ select inferpipe.cron_pause(1, 'a', true, '', '', null) $$)) x(q);
select throws_ok($$ select inferpipe.cron_delete(2, 'n') $$, 'IP404', null, 'in another workspace');

-- The history is forgotten in time, by batches; what waits is not.
insert into inferpipe._inferpipe_cron_executions (job_id, scheduled_time, fired_at, outcome)
select 1, inferpipe_test.at(n), inferpipe_test.at(n), case n when 3 then 3 else 1 end
from generate_series(1, 5) n;
insert into inferpipe._inferpipe_cron_executions (job_id, scheduled_time, fired_at, outcome)
values (1, inferpipe_test.at(8000000), inferpipe_test.at(8000000), 1);
select inferpipe_test.at(7776005);
select is((select array_agg(inferpipe.cron_forget(2)) from generate_series(1, 3)),
  array[true, false, false], 'two at a time');
select is((select count(*)::int from inferpipe._inferpipe_cron_executions), 3,
  'one that waits, one at the limit and a new one are left');
select * from finish();
rollback;
