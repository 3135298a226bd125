-- A failed execution goes on under its id: completed steps stay, the failure is forgotten.
begin;
select plan(15);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start(p_deadline_ms => 60000) as id \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'handled', p_seq => 1,
  p_step_status => 1, p_error_code => 'NO');
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'a', p_seq => 2);
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'b', p_seq => 3, p_attempt => 1);
select verdict from inferpipe_test.flush(:id, 1, 2, p_status => 2, p_step => 'b', p_seq => 3,
  p_step_status => 1, p_error_code => 'BROKEN');
select is(status || ' ' || error_code, '2 BROKEN', 'it has failed')
from inferpipe._inferpipe_results where exec_id = :id;
select inferpipe_test.at(600);
select lives_ok(format('select inferpipe.execution_retry(1, %s)', :id), 'it is tried again');
select is(inferpipe_test.run(:id), 'state 0 owner 0 fence 1', 'the run is back with its fence');
select is(count(*)::int, 0, 'the result is gone') from inferpipe._inferpipe_results;
select is(array_agg(name order by seq), array['handled', 'a'], 'only the last failure is forgotten')
from inferpipe._inferpipe_steps where exec_id = :id;
select is(count(*)::int, 0, 'its attempts too') from inferpipe._inferpipe_attempts;
select is(deadline, inferpipe.clock() + interval '60 s', 'the time to the deadline begins anew')
from inferpipe._inferpipe_runs where exec_id = :id;
select ok(has_journal, 'there is a journal to load')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(status, 'running', 'it is not queued any more')
from inferpipe.executions where exec_id = :id;
select is(fence, 2, 'the next claim has a new fence') from inferpipe_test.claim();
select is(verdict, 2::int2, 'a late write of the first owner is refused')
from inferpipe_test.flush(:id, 1, 0, p_step => 'late', p_seq => 3);
select verdict from inferpipe_test.flush(:id, 2, 2, p_status => 2, p_error_code => 'AGAIN');
select inferpipe_test.at(900);
select inferpipe.execution_retry(1, :id);
select is(deadline, inferpipe.clock() + interval '60 s', 'a second retry has the same time')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(array_agg(name order by seq), array['handled', 'a'],
  'an end without a failed step forgets no step')
from inferpipe._inferpipe_steps where exec_id = :id;
select throws_ok(format('select inferpipe.execution_retry(1, %s)', :id), 'IP409', null,
  'a live one cannot be retried');
select throws_ok(format('select inferpipe.execution_retry(2, %s)', :id), 'IP404', null,
  'nor one of another workspace');
select * from finish();
rollback;
