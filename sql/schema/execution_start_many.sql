-- Starts many executions in one statement: all of them or none.
--
-- w_ has an element for each combination of workflow, version and queue that occurs, p_ one for
-- each start; p_what is the place of its combination.  The other arguments mean what they mean in
-- execution_start; those that may be null may also be empty as a whole.  The answer has a row for
-- each start, in the order given: a key that was used before, also one that came before in this
-- batch, gives that execution's id and created = false.
--
-- Two batches with the same keys: rows of keys are inserted in the order of the keys, so one waits
-- for the other and no deadlock can come of it.
--
-- Failure: as execution_start's, nothing is written then.  A key mismatch names the first start
-- that has it, counted from 1.  An id that is taken because the clock went back is a unique
-- violation; the same call then works when it is made again.
-- Locks: the rows of the keys, until the caller's transaction ends.
create function inferpipe.execution_start_many(
  p_workspace int4, w_workflow text[], w_version text[], w_queue text[],
  p_what int4[], p_prio int2[], p_delay_ms int8[], p_deadline_ms int8[],
  p_key text[], p_key_ttl_ms int8, p_input bytea[], p_input_hash bytea[], p_metadata text[],
  p_traceparent text[], p_queue_key text[] default null, p_run_at timestamptz[] default null)
returns table (exec_id int8, created bool) language plpgsql volatile rows 1000
as $$
#variable_conflict use_column
declare
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_ids int8[] := array(select inferpipe.id_new() from unnest(p_what));
  v_lane int4[];        -- of each combination
  v_deadline_ms int8[]; -- its default
  v_uuid uuid[];
  v_created bool[];     -- null: all
begin
  select array_agg(l.lane order by l.pos), array_agg(l.deadline_ms order by l.pos)
  into v_lane, v_deadline_ms
  from inferpipe.lanes_intern(p_workspace, w_workflow, w_version, w_queue) l;
  if cardinality(p_key) > 0 then
    select array_agg(inferpipe.text_uuid(k.key) order by k.pos) into v_uuid
    from unnest(p_key) with ordinality k(key, pos);
    select k.ids, k.created into v_ids, v_created
    from inferpipe.keys_claim(p_workspace, v_ids, v_uuid, v_now + p_key_ttl_ms * c_millisecond, (
      select array_agg(inferpipe.request_hash(w_workflow[x.what], w_version[x.what],
        w_queue[x.what], x.input) order by x.pos)
      from unnest(p_what, p_input) with ordinality x(what, input, pos))) k;
  end if;

  insert into inferpipe._inferpipe_executions (
    exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input, metadata,
    traceparent, queue_key, idem_key)
  select x.exec_id, v_now,
    case when coalesce(x.deadline_ms, v_deadline_ms[x.what]) >= 0
      then v_now + coalesce(x.deadline_ms, v_deadline_ms[x.what]) * c_millisecond end,
    pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0), p_workspace, v_lane[x.what],
    x.prio, case when x.hash is null then 0 else 1 end, coalesce(x.hash, x.input),
    x.metadata::jsonb, x.traceparent, x.queue_key, x.key
  from unnest(v_ids, v_created, v_uuid, p_what, p_prio, p_deadline_ms, p_input, p_input_hash,
    p_metadata, p_traceparent, p_queue_key)
    x(exec_id, created, key, what, prio, deadline_ms, input, hash, metadata, traceparent, queue_key)
  where v_created is null or x.created;
  if cardinality(p_input_hash) > 0 then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    select x.exec_id, x.hash, x.input
    from unnest(v_ids, v_created, p_input_hash, p_input) x(exec_id, created, hash, input)
    where x.hash is not null and (v_created is null or x.created);
  end if;

  perform inferpipe.runs_insert(p_workspace, r.ids, r.lanes, r.prios, r.ready_at, r.deadlines,
    null, null, case when cardinality(p_queue_key) > 0 then r.keys end)
  from (
    select array_agg(x.exec_id) as ids, array_agg(x.queue_key) as keys,
      array_agg(v_lane[x.what]) as lanes,
      array_agg(x.prio) as prios,
      array_agg(coalesce(x.run_at, v_now + coalesce(x.delay_ms, 0) * c_millisecond)) as ready_at,
      array_agg(case when coalesce(x.deadline_ms, v_deadline_ms[x.what]) >= 0
        then v_now + coalesce(x.deadline_ms, v_deadline_ms[x.what]) * c_millisecond end)
        as deadlines
    from unnest(v_ids, v_created, p_what, p_prio, p_delay_ms, p_deadline_ms, p_queue_key, p_run_at)
      x(exec_id, created, what, prio, delay_ms, deadline_ms, queue_key, run_at)
    where v_created is null or x.created) r
  where r.ids is not null;
  return query
  select x.exec_id, coalesce(x.created, true) from unnest(v_ids, v_created) x(exec_id, created);
end
$$;

-- The lanes of several combinations, and the default deadline of each one's workflow.
create function inferpipe.lanes_intern(
  p_workspace int4, p_workflow text[], p_version text[], p_queue text[])
returns table (pos int4, lane int4, deadline_ms int8) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
begin
  for i in 1 .. coalesce(cardinality(p_workflow), 0) loop
    pos := i;
    lane := inferpipe.lane_intern(p_workspace, p_queue[i], p_workflow[i], p_version[i]);
    select w.deadline_ms into deadline_ms
    from inferpipe._inferpipe_lanes l
    join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
    where l.lane_id = lane;
    return next;
  end loop;
end
$$;

-- Makes the rows of these keys, or finds those that are there.  ids: p_ids, but for keys that name
-- another execution; created: whether the caller makes it now.  A null key is none.
create function inferpipe.keys_claim(
  p_workspace int4, p_ids int8[], p_keys uuid[], p_expires_at timestamptz, p_hashes bytea[],
  out ids int8[], out created bool[])
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_scope_start constant int2 := 0;
  v_now timestamptz := inferpipe.clock();
  v_lost bool;
  v_mismatch int8;
begin
  loop
    insert into inferpipe._inferpipe_idempotency as k (
      key, exec_id, created_at, expires_at, workspace_id, scope, request_hash)
    select d.key, d.exec_id, v_now, p_expires_at, p_workspace, c_scope_start, d.hash
    from (
      select distinct on (x.key) x.key, x.exec_id, x.hash
      from unnest(p_ids, p_keys, p_hashes) with ordinality x(exec_id, key, hash, pos)
      where x.key is not null
      order by x.key, x.pos) d
    order by d.key
    on conflict on constraint idempotency_pkey do update
      set exec_id = excluded.exec_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at, request_hash = excluded.request_hash
      where k.expires_at <= v_now;

    select array_agg(coalesce(f.exec_id, x.exec_id) order by x.pos),
      array_agg(x.key is null or f.exec_id = x.exec_id order by x.pos),
      bool_or(x.key is not null and f.exec_id is null),
      min(x.pos) filter (where f.request_hash <> x.hash)
    into ids, created, v_lost, v_mismatch
    from unnest(p_ids, p_keys, p_hashes) with ordinality x(exec_id, key, hash, pos)
    left join lateral (
      select k.exec_id, k.request_hash from inferpipe._inferpipe_idempotency k
      where k.workspace_id = p_workspace and k.scope = c_scope_start and k.key = x.key
      limit 1) f on true;
    if v_mismatch is not null then
      raise exception 'key: start % has one that was used for another request', v_mismatch
        using errcode = 'IP422';
    end if;
    exit when not v_lost; -- else it expired and was deleted meanwhile
  end loop;
end
$$;

-- For SQL callers: a workflow, and an input for each execution; ids in the same order.
create function inferpipe.start_many(
  p_workflow text, p_inputs json[], p_keys text[] default null, p_queue text default null,
  p_priority int4 default 3, p_delay interval default '0', p_deadline interval default null,
  p_version text default null, p_workspace text default 'default')
returns table (id text, created bool) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_inline int8 := inferpipe.setting('payload_inline');
  v_n int4 := coalesce(cardinality(p_inputs), 0);
  v_inputs bytea[];
begin
  perform inferpipe.check_slug('workflow', coalesce(p_workflow, ''));
  perform inferpipe.check_slug('queue', p_queue);
  perform inferpipe.check_text('version', p_version, 63);
  if p_priority is null or p_priority not between 1 and 5 then
    raise exception 'priority: must be 1 (first) to 5' using errcode = 'IP400';
  end if;
  if cardinality(p_keys) <> v_n then
    raise exception 'keys: must be as many as inputs' using errcode = 'IP400';
  end if;
  perform inferpipe.check_text('key ' || k.pos, k.key, 255)
  from unnest(p_keys) with ordinality k(key, pos);
  select array_agg(inferpipe.json_bytes('input ' || x.pos, x.input) order by x.pos)
  into v_inputs
  from unnest(p_inputs) with ordinality x(input, pos);
  return query
  select inferpipe.id_text(s.exec_id), s.created
  from inferpipe.execution_start_many(inferpipe.workspace_id(p_workspace), array[p_workflow],
    array[p_version], array[p_queue], array_fill(1, array[v_n]),
    array_fill(p_priority::int2, array[v_n]),
    array_fill(inferpipe.check_span('delay', p_delay), array[v_n]),
    array_fill(inferpipe.check_span('deadline', p_deadline), array[v_n]), p_keys,
    inferpipe.setting('idempotency_ttl_ms'), v_inputs,
    (select array_agg(case when octet_length(x.input) > v_inline then sha256(x.input) end
       order by x.pos)
     from unnest(v_inputs) with ordinality x(input, pos)), null, null) s;
end
$$;
