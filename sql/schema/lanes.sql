-- The lanes of these workflows, and how a worker that runs them claims there: by claim_limited from
-- the queue `quota`, by `claim` when that is 0, and not at all while it is paused.
-- A start can make a new lane, and an operator change a queue, at any time; tick tells the highest
-- number and the sum of the queues' versions, and the worker asks again.
create function inferpipe.lanes(p_workspace int4, p_names text[], p_versions text[])
returns table (
  lane int4, workflow text, version text, queue text, quota int4, paused bool)
language sql stable
as $$
  select l.lane_id, w.name, w.version, q.name,
    case when q.limited then q.queue_id else 0 end, q.paused
  from unnest(p_names, p_versions) x(name, version)
  join inferpipe._inferpipe_workflows w
    on w.workspace_id = p_workspace and w.name = x.name and w.version = x.version
  join inferpipe._inferpipe_lanes l on l.workflow_id = w.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  order by l.lane_id
$$;
