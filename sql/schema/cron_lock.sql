-- Takes or renews a lock with a lease.  Gives the fence; null: another holds it.
--
-- A holder that died holds nothing: the reaper marks a killed worker in about a second, long before
-- the lease is over.
create function inferpipe.cron_lock(p_name text, p_worker int8, p_ttl_ms int8)
returns int8 language plpgsql volatile
as $$
declare
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_fence int8;
begin
  insert into inferpipe._inferpipe_cron_locks as l (name, locked_by, locked_at, expires_at)
  values (p_name, p_worker, v_now, v_now + p_ttl_ms * c_millisecond)
  on conflict (name) do update
    set locked_by = excluded.locked_by, expires_at = excluded.expires_at,
      locked_at = case when l.locked_by = p_worker then l.locked_at else excluded.locked_at end,
      fence = l.fence + (l.locked_by <> p_worker)::int4
    where l.locked_by = p_worker or l.expires_at < v_now
      or not exists (select from inferpipe._inferpipe_workers w
                     where w.worker_id = l.locked_by and w.state = 0)
  returning l.fence into v_fence;
  return v_fence;
end
$$;

-- The lock of a workspace's schedules.
create function inferpipe.cron_lock_name(p_workspace int4)
returns text language sql immutable parallel safe
as $$ select 'cron:' || p_workspace $$;
