-- A tick fires once, whoever asks how often, and starts its workflow with the tick as input.
begin;
select plan(16);
select inferpipe_test.setup();
select inferpipe_test.at(0) as t \gset
select inferpipe_test.schedule('job', :'t') as job \gset
select is((select array_agg(name) from inferpipe.cron_due(1, '{}', 10)), array['job'], 'it is due');
select is((select count(*)::int from inferpipe.cron_due(1, array[:job], 10)), 0, 'unless skipped');
select is((select count(*)::int from inferpipe.cron_due(2, '{}', 10)), 0, 'or elsewhere');
select is(inferpipe_test.fire(:job, :'t', :'t'::timestamptz + '60 s', array[:'t'::timestamptz]),
  '1 1', 'it fires');
select is(inferpipe_test.fire(:job, :'t', :'t'::timestamptz + '60 s', array[:'t'::timestamptz]),
  '0 0', 'not again');
select is((select count(*)::int from inferpipe.cron_due(1, '{}', 10)), 0, 'nothing is due');
select is((select count(*)::int from inferpipe._inferpipe_runs), 1, 'there is one execution');
select is(convert_from(e.input, 'UTF8'), format(
    '{"job":"job","scheduledTime":"%sZ","manual":false,"input":{"a":1.50}}',
    to_char(:'t'::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')),
  'its input holds the tick and the job''s input as it was')
from inferpipe._inferpipe_executions e;
select is(r.lane, inferpipe_test.lane(), 'on the lane of its workflow')
from inferpipe._inferpipe_runs r;
-- The clock of a worker or a person brings the same instant again: the history knows it.
update inferpipe._inferpipe_cron_jobs set next_at = :'t' where job_id = :job;
select is(inferpipe_test.fire(:job, :'t', :'t'::timestamptz + '60 s', array[:'t'::timestamptz]),
  '0 0', 'an instant that fired before does not fire again');
select is(next_at, :'t'::timestamptz + '60 s', 'but the job goes on')
from inferpipe._inferpipe_cron_jobs;
select is((select count(*)::int from inferpipe._inferpipe_runs), 1, 'still one execution');

-- Several ticks at once, some missed before them.
select is(inferpipe_test.fire(:job, :'t'::timestamptz + '60 s', :'t'::timestamptz + '360 s',
  array[:'t'::timestamptz + '240 s', :'t'::timestamptz + '300 s'], true), '2 2', 'a late batch');
select is(inferpipe_test.outcomes(:job), 'started missed started started', 'and its history');

select is((select next_at from inferpipe.cron_fire(1, '{}', '{}', '{}', '{}', '{}', '{}')),
  :'t'::timestamptz + '360 s', 'the earliest instant is told');
update inferpipe._inferpipe_cron_jobs set paused = true;
select is(inferpipe_test.fire(:job, :'t'::timestamptz + '360 s', :'t'::timestamptz + '420 s',
  array[:'t'::timestamptz + '360 s']), '0 0', 'a paused job does not fire');
select * from finish();
rollback;
