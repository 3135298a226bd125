-- What waited is claimed like what is queued once it is due, whatever it waited for.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as timer \gset
select inferpipe_test.start() as retry \gset
select inferpipe_test.start() as message \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:timer, 1, 1, p_state => 2, p_wake_ms => 1000);
select verdict from inferpipe_test.flush(:retry, 1, 1, p_state => 4, p_wake_ms => 2000);
select verdict from inferpipe_test.flush(:message, 1, 3, p_wait => 'm', p_wait_ms => 3000);
select inferpipe_test.at(0.5);
select is(count(*)::int, 0, 'not yet') from inferpipe_test.claim();
select inferpipe_test.at(3);
select is(array_agg(exec_id order by ready_at), array[:timer, :retry, :message]::int8[],
  'all of them')
from inferpipe_test.claim();
select is(array_agg(distinct fence), array[2], 'with the next fence')
from inferpipe._inferpipe_runs;
select is(max(wait_key), 0::int8, 'nobody waits') from inferpipe._inferpipe_runs;
select * from finish();
rollback;
