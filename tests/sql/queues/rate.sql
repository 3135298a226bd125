-- What begins is paced: the burst at once, then one each period / rate.
begin;
select plan(15);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.limit('default', p_rate => 10, p_period => '1 second', p_burst => 4);
select count(inferpipe_test.start()) from generate_series(1, 30);

select is(inferpipe_test.grant_limited(99, 0), 4, 'the burst at once');
select is(ready_at, inferpipe.clock() + interval '100 ms', 'it says when the next one may begin')
from inferpipe_test.claim_limited(99, 4) where exec_id = 0;
select inferpipe_test.at(0.0999);
select is(inferpipe_test.grant_limited(99, 4), 0, 'none before that');
select inferpipe_test.at(0.1);
select is(inferpipe_test.grant_limited(99, 4), 1, 'one then');
select inferpipe_test.at(0.35);
select is(inferpipe_test.grant_limited(99, 4), 2, 'at the pace of the rate');
select inferpipe_test.at(60);
select is(inferpipe_test.grant_limited(99, 4, 1), 1, 'only what was claimed is charged');
select is(inferpipe_test.grant_limited(99, 5), 3, 'a long rest gives the burst and no more');

-- What has begun is not charged again.
select inferpipe_test.at(61);
select is(inferpipe_test.grant_limited(99, 8), 4, 'the bucket is empty');
update inferpipe._inferpipe_runs set owner = 0, state = 2 where owner = 99 and exec_id % 2 = 0;
select is(inferpipe_test.grant_limited(99, 6), (select count(*)::int from inferpipe_test.audit
  where old_state = 1 and new_state = 2), 'what slept goes on without a charge');
select ok((select count(*) from inferpipe_test.audit where old_state = 1 and new_state = 2) > 3,
  'more of them than the bucket would have let through');

select throws_ok($$ select inferpipe.limit('default', p_rate => -1) $$, 'IP400',
  'rate: must be 0 (none) to 1000000', 'a bad rate');
select throws_ok($$ select inferpipe.limit('default', p_rate => 1, p_period => '2 days') $$,
  'IP400', 'period: must be 1 ms to 1 day', 'a bad period');
select throws_ok($$ select inferpipe.limit('other', p_burst => 5) $$, 'IP400',
  'rate: must be given with a burst or a period', 'a burst of no rate');
select throws_ok($$ select inferpipe.limit('default', p_rate => 1001, p_period => '1 ms') $$,
  'IP400', 'rate: must be at most 1000 a millisecond', 'a rate finer than the clock');
select inferpipe.limit('default', p_rate => 0);
select is(inferpipe_test.grant_limited(99, 10, 8), 8, 'without the rate there is no pace');
select * from finish();
rollback;
