-- A sweep names each lane, shard and priority with something due, and for each the next time that
-- something will be.
begin;
select plan(8);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select setval('inferpipe._inferpipe_id_seq', 0, false);
create function pg_temp.sweep() returns text[] language sql
as $$ select array_agg(case kind when 4 then format('due %s %s %s', n, m, at - inferpipe_test.at(0))
    else format('next %s %s %s', n, m, at - inferpipe_test.at(0)) end order by kind, n, m)
  from inferpipe.tick_sweep(array[inferpipe_test.lane()]) $$;
select is(pg_temp.sweep(), null, 'nothing at all');
select inferpipe_test.start(3, 5000);  -- shard 0
select is(pg_temp.sweep(), array['next 0 3 00:00:05'], 'something in the future');
select inferpipe_test.start(3);        -- shard 1
select inferpipe_test.start(1);        -- shard 2
select inferpipe_test.start(3, 9000);  -- shard 3
select is(pg_temp.sweep(), array['due 1 3 00:00:00', 'due 2 1 00:00:00', 'next 0 3 00:00:05',
  'next 3 3 00:00:09'], 'what is due, and the next times');
select setval('inferpipe._inferpipe_id_seq', 9, false);
select inferpipe_test.start(3, 2000);  -- shard 1 again, behind what is due there
select is(pg_temp.sweep(), array['due 1 3 00:00:00', 'due 2 1 00:00:00', 'next 0 3 00:00:05',
  'next 1 3 00:00:02', 'next 3 3 00:00:09'], 'a later one behind a due one counts');
select count(*) from inferpipe_test.claim();
select is(pg_temp.sweep(), array['next 0 3 00:00:05', 'next 1 3 00:00:02', 'next 3 3 00:00:09'],
  'what is claimed is not due');
select is(count(*)::int, 0, 'other lanes are not looked at') from inferpipe.tick_sweep(array[0]);
select is(count(*)::int, 0, 'nor any without lanes') from inferpipe.tick_sweep('{}');
select is(array_agg(distinct kind order by kind), array[1, 5, 6]::int2[], 'the tick passes it on')
from inferpipe.tick(99, 1, 10000, false, 'h', 1, 'p', 'v', array[inferpipe_test.lane()], true);
select * from finish();
rollback;
