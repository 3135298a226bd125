-- A key with a long backlog lets no more than its window go before another key's next start; a key
-- may have a rate.
begin;
select plan(9);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.limit('default', p_concurrency => 5, p_key_window => 3);
select count(inferpipe_test.start_key('noisy')) from generate_series(1, 300);
select is(inferpipe_test.grant_limited(99, 0, 2), 2, 'the noisy key gets what it is alone for');
select inferpipe_test.at(1);
select inferpipe_test.start_key('quiet') as quiet \gset
create temp table begun (n serial, exec_id int8);
do $$
begin
  for i in 1 .. 15 loop
    insert into begun (exec_id)
    select c.exec_id from inferpipe_test.claim_limited(99, 4, 1) c where c.exec_id <> 0;
    exit when exists (select from begun b where b.exec_id = (
      select r.exec_id from inferpipe._inferpipe_runs r
      join inferpipe._inferpipe_executions e using (exec_id) where e.queue_key = 'quiet'));
  end loop;
end $$;
select ok(max(n) filter (where exec_id = :quiet) <= 11, 'another key waits for the window, not 300')
from begun;
select is(fresh, 3, 'the window is full again') from inferpipe._inferpipe_queue_keys
where key = 'noisy';

-- The rate of a key.
select inferpipe.limit('default', p_concurrency => 0, p_key_rate => 1, p_key_period => '10 seconds',
  p_key_window => 0);
select inferpipe_test.start_key('x') as x1, inferpipe_test.start_key('x') as x2 \gset
select ok(exists (select from inferpipe_test.claim_limited(99, 0, 500) where exec_id = :x1),
  'the first one of a key begins');
select is(inferpipe_test.run(:x2), 'state 7 owner 0 fence 0', 'the second waits');
select is(at, inferpipe.clock() + interval '10 seconds', 'the due check knows until when')
from inferpipe.queue_sweep(array[inferpipe_test.lane()]);
select inferpipe_test.at(10.9);
select is((select count(*)::int from inferpipe_test.claim_limited(99, 0, 500)
  where exec_id = :x2), 0, 'not before its time');
select inferpipe_test.at(11);
select is((select count(*)::int from inferpipe_test.claim_limited(99, 0, 500)
  where exec_id = :x2), 1, 'but then');
select is((select rate_at from inferpipe._inferpipe_queue_keys where key = 'x'),
  inferpipe.clock() + interval '10 seconds', 'and its key is charged');
select * from finish();
rollback;
