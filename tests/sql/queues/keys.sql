-- A key's executions: a place from admission to the end, in order, and none lost.
begin;
select plan(29);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.limit('default', p_key_concurrency => 2);

select array_agg(inferpipe_test.start_key('a')) as a from generate_series(1, 4) \gset
select (:'a'::int8[])[1] as a1, (:'a'::int8[])[2] as a2, (:'a'::int8[])[3] as a3,
  (:'a'::int8[])[4] as a4 \gset
select inferpipe_test.start_key('b') as b1 \gset
select inferpipe_test.start() as free \gset
select is(inferpipe_test.run(:a1), 'state 7 owner 0 fence 0', 'a start with a key waits');
select is(status || ' ' || waiting_for, 'queued slot', 'and says so') from inferpipe.executions
where exec_id = :a1;
select is(inferpipe_test.run(:free), 'state 0 owner 0 fence 0', 'one without a key does not');

select set_eq(format('select exec_id from inferpipe_test.claim_limited(99, 0) where exec_id <> 0'),
  array[:a1, :a2, :b1, :free], 'two of the key, the other key, and what has none');
select is(inferpipe_test.key('a'), 'used 2 fresh 0 waiting 2', 'the key''s row counts');
select is(inferpipe_test.run(:a3), 'state 7 owner 0 fence 0', 'the third waits');
select ok(ready_at > inferpipe.clock() + interval '99 years', 'and is not due')
from inferpipe._inferpipe_runs where exec_id = :a3;
select is((select count(*)::int from inferpipe.doctor(null, null)
  where check_name in ('no_reason_to_wake', 'run_or_result')), 0, 'doctor finds no fault in that');

-- A place is held while it sleeps, and given back by any end.
update inferpipe._inferpipe_runs set owner = 0, state = 2, ready_at = inferpipe.clock()
  + interval '1 hour' where exec_id = :a1;
select is(inferpipe_test.grant_limited(99, 3), 0, 'one that sleeps keeps its place');
select inferpipe_test.finish_exec(:a2);
select is(inferpipe_test.key('a'), 'used 2 fresh 0 waiting 2', 'an end only appends');
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 2) where exec_id <> 0',
  array[:a3], 'the next claim admits the one that waited longest');
select inferpipe.execution_cancel(1, :a1, true);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 2) where exec_id <> 0',
  array[:a4], 'a forced cancel gives the place back too');
select is(inferpipe_test.key('a'), 'used 2 fresh 0 waiting 0', 'all are admitted');
select inferpipe_test.finish_exec(:a3), inferpipe_test.finish_exec(:a4);
select is(inferpipe_test.grant_limited(99, 0), 0, 'nothing more');
select is(inferpipe_test.key('a'), 'none', 'a key with nothing left goes');

-- Priorities, and who was canceled while he waited.
select inferpipe_test.start_key('c', 3) as c1, inferpipe_test.start_key('c', 3) as c2 \gset
select is(inferpipe_test.grant_limited(99, 0), 2, 'two of the next key');
select inferpipe_test.start_key('c', 4) as c3, inferpipe_test.start_key('c', 2) as c4,
  inferpipe_test.start_key('c', 4) as c5 \gset
select is(inferpipe_test.grant_limited(99, 2), 0, 'three wait');
select is(inferpipe.execution_cancel(1, :c3, false), 2, 'one is canceled while it waits');
select inferpipe_test.finish_exec(:c1);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 1) where exec_id <> 0',
  array[:c4], 'the more urgent one is first');
select inferpipe_test.finish_exec(:c2);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 1) where exec_id <> 0',
  array[:c5], 'the canceled one is passed over');
select is(inferpipe_test.key('c'), 'used 2 fresh 0 waiting 0', 'and forgotten');

-- A deadline is stronger than the wait; a delay comes before it.
select inferpipe_test.start_key('c', 3, 0, 5000) as late,
  inferpipe_test.start_key('d', 3, 2000) as d \gset
select is(inferpipe_test.grant_limited(99, 2), 0, 'neither may begin');
select inferpipe_test.at(2);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 2) where exec_id <> 0',
  array[:d], 'the delayed one arrives when it is due');
select inferpipe_test.at(5);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 3) where exec_id <> 0',
  array[:late], 'at its deadline it is claimed without a place, to fail');
select is(inferpipe_test.key('c'), 'used 2 fresh 0 waiting 1', 'it holds none');
select inferpipe_test.finish_exec(:late), inferpipe_test.finish_exec(:c4);
select is(inferpipe_test.grant_limited(99, 1), 0, 'nobody is left to admit');
select is(inferpipe_test.key('c'), 'used 1 fresh 0 waiting 0', 'its wait is forgotten as well');

-- A retry by hand asks for a place again.
select inferpipe.execution_cancel(1, :c5, true);
select inferpipe.execution_retry(1, :c5);
select is(inferpipe_test.run(:c5), 'state 7 owner 0 fence 1', 'a retry waits like a start');
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 1) where exec_id <> 0',
  array[:c5], 'and is admitted');
select * from finish();
rollback;
