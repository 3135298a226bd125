-- The end of a wait is fixed by its first call: a replay in between does not move it.
begin;
select plan(14);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select is(wake_at, inferpipe.clock() + interval '60 s', 'it wakes at its end')
from inferpipe_test.flush(:id, 1, 3, p_wait => 'm', p_wait_ms => 60000);
select is(crashes || ' ' || has_journal, '0 true', 'that is progress')
from inferpipe._inferpipe_runs;
select inferpipe_test.at(30);
select inferpipe.execution_cancel(1, :id, false); -- any reason to run again before the end
select count(*) from inferpipe_test.claim();
update inferpipe._inferpipe_runs set flags = 0, crashes = 2;
select is(wake_at, inferpipe.clock() + interval '30 s', 'the same end after a replay')
from inferpipe_test.flush(:id, 2, 3, p_wait => 'm', p_wait_ms => 60000);
select is(crashes, 2::int2, 'waiting again is no progress') from inferpipe._inferpipe_runs;
select inferpipe_test.at(59.9);
select is(count(*)::int, 0, 'not due before') from inferpipe_test.claim();
select inferpipe_test.at(60);
select is(count(*)::int, 1, 'due at its end') from inferpipe_test.claim();
select is(format('%s %s %s', verdict, got, payload), '0 2 ', 'it has timed out')
from inferpipe_test.flush(:id, 3, 3, p_wait => 'm', p_wait_ms => 60000);
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 3', 'the run goes on');
select is(format('%s %s %s', kind, status, error_code), '3 2 TIMEOUT', 'the journal says so')
from inferpipe._inferpipe_steps where kind = 3;
select inferpipe.execution_send(1, :id, 'm', '1', null, null);
select is(got, 2::int2, 'a message that comes after changes nothing')
from inferpipe_test.flush(:id, 3, 3, p_wait => 'm', p_wait_ms => 60000);
select is(count(*)::int, 1, 'it stays in the mailbox') from inferpipe._inferpipe_messages;

select is(got, 2::int2, 'a wait of no time asks once')
from inferpipe_test.flush(:id, 3, 3, p_wait => 'n', p_wait_ms => 0, p_wait_seq => 2);
select is(got, 0::int2, 'a wait without an end')
from inferpipe_test.flush(:id, 3, 3, p_wait => 'o', p_wait_ms => -1, p_wait_seq => 3);
select ok(ready_at > inferpipe.clock() + interval '99 years' and isfinite(ready_at),
  'still has a time to wake') from inferpipe._inferpipe_runs;
select * from finish();
rollback;
