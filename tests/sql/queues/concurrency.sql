-- The executions in all workers' hands never exceed the limit of their queue.
begin;
select plan(24);
select inferpipe_test.setup();
select inferpipe_test.worker(100);
select inferpipe_test.at(0);
select inferpipe.limit('default', p_concurrency => 5);
select count(inferpipe_test.start()) from generate_series(1, 20);

select is(inferpipe_test.grant_limited(99, 0, 3), 3, 'what it asks for, while there are places');
select is(inferpipe_test.grant_limited(100, 0), 2, 'what the other has left');
select is(inferpipe_test.grant_limited(99, 3), 0, 'no more than the limit');
select is(flags, 1::int2, 'it says that places were wanting')
from inferpipe_test.claim_limited(99, 3) where exec_id = 0;
select is(inferpipe_test.grant_limited(99, 1), 2, 'what the worker has let go is free again');
select is(used, 5::bigint, 'the view adds them up') from inferpipe.queues where name = 'default';

select is(inferpipe_test.grant_limited(99, null), 0, 'a worker that does not know is counted');
select is(u.used, 5, 'by its rows') from inferpipe._inferpipe_queue_use u where u.worker_id = 99;

select inferpipe.limit('default', p_concurrency => 10);
select is(inferpipe_test.grant_limited(100, 2), 3, 'a raised limit counts at once');
select inferpipe.limit('default', p_concurrency => 2);
select is(inferpipe_test.grant_limited(100, 1), 0, 'a lowered one takes none and gives none');
select inferpipe.limit('default', p_concurrency => 0);
select is(inferpipe_test.grant_limited(100, 5, 4), 4, 'and without it there is none');

select inferpipe.limit('default', p_concurrency => 14);
select is((select count(*)::int from inferpipe_test.claim_limited(100, 0, 10, 1)), 0,
  'a call that was overtaken does nothing, not even tell');
select is(u.used, 9, 'nor does it change what was written') from inferpipe._inferpipe_queue_use u
where u.worker_id = 100;

-- Two were taken by a call whose answer never came: worker 100 says 7 where it owns 9.
select u.turn as last from inferpipe._inferpipe_queue_use u where u.worker_id = 100 \gset
select is((select flags from inferpipe_test.claim_limited(100, 7, 10, :last + 100, :last - 1)),
  3::int2, 'a call whose answer was not seen: its rows count, and it is told that it owns more');
select is(u.used, 9, 'they are written') from inferpipe._inferpipe_queue_use u
where u.worker_id = 100;
select is(u.turn, :last + 100::int8, 'a call that changes nothing leaves its turn too')
from inferpipe._inferpipe_queue_use u where u.worker_id = 100;
select is(inferpipe.queue_report(100, inferpipe_test.queue(), 7, :last + 101, :last), true,
  'so does a report');
select is(u.used, 9, 'which is not believed') from inferpipe._inferpipe_queue_use u
where u.worker_id = 100;
select is(inferpipe.queue_report(100, inferpipe_test.queue(), 7, :last + 50, :last + 101), false,
  'and is dropped when it was overtaken');
select is(u.used, 9, 'as before') from inferpipe._inferpipe_queue_use u where u.worker_id = 100;

select inferpipe.worker_dead(100, 'test');
select is(inferpipe_test.grant_limited(99, 5), 0, 'a dead worker''s places are taken');
select released from inferpipe.reap_release(5::int2, 100);
select is(inferpipe_test.grant_limited(99, 5), 9, 'until its executions are released');
select inferpipe.worker_leave(99);
select is((select count(*)::int from inferpipe._inferpipe_queue_use), 0,
  'a worker that leaves takes its row along');
select is((select count(*)::int from inferpipe._inferpipe_runs where prio = 0 and owner = 0), 14,
  'what has begun goes on before the others');
select * from finish();
rollback;
