-- The first beat registers, the next ones renew, until somebody has marked the worker.
begin;
select plan(9);
select inferpipe_test.at(0);
select ok(inferpipe.worker_beat(99, 1, 10000, true, 'h', 7, 'prog', '1.0'), 'registered');
select is(format('%s %s %s %s %s %s', state, beats, hungry, host, pid, program), '0 0 t h 7 prog',
  'as it said') from inferpipe._inferpipe_workers;
select is(format('%s %s', backend_pid, backend_start is not null), format('%s t', pg_backend_pid()),
  'with its connection') from inferpipe._inferpipe_workers;
select inferpipe_test.at(5);
select ok(inferpipe.worker_beat(99, 1, 10000, false, 'h', 7, 'prog', '1.0'), 'renewed');
select is(format('%s %s %s', beats, hungry, expires_at - started_at), '1 f 00:00:15',
  'one beat later')
from inferpipe._inferpipe_workers;
select ok(inferpipe.reap_mark(99, 1, 'silent'), 'somebody marks it');
select ok(not inferpipe.worker_beat(99, 1, 10000, false, 'h', 7, 'prog', '1.0'),
  'the lease is lost');
select is(format('%s %s %s', state, beats, died_of), '1 1 silent', 'and stays lost')
from inferpipe._inferpipe_workers;
select throws_ok('select inferpipe_test.worker(0)', '23514', null, 'a worker has a positive id');
select * from finish();
rollback;
