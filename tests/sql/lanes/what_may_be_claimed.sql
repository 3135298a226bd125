-- The lanes of the workflows a worker runs, and how it claims there.
begin;
select plan(5);
select inferpipe.workflow_register(1, array['a', 'a', 'b'], array['1', '2', '1'],
  array['default', 'default', 'slow'], array[null, null, null]::int8[]);
select is(count(*)::int, 0, 'none before the first start')
from inferpipe.lanes(1, array['a', 'b'], array['1', '1']);
select inferpipe.lane_intern(1, null, 'a', '1'), inferpipe.lane_intern(1, null, 'a', '2'),
  inferpipe.lane_intern(1, null, 'b', '1'), inferpipe.lane_intern(1, 'fast', 'b', '1');
select is(array_agg(format('%s %s %s', workflow, version, queue)),
  array['a 1 default', 'b 1 slow', 'b 1 fast'],
  'those of the versions asked for') from inferpipe.lanes(1, array['a', 'b'], array['1', '1']);
select is(array_agg(quota), array[0, 0, 0], 'by a plain claim')
from inferpipe.lanes(1, array['a', 'b'], array['1', '1']);
update inferpipe._inferpipe_queues set paused = true where name = 'slow';
select is(array_agg(paused), array[false, true, false], 'not from the paused queue')
from inferpipe.lanes(1, array['a', 'b'], array['1', '1']);
select is(count(*)::int, 0, 'another workspace has its own')
from inferpipe.lanes(2, array['a', 'b'], array['1', '1']);
select * from finish();
rollback;
