-- Weekly partitions are made ahead, once; rows go where their id's time says.
begin;
select plan(9);
select cardinality(inferpipe.history_tables()) as tables \gset
select is(inferpipe.partitions_ensure(8), 0, 'the migration made them');
select is(count(*)::int, :tables, 'each history table has one for a week') from pg_class
where relnamespace = 'inferpipe'::regnamespace
  and relname like '\_inferpipe\_%\_' || to_char(date_trunc('week', now() at time zone 'UTC')
    + interval '7 days', 'YYYYMMDD') and relkind = 'r';
select is(inferpipe.partitions_ensure(9), :tables, 'one more week');
select is(inferpipe.partitions_ensure(9), 0, 'is there now');
select throws_ok('select inferpipe.partitions_ensure(-1)', 'IP400', null, 'a bad number');

select inferpipe_test.setup();
select inferpipe_test.start() as now \gset
select is(tableoid::regclass::text, 'inferpipe._inferpipe_executions_'
  || to_char(date_trunc('week', now() at time zone 'UTC'), 'YYYYMMDD'), 'this week''s partition')
from inferpipe._inferpipe_executions where exec_id = :now;
select set_config('inferpipe_test.now', '2050-01-05 12:00 UTC', true);
select inferpipe_test.start() as later \gset
select is(tableoid::regclass::text, 'inferpipe._inferpipe_executions_default',
  'the net catches the rest')
from inferpipe._inferpipe_executions where exec_id = :later;
select is(inferpipe.partitions_ensure(1), 2 * :tables - 1,
  'a week with rows in the net is left alone');
select is(inferpipe.id_floor('2050-01-03 00:00 UTC') <= :later
  and :later < inferpipe.id_floor('2050-01-10 00:00 UTC'), true, 'bounds are times');
select * from finish();
rollback;
