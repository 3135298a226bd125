-- All that a worker asks regularly, in one statement: its heartbeat, a look at the others, cancels,
-- and (p_sweep) what is ready in its lanes.  Each row says by `kind` what it is:
--
--   1 self    id = worker, n = 1 alive or 0 lease lost, m = start of the server in microseconds
--             since 1970, at = the database's time.  Always first; alone when the lease is lost.
--   2 peer    id = worker, n = beats, m = its backend is there: 1, gone: 0, not readable: -1,
--             at = start of that backend.  At most 32, the lowest ids: everybody watches the same.
--   3 cancel  id = execution of this worker; its row is deleted, the flag stays on the run.
--   4 due     id = lane, n = shard, m = prio, at = earliest ready_at of what is due there.
--   5 lanes   id = the highest lane of the workspace, n = the number of shards, m = the sum of its
--             queues' versions.
--   6 next    id = lane, n = shard, m = prio, at = the earliest ready_at in the future there.
--   7 dead    id = a worker whose executions are to be released.
--   8 cron    at = the next instant of the workspace's schedules, n = 1: some wait to be started,
--             id = who holds their lock or 0.
--   9 queue   id = a limited queue of p_lanes, at = when there is something to claim or to admit
--             that kinds 4 and 6 do not tell.
--
-- It also goes on with the children of executions that have ended (child_end.sql).
--
-- Locks: the worker's own row, and the cancels it takes.
create function inferpipe.tick(
  p_worker int8, p_workspace int4, p_ttl_ms int8, p_hungry bool, p_host text, p_pid int4,
  p_program text, p_version text, p_lanes int4[], p_sweep bool)
returns table (kind int2, id int8, n int8, m int8, at timestamptz) language plpgsql volatile rows 10
as $$
#variable_conflict use_column
declare
  c_peers_max constant int4 := 32;
  v_alive bool := inferpipe.worker_beat(
    p_worker, p_workspace, p_ttl_ms, p_hungry, p_host, p_pid, p_program, p_version);
begin
  return query select 1::int2, p_worker, v_alive::int4::int8,
    (extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::int8, inferpipe.clock();
  if not v_alive then
    return;
  end if;

  return query
  select 2::int2, w.worker_id, w.beats,
    case when a.pid is null then 0
         when a.backend_start is null or w.backend_start is null then -1
         when a.backend_start = w.backend_start then 1
         else 0 end::int8,
    w.backend_start
  from (select * from inferpipe._inferpipe_workers v
        where v.state = 0 and v.worker_id <> p_worker
        order by v.worker_id limit c_peers_max) w
  left join lateral pg_catalog.pg_stat_get_activity(w.backend_pid) a on w.backend_pid is not null;

  perform inferpipe.orphans_cancel();
  return query
  with taken as (
    delete from inferpipe._inferpipe_cancels c where c.worker_id = p_worker returning c.exec_id)
  select 3::int2, t.exec_id, null::int8, null::int8, null::timestamptz from taken t;

  return query
  select 5::int2, max(l.lane_id)::int8,
    (select s.value::int8 from inferpipe._inferpipe_settings s where s.name = 'shards'),
    (select sum(q.version)::int8 from inferpipe._inferpipe_queues q
     where q.workspace_id = p_workspace),
    null::timestamptz
  from inferpipe._inferpipe_lanes l
  where l.workspace_id = p_workspace
  having max(l.lane_id) is not null;

  return query
  select 7::int2, w.worker_id, null::int8, null::int8, null::timestamptz
  from inferpipe._inferpipe_workers w where w.state = 1;

  return query
  select 8::int2, c.holder, c.waits::int4::int8, null::int8, c.next_at
  from inferpipe.cron_look(p_workspace) c;

  if p_sweep then
    return query select s.kind, s.id, s.n, s.m, s.at from inferpipe.tick_sweep(p_lanes) s;
    return query select 9::int2, s.queue_id::int8, null::int8, null::int8, s.at
    from inferpipe.queue_sweep(p_lanes) s;
  end if;
end
$$;

-- Rows of kind 4 and 6: one probe of the due index for each lane that has anything, shard and
-- priority.  Never a scan over what sleeps; from the beginning of each range, so also over dead
-- index entries: the worker makes its sweeps rarer while there are many.
create function inferpipe.tick_sweep(p_lanes int4[])
returns table (kind int2, id int8, n int8, m int8, at timestamptz) language plpgsql volatile rows 10
as $$
#variable_conflict use_column
declare
  c_prio_max constant int4 := 5;
  v_now timestamptz := inferpipe.clock();
  v_shards int4;
  v_spot record;
begin
  select s.value::int4 into v_shards
  from inferpipe._inferpipe_settings s where s.name = 'shards';
  for v_spot in
    select u.lane, h.shard, p.prio, first.ready_at,
      case when first.ready_at > v_now then first.ready_at else (
        select q.ready_at from inferpipe._inferpipe_runs q
        where q.lane = u.lane and q.shard = h.shard and q.prio = p.prio and q.owner = 0
          and q.ready_at > v_now
        order by q.ready_at limit 1) end as next_at
    from unnest(p_lanes) u(lane)
    cross join lateral (
      select true from inferpipe._inferpipe_runs q where q.lane = u.lane and q.owner = 0
        limit 1) any_run
    cross join lateral (select g::int2 as shard from generate_series(0, v_shards - 1) g) h
    cross join lateral (select g::int2 as prio from generate_series(1, c_prio_max) g) p
    cross join lateral (
      select q.ready_at from inferpipe._inferpipe_runs q
      where q.lane = u.lane and q.shard = h.shard and q.prio = p.prio and q.owner = 0
      order by q.ready_at limit 1) first
  loop
    id := v_spot.lane;
    n := v_spot.shard;
    m := v_spot.prio;
    if v_spot.ready_at <= v_now then
      kind := 4;
      at := v_spot.ready_at;
      return next;
    end if;
    if v_spot.next_at is not null then
      kind := 6;
      at := v_spot.next_at;
      return next;
    end if;
  end loop;
end
$$;
