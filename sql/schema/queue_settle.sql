-- What the counts of limited queues must agree with, and how they are mended.

-- Places held by the executions of each key, and by those that ended and were not counted yet.
create function inferpipe.queue_held()
returns table (queue_id int4, key text, held int8, fresh int8) language sql stable
as $$
  select h.queue_id, h.key, count(*), count(*) filter (where h.fresh)
  from (
    select l.queue_id, e.queue_key as key, r.flags & 8 <> 0 as fresh
    from inferpipe._inferpipe_runs r
    join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
    join inferpipe._inferpipe_executions e on e.exec_id = r.exec_id
    where r.flags & 4 <> 0
    union all
    select f.queue_id, f.key, f.fresh from inferpipe._inferpipe_queue_freed f) h
  group by h.queue_id, h.key
$$;

-- Counts all limited queues anew; gives how many counts were wrong. For an operator, when doctor
-- has found something. Claims from these queues wait meanwhile.
create function inferpipe.queue_settle()
returns int4 language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
as $$
declare
  v_mended int4;
  v_all int4 := 0;
begin
  perform from inferpipe._inferpipe_queue_state s order by s.queue_id for no key update;
  delete from inferpipe._inferpipe_queue_use u
  where not exists (
    select from inferpipe._inferpipe_workers w where w.worker_id = u.worker_id and w.state <> 2);
  get diagnostics v_mended = row_count;
  v_all := v_all + v_mended;

  insert into inferpipe._inferpipe_queue_keys as k (queue_id, key, used, fresh, wake_at)
  select coalesce(c.queue_id, h.queue_id), coalesce(c.key, h.key), coalesce(h.held, 0),
    coalesce(h.fresh, 0), inferpipe.clock()
  from inferpipe._inferpipe_queue_keys c
  full join inferpipe.queue_held() h on h.queue_id = c.queue_id and h.key = c.key
  where (coalesce(c.used, 0), coalesce(c.fresh, 0))
    is distinct from (coalesce(h.held, 0), coalesce(h.fresh, 0))
  on conflict on constraint queue_keys_pkey do update
    set used = excluded.used, fresh = excluded.fresh, wake_at = excluded.wake_at;
  get diagnostics v_mended = row_count;
  v_all := v_all + v_mended;

  -- Who waits without a row arrives anew, at the next claim.
  update inferpipe._inferpipe_runs r set ready_at = inferpipe.clock()
  where r.exec_id = any (array(
    select x.exec_id from inferpipe._inferpipe_runs x
    where x.state = 7 and x.ready_at > inferpipe.clock() + interval '99 years' and not exists (
      select from inferpipe._inferpipe_queue_waits w where w.exec_id = x.exec_id)
    order by x.exec_id for no key update skip locked));
  get diagnostics v_mended = row_count;
  v_all := v_all + v_mended;

  update inferpipe._inferpipe_queue_keys k set waiting = c.waiting, wake_at = inferpipe.clock()
  from (
    select y.queue_id, y.key, (
      select count(*) from inferpipe._inferpipe_queue_waits w
      where w.queue_id = y.queue_id and w.key = y.key) as waiting
    from inferpipe._inferpipe_queue_keys y) c
  where k.queue_id = c.queue_id and k.key = c.key
    and (k.waiting <> c.waiting or (k.waiting > 0 and k.wake_at is null));
  return v_all;
end
$$;
