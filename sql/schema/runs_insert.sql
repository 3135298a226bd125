-- The one place where executions become live: their rows in runs.
--
-- The arrays have an element for each execution, in any order; p_parent, p_key, p_fence and
-- p_has_journal may be null as a whole. p_fence goes on counting where an earlier life of the same
-- execution ended, p_has_journal says that there is something to load. The caller has written the
-- rows in executions, in the same transaction.
--
-- An execution with a key (p_key) in a queue with limits by key comes as state 7 and waits for
-- admission by the next claim (queue_keys.sql): a start takes no lock that another waits for.
--
-- Hungry workers are told of what is ready within a second; the rest is found by their ticks.
create function inferpipe.runs_insert(
  p_workspace int4, p_exec int8[], p_lane int4[], p_prio int2[], p_ready_at timestamptz[],
  p_deadline timestamptz[], p_flags int2[], p_parent int8[], p_key text[],
  p_fence int4[] default null, p_has_journal bool[] default null)
returns void language plpgsql volatile
as $$
declare
  c_notify_within constant interval := '1 second';
  v_soon timestamptz := inferpipe.clock() + c_notify_within;
  v_shards int4;
  v_lanes int4[];
  v_slot bool[];
begin
  select s.value::int4 into v_shards
  from inferpipe._inferpipe_settings s where s.name = 'shards';
  if p_key is not null then
    v_slot := inferpipe.queue_slots(p_lane, p_key);
  end if;
  insert into inferpipe._inferpipe_runs (
    exec_id, ready_at, deadline, parent_id, fence, workspace_id, lane, shard, prio, flags,
    has_journal, state)
  select x.exec_id, case when x.slot then least(x.ready_at, x.deadline) else x.ready_at end,
    x.deadline, x.parent_id, coalesce(x.fence, 0), p_workspace, x.lane,
    x.exec_id % v_shards, x.prio, coalesce(x.flags, 0::int2), coalesce(x.has_journal, false),
    case when x.slot then 7 else 0 end
  from unnest(p_exec, p_lane, p_prio, p_ready_at, p_deadline, p_flags, p_parent, p_fence,
    p_has_journal, v_slot)
    x(exec_id, lane, prio, ready_at, deadline, flags, parent_id, fence, has_journal,
      slot);
  if v_soon >= any (p_ready_at) then
    v_lanes := case when cardinality(p_lane) = 1 then p_lane else (
      select array_agg(distinct x.lane) from unnest(p_lane, p_ready_at) x(lane, ready_at)
      where x.ready_at <= v_soon) end;
    perform inferpipe.wake(p_workspace, v_lanes);
  end if;
end
$$;

-- Which of these executions wait for admission by their key.
create function inferpipe.queue_slots(p_lane int4[], p_key text[])
returns bool[] language sql stable
as $$
  select array_agg(x.key is not null and q.keyed order by x.pos)
  from unnest(p_lane, p_key) with ordinality x(lane, key, pos)
  join inferpipe._inferpipe_lanes l on l.lane_id = x.lane
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
$$;
