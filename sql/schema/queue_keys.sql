-- Admission by key: places of a key, its rate, and fairness between keys.  All of it runs inside a
-- claim (claim_limited), which holds the queue's state row; the other functions only append.
--
--   start       the run comes as state 7, due at its time (runs_insert); no lock
--   admission   state 7 -> 0, flags 4 and 8: it holds a place of its key until it ends, and counts
--               as fresh until its first claim
--   no place    it stays in state 7, due at its deadline only, with a row in _inferpipe_queue_waits
--   end         a row in _inferpipe_queue_freed (run_end); the next claim counts it
--
-- A key is looked at only when something happened to it: an arrival, an end, a begin, or its time
-- came (wake_at).  So a claim costs what happened, however many keys and executions wait.
--
-- Fairness.  At most key_window executions of one key are admitted and not begun.  They are all
-- that a key with a long backlog has in front of another key's next start.
--
-- A run that another transaction holds (a message under way, a cancel) is passed over; its key is
-- looked at again a second later.  One that ended or was canceled while it waited leaves a row in
-- _inferpipe_queue_waits behind, which is dropped when its turn comes.

-- Counts what was given back, takes arrivals in, admits.  Gives the time at which a key is to be
-- looked at again, null: none.
create function inferpipe.queue_admit(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_lane int4[])
returns timestamptz language plpgsql volatile
as $$
declare
  c_batch constant int4 := 500;
  c_slot constant int2 := 7;
  v_left int4 := c_batch;
  v_keys text[];
  v_again timestamptz;
  v_spot record;
begin
  v_keys := inferpipe.queue_settle_freed(p_queue.queue_id, c_batch) || array(
    select k.key from inferpipe._inferpipe_queue_keys k
    where k.queue_id = p_queue.queue_id and k.wake_at <= p_now
    order by k.wake_at limit c_batch);
  for v_spot in select s.lane, s.shard, s.prio from inferpipe.queue_spots(p_lane, 1) s loop
    exit when v_left <= 0;
    continue when not exists (
      select from inferpipe._inferpipe_runs q
      where q.lane = v_spot.lane and q.shard = v_spot.shard and q.prio = v_spot.prio
        and q.owner = 0 and q.ready_at <= p_now and q.state = c_slot);
    v_left := v_left - inferpipe.queue_arrivals(
      p_now, p_queue, v_spot.lane, v_spot.shard, v_spot.prio, v_left);
  end loop;
  perform inferpipe.queue_promote(p_now, p_queue, v_keys);
  select k.wake_at into v_again
  from inferpipe._inferpipe_queue_keys k
  where k.queue_id = p_queue.queue_id and k.wake_at is not null
  order by k.wake_at limit 1;
  if v_left <= 0 or exists (select from inferpipe._inferpipe_queue_freed f
                            where f.queue_id = p_queue.queue_id) then
    v_again := p_now; -- there is more than fits in one call
  end if;
  return v_again;
end
$$;

-- Places that were given back; gives their keys.
create function inferpipe.queue_settle_freed(p_queue int4, p_limit int4)
returns text[] language plpgsql volatile
as $$
declare
  v_keys text[] := '{}';
  v_row record;
begin
  for v_row in
    with gone as (
      delete from inferpipe._inferpipe_queue_freed f
      where f.queue_id = p_queue and f.freed_id = any (array(
        select x.freed_id from inferpipe._inferpipe_queue_freed x
        where x.queue_id = p_queue order by x.freed_id limit p_limit))
      returning f.key, f.fresh)
    select g.key, count(*)::int4 as places, (count(*) filter (where g.fresh))::int4 as fresh
    from gone g group by g.key
  loop
    update inferpipe._inferpipe_queue_keys k
    set used = greatest(k.used - v_row.places, 0),
      fresh = greatest(least(k.fresh - v_row.fresh, k.used - v_row.places), 0)
    where k.queue_id = p_queue and k.key = v_row.key;
    v_keys := v_keys || v_row.key;
  end loop;
  return v_keys;
end
$$;

-- Takes in what arrived at one spot, in its order: admitted at once when its key has a place and
-- nobody waits for one, else it waits.  Gives the number.
create function inferpipe.queue_arrivals(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_lane int4, p_shard int2, p_prio int2,
  p_limit int4)
returns int4 language plpgsql volatile
as $$
declare
  c_slot constant int2 := 7;
  v_count int4 := 0;
  v_key inferpipe._inferpipe_queue_keys;
  v_row record;
begin
  for v_row in
    select r.exec_id, r.deadline, e.queue_key
    from inferpipe._inferpipe_runs r
    cross join lateral (
      select x.queue_key from inferpipe._inferpipe_executions x
      where x.exec_id = r.exec_id limit 1) e
    where r.exec_id = any (array(
      select q.exec_id from inferpipe._inferpipe_runs q
      where q.lane = p_lane and q.shard = p_shard and q.prio = p_prio and q.owner = 0
        and q.ready_at <= p_now and q.state = c_slot
      order by q.lane, q.shard, q.prio, q.ready_at
      limit p_limit
      for no key update skip locked))
    order by r.exec_id
  loop
    v_count := v_count + 1;
    if v_row.deadline <= p_now then -- no place is needed to find that it is too late
      update inferpipe._inferpipe_runs r set state = 0 where r.exec_id = v_row.exec_id;
      continue;
    end if;
    v_key := inferpipe.queue_key(p_queue.queue_id, v_row.queue_key);
    if v_key.waiting = 0 and inferpipe.queue_key_open(p_now, p_queue, v_key) then
      perform inferpipe.queue_admit_one(p_now, p_queue, v_key.key, v_row.exec_id, 0);
    else
      perform inferpipe.queue_wait(p_now, p_queue.queue_id, v_key.key, p_prio, v_row.exec_id);
      perform inferpipe.queue_promote(p_now, p_queue, array[v_key.key]);
    end if;
  end loop;
  return v_count;
end
$$;

-- The row of a key, made on first use.
create function inferpipe.queue_key(p_queue int4, p_key text)
returns inferpipe._inferpipe_queue_keys language plpgsql volatile
as $$
declare
  v_key inferpipe._inferpipe_queue_keys;
begin
  select * into v_key from inferpipe._inferpipe_queue_keys k
  where k.queue_id = p_queue and k.key = p_key;
  if not found then
    insert into inferpipe._inferpipe_queue_keys (queue_id, key) values (p_queue, p_key)
    returning * into v_key;
  end if;
  return v_key;
end
$$;

-- May one more of this key be admitted now?
create function inferpipe.queue_key_open(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_key inferpipe._inferpipe_queue_keys)
returns bool language sql stable
as $$
  select p_key.used < coalesce(p_queue.key_concurrency, 2147483647)
    and p_key.fresh < coalesce(p_queue.key_window, inferpipe.setting('queue_key_window'))
    and (p_queue.key_rate is null or inferpipe.rate_left(p_now, p_key.rate_at, p_queue.key_rate,
      p_queue.key_period_ms, p_queue.key_burst) > 0)
$$;

-- Admits an execution whose run is locked.  p_waited: 1 when it comes out of the waits.
create function inferpipe.queue_admit_one(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_key text, p_exec int8, p_waited int4)
returns void language plpgsql volatile
as $$
declare
  c_place constant int2 := 4;
  c_fresh constant int2 := 8;
begin
  update inferpipe._inferpipe_runs r
  set state = 0, flags = r.flags | c_place | c_fresh,
    ready_at = case p_waited when 0 then r.ready_at else p_now end
  where r.exec_id = p_exec;
  update inferpipe._inferpipe_queue_keys k
  set used = k.used + 1, fresh = k.fresh + 1, turns = (k.turns + p_waited) % 1000000,
    waiting = k.waiting - p_waited,
    rate_at = case when p_queue.key_rate is null then null else inferpipe.rate_take(
      p_now, k.rate_at, 1, p_queue.key_rate, p_queue.key_period_ms) end
  where k.queue_id = p_queue.queue_id and k.key = p_key;
end
$$;

-- Lets an execution whose run is locked wait for a place; it is due at its deadline only.
create function inferpipe.queue_wait(
  p_now timestamptz, p_queue int4, p_key text, p_prio int2, p_exec int8)
returns void language plpgsql volatile
as $$
declare
  c_never constant interval := '100 years';
begin
  insert into inferpipe._inferpipe_queue_waits (queue_id, key, prio, exec_id)
  values (p_queue, p_key, p_prio, p_exec)
  on conflict do nothing;
  if found then -- else it ended while it waited, and has come again
    update inferpipe._inferpipe_queue_keys k set waiting = k.waiting + 1
    where k.queue_id = p_queue and k.key = p_key;
  end if;
  update inferpipe._inferpipe_runs r set ready_at = least(p_now + c_never, r.deadline)
  where r.exec_id = p_exec;
end
$$;

-- Admits of these keys who waits, as far as there are places.
create function inferpipe.queue_promote(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_keys text[])
returns int4 language plpgsql volatile
as $$
declare
  v_admitted int4 := 0;
  v_name text;
begin
  for v_name in select distinct u.key from unnest(p_keys) u(key) order by 1 loop
    v_admitted := v_admitted + inferpipe.queue_promote_key(p_now, p_queue, v_name);
  end loop;
  return v_admitted;
end
$$;

-- Of one key.  By priority, then by age; each sixteenth from the other end of the priorities, so
-- that none starves.  A key without anything left goes.
create function inferpipe.queue_promote_key(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_key text)
returns int4 language plpgsql volatile
as $$
declare
  c_reverse_every constant int4 := 16;
  c_slot constant int2 := 7;
  c_retry constant interval := '1 second';
  v_key inferpipe._inferpipe_queue_keys;
  v_admitted int4 := 0;
  v_held int8[] := '{}'; -- another transaction has their run
  v_wake_at timestamptz;
  v_exec int8;
  v_prio int2;
  v_state int2;
begin
  loop
    select * into v_key from inferpipe._inferpipe_queue_keys k
    where k.queue_id = p_queue.queue_id and k.key = p_key;
    exit when not found or v_key.waiting = 0
      or not inferpipe.queue_key_open(p_now, p_queue, v_key);
    if v_key.turns % c_reverse_every = c_reverse_every - 1 then
      select w.exec_id, w.prio into v_exec, v_prio from inferpipe._inferpipe_queue_waits w
      where w.queue_id = p_queue.queue_id and w.key = p_key and w.exec_id <> all (v_held)
      order by w.queue_id desc, w.key desc, w.prio desc, w.exec_id desc limit 1;
    else
      select w.exec_id, w.prio into v_exec, v_prio from inferpipe._inferpipe_queue_waits w
      where w.queue_id = p_queue.queue_id and w.key = p_key and w.exec_id <> all (v_held)
      order by w.queue_id, w.key, w.prio, w.exec_id limit 1;
    end if;
    exit when not found;

    select r.state into v_state from inferpipe._inferpipe_runs r
    where r.exec_id = v_exec for no key update skip locked;
    if not found and exists (select from inferpipe._inferpipe_runs r where r.exec_id = v_exec) then
      v_held := v_held || v_exec;
      v_wake_at := p_now + c_retry;
      continue;
    end if;
    delete from inferpipe._inferpipe_queue_waits w
    where w.queue_id = p_queue.queue_id and w.key = p_key and w.prio = v_prio
      and w.exec_id = v_exec;
    if v_state = c_slot then
      perform inferpipe.queue_admit_one(p_now, p_queue, p_key, v_exec, 1);
      v_admitted := v_admitted + 1;
    else
      update inferpipe._inferpipe_queue_keys k set waiting = k.waiting - 1
      where k.queue_id = p_queue.queue_id and k.key = p_key;
    end if;
  end loop;
  perform inferpipe.queue_key_rest(p_now, p_queue, v_key, v_wake_at);
  return v_admitted;
end
$$;

-- What remains of a key once it was looked at: nothing, or the time to look again.
create function inferpipe.queue_key_rest(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues,
  p_key inferpipe._inferpipe_queue_keys, p_wake_at timestamptz)
returns void language plpgsql volatile
as $$
declare
  v_wake_at timestamptz := p_wake_at;
begin
  if p_key.used = 0 and p_key.waiting = 0 and coalesce(p_key.rate_at <= p_now, true) then
    delete from inferpipe._inferpipe_queue_keys k
    where k.queue_id = p_queue.queue_id and k.key = p_key.key;
    return;
  end if;
  if p_queue.key_rate is not null and p_key.used = 0 and p_key.waiting = 0 then
    v_wake_at := p_key.rate_at; -- to forget it then
  elsif p_queue.key_rate is not null and p_key.waiting > 0 and inferpipe.rate_left(p_now,
      p_key.rate_at, p_queue.key_rate, p_queue.key_period_ms, p_queue.key_burst) = 0 then
    v_wake_at := least(v_wake_at, inferpipe.rate_next(
      p_key.rate_at, p_queue.key_rate, p_queue.key_period_ms, p_queue.key_burst));
  end if;
  update inferpipe._inferpipe_queue_keys k set wake_at = v_wake_at
  where k.queue_id = p_queue.queue_id and k.key = p_key.key
    and k.wake_at is distinct from v_wake_at;
end
$$;

-- These executions have begun, so their keys may have others admitted. True: some were.
create function inferpipe.queue_begun(
  p_now timestamptz, p_queue inferpipe._inferpipe_queues, p_exec int8[])
returns bool language plpgsql volatile
as $$
declare
  v_keys text[] := '{}';
  v_row record;
begin
  for v_row in
    select e.queue_key as key, count(*)::int4 as n
    from inferpipe._inferpipe_executions e where e.exec_id = any (p_exec) group by e.queue_key
  loop
    update inferpipe._inferpipe_queue_keys k set fresh = greatest(k.fresh - v_row.n, 0)
    where k.queue_id = p_queue.queue_id and k.key = v_row.key;
    v_keys := v_keys || v_row.key;
  end loop;
  return inferpipe.queue_promote(p_now, p_queue, v_keys) > 0;
end
$$;

-- Called by run_end: places of ended executions come back.  Appends only, and tells the workers.
create function inferpipe.queue_free(p_exec int8[], p_lane int4[], p_flags int2[])
returns void language plpgsql volatile
as $$
declare
  c_fresh constant int2 := 8;
  v_workspace int4;
begin
  insert into inferpipe._inferpipe_queue_freed (queue_id, fresh, key)
  select l.queue_id, x.flags & c_fresh <> 0, e.queue_key
  from unnest(p_exec, p_lane, p_flags) x(exec_id, lane, flags)
  cross join lateral (
    select y.queue_id from inferpipe._inferpipe_lanes y where y.lane_id = x.lane limit 1) l
  cross join lateral (
    select y.queue_key from inferpipe._inferpipe_executions y
    where y.exec_id = x.exec_id limit 1) e;
  select l.workspace_id into v_workspace
  from inferpipe._inferpipe_lanes l where l.lane_id = p_lane[1];
  perform inferpipe.wake(v_workspace, p_lane);
end
$$;
