-- The part of doctor about queues with limits (queue_settle.sql mends what it finds).
--
-- Looks for counts that are wrong: one row a finding. Each check is one statement, so one snapshot.
create function inferpipe.doctor_queues()
returns table (check_name text, severity text, subject text, detail text) language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
set enable_mergejoin = on
as $$
  (select 'queue_place_of_nobody', 'error', q.name,
    'worker ' || u.worker_id || ' is gone and holds ' || u.used || ' places'
  from inferpipe._inferpipe_queue_use u
  join inferpipe._inferpipe_queues q on q.queue_id = u.queue_id
  left join inferpipe._inferpipe_workers w on w.worker_id = u.worker_id
  where w.state is null or w.state = 2
  limit 100)
  union all
  (select 'queue_places', 'warning', q.name,
    'worker ' || h.owner || ' has ' || h.runs || ' executions and is counted with '
      || coalesce(u.used, 0)
  from (
    select r.owner, l.queue_id, count(*) as runs
    from inferpipe._inferpipe_runs r
    join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
    where r.owner <> 0 group by r.owner, l.queue_id) h
  join inferpipe._inferpipe_queues q on q.queue_id = h.queue_id and q.concurrency is not null
  left join inferpipe._inferpipe_queue_use u
    on u.queue_id = h.queue_id and u.worker_id = h.owner
  where h.runs > coalesce(u.used, 0)
  limit 100)
  union all
  (select 'queue_key_places', 'error', q.name || '/' || k.key,
    k.used || ' places are counted, ' || k.held || ' are held'
  from (
    select coalesce(c.queue_id, h.queue_id) as queue_id, coalesce(c.key, h.key) as key,
      coalesce(c.used, 0) as used, coalesce(h.held, 0) as held
    from inferpipe._inferpipe_queue_keys c
    full join inferpipe.queue_held() h on h.queue_id = c.queue_id and h.key = c.key) k
  join inferpipe._inferpipe_queues q on q.queue_id = k.queue_id
  where k.used <> k.held
  limit 100)
  union all
  (select 'queue_key_waits', 'error', inferpipe.id_text(r.exec_id),
    'it waits for a place of its key, and nobody will give it one'
  from inferpipe._inferpipe_runs r
  where r.state = 7 and r.ready_at > inferpipe.clock() + interval '99 years' and not exists (
    select from inferpipe._inferpipe_queue_waits w where w.exec_id = r.exec_id)
  limit 100)
  union all
  (select 'queue_key_idle', 'warning', q.name || '/' || k.key,
    k.waiting || ' executions wait though there is a place'
  from inferpipe._inferpipe_queue_keys k
  join inferpipe._inferpipe_queues q on q.queue_id = k.queue_id
  join inferpipe._inferpipe_queue_state s on s.queue_id = k.queue_id and s.version = q.version
  where k.waiting > 0 and k.wake_at is null and inferpipe.queue_key_open(inferpipe.clock(), q, k)
  limit 100)
$$;
