-- A starting worker says which workflows it runs.  Known ones get their queue and deadline as given
-- now, and become the newest: a start without a version takes the one registered last.
--
-- Ordered by name and version: two workers that register the same set at once wait for each other
-- instead of deadlocking.
create function inferpipe.workflow_register(
  p_workspace int4, p_names text[], p_versions text[], p_queues text[], p_deadline_ms int8[])
returns void language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
begin
  insert into inferpipe._inferpipe_workflows (
    workspace_id, name, version, queue, deadline_ms, registered_at)
  select p_workspace, x.name, x.version, coalesce(x.queue, 'default'), nullif(x.deadline_ms, 0),
    v_now
  from unnest(p_names, p_versions, p_queues, p_deadline_ms) x(name, version, queue, deadline_ms)
  order by x.name, x.version
  on conflict on constraint workflows_unique do update
    set queue = excluded.queue, deadline_ms = excluded.deadline_ms,
      registered_at = excluded.registered_at;
end
$$;
