-- The executions of dead workers become free, in bounded batches; then the worker is gone.
begin;
select plan(13);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select inferpipe_test.start() as c \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.start() as other \gset
select count(*) from inferpipe_test.claim(98);
select is(format('%s %s', released, remaining), '0 0', 'nobody is dead')
from inferpipe.reap_release(5::int2, 100);
select inferpipe.execution_cancel(1, :a, false);
select verdict from inferpipe_test.flush(:b, 1, 0, p_step => 'progress');
select inferpipe.worker_dead(99, 'test');
select inferpipe_test.at(1800);
select is(format('%s %s', released, remaining), '2 1', 'a batch')
from inferpipe.reap_release(5::int2, 2);
select is(state, 1::int2, 'more are left') from inferpipe._inferpipe_workers where worker_id = 99;
select is(format('%s %s', released, remaining), '1 0', 'the rest')
from inferpipe.reap_release(5::int2, 2);
select is(state, 2::int2, 'the worker is gone')
from inferpipe._inferpipe_workers where worker_id = 99;
select is(format('%s %s', released, remaining), '0 0', 'nothing more')
from inferpipe.reap_release(5::int2, 2);
select is(inferpipe_test.run(:a), 'state 0 owner 0 fence 1', 'a run is free');
select ok(bool_and(ready_at = inferpipe.clock()), 'due now')
from inferpipe._inferpipe_runs where owner = 0;
select is(flags, 1::int2, 'a cancel stays with the run')
from inferpipe._inferpipe_runs where exec_id = :a;
select is(count(*)::int, 0, 'and is not sent to the dead') from inferpipe._inferpipe_cancels;
select is(crashes, 1::int2, 'a crash is counted') from inferpipe._inferpipe_runs where exec_id = :c;
select is(inferpipe_test.run(:other), 'state 1 owner 98 fence 1', 'the living keep theirs');
select is(fence, 2, 'the next claim has the next fence')
from inferpipe_test.claim(98) where exec_id = :a;
select * from finish();
rollback;
