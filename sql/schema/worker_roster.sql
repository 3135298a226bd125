-- A worker says which workflows it runs, and what its clock shows: for people, `worker list` and
-- `doctor`, and for nothing else. What it may claim follows from its lanes.
--
-- Sent after the first heartbeat and once an hour. The clock's difference includes the way from
-- the worker to here, so it is right within some milliseconds; the protocol asks no worker's clock.
-- Locks: the worker's row.
create function inferpipe.worker_roster(
  p_worker int8, p_workspace int4, p_names text[], p_versions text[], p_clock timestamptz)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_workers w
  set clock_ahead_ms = greatest(least(
    extract(epoch from p_clock - inferpipe.clock()) * 1000, 2147483647), -2147483647)
  where w.worker_id = p_worker and w.state = 0;
  if not found then
    return; -- the next incarnation tells
  end if;
  insert into inferpipe._inferpipe_worker_workflows (worker_id, workflow_id)
  select p_worker, w.workflow_id
  from unnest(p_names, p_versions) x(name, version)
  join inferpipe._inferpipe_workflows w
    on w.workspace_id = p_workspace and w.name = x.name and w.version = x.version
  on conflict do nothing;
end
$$;

-- Workflows with live executions that no living worker runs.
create function inferpipe.stranded()
returns table (
  workspace_id int4, workflow text, version text, executions int8, oldest_ready_at timestamptz)
language sql stable
as $$
  select w.workspace_id, w.name, w.version, sum(r.n)::int8, min(r.oldest)
  from (
    select q.lane, count(*) as n, min(q.ready_at) as oldest
    from inferpipe._inferpipe_runs q group by q.lane) r
  join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  where not exists (
    select from inferpipe._inferpipe_worker_workflows k
    join inferpipe._inferpipe_workers a on a.worker_id = k.worker_id and a.state = 0
    where k.workflow_id = w.workflow_id)
  group by w.workflow_id, w.workspace_id, w.name, w.version
$$;
