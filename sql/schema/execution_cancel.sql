-- Cancels an execution: 2 it has ended now, 1 its worker was asked to end it.
--
-- An execution that has done nothing yet and belongs to nobody ends at once. Any other one may have
-- to clean up after itself: it is flagged and made due, so that its owner (or the next one) runs
-- its code again and sees the flag. For an owned one a row in _inferpipe_cancels carries the news
-- to the worker's next tick. p_force ends it in any case; its owner's next write is refused.
--
-- Asking twice is fine; one that runs its compensations already is left alone.  Failure: IP404
-- unknown, IP409 it has ended.  Locks: the runs of its parent and its own, in this order.
create function inferpipe.execution_cancel(p_workspace int4, p_exec int8, p_force bool)
returns int4 language plpgsql volatile
as $$
declare
  c_requested constant int4 := 1;
  c_canceled_now constant int4 := 2;
  c_status_canceled constant int2 := 3;
  v_now timestamptz := inferpipe.clock();
  v_run inferpipe._inferpipe_runs;
begin
  perform from inferpipe._inferpipe_runs r
  where r.exec_id = (
    select c.parent_id from inferpipe._inferpipe_runs c
    where c.exec_id = p_exec and c.workspace_id = p_workspace)
  for no key update;
  select * into v_run
  from inferpipe._inferpipe_runs r
  where r.exec_id = p_exec and r.workspace_id = p_workspace
  for no key update;
  if not found then
    perform inferpipe.run_missing(p_workspace, p_exec);
  end if;

  if p_force and v_run.owner <> 0 then
    perform inferpipe.cancel_tell(v_run.owner, p_exec);
  end if;
  if p_force or (v_run.owner = 0 and not v_run.has_journal) then
    perform inferpipe.run_end(array[p_exec], array[c_status_canceled], array[v_run.fence],
      array[0::int2], array[null::bytea], array['CANCELED'], array['it was canceled']);
    return c_canceled_now;
  end if;
  perform inferpipe.run_cancel(v_run, v_now);
  if v_run.owner = 0 then
    perform inferpipe.wake(p_workspace, array[v_run.lane]);
  end if;
  return c_requested;
end
$$;

-- Asks a run, whose row the caller has locked, to end: its worker or the next one sees the flag.
create function inferpipe.run_cancel(p_run inferpipe._inferpipe_runs, p_now timestamptz)
returns void language plpgsql volatile
as $$
declare
  c_flag_cancel constant int2 := 1;
begin
  if inferpipe.is_unwinding(p_run.exec_id) then
    return;
  end if;
  if p_run.owner <> 0 then
    perform inferpipe.cancel_tell(p_run.owner, p_run.exec_id);
  end if;
  update inferpipe._inferpipe_runs r
  set flags = r.flags | c_flag_cancel,
    state = case when r.owner = 0 then 0 else r.state end,
    wait_key = 0,
    ready_at = case when r.owner = 0 then p_now else r.ready_at end
  where r.exec_id = p_run.exec_id;
end
$$;

-- The owner's next tick learns of it.
create function inferpipe.cancel_tell(p_worker int8, p_exec int8)
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_cancels (worker_id, exec_id)
  values (p_worker, p_exec)
  on conflict do nothing;
end
$$;

-- The execution runs its compensations, or has run them: there is a marker in its journal.
create function inferpipe.is_unwinding(p_exec int8)
returns bool language sql stable
as $$
  select exists (
    select from inferpipe._inferpipe_steps s where s.exec_id = p_exec and s.step_key = 11)
$$;
