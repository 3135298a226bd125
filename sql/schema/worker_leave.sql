-- A worker goes in order: what it still has is free at once, and that is no crash. Gives the
-- number.
--
-- A run that another transaction holds is not waited for: the worker then counts as dead, and the
-- others release that run.  Lock order: worker row, then run rows, ascending.
create function inferpipe.worker_leave(p_worker int8)
returns int4 language plpgsql volatile
set enable_seqscan = on
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_lanes int4[];
  v_workspace int4;
begin
  select w.workspace_id into v_workspace
  from inferpipe._inferpipe_workers w
  where w.worker_id = p_worker and w.state = 0
  for no key update;
  if not found then
    return 0; -- others are at it already
  end if;
  with freed as (
    update inferpipe._inferpipe_runs r
    set owner = 0, state = 0, ready_at = v_now
    where r.exec_id = any (array(
      select o.exec_id from inferpipe._inferpipe_runs o
      where o.owner = p_worker order by o.exec_id for no key update skip locked))
    returning r.lane)
  select array_agg(f.lane) into v_lanes from freed f;
  update inferpipe._inferpipe_workers w
  set died_of = 'left',
    state = case when exists (select from inferpipe._inferpipe_runs r where r.owner = p_worker)
                 then 1 else 2 end
  where w.worker_id = p_worker;
  delete from inferpipe._inferpipe_cancels c where c.worker_id = p_worker;
  if not exists (select from inferpipe._inferpipe_runs r where r.owner = p_worker) then
    perform inferpipe.queue_worker_gone(array[p_worker]);
  end if;
  if v_lanes is not null then
    perform inferpipe.wake(v_workspace, v_lanes);
  end if;
  return coalesce(cardinality(v_lanes), 0);
end
$$;
