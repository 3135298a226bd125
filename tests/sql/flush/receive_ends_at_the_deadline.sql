-- A wait that is longer than the run's deadline wakes at the deadline.
begin;
select plan(2);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start(p_deadline_ms => 5000) as id \gset
select count(*) from inferpipe_test.claim();
select is(wake_at, inferpipe.clock() + interval '5 s', 'the deadline')
from inferpipe_test.flush(:id, 1, 3, p_wait => 'm', p_wait_ms => 60000);
select is(wake_at, inferpipe.clock() + interval '60 s', 'the wait''s own end is kept')
from inferpipe._inferpipe_steps where kind = 9;
select * from finish();
rollback;
