-- A run that parks with a cancel pending is due at once, whatever it waits for.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.start() as timer \gset
select inferpipe_test.start() as message \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.at(0);
select inferpipe.execution_cancel(1, :timer, false), inferpipe.execution_cancel(1, :message, false);
select is(wake_at, inferpipe.clock(), 'a sleep')
from inferpipe_test.flush(:timer, 1, 1, p_state => 2,
  p_wake_ms => 60000);
select is(wake_at, inferpipe.clock(), 'a wait')
from inferpipe_test.flush(:message, 1, 3, p_wait => 'm');
select is(flags, 1::int2, 'the next claim sees the flag') from inferpipe_test.claim()
where exec_id = :timer;
select is(inferpipe_test.run(:message), 'state 1 owner 99 fence 2', 'both are claimed at once');
select * from finish();
rollback;
