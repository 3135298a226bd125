-- The hourly chores: expired keys, workers long gone, cancels without a worker.
begin;
select plan(10);
select inferpipe_test.setup();
select exec_id from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0, null, 'short',
  1000,
  '1', null, null, null);
select exec_id from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0, null, 'long',
  1000000000, '1', null, null, null);
select inferpipe_test.worker(98), inferpipe.worker_leave(98);
select inferpipe_test.worker(97);
insert into inferpipe._inferpipe_cancels values (99, 1), (98, 2), (5, 3);
select is(inferpipe.maintain(), false, 'once, and there is no more to do');
select is(array_agg(worker_id order by worker_id), array[97, 98, 99]::int8[],
  'the newly gone are kept')
from inferpipe._inferpipe_workers;
select is(array_agg(worker_id), array[99::int8], 'cancels for the living are kept')
from inferpipe._inferpipe_cancels;
select set_config('inferpipe_test.now', (clock_timestamp() + interval '25 h')::text, true);
select inferpipe.maintain();
select is(array_agg(worker_id order by worker_id), array[97, 99]::int8[], 'a day later they go')
from inferpipe._inferpipe_workers;
select is(array_agg(key), array[inferpipe.text_uuid('long')], 'keys go when their time is over')
from inferpipe._inferpipe_idempotency;

-- A week later the partitions of one more week are due: one a call.  On some days of the week the
-- day that has passed has begun a week, too.
select inferpipe.partitions_ensure(8);
select set_config('inferpipe_test.now', (clock_timestamp() + interval '7 days 25 h')::text, true);
create view tables as select count(*)::int4 as n from pg_class
where relnamespace = 'inferpipe'::regnamespace and relkind = 'r';
select n as before from tables \gset
select is(inferpipe.maintain(), true, 'a partition is made, and there may be more');
select is(n, :before + 1, 'one') from tables;
select is(count(*) filter (where inferpipe.maintain()) + 1,
  cardinality(inferpipe.history_tables())::int8, 'the others of that week, each in a call')
from generate_series(1, 100);
select is(n, :before + cardinality(inferpipe.history_tables()), 'each once') from tables;
select is(inferpipe.partitions_ensure(8), 0, 'and none is missing');
select * from finish();
rollback;
