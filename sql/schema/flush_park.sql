-- The part of flush that lets executions go: to wait (move 1), or to anybody who has time (move 4).
--
-- ready_at is the earliest of the wait's end and the execution's deadline; a requested cancel makes
-- it now, so that the next owner learns of it at once. Progress (p_wrote, or a failed attempt)
-- clears the count of crashes. Executions that are ready now are announced.
--
-- The caller holds the locks; p_pos[i] is the place of p_own[i] in p_move, p_state and so on.
-- wakes: the ready_at given, aligned with p_own, null for executions that were not parked.
create function inferpipe.flush_park(
  p_now timestamptz, p_own int8[], p_pos int4[], p_wrote int8[], p_move int2[], p_state int2[],
  p_wake_at timestamptz[], p_wake_ms int8[], a_exec int8[], p_wakes timestamptz[])
returns timestamptz[] language plpgsql volatile
as $$
declare
  c_park constant int2 := 1;
  c_back constant int2 := 4;
  c_flag_cancel constant int2 := 1;
  v_wakes timestamptz[] := coalesce(p_wakes,
    array_fill(null::timestamptz, array[cardinality(p_own)]));
  v_ids int8[];          -- who parks, ascending; the next ones are aligned with it
  v_state int2[];
  v_wake_at timestamptz[];
  v_progress bool[];
  v_ready int4[] := '{}';
  v_workspace int4;
  v_i int4;
  v_row record;
begin
  select array_agg(x.exec_id), array_agg(x.state), array_agg(x.wake_at), array_agg(x.progress)
  into v_ids, v_state, v_wake_at, v_progress
  from (
    select o.exec_id,
      case when p_move[o.pos] = c_park then coalesce(p_state[o.pos],
        0::int2) else 0::int2 end as state,
      case when p_move[o.pos] = c_park then least(p_wake_at[o.pos], p_now
        + case when p_wake_ms[o.pos] >= 0 then p_wake_ms[o.pos] end * interval '1 millisecond') end
        as wake_at,
      coalesce(p_wrote[width_bucket(o.exec_id, p_wrote)] = o.exec_id, false)
        or o.exec_id = any (a_exec) as progress
    from unnest(p_own, p_pos) o(exec_id, pos)
    where p_move[o.pos] in (c_park, c_back)) x;

  for v_row in
    update inferpipe._inferpipe_runs r
    set owner = 0, wait_key = 0,
      state = v_state[width_bucket(r.exec_id, v_ids)],
      ready_at = case when r.flags & c_flag_cancel <> 0 then p_now else
        least(coalesce(v_wake_at[width_bucket(r.exec_id, v_ids)], p_now), r.deadline) end,
      crashes = case when v_progress[width_bucket(r.exec_id, v_ids)] then 0 else r.crashes end,
      has_journal = r.has_journal or v_progress[width_bucket(r.exec_id, v_ids)]
    where r.exec_id = any (v_ids)
    returning r.exec_id, r.ready_at, r.workspace_id, r.lane
  loop
    v_i := width_bucket(v_row.exec_id, p_own);
    v_wakes[v_i] := least(v_wakes[v_i], v_row.ready_at);
    if v_row.ready_at <= p_now then
      v_ready := v_ready || v_row.lane;
      v_workspace := v_row.workspace_id;
    end if;
  end loop;
  if v_ready <> '{}' then
    perform inferpipe.wake(v_workspace, v_ready); -- a worker serves one workspace
  end if;
  return v_wakes;
end
$$;
