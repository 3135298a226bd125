-- What a scrape tells of the database.
begin;
select plan(15);
select inferpipe_test.setup();
create function pg_temp.told(p_gauge text, p_label text default null) returns int8 language sql
as $$ select value from inferpipe.gauges('default')
  where gauge = p_gauge and label is not distinct from p_label $$;
select inferpipe_test.at(0);
select is(pg_temp.told('depth', 'default'), 0::int8, 'nothing waits');
select is(pg_temp.told('oldest', 'default'), 0::int8, 'so nothing is old');
select count(inferpipe_test.start()) from generate_series(1, 20);
select inferpipe_test.start(5), inferpipe_test.start(p_delay_ms => 3600000);
select inferpipe_test.at(2.5);
select is(pg_temp.told('depth', 'default'), 21::int8, 'what may run now, over all shards');
select is(pg_temp.told('oldest', 'default'), 2500000::int8, 'the age of the oldest');
select is(pg_temp.told('live', 'ready'), 22::int8, 'alive, with the one that is to begin later');
select count(*) from inferpipe_test.claim(p_limit => 20);
select is(pg_temp.told('depth', 'default'), 1::int8, 'what is claimed waits no more');
select is(pg_temp.told('live', 'running'), 20::int8, 'it runs');
select is(pg_temp.told('live', 'timer'), 0::int8, 'a state that nothing is in');
select is(pg_temp.told('workers'), 1::int8, 'a worker');
select is(pg_temp.told('stranded'), 0::int8, 'it has the workflow');
select inferpipe.worker_dead(99, 'test');
select is(pg_temp.told('stranded'), 2::int8, 'what it had is still its own until it is released');
select is(pg_temp.told('workers'), 0::int8, 'nobody');
select is(pg_temp.told('default_rows'), 0::int8, 'no rows outside of a week');
select is(count(*)::int, 0, 'an unknown workspace has no queues')
from inferpipe.gauges('unknown') where gauge in ('depth', 'oldest');
insert into inferpipe._inferpipe_workspaces (slug) values ('other');
select is((select value from inferpipe.gauges('other') where gauge = 'live' and label = 'ready'),
  0::int8, 'another workspace sees nothing of it');
select * from finish();
rollback;
