-- A worker that leaves frees what it has; that is no crash.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.start() as c \gset
select count(*) from inferpipe_test.claim(98);
select inferpipe.execution_cancel(1, :a, false);
select is(inferpipe.worker_leave(99), 2, 'two are free');
select is(format('%s | %s | %s', inferpipe_test.run(:a), inferpipe_test.run(:b),
  inferpipe_test.run(:c)),
  'state 0 owner 0 fence 1 | state 0 owner 0 fence 1 | state 1 owner 98 fence 1', 'only its own');
select is(max(crashes), 0::int2, 'nobody has crashed') from inferpipe._inferpipe_runs;
select is(format('%s %s', state, died_of), '2 left', 'it is gone')
from inferpipe._inferpipe_workers where worker_id = 99;
select is(count(*)::int, 0, 'its cancels are on the runs') from inferpipe._inferpipe_cancels;
select is(inferpipe.worker_leave(99), 0, 'twice is fine');
select ok(not inferpipe_test.worker(99), 'and it does not come back');
select * from finish();
rollback;
