-- A workflow that nobody has registered, jitter, deadlines; one job never stops another.
begin;
select plan(9);
select inferpipe_test.setup();
select inferpipe.workflow_register(1, array['short'], array['1'], array['default'],
  array[5000::int8]);
select inferpipe_test.at(0) as t \gset
select inferpipe_test.schedule('good', :'t') as good \gset
select inferpipe_test.schedule('bad', :'t', 2, 'nobody') as bad \gset
select inferpipe_test.schedule('late', :'t', 2, 'short', 30000) as late \gset
select is(fired || ' ' || started, '3 2', 'two of three start')
from inferpipe.cron_fire(1, array[:good, :bad, :late], array_fill(:'t'::timestamptz, array[3]),
  array_fill(:'t'::timestamptz + '60 s', array[3]), '{}', array[:late, :good, :bad],
  array_fill(:'t'::timestamptz, array[3]));
select is(inferpipe_test.outcomes(:bad), 'unregistered', 'the third is told');
select is(r.ready_at, :'t'::timestamptz + inferpipe.cron_jitter(:late, :'t', 30000)
  * interval '1 ms', 'jitter is a later start')
from inferpipe._inferpipe_runs r where r.deadline is not null;
select is(r.deadline, :'t'::timestamptz + '5 s', 'the workflow''s deadline counts')
from inferpipe._inferpipe_runs r where r.deadline is not null;
select is(r.ready_at, :'t'::timestamptz, 'without jitter it is ready at once')
from inferpipe._inferpipe_runs r where r.deadline is null;
select is(count(distinct inferpipe.cron_jitter(7, :'t'::timestamptz
  + n * interval '1 s', 1000)) > 400,
  true, 'jitter spreads') from generate_series(1, 1000) n;
select is(bool_and(inferpipe.cron_jitter(n, :'t', 1000) between 0 and 999), true, 'within its span')
from generate_series(1, 1000) n;
select is(inferpipe.cron_jitter(7, :'t', 1000), inferpipe.cron_jitter(7, :'t', 1000),
  'the same again');
select inferpipe.workflow_register(1, array['nobody'], array['1'], array['default'],
  array[null::int8]);
select is(inferpipe_test.fire(:bad, :'t'::timestamptz + '60 s', :'t'::timestamptz + '120 s',
  array[:'t'::timestamptz + '60 s']), '1 1', 'once registered it starts');
select * from finish();
rollback;
