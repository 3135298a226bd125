-- Crashes without progress add up; at the limit the run goes alone once, then it fails for good.
begin;
select plan(14);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
-- One life: a worker claims, perhaps writes a step, and dies.
create function pg_temp.life(p_worker int8, p_step text default null)
returns text language plpgsql
as $$
declare
  v_run record;
begin
  perform inferpipe_test.worker(p_worker);
  select * into v_run from inferpipe_test.claim(p_worker);
  if p_step is not null then
    perform * from inferpipe_test.flush(v_run.exec_id, v_run.fence, 0, p_worker, p_step => p_step,
      p_seq => p_worker::int4);
  end if;
  perform inferpipe.worker_dead(p_worker, 'test');
  perform * from inferpipe.reap_release(3::int2, 100);
  return coalesce((select format('crashes %s flags %s', r.crashes, r.flags)
    from inferpipe._inferpipe_runs r where r.exec_id = v_run.exec_id), 'gone');
end
$$;
select is(pg_temp.life(1), 'crashes 1 flags 0', 'the first crash');
select is(pg_temp.life(2), 'crashes 2 flags 0', 'the second');
select is(pg_temp.life(3, 'progress'), 'crashes 1 flags 0', 'with progress it counts anew');
select is(pg_temp.life(4), 'crashes 2 flags 0', 'the second again');
select is(pg_temp.life(5), 'crashes 3 flags 2', 'at the limit it will run alone');
select is(pg_temp.life(6, 'more progress'), 'crashes 1 flags 0', 'progress alone: as others again');
select is(pg_temp.life(7), 'crashes 2 flags 0', 'the second');
select is(pg_temp.life(8), 'crashes 3 flags 2', 'the third: alone');
select is(pg_temp.life(9), 'gone', 'a crash alone ends it');
select is(format('%s %s %s', status, error_code, fence), '2 WORKER_CRASHED 9', 'as failed')
from inferpipe._inferpipe_results where exec_id = :id;
select is(state, 2::int2, 'the last worker is gone')
from inferpipe._inferpipe_workers where worker_id = 9;
select inferpipe.execution_retry(1, :id);
select is(format('%s crashes %s flags %s', inferpipe_test.run(:id), crashes, flags),
  'state 0 owner 0 fence 9 crashes 0 flags 0', 'a retry by hand begins anew')
from inferpipe._inferpipe_runs;
select is(count(*)::int, 2, 'with what was completed') from inferpipe._inferpipe_steps;
select is(pg_temp.life(10), 'crashes 1 flags 0', 'and counts anew');
select * from finish();
rollback;
