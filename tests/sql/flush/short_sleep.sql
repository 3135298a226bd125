-- A short sleep keeps the lease: the row is written, the answer tells when it ends, also to a
-- resend.
begin;
select plan(5);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.at(0);
select is(wake_at, inferpipe.clock() + interval '0.5 s', 'when it ends')
from inferpipe_test.flush(:id, 1, 0, p_step => 'nap', p_kind => 2, p_step_wake_ms => 500);
select inferpipe_test.at(0.3);
select is(wake_at, inferpipe.clock() + interval '0.2 s', 'the same for a resend')
from inferpipe_test.flush(:id, 1, 0, p_step => 'nap', p_kind => 2, p_step_wake_ms => 500);
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'the run stays');
select is(wake_at, null, 'other rows have no end')
from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_seq => 2);
select is(wake_at, null, 'nor has a negative span')
from inferpipe_test.flush(:id, 1, 0, p_step => 'nap2', p_seq => 3, p_kind => 2,
  p_step_wake_ms => -1);
select * from finish();
rollback;
