-- A wait that timed out waits its full time again; a canceled execution can be retried; a completed
-- one cannot.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 3, p_wait => 'm', p_wait_ms => 1000);
select inferpipe_test.at(2);
select count(*) from inferpipe_test.claim();
select is(got, 2::int2, 'the wait times out')
from inferpipe_test.flush(:id, 2, 3, p_wait => 'm', p_wait_ms => 1000);
select verdict from inferpipe_test.flush(:id, 2, 2, p_status => 2, p_error_code => 'TIMEOUT');
select inferpipe.execution_retry(1, :id);
select is(count(*)::int, 0, 'the intent is forgotten with it') from inferpipe._inferpipe_steps;
select count(*) from inferpipe_test.claim();
select is(wake_at, inferpipe.clock() + interval '1 s', 'the time begins anew')
from inferpipe_test.flush(:id, 3, 3, p_wait => 'm', p_wait_ms => 1000);
select inferpipe.execution_cancel(1, :id, true);
select lives_ok(format('select inferpipe.execution_retry(1, %s)', :id), 'a canceled one');
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 4, 2, p_output => '1');
select throws_ok(format('select inferpipe.execution_retry(1, %s)', :id), 'IP409', null,
  'a completed one');
select is(inferpipe_test.run(:id), 'gone', 'stays as it is');
select throws_ok('select inferpipe.execution_retry(1, 5)', 'IP404', null, 'an unknown one');
select * from finish();
rollback;
