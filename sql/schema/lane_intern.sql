-- The lane of (workspace, queue, workflow, version), made on first use.
--
-- p_version null: the version registered last.  p_queue null: the workflow's own queue.  A queue
-- comes into being with its first lane; a workflow must have been registered by a worker.
--
-- Two callers may make the same queue or lane at once: the loser's INSERT does nothing and its next
-- statement sees the winner's row.  In a REPEATABLE READ transaction it does not, and the caller
-- tries again (40001).
create function inferpipe.lane_intern(
  p_workspace int4, p_queue text, p_workflow text, p_version text)
returns int4 language plpgsql volatile
as $$
declare
  v_workflow int4;
  v_queue text;
  v_lane int4;
begin
  select w.workflow_id, coalesce(p_queue, w.queue) into v_workflow, v_queue
  from inferpipe._inferpipe_workflows w
  where w.workspace_id = p_workspace and w.name = p_workflow
    and (p_version is null or w.version = p_version)
  order by w.registered_at desc, w.workflow_id desc
  limit 1;
  if not found then
    raise exception 'workflow: % is not registered',
      coalesce(p_workflow, 'null') || coalesce(' version ' || p_version, '')
      using errcode = 'IP404', hint = 'A worker that runs it registers it when it starts.';
  end if;
  select l.lane_id into v_lane
  from inferpipe._inferpipe_queues q
  join inferpipe._inferpipe_lanes l on l.queue_id = q.queue_id
  where q.workspace_id = p_workspace and q.name = v_queue and l.workflow_id = v_workflow;
  if not found then
    v_lane := inferpipe.lane_make(p_workspace, v_queue, v_workflow);
  end if;
  return v_lane;
end
$$;

-- The slow half of lane_intern: it was not there a moment ago.
create function inferpipe.lane_make(p_workspace int4, p_queue text, p_workflow int4)
returns int4 language plpgsql volatile
as $$
declare
  v_lane int4;
begin
  if p_queue !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
    raise exception 'queue: must match [a-z0-9][a-z0-9._-]{0,62}' using errcode = 'IP400';
  end if;
  insert into inferpipe._inferpipe_queues (workspace_id, name) values (p_workspace, p_queue)
  on conflict on constraint queues_unique do nothing;
  insert into inferpipe._inferpipe_lanes (workspace_id, queue_id, workflow_id)
  select p_workspace, q.queue_id, p_workflow
  from inferpipe._inferpipe_queues q where q.workspace_id = p_workspace and q.name = p_queue
  on conflict on constraint lanes_unique do nothing;
  select l.lane_id into v_lane
  from inferpipe._inferpipe_queues q
  join inferpipe._inferpipe_lanes l on l.queue_id = q.queue_id
  where q.workspace_id = p_workspace and q.name = p_queue and l.workflow_id = p_workflow;
  if not found then
    raise exception 'queue % was made by another transaction', p_queue
      using errcode = 'serialization_failure';
  end if;
  return v_lane;
end
$$;
