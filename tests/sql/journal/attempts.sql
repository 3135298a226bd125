-- The first page tells the failed attempts of each step in one row: the last number, the next time.
begin;
select plan(5);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_attempt => 1,
  p_wake_ms => 100);
select is(verdict, 0::int2, 'the second one parks')
from inferpipe_test.flush(:id, 1, 1, p_state => 4,
  p_step => 'pay', p_attempt => 2, p_wake_ms => 5000);
select is(format('%s %s %s', kind, attempts, seq), '8 2 1', 'the last attempt')
from inferpipe.journal(array[:id::int8], array[null::int8], 10);
select is(wake_at, inferpipe.clock() + interval '5 s', 'and when the next one may begin')
from inferpipe.journal(array[:id::int8], array[null::int8], 10);
select is(count(*)::int, 0, 'only with the first page')
from inferpipe.journal(array[:id::int8], array[0::int8], 10);
select is(format('%s %s', has_journal, ready_at - inferpipe.clock()), 't 00:00:05',
  'the run has a journal and sleeps') from inferpipe._inferpipe_runs;
select * from finish();
rollback;
