-- The part of flush that waits for children (move 5).  The caller holds the locks; p_pos[i] is the
-- place of p_own[i] in the p_ arrays.
--
-- p_wait_key: the key of the one end row that is waited for; 0: until the journal has p_wait_seq
-- end rows (kind 10) in all.  What has arrived since the worker read the journal is counted here,
-- under the lock that a child's end needs too (child_end.sql): the execution is then ready again at
-- once.  Else it parks in state 6; wait_left counts down.
--
-- The count is of ends of any children of this execution, also of those that this wait does not
-- name: it may wake too early, never too late, and waits again.
--
-- p_wake_at, the deadline and a requested cancel wake it as in flush_park. p_wrote: executions that
-- got journal rows by this flush, ascending. wakes: ready_at, aligned with p_own.
create function inferpipe.flush_await(
  p_now timestamptz, p_own int8[], p_pos int4[], p_wrote int8[], p_wakes timestamptz[],
  p_move int2[], p_wait_key int8[], p_wait_seq int4[], p_wake_at timestamptz[],
  p_wake_ms int8[])
returns timestamptz[] language plpgsql volatile
as $$
declare
  c_await constant int2 := 5;
  c_ready constant int2 := 0;
  c_waits constant int2 := 6;
  c_child_end constant int2 := 10;
  c_any constant int8 := -1;
  c_flag_cancel constant int2 := 1;
  c_longest constant interval := '100 years';
  v_wakes timestamptz[] := coalesce(p_wakes,
    array_fill(null::timestamptz, array[cardinality(p_own)]));
  v_left int4;
  v_at int4;
  v_ready int4[] := '{}';
  v_run record;
begin
  for i in 1 .. cardinality(p_own) loop
    v_at := p_pos[i];
    continue when p_move[v_at] <> c_await;
    if p_wait_key[v_at] <> 0 then
      v_left := case when exists (
        select from inferpipe._inferpipe_steps s
        where s.exec_id = p_own[i] and s.step_key = p_wait_key[v_at]) then 0 else 1 end;
    else
      select p_wait_seq[v_at] - count(*) into v_left
      from inferpipe._inferpipe_steps s
      where s.exec_id = p_own[i] and s.kind = c_child_end;
    end if;
    update inferpipe._inferpipe_runs r
    set owner = 0, has_journal = true, wait_left = greatest(v_left, 0),
      state = case when v_left <= 0 then c_ready else c_waits end,
      wait_key = case when v_left <= 0 then 0
                      when p_wait_key[v_at] <> 0 then p_wait_key[v_at] else c_any end,
      ready_at = case when v_left <= 0 or r.flags & c_flag_cancel <> 0 then p_now
        else least(r.deadline, p_now + c_longest, p_wake_at[v_at],
          p_now + case when p_wake_ms[v_at] >= 0 then p_wake_ms[v_at] end
            * interval '1 millisecond') end,
      crashes = case when p_wrote[width_bucket(p_own[i], p_wrote)] = p_own[i] then 0
                     else r.crashes end
    where r.exec_id = p_own[i]
    returning r.ready_at, r.workspace_id, r.lane into v_run;
    v_wakes[i] := least(v_wakes[i], v_run.ready_at);
    if v_run.ready_at <= p_now then
      v_ready := v_ready || v_run.lane;
    end if;
  end loop;
  if v_ready <> '{}' then
    perform inferpipe.wake(v_run.workspace_id, v_ready); -- a worker serves one workspace
  end if;
  return v_wakes;
end
$$;
