-- When nothing is due no row is locked, not even the worker's: xmax stays 0.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.start(p_delay_ms => 60000) as id \gset
select is(count(*)::int, 0, 'nothing is due') from inferpipe_test.claim();
select is(xmax::text, '0', 'the worker is not locked') from inferpipe._inferpipe_workers;
select is(xmax::text, '0', 'the run is not locked') from inferpipe._inferpipe_runs;
select is(count(*)::int, 0, 'a dead worker may poll an empty queue')
from inferpipe_test.claim(12345);
select * from finish();
rollback;
