-- Gives due executions of one limited queue to a worker: at most p_limit, no more than there are
-- places, and of those that have not begun no more than the rate allows.  Rows as `claim` gives
-- them; the last row, with exec_id 0, tells about the queue: ready_at is when to ask again (null: a
-- notification or the due check will tell), flags 1: a place was wanting, 2: the worker owns what
-- it does not know of.
--
-- Places.  _inferpipe_queue_use holds for each worker how many executions of the queue it has in
-- its hands; a worker may take the limit less what the others have and less its own (p_used).  The
-- queue's state row is locked first, so claims from one queue come one after the other and the sum
-- never exceeds the limit.  An execution that sleeps or waits is in nobody's hands.
--
-- p_used null: the worker does not know (an answer was lost), and its rows are counted.  So they
-- are when a call came to pass whose answer it has not seen (its turn is above p_seen): it was
-- slow, the worker took it for lost, looked up what it owns, and then it was carried out.  A call
-- that was overtaken by a later one of the same worker (p_turn) does nothing: whatever it counted
-- is out of date.  Both need each call to leave its turn behind.
--
-- Order.  By priority, in it from another shard each time; each sixteenth turn begins with the
-- least urgent, so that none starves.
--
-- Rate.  A token bucket, kept as the time at which all that was taken is paid for.  Only what was
-- really claimed is charged, and only what begins: an execution gets priority 0 with its first
-- claim, which is probed without charge, so a backlog never holds up what has begun.
--
-- Keys.  Executions with a key come as state 7 and are admitted first (queue_admit).
--
-- Lock order: worker row, the queue's state row, run rows; the last are skipped when locked, so
-- nobody who holds one and waits for the state row can wait for us.
create function inferpipe.claim_limited(
  p_worker int8, p_queue int4, p_lane int4[], p_limit int4, p_used int4, p_turn int8,
  p_seen int8)
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language plpgsql volatile rows 50
as $$
#variable_conflict use_column
declare
  c_running constant int2 := 1;
  c_slot constant int2 := 7;
  c_flag_fresh constant int2 := 8;
  v_now timestamptz;
  v_queue inferpipe._inferpipe_queues;
  v_rate_at timestamptz;
  v_version int8;
  v_before int4;       -- what the row said
  v_last int8;         -- the turn that wrote it
  v_others int4;
  v_used int4 := p_used;
  v_left int4 := p_limit;
  v_tokens int4 := p_limit;
  v_taken int4 := 0;
  v_begun int4 := 0;
  v_ids int8[];
  v_fresh int8[] := '{}'; -- begun, and counted by its key
  v_again timestamptz;
  v_wanting bool := false;
  v_spot record;
begin
  perform inferpipe.worker_lock(p_worker);
  select s.rate_at, s.version into v_rate_at, v_version
  from inferpipe._inferpipe_queue_state s where s.queue_id = p_queue for no key update;
  select * into v_queue from inferpipe._inferpipe_queues q where q.queue_id = p_queue;
  v_now := inferpipe.clock();

  select coalesce(sum(u.used) filter (where u.worker_id <> p_worker), 0),
    max(u.used) filter (where u.worker_id = p_worker),
    coalesce(max(u.turn) filter (where u.worker_id = p_worker), 0)
  into v_others, v_before, v_last
  from inferpipe._inferpipe_queue_use u where u.queue_id = p_queue;
  if v_last >= p_turn then
    return;
  end if;
  if v_version <> v_queue.version then
    perform inferpipe.queue_noticed(v_now, v_queue);
  end if;
  if v_used is null or v_last > p_seen then
    v_used := inferpipe.queue_count(p_worker, p_queue);
  end if;

  if v_queue.paused then
    v_left := 0;
  elsif v_queue.keyed then
    v_again := inferpipe.queue_admit(v_now, v_queue, p_lane);
  end if;
  if v_queue.concurrency - v_others - v_used < v_left then
    v_left := greatest(v_queue.concurrency - v_others - v_used, 0);
    v_wanting := v_left = 0;
  end if;
  if v_queue.rate is not null then
    v_tokens := least(p_limit, inferpipe.rate_left(v_now, v_rate_at, v_queue.rate,
      v_queue.rate_period_ms, v_queue.rate_burst));
  end if;

  for v_spot in
    select s.lane, s.shard, s.prio from inferpipe.queue_spots(p_lane, p_turn) s
  loop
    exit when v_left <= 0;
    continue when v_spot.prio > 0 and v_tokens <= 0;
    v_ids := array(
      select q.exec_id from inferpipe._inferpipe_runs q
      where q.lane = v_spot.lane and q.shard = v_spot.shard and q.prio = v_spot.prio
        and q.owner = 0 and q.ready_at <= v_now and q.state <> c_slot
      order by q.lane, q.shard, q.prio, q.ready_at
      limit case when v_spot.prio > 0 then least(v_left, v_tokens) else v_left end
      for no key update skip locked);
    continue when v_ids = '{}';
    if v_queue.keyed then
      v_fresh := v_fresh || array(
        select r.exec_id from inferpipe._inferpipe_runs r
        where r.exec_id = any (v_ids) and r.flags & c_flag_fresh <> 0);
    end if;
    return query
    with taken as (
      update inferpipe._inferpipe_runs r
      set owner = p_worker, fence = r.fence + 1, state = c_running, wait_key = 0, prio = 0,
        flags = r.flags & ~c_flag_fresh, started_at = coalesce(r.started_at, v_now)
      where r.exec_id = any (v_ids)
      returning r.exec_id, r.fence, r.lane, r.shard, r.ready_at, r.flags, r.crashes,
        r.has_journal, r.deadline)
    select t.exec_id, t.fence, t.lane, t.shard, v_spot.prio, t.ready_at, t.flags, t.crashes,
      t.has_journal, t.deadline, e.created_at, e.seed,
      case e.codec when 0 then e.input else inferpipe.payload_read(e.exec_id, e.input) end,
      v_now, e.options::text, e.traceparent
    from taken t
    cross join lateral (
      select x.exec_id, x.created_at, x.seed, x.codec, x.input, x.options, x.traceparent
      from inferpipe._inferpipe_executions x where x.exec_id = t.exec_id limit 1) e;
    v_taken := v_taken + cardinality(v_ids);
    v_left := v_left - cardinality(v_ids);
    if v_spot.prio > 0 then
      v_tokens := v_tokens - cardinality(v_ids);
      v_begun := v_begun + cardinality(v_ids);
    end if;
  end loop;

  if v_begun > 0 and v_queue.rate is not null then
    v_rate_at := inferpipe.rate_take(v_now, v_rate_at, v_begun, v_queue.rate,
      v_queue.rate_period_ms);
    update inferpipe._inferpipe_queue_state s set rate_at = v_rate_at where s.queue_id = p_queue;
  end if;
  if v_queue.rate is not null and v_tokens <= 0 then
    v_again := least(v_again, inferpipe.rate_next(
      v_rate_at, v_queue.rate, v_queue.rate_period_ms, v_queue.rate_burst));
  end if;
  if v_fresh <> '{}' and inferpipe.queue_begun(v_now, v_queue, v_fresh) then
    v_again := v_now;
  end if;
  v_wanting := v_wanting or (v_queue.concurrency is not null and v_left <= 0
    and v_others + v_used + v_taken >= v_queue.concurrency);
  perform inferpipe.queue_used(v_queue, p_worker, v_before, v_used + v_taken, v_used, p_turn,
    v_wanting);

  exec_id := 0;
  fence := 0;
  lane := 0;
  ready_at := v_again;
  flags := v_wanting::int4 + case when v_used > p_used then 2 else 0 end;
  now := v_now;
  return next;
end
$$;

-- Where claim_limited looks, in this order.
create function inferpipe.queue_spots(p_lane int4[], p_turn int8)
returns table (lane int4, shard int2, prio int2) language sql stable rows 50
as $$
  select u.lane, h.shard::int2, p.prio::int2
  from inferpipe._inferpipe_settings s
  cross join generate_series(0, 5) p(prio)
  cross join generate_series(0, s.value::int4 - 1) h(shard)
  cross join unnest(p_lane) u(lane)
  where s.name = 'shards'
  order by case when p_turn % 16 = 0 then -p.prio else p.prio end,
    (h.shard + p_turn) % s.value::int4, u.lane
$$;

-- The settings have changed since the last claim: every key where somebody waits is looked at.
create function inferpipe.queue_noticed(p_now timestamptz, p_queue inferpipe._inferpipe_queues)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_queue_state s set version = p_queue.version
  where s.queue_id = p_queue.queue_id;
  update inferpipe._inferpipe_queue_keys k set wake_at = p_now
  where k.queue_id = p_queue.queue_id and k.waiting > 0;
end
$$;

-- Writes down how many executions of the queue the worker has, and the turn.  When that is fewer
-- than before and others were refused a place meanwhile, hungry workers are told.
create function inferpipe.queue_used(
  p_queue inferpipe._inferpipe_queues, p_worker int8, p_before int4, p_used int4, p_held int4,
  p_turn int8, p_wanting bool)
returns void language plpgsql volatile
as $$
declare
  v_freed bool := p_held < p_before;
begin
  insert into inferpipe._inferpipe_queue_use as u (queue_id, worker_id, turn, used)
  values (p_queue.queue_id, p_worker, p_turn, p_used)
  on conflict on constraint queue_use_pkey do update
    set turn = excluded.turn, used = excluded.used;
  if p_wanting or v_freed then
    update inferpipe._inferpipe_queue_state s set starved = p_wanting
    where s.queue_id = p_queue.queue_id and s.starved <> p_wanting;
    if found and not p_wanting then
      perform inferpipe.wake(p_queue.workspace_id, array(
        select l.lane_id from inferpipe._inferpipe_lanes l where l.queue_id = p_queue.queue_id));
    end if;
  end if;
end
$$;

-- A worker that does not claim now, because its own slots are full or it drains, gives places back.
-- True: it owns what it does not know of.
create function inferpipe.queue_report(
  p_worker int8, p_queue int4, p_used int4, p_turn int8, p_seen int8)
returns bool language plpgsql volatile
as $$
declare
  v_queue inferpipe._inferpipe_queues;
  v_used int4 := p_used;
  v_before int4;
  v_last int8;
begin
  perform inferpipe.worker_lock(p_worker);
  perform from inferpipe._inferpipe_queue_state s where s.queue_id = p_queue for no key update;
  select * into v_queue from inferpipe._inferpipe_queues q where q.queue_id = p_queue;
  select u.used, u.turn into v_before, v_last from inferpipe._inferpipe_queue_use u
  where u.queue_id = p_queue and u.worker_id = p_worker;
  if v_last >= p_turn then
    return false;
  end if;
  if v_last > p_seen then
    v_used := inferpipe.queue_count(p_worker, p_queue);
  end if;
  perform inferpipe.queue_used(v_queue, p_worker, v_before, v_used, v_used, p_turn, false);
  return v_used > p_used;
end
$$;

-- These workers have nothing any more: the places they had are free, and hungry workers are told.
-- The caller holds the workers' rows.
create function inferpipe.queue_worker_gone(p_worker int8[])
returns void language plpgsql volatile
as $$
declare
  v_row record;
begin
  for v_row in
    with gone as (
      delete from inferpipe._inferpipe_queue_use u
      where u.worker_id = any (p_worker)
      returning u.queue_id)
    select l.workspace_id, array_agg(distinct l.lane_id) as lanes
    from gone g join inferpipe._inferpipe_lanes l on l.queue_id = g.queue_id
    group by l.workspace_id
  loop
    perform inferpipe.wake(v_row.workspace_id, v_row.lanes);
  end loop;
end
$$;

-- How many executions of the queue a worker has, by its rows; reads all of runs.
create function inferpipe.queue_count(p_worker int8, p_queue int4)
returns int4 language plpgsql stable
set enable_seqscan = on
as $$
begin
  return (
    select count(*) from inferpipe._inferpipe_runs r
    where r.owner = p_worker and r.lane = any (array(
      select l.lane_id from inferpipe._inferpipe_lanes l where l.queue_id = p_queue)));
end
$$;
