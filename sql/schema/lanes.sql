-- The lanes of these workflows whose queue is not paused: where a worker that runs them may claim.
-- A start can make a new lane at any time; tick tells the highest number, and the worker asks
-- again.
create function inferpipe.lanes(p_workspace int4, p_names text[], p_versions text[])
returns table (lane int4, workflow text, version text, queue text) language sql stable
as $$
  select l.lane_id, w.name, w.version, q.name
  from unnest(p_names, p_versions) x(name, version)
  join inferpipe._inferpipe_workflows w
    on w.workspace_id = p_workspace and w.name = x.name and w.version = x.version
  join inferpipe._inferpipe_lanes l on l.workflow_id = w.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id and not q.paused
  order by l.lane_id
$$;
