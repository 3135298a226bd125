-- What links the end of a child with its parent, both ways.
--
-- A child that ends leaves a row of kind 10 in its parent's journal, in the transaction that ends
-- it and under the lock of the parent's run.  Its key is the complement of the spawn row's key, its
-- fence 0: no claim wrote it.  The row is never replaced: a child that is retried later does not
-- change what its parent was told.  A parent that has ended is told nothing; if it is retried,
-- children_settle makes up for it.
--
-- No lost wake-up: the end of a child and the wait of its parent (flush_await) both lock the
-- parent's run first and look at the journal in a later statement.  Either the wait counts the end,
-- or the end finds the wait.
--
-- A parent that ends asks its children to end too, unless they were started to be left alone.
-- Children that others hold at that moment, and those over the limit of one call, are left to the
-- workers' ticks: the parent's id stays in _inferpipe_orphans until none is left.

-- Locks the parents of children that are about to end. Gives the children (a subset of p_exec)
-- whose parent another transaction holds: they must wait.  Nobody else waits: rows are skipped.
create function inferpipe.parents_lock(p_exec int8[], p_parent int8[])
returns int8[] language plpgsql volatile
as $$
declare
  v_all int8[];
  v_locked int8[];
  v_held int8[];
begin
  select array_agg(distinct u.id order by u.id) into v_all
  from unnest(p_parent) u(id) where u.id is not null;
  select array_agg(l.exec_id) into v_locked
  from (
    select r.exec_id from inferpipe._inferpipe_runs r
    where r.exec_id = any (v_all)
    order by r.exec_id
    for no key update skip locked) l;
  if cardinality(v_locked) = cardinality(v_all) then
    return null;
  end if;
  select array_agg(r.exec_id order by r.exec_id) into v_held -- it lives, and is not ours to lock
  from inferpipe._inferpipe_runs r
  where r.exec_id = any (v_all) and r.exec_id <> all (coalesce(v_locked, '{}'));
  return (
    select array_agg(x.exec_id)
    from unnest(p_exec, p_parent) x(exec_id, parent)
    where v_held[width_bucket(x.parent, v_held)] = x.parent);
end
$$;

-- Tells the parents that these children have ended. The results are there, the parents that live
-- are locked by the caller.
create function inferpipe.children_ended(p_child int8[], p_parent int8[])
returns void language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_child_end constant int2 := 10;
  v_now timestamptz := inferpipe.clock();
  v_parent int8[];
  v_key int8[];
begin
  with added as (
    insert into inferpipe._inferpipe_steps (
      exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result,
      error_code, error)
    select x.parent, ~e.parent_key, v_now, 0, s.seq, c_child_end,
      case f.status when 1 then 0 else 1 end, f.codec, 1, s.name, f.output, f.error_code, f.error
    from unnest(p_child, p_parent) x(child, parent)
    cross join lateral (
      select true from inferpipe._inferpipe_runs r where r.exec_id = x.parent limit 1) lives
    cross join lateral (
      select t.parent_key from inferpipe._inferpipe_executions t
      where t.exec_id = x.child limit 1) e
    cross join lateral (
      select t.seq, t.name from inferpipe._inferpipe_steps t
      where t.exec_id = x.parent and t.step_key = e.parent_key limit 1) s
    cross join lateral (
      select t.* from inferpipe._inferpipe_results t where t.exec_id = x.child limit 1) f
    on conflict do nothing
    returning exec_id, step_key)
  select array_agg(a.exec_id), array_agg(a.step_key) into v_parent, v_key from added a;
  if v_parent is null then
    return;
  end if;
  insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
  select x.parent, d.hash, d.data
  from unnest(p_child, p_parent) x(child, parent)
  cross join lateral (
    select t.output from inferpipe._inferpipe_results t
    where t.exec_id = x.child and t.codec = 1 limit 1) f
  cross join lateral (
    select t.hash, t.data from inferpipe._inferpipe_payloads t
    where t.exec_id = x.child and t.hash = f.output limit 1) d
  on conflict do nothing;
  perform inferpipe.parents_wake(v_now, v_parent, v_key);
end
$$;

-- Counts new end rows for the parents that wait; a parent that has what it waited for is ready.
create function inferpipe.parents_wake(p_now timestamptz, p_parent int8[], p_key int8[])
returns void language plpgsql volatile
as $$
declare
  c_ready constant int2 := 0;
  c_waits constant int2 := 6;
  c_any constant int8 := -1;
  v_workspace int4;
  v_lanes int4[] := '{}';
  v_told record;
  v_run record;
begin
  for v_told in
    select u.parent, count(*)::int4 as n, array_agg(u.key) as keys
    from unnest(p_parent, p_key) u(parent, key)
    group by u.parent order by u.parent
  loop
    update inferpipe._inferpipe_runs r
    set wait_left = greatest(r.wait_left - v_told.n, 0),
      state = case when r.wait_left <= v_told.n then c_ready else r.state end,
      wait_key = case when r.wait_left <= v_told.n then 0 else r.wait_key end,
      ready_at = case when r.wait_left <= v_told.n then p_now else r.ready_at end
    where r.exec_id = v_told.parent and r.state = c_waits
      and (r.wait_key = c_any or r.wait_key = any (v_told.keys))
    returning r.state, r.lane, r.workspace_id into v_run;
    if found and v_run.state = c_ready then
      v_lanes := v_lanes || v_run.lane;
      v_workspace := v_run.workspace_id; -- children are of their parent's workspace
    end if;
  end loop;
  if v_lanes <> '{}' then
    perform inferpipe.wake(v_workspace, v_lanes);
  end if;
end
$$;

-- These executions have ended: asks their children to end.
create function inferpipe.parents_ended(p_parent int8[])
returns void language plpgsql volatile
as $$
declare
  v_parent int8;
begin
  foreach v_parent in array p_parent loop
    if inferpipe.children_cancel(v_parent) then
      insert into inferpipe._inferpipe_orphans (parent_id) values (v_parent)
      on conflict do nothing;
    end if;
  end loop;
end
$$;

-- Cancels the children of an execution that has ended; true when some are left for later.
-- Locks: rows of runs, skipping those that others hold.
create function inferpipe.children_cancel(p_parent int8)
returns bool language plpgsql volatile
as $$
declare
  c_flag_cancel constant int2 := 1;
  c_flag_left_alone constant int2 := 16;
  c_status_canceled constant int2 := 3;
  c_batch constant int4 := 1000;
  v_now timestamptz := inferpipe.clock();
  v_run inferpipe._inferpipe_runs;
  v_unborn int8[] := '{}'; -- they have done nothing yet: they end here
  v_fence int4[] := '{}';
  v_lanes int4[] := '{}';
begin
  for v_run in
    select * from inferpipe._inferpipe_runs r
    where r.parent_id = p_parent and r.flags & (c_flag_cancel | c_flag_left_alone) = 0
    order by r.exec_id
    limit c_batch
    for no key update skip locked
  loop
    if v_run.owner = 0 and not v_run.has_journal then
      v_unborn := v_unborn || v_run.exec_id;
      v_fence := v_fence || v_run.fence;
      continue;
    end if;
    perform inferpipe.run_cancel(v_run, v_now);
    if v_run.owner = 0 then
      v_lanes := v_lanes || v_run.lane;
    end if;
  end loop;
  if v_unborn <> '{}' then
    perform inferpipe.run_end(v_unborn, array_fill(c_status_canceled, array[cardinality(v_unborn)]),
      v_fence, array_fill(0::int2, array[cardinality(v_unborn)]),
      array_fill(null::bytea, array[cardinality(v_unborn)]),
      array_fill('CANCELED'::text, array[cardinality(v_unborn)]),
      array_fill('its parent has ended'::text, array[cardinality(v_unborn)]));
  end if;
  if v_lanes <> '{}' then
    perform inferpipe.wake(v_run.workspace_id, v_lanes);
  end if;
  return exists (
    select from inferpipe._inferpipe_runs r
    where r.parent_id = p_parent and r.flags & (c_flag_cancel | c_flag_left_alone) = 0);
end
$$;

-- Goes on with the children of parents that have ended; part of the tick, next to nothing when
-- there are none.  A parent that lives again (a retry) keeps its children.
create function inferpipe.orphans_cancel()
returns void language plpgsql volatile
as $$
declare
  v_parent int8;
begin
  for v_parent in
    select o.parent_id from inferpipe._inferpipe_orphans o
    order by o.parent_id limit 10 for update skip locked
  loop
    if exists (select from inferpipe._inferpipe_runs r where r.exec_id = v_parent)
        or not inferpipe.children_cancel(v_parent) then
      delete from inferpipe._inferpipe_orphans o where o.parent_id = v_parent;
    end if;
  end loop;
end
$$;
