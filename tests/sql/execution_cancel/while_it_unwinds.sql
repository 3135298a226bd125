-- The marker of an unwinding takes cancel and deadline away, and a later cancel leaves it alone.
begin;
select plan(8);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start(p_deadline_ms => 60000) as id \gset
select count(*) from inferpipe_test.claim();
select count(*) from inferpipe_test.flush(:id, 1, 0, p_step => 'pay');
select is(inferpipe.execution_cancel(1, :id, false), 1, 'it is asked to end');
-- The fixture's key is that of a name; the marker's is a number of its own.
insert into inferpipe._inferpipe_steps (exec_id, step_key, done_at, fence, seq, kind, status, codec,
  attempts, name, result)
values (:id, 11, inferpipe.clock(), 1, 2, 11, 0, 0, 1, 'canceled', '0');
select is(verdict, 0::int2, 'the worker answers with the marker')
from inferpipe.flush(99, array[:id], array[1], '{0}', '{0}', '{1}', '{null}', '{null}', '{0}',
  '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}',
  array[:id], '{11}', '{2}', '{11}', '{0}', '{1}', '{canceled}', '{0}', '{0}', '{null}', '{null}',
  '{0}', '{null}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
select is(format('%s %s', flags, deadline), '0 ', 'cancel and deadline are gone')
from inferpipe._inferpipe_runs;
delete from inferpipe._inferpipe_cancels;
select is(inferpipe.execution_cancel(1, :id, false), 1, 'a second cancel is fine');
select is(flags, 0::int2, 'and changes nothing') from inferpipe._inferpipe_runs;
select is(count(*)::int, 0, 'not even for the worker') from inferpipe._inferpipe_cancels;
select is(verdict, 0::int2, 'a compensation waits for its next attempt')
from inferpipe_test.flush(:id, 1, 1, p_state => 4, p_wake_ms => 5000, p_step => 'undo', p_seq => 3,
  p_attempt => 1);
select is(ready_at, inferpipe.clock() + interval '5 s', 'for as long as it should')
from inferpipe._inferpipe_runs;
select * from finish();
rollback;
