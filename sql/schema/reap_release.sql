-- Gives the executions of dead workers free: at most p_limit a call; `remaining` are still theirs.
-- A worker without any left is gone (state 2).
--
-- What keeps crashing its workers: `crashes` counts take-overs in a row without a journal row in
-- between. At p_crash_limit the execution is flagged to run alone, so that it takes nobody with it;
-- if it fails that too, it ends with WORKER_CRASHED, and can be retried by hand.
--
-- Several reapers at once: each takes the dead workers and the runs that no other holds. A run held
-- by a stuck transaction stays for the next call. Lock order: worker rows, then run rows, ascending
-- (unordered, it deadlocked with flushes of workers that were slow, not dead).
create function inferpipe.reap_release(p_crash_limit int2, p_limit int4)
returns table (released int4, remaining int4) language plpgsql volatile rows 1
set enable_seqscan = on
as $$
declare
  v_dead int8[];
  v_left int8[];
begin
  select array_agg(w.worker_id) into v_dead
  from (
    select worker_id from inferpipe._inferpipe_workers
    where state = 1
    order by worker_id
    for no key update skip locked) w;
  released := 0;
  remaining := 0;
  if v_dead is not null then
    released := inferpipe.reap_runs(v_dead, p_crash_limit, p_limit);
    select coalesce(sum(o.runs), 0), array_agg(o.owner) into remaining, v_left
    from (
      select r.owner, count(*) as runs
      from inferpipe._inferpipe_runs r where r.owner = any (v_dead) group by r.owner) o;
    update inferpipe._inferpipe_workers w set state = 2
    where w.worker_id = any (v_dead) and w.worker_id <> all (coalesce(v_left, '{}'));
    delete from inferpipe._inferpipe_cancels c
    where c.worker_id = any (v_dead) and c.worker_id <> all (coalesce(v_left, '{}'));
    perform inferpipe.queue_worker_gone(array(
      select d.id from unnest(v_dead) d(id) where d.id <> all (coalesce(v_left, '{}'))));
  end if;
  return next;
end
$$;

-- Releases or ends up to p_limit runs of these workers, whose rows the caller has locked; gives
-- their number.
create function inferpipe.reap_runs(p_dead int8[], p_crash_limit int2, p_limit int4)
returns int4 language plpgsql volatile
set enable_seqscan = on
as $$
declare
  c_flag_alone constant int2 := 2;
  c_status_failed constant int2 := 2;
  v_now timestamptz := inferpipe.clock();
  v_crashed int8[] := '{}';
  v_fence int4[] := '{}';
  v_released int4 := 0;
  v_crashes int2;
  v_run record;
begin
  for v_run in
    select r.exec_id, r.fence, r.flags, r.crashes, r.workspace_id, r.lane, r.parent_id,
      coalesce(w.wrote, false) as wrote
    from inferpipe._inferpipe_runs r
    left join lateral (
      select true as wrote from inferpipe._inferpipe_steps s
      where s.exec_id = r.exec_id and s.fence = r.fence limit 1) w on true
    where r.exec_id = any (array(
      select o.exec_id from inferpipe._inferpipe_runs o
      where o.owner = any (p_dead) order by o.exec_id limit p_limit))
      and r.owner = any (p_dead)
    order by r.exec_id
    for no key update of r skip locked
  loop
    if v_run.flags & c_flag_alone <> 0 and not v_run.wrote then
      continue when inferpipe.parents_lock(
        array[v_run.exec_id], array[v_run.parent_id]) is not null; -- the next call ends it
      v_released := v_released + 1;
      v_crashed := v_crashed || v_run.exec_id;
      v_fence := v_fence || v_run.fence;
      continue;
    end if;
    v_released := v_released + 1;
    v_crashes := case when v_run.wrote then 1 else least(v_run.crashes, 32766) + 1 end;
    update inferpipe._inferpipe_runs r
    set owner = 0, state = 0, ready_at = v_now, crashes = v_crashes,
      has_journal = r.has_journal or v_run.wrote,
      flags = case when v_crashes >= p_crash_limit then r.flags | c_flag_alone
                   else r.flags & ~c_flag_alone end
    where r.exec_id = v_run.exec_id;
    perform inferpipe.wake(v_run.workspace_id, array[v_run.lane]);
  end loop;
  perform inferpipe.run_end(v_crashed, array_fill(c_status_failed, array[cardinality(v_crashed)]),
    v_fence, array_fill(0::int2, array[cardinality(v_crashed)]),
    array_fill(null::bytea, array[cardinality(v_crashed)]),
    array_fill('WORKER_CRASHED'::text, array[cardinality(v_crashed)]),
    array_fill('it took its workers down repeatedly'::text, array[cardinality(v_crashed)]));
  return v_released;
end
$$;
