-- Registers a worker or renews its lease. False: the lease is lost, others may have its executions;
-- the process goes on with a new id.
--
-- The connection it comes on is recorded: a reaper that saw this backend alive and then gone need
-- not wait for the lease to end. That is a hint; what makes take-over safe is the fence. Locks: the
-- worker's row.
create function inferpipe.worker_beat(
  p_worker int8, p_workspace int4, p_ttl_ms int8, p_hungry bool, p_host text, p_pid int4,
  p_program text, p_version text)
returns bool language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_expires timestamptz := v_now + p_ttl_ms * interval '1 millisecond';
  v_backend int4 := pg_catalog.pg_backend_pid();
  v_backend_start timestamptz;
begin
  select a.backend_start into v_backend_start from pg_catalog.pg_stat_get_activity(v_backend) a;
  insert into inferpipe._inferpipe_workers as w (
    worker_id, expires_at, started_at, seen_at, backend_start, backend_pid, workspace_id, pid,
    hungry, host, program, version)
  values (p_worker, v_expires, v_now, v_now, v_backend_start, v_backend, p_workspace, p_pid,
    p_hungry, p_host, p_program, p_version)
  on conflict (worker_id) do update
    set expires_at = excluded.expires_at, seen_at = excluded.seen_at, beats = w.beats + 1,
      backend_start = excluded.backend_start, backend_pid = excluded.backend_pid,
      hungry = excluded.hungry
    where w.state = 0;
  return found;
end
$$;
