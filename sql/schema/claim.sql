-- Gives up to p_limit due executions to a worker. The probes (lane, shard, priority, watermark) are
-- made in the order given, each in the order of ready_at, until the limit is reached.
--
-- Rows are locked spot by spot, by a walk along the due index that takes at most what is wanted and
-- skips what others hold; then one UPDATE takes them all, as a statement costs more than a row. It
-- finds them as they were chosen: the lock keeps them so. A join in place of the walk becomes a
-- hash over the whole table under a generic plan. v_now is a variable because a volatile call
-- cannot bound an index scan. The watermark spares the walk over dead index entries at the head of
-- the range.
--
-- The row's input comes by a sub-select that cannot be turned round either (flush.sql). A large one
-- is fetched by a function of its own: a sub-select would open all partitions of the payloads for
-- each claim, also for small inputs.
--
-- Which of the spots hold anything is asked in one statement, without locks: an empty one costs a
-- walk down the index. The function scan gives its rows in order, and nothing after it sorts.
--
-- A spot where nothing is due yet, but will be within a second, gives a row with exec_id 0 and that
-- time as ready_at: so a worker that follows the timers of a spot knows the next one without asking
-- again and again, and later ones are told by its ticks.
--
-- An empty poll writes nothing and locks nothing. Before the first row is taken the worker's row is
-- locked and must be alive: a reaper that marks this worker either waits for us, and then releases
-- what we took, or was first, and we raise IP001.
--
-- A claim does not wait for the disk: its commit is asynchronous, for this transaction alone. All
-- that a crash of the server can lose is the claim itself. Every later commit of the worker is
-- durable only together with it, as it lies before it in the log; and an execution whose claim was
-- lost is ready again, owned by nobody, so the worker's writes for it are refused.
--
-- What was recorded before is read by another statement (journal): its later snapshot sees all that
-- the last owner committed.  Lock order: worker row, then run rows.
create function inferpipe.claim(
  p_worker int8, p_lane int4[], p_shard int2[], p_prio int2[], p_from timestamptz[], p_limit int4)
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language plpgsql volatile rows 50
as $$
#variable_conflict use_column
declare
  c_running constant int2 := 1;
  c_ahead constant interval := '1 second';
  v_now timestamptz := inferpipe.clock();
  v_soon timestamptz := v_now + c_ahead;
  v_ids int8[] := '{}'; -- ours from here on: locked
  v_spot record;
begin
  for v_spot in
    select u.lane, u.shard, u.prio, u.earliest, first.ready_at
    from unnest(p_lane, p_shard, p_prio, p_from) u(lane, shard, prio, earliest)
    cross join lateral (
      select q.ready_at from inferpipe._inferpipe_runs q
      where q.lane = u.lane and q.shard = u.shard and q.prio = u.prio and q.owner = 0
        and q.ready_at >= u.earliest and q.ready_at <= v_soon
      order by q.lane, q.shard, q.prio, q.ready_at
      limit 1) first
  loop
    exit when cardinality(v_ids) >= p_limit;
    if v_spot.ready_at > v_now then
      return query select 0::int8, 0, v_spot.lane, v_spot.shard, v_spot.prio, v_spot.ready_at,
        0::int2, 0::int2, false, null::timestamptz, v_now, 0::int8, null::bytea, v_now, null, null;
      continue;
    end if;
    if v_ids = '{}' then
      perform inferpipe.worker_lock(p_worker);
    end if;
    v_ids := v_ids || array(
      select q.exec_id from inferpipe._inferpipe_runs q
      where q.lane = v_spot.lane and q.shard = v_spot.shard and q.prio = v_spot.prio
        and q.owner = 0 and q.ready_at >= v_spot.ready_at and q.ready_at <= v_now
      order by q.lane, q.shard, q.prio, q.ready_at
      limit p_limit - cardinality(v_ids)
      for no key update skip locked);
  end loop;
  if v_ids = '{}' then
    return;
  end if;

  perform pg_catalog.set_config('synchronous_commit', 'off', true);
  return query
  with taken as (
    update inferpipe._inferpipe_runs r
    set owner = p_worker, fence = r.fence + 1, state = c_running, wait_key = 0,
      started_at = coalesce(r.started_at, v_now)
    where r.exec_id = any (v_ids)
    returning r.exec_id, r.fence, r.lane, r.shard, r.prio, r.ready_at, r.flags, r.crashes,
      r.has_journal, r.deadline)
  select t.exec_id, t.fence, t.lane, t.shard, t.prio, t.ready_at, t.flags, t.crashes,
    t.has_journal, t.deadline, e.created_at, e.seed,
    case e.codec when 0 then e.input else inferpipe.payload_read(e.exec_id, e.input) end, v_now,
    e.options::text, e.traceparent
  from taken t
  cross join lateral (
    select x.exec_id, x.created_at, x.seed, x.codec, x.input, x.options, x.traceparent
    from inferpipe._inferpipe_executions x where x.exec_id = t.exec_id limit 1) e
  order by t.prio, t.ready_at;
end
$$;

-- A payload over the inline limit, by its hash: for all statements of a worker that meet few such
-- payloads or none.
create function inferpipe.payload_read(p_exec int8, p_hash bytea)
returns bytea language plpgsql stable
as $$
begin
  return (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = p_exec and p.hash = p_hash);
end
$$;

-- Locks the row of a worker that is about to get executions; IP001 when it is not alive.
create function inferpipe.worker_lock(p_worker int8)
returns void language plpgsql volatile
as $$
begin
  perform from inferpipe._inferpipe_workers w
  where w.worker_id = p_worker and w.state = 0
  for no key update;
  if not found then
    raise exception 'the lease of worker % is lost', p_worker using errcode = 'IP001';
  end if;
end
$$;
