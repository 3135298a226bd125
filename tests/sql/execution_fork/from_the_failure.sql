-- Without a step the fork of a failed execution begins with the call that failed; a wait begins
-- anew.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'handled', p_seq => 1,
  p_step_status => 1, p_error_code => 'NO');
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'a', p_seq => 2);
select verdict from inferpipe_test.flush(:id, 1, 2, p_status => 2, p_step => 'b', p_seq => 3,
  p_step_status => 1, p_error_code => 'BROKEN');
select f.exec_id as fork from inferpipe.execution_fork(
  1, :id, null, null, null, null, null, null, null, null, null) f \gset
select is(array_agg(name order by seq), array['handled', 'a'], 'the failure is left out')
from inferpipe._inferpipe_steps where exec_id = :fork;
select is(status, 2::int2, 'the source has failed as before')
from inferpipe._inferpipe_results where exec_id = :id;
select is(count(*)::int, 3, 'with its journal')
from inferpipe._inferpipe_steps where exec_id = :id;

select inferpipe_test.start() as waits \gset
select count(*) from inferpipe_test.claim(p_limit => 10);
select verdict from inferpipe_test.flush(:waits, 1, 0, p_step => 'a', p_seq => 1);
select verdict from inferpipe_test.flush(:waits, 1, 3, p_wait => 'go', p_wait_seq => 2);
select f.exec_id as fork from inferpipe.execution_fork(
  1, :waits, null, null, null, null, null, null, null, null, null) f \gset
select is(array_agg(name), array['a'], 'the intent of a wait is not copied')
from inferpipe._inferpipe_steps where exec_id = :fork;
select is(inferpipe_test.run(:waits), 'state 3 owner 0 fence 1', 'the source waits on');
select inferpipe_test.start() as fresh \gset
select f.exec_id as fork from inferpipe.execution_fork(
  1, :fresh, null, null, null, null, null, null, null, null, null) f \gset
select is(has_journal, false, 'of one that has done nothing there is nothing to load')
from inferpipe._inferpipe_runs where exec_id = :fork;
select is(inferpipe_test.run(:fresh), 'state 0 owner 0 fence 0', 'it is queued still');
select * from finish();
rollback;
