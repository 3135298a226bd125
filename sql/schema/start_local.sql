-- Starts executions that a worker runs itself at once: they are born owned, under fence 1, so they
-- never enter the queue's index, nobody claims them and nobody is woken.  The worker's own process
-- calls it, with free slots for all of them, in a transaction of its own: a row that stays locked
-- would be one that its owner cannot write.
--
-- The rows that come back are those of a claim, in the order of p_input.  The caller gives payloads
-- of at most the inline limit; others are started the ordinary way (execution_start).
--
-- Why it is safe: the worker's row is locked and must be alive, as in a claim, so a reaper that
-- marks this worker either waits for us and then releases what we made, or was first, and we raise
-- IP001.  When the answer is lost, `owned` finds them.
--
-- The executions go to the workflow's own queue. Failure: IP404 unknown workflow, IP409 its queue
-- is paused: what has to wait is started the ordinary way.
--
-- Locks: the worker's row, then inserts.
create function inferpipe.start_local(
  p_worker int8, p_workspace int4, p_workflow text, p_version text, p_prio int2, p_input bytea[])
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language plpgsql volatile rows 100
as $$
#variable_conflict use_column
declare
  c_running constant int2 := 1;
  c_born constant int4 := 1;
  v_now timestamptz := inferpipe.clock();
  v_lane int4 := inferpipe.lane_intern(p_workspace, null, p_workflow, p_version);
  v_shards int4;
  v_deadline timestamptz;
  v_ids int8[];
  v_seeds int8[];
begin
  select s.value::int4, v_now + w.deadline_ms * interval '1 millisecond'
  into v_shards, v_deadline
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  join inferpipe._inferpipe_settings s on s.name = 'shards'
  where l.lane_id = v_lane and not q.paused and not q.limited;
  if not found then
    raise exception 'queue: it is paused or has limits' using errcode = 'IP409';
  end if;
  perform inferpipe.worker_lock(p_worker);

  select array_agg(inferpipe.id_new()),
    array_agg(pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0))
  into v_ids, v_seeds
  from generate_series(1, cardinality(p_input));
  insert into inferpipe._inferpipe_executions (
    exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input)
  select x.id, v_now, v_deadline, x.seed, p_workspace, v_lane, p_prio, 0, x.input
  from unnest(v_ids, v_seeds, p_input) x(id, seed, input);
  insert into inferpipe._inferpipe_runs (
    exec_id, ready_at, started_at, owner, deadline, fence, workspace_id, lane, shard, prio, state)
  select x.id, v_now, v_now, p_worker, v_deadline, c_born, p_workspace, v_lane, x.id % v_shards,
    p_prio, c_running
  from unnest(v_ids) x(id);
  return query
  select x.id, c_born, v_lane, (x.id % v_shards)::int2, p_prio, v_now, 0::int2, 0::int2, false,
    v_deadline, v_now, x.seed, x.input, v_now, null::text, null::text
  from unnest(v_ids, v_seeds, p_input) x(id, seed, input);
end
$$;
