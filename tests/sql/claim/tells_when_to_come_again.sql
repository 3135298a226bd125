-- A claim that comes a little too early to a spot is told when it is time; rows that tell are no
-- executions.
begin;
select plan(6);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select setval('inferpipe._inferpipe_id_seq', 0, false);
-- Shards 0 to 3 with priority 3, from the watermark on.
create function pg_temp.look(p_from timestamptz default '-infinity') returns text[] language sql
as $$ select array_agg(format('%s %s: %s', c.shard, case when c.exec_id = 0 then 'at' else 'is' end,
    c.ready_at - inferpipe_test.at(0)) order by c.shard)
  from inferpipe.claim(99, array_fill(inferpipe_test.lane(), array[4]), '{0,1,2,3}', '{3,3,3,3}',
    array_fill(p_from, array[4]), 10) c $$;
select inferpipe_test.start(3, 300);   -- shard 0
select inferpipe_test.start(3, 1001);  -- shard 1
select inferpipe_test.start(3);        -- shard 2
select setval('inferpipe._inferpipe_id_seq', 10, false);
select inferpipe_test.start(3, 200);   -- shard 2 again
select is(pg_temp.look(), array['0 at: 00:00:00.3', '2 is: 00:00:00'],
  'what is due is given; where nothing is, but within a second, that time');
select is(pg_temp.look(), array['0 at: 00:00:00.3', '2 at: 00:00:00.2'],
  'the next one of a spot when the first is gone');
select is(count(*)::int, 3, 'nothing but that one was claimed')
from inferpipe._inferpipe_runs where owner = 0;
select is(pg_temp.look(inferpipe.clock() + interval '0.25 s'), array['0 at: 00:00:00.3'],
  'the watermark holds for what comes, too');
select inferpipe_test.at(0.25);
select is(pg_temp.look(), array['0 at: 00:00:00.3', '1 at: 00:00:01.001', '2 is: 00:00:00.2'],
  'a later look reaches further');
select is(count(*)::int, 0, 'a lane without timers has no such row')
from inferpipe.claim(99, '{0}', '{0}', '{3}', '{-infinity}', 10);
select * from finish();
rollback;
