-- Starts many executions in one statement; each starts or is refused alone.
--
-- w_ has an element for each combination of workflow, version and queue that occurs, p_ one for
-- each start; p_what is the place of its combination.  The arguments mean what they mean in
-- execution_start; any but p_id, p_seed, p_what, p_prio and p_input may be null as a whole, or
-- empty.  p_extra: what else must be equal for two starts with one key to be the same request.
-- p_flags: the run's.  p_options: what goes into executions.options.  p_message, p_payload: a
-- first message, in the mailbox before anybody can claim the execution.
--
-- The answer has a row for each start, in the order given.  code null: it is there, and created
-- says whether this call (or an earlier one with the same ids) made it.  Else the SQLSTATE of its
-- refusal: IP404, IP400, IP422 (key), IP429 (queue), 23505 (the id is another execution's: give a
-- new one).  Anything else that is wrong fails the statement, and nothing is written.
--
-- p_id and p_seed are the caller's, drawn by id_new a moment ago: so a caller who lost the answer
-- sends the same statement again and is told the truth, without a key.  A row that is there with
-- our id and our seed is our own; its run may have ended meanwhile.
--
-- An execution's created_at is the time that its id says.
--
-- Two batches with the same keys: rows of keys are inserted in the order of the keys, so one waits
-- for the other and no deadlock can come of it.
-- Locks: the rows of the keys, until the caller's transaction ends.
create function inferpipe.execution_start_batch(
  p_workspace int4, w_workflow text[], w_version text[], w_queue text[],
  p_id int8[], p_seed int8[], p_what int4[], p_prio int2[], p_delay_ms int8[],
  p_deadline_ms int8[], p_flags int2[], p_key text[], p_key_ttl_ms int8, p_extra bytea[],
  p_input bytea[], p_input_hash bytea[], p_metadata text[], p_traceparent text[],
  p_queue_key text[], p_run_at timestamptz[], p_options text[] default null,
  p_message text[] default null, p_payload bytea[] default null,
  p_payload_hash bytea[] default null)
returns table (exec_id int8, created bool, code text, detail text)
language plpgsql volatile rows 500
as $$
#variable_conflict use_column
declare
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_ids int8[] := p_id;
  v_lane int4[];        -- of each combination
  v_deadline_ms int8[]; -- its default
  v_code text[];        -- of each start, from here on; null as a whole: none is refused
  v_detail text[];
  v_uuid uuid[];
  v_own bool[];         -- its id is this call's; null as a whole: all
  v_made int8[];        -- written by this call
  v_new bool[];         -- the same, of each start; null: all
begin
  select array_agg(l.lane order by l.pos), array_agg(l.deadline_ms order by l.pos),
    case when count(l.code) > 0 then array_agg(l.code order by l.pos) end,
    array_agg(l.detail order by l.pos)
  into v_lane, v_deadline_ms, v_code, v_detail
  from inferpipe.lanes_intern(p_workspace, w_workflow, w_version, w_queue) l;
  if v_code is not null then
    select array_agg(v_code[x.what] order by x.pos), array_agg(v_detail[x.what] order by x.pos),
      array_agg(v_code[x.what] is null order by x.pos)
    into v_code, v_detail, v_own
    from unnest(p_what) with ordinality x(what, pos);
  end if;
  if cardinality(p_key) > 0 then
    select array_agg(inferpipe.text_uuid(k.key) order by k.pos) into v_uuid
    from unnest(p_key) with ordinality k(key, pos);
    select k.ids, k.created, k.codes, k.details into v_ids, v_own, v_code, v_detail
    from inferpipe.keys_claim(p_workspace, v_ids, v_uuid, v_now + p_key_ttl_ms * c_millisecond, (
      select array_agg(inferpipe.request_hash(w_workflow[x.what], w_version[x.what],
        w_queue[x.what], x.input || coalesce(x.extra, '')) order by x.pos)
      from unnest(p_what, p_input, p_extra) with ordinality x(what, input, extra, pos)
      where x.what is not null), v_code, v_detail) k;
  end if;

  with made as (
    insert into inferpipe._inferpipe_executions (
      exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input, metadata,
      traceparent, queue_key, idem_key, options)
    select x.exec_id, inferpipe.id_time(x.exec_id),
      case when coalesce(x.deadline_ms, v_deadline_ms[x.what]) >= 0
        then v_now + coalesce(x.deadline_ms, v_deadline_ms[x.what]) * c_millisecond end,
      x.seed, p_workspace, v_lane[x.what], x.prio, case when x.hash is null then 0 else 1 end,
      coalesce(x.hash, x.input), x.metadata::jsonb, x.traceparent, x.queue_key, x.key,
      x.options::jsonb
    from unnest(v_ids, v_own, v_uuid, p_seed, p_what, p_prio, p_deadline_ms, p_input,
      p_input_hash, p_metadata, p_traceparent, p_queue_key, p_options)
      x(exec_id, created, key, seed, what, prio, deadline_ms, input, hash, metadata, traceparent,
        queue_key, options)
    where x.what is not null and (v_own is null or x.created)
    on conflict do nothing
    returning exec_id)
  select array_agg(m.exec_id) into v_made from made m;

  if v_made is not null then
    v_new := inferpipe.start_made(v_ids, v_own, v_made);
    perform inferpipe.start_live(p_workspace, v_now, v_lane, v_deadline_ms, v_ids, v_new, p_what,
      p_prio, p_delay_ms, p_deadline_ms, p_flags, p_input, p_input_hash, p_queue_key, p_run_at);
    if cardinality(p_message) > 0 then
      perform inferpipe.start_message(v_now, v_ids, v_new, p_message, p_payload, p_payload_hash);
    end if;
  end if;
  if cardinality(v_made) is distinct from cardinality(p_id) then
    select t.codes, t.details into v_code, v_detail
    from inferpipe.start_taken(v_ids, p_seed, v_own, v_code, v_detail) t;
  end if;
  return query
  select x.exec_id, coalesce(x.created, true), x.code, x.detail
  from unnest(v_ids, v_own, v_code, v_detail) with ordinality x(exec_id, created, code, detail, pos)
  where x.exec_id is not null
  order by x.pos;
end
$$;

-- Which of the starts were written now: null when all of them were.
create function inferpipe.start_made(p_id int8[], p_own bool[], p_made int8[])
returns bool[] language plpgsql stable
as $$
begin
  if cardinality(p_made) = cardinality(p_id) then
    return null;
  end if;
  return array(
    select coalesce(x.own, true) and x.id = any (p_made)
    from unnest(p_id, p_own) with ordinality x(id, own, pos)
    order by x.pos);
end
$$;

-- Starts whose id was there already, under another seed, are refused: the clock went back.  Under
-- our seed the row is our own, of an earlier try.
create function inferpipe.start_taken(
  p_id int8[], p_seed int8[], p_own bool[], p_codes text[], p_details text[],
  out codes text[], out details text[])
language plpgsql stable
as $$
begin
  select
    array_agg(case when x.code is null and t.taken then '23505' else x.code end order by x.pos),
    array_agg(case when x.code is null and t.taken then 'the id is taken' else x.detail end
      order by x.pos)
  into codes, details
  from unnest(p_id, p_seed, p_own, p_codes, p_details)
    with ordinality x(id, seed, own, code, detail, pos)
  left join lateral (
    select true as taken from inferpipe._inferpipe_executions e
    where coalesce(x.own, true) and e.exec_id = x.id and e.seed <> x.seed
    limit 1) t on true;
end
$$;

-- The second half: what was written to executions becomes live.  p_new: as start_made gives it.
create function inferpipe.start_live(
  p_workspace int4, p_now timestamptz, p_lane int4[], p_default_ms int8[], p_id int8[],
  p_new bool[], p_what int4[], p_prio int2[], p_delay_ms int8[], p_deadline_ms int8[],
  p_flags int2[], p_input bytea[], p_input_hash bytea[], p_queue_key text[],
  p_run_at timestamptz[])
returns void language plpgsql volatile
as $$
declare
  c_millisecond constant interval := '1 millisecond';
begin
  if cardinality(p_input_hash) > 0 then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    select x.exec_id, x.hash, x.input
    from unnest(p_id, p_new, p_input_hash, p_input) x(exec_id, new, hash, input)
    where x.hash is not null and (p_new is null or x.new);
  end if;
  perform inferpipe.runs_insert(p_workspace, r.ids, r.lanes, r.prios, r.ready_at, r.deadlines,
    case when cardinality(p_flags) > 0 then r.flags end, null,
    case when cardinality(p_queue_key) > 0 then r.keys end)
  from (
    select array_agg(x.exec_id) as ids, array_agg(x.queue_key) as keys,
      array_agg(p_lane[x.what]) as lanes, array_agg(x.prio) as prios, array_agg(x.flags) as flags,
      array_agg(coalesce(x.run_at, p_now + coalesce(x.delay_ms, 0) * c_millisecond)) as ready_at,
      array_agg(case when coalesce(x.deadline_ms, p_default_ms[x.what]) >= 0
        then p_now + coalesce(x.deadline_ms, p_default_ms[x.what]) * c_millisecond end)
        as deadlines
    from unnest(p_id, p_new, p_what, p_prio, p_delay_ms, p_deadline_ms, p_flags, p_queue_key,
      p_run_at)
      x(exec_id, new, what, prio, delay_ms, deadline_ms, flags, queue_key, run_at)
    where x.what is not null and (p_new is null or x.new)) r
  where r.ids is not null;
end
$$;

-- First messages.  No wait can have begun: nobody has seen these executions yet.
create function inferpipe.start_message(
  p_now timestamptz, p_id int8[], p_new bool[], p_message text[], p_payload bytea[],
  p_hash bytea[])
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_messages (exec_id, name_key, created_at, codec, name, payload)
  select x.exec_id, inferpipe.name_key(x.name), p_now, case when x.hash is null then 0 else 1 end,
    x.name, coalesce(x.hash, x.payload)
  from unnest(p_id, p_new, p_message, p_payload, p_hash) x(exec_id, new, name, payload, hash)
  where x.name is not null and (p_new is null or x.new);
  insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
  select x.exec_id, x.hash, x.payload
  from unnest(p_id, p_new, p_message, p_payload, p_hash) x(exec_id, new, name, payload, hash)
  where x.hash is not null and (p_new is null or x.new)
  on conflict do nothing; -- the input may be the same text
end
$$;

-- The lanes of several combinations, and the default deadline of each one's workflow; or why there
-- is none (code, detail).
create function inferpipe.lanes_intern(
  p_workspace int4, p_workflow text[], p_version text[], p_queue text[])
returns table (pos int4, lane int4, deadline_ms int8, code text, detail text)
language plpgsql volatile rows 1
as $$
#variable_conflict use_column
declare
  v_queue int4;
  v_max int4;
begin
  for i in 1 .. coalesce(cardinality(p_workflow), 0) loop
    pos := i;
    code := null;
    detail := null;
    begin
      lane := inferpipe.lane_intern(p_workspace, p_queue[i], p_workflow[i], p_version[i]);
      select w.deadline_ms, q.queue_id, q.waiting_max into deadline_ms, v_queue, v_max
      from inferpipe._inferpipe_lanes l
      join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
      join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
      where l.lane_id = lane;
      if v_max is not null then
        perform inferpipe.queue_check(v_queue, v_max);
      end if;
    exception when sqlstate 'IP400' or sqlstate 'IP404' or sqlstate 'IP429' then
      get stacked diagnostics code = returned_sqlstate, detail = message_text;
    end;
    return next;
  end loop;
end
$$;

-- Makes the rows of these keys, or finds those that are there.  ids: p_ids, but for keys that name
-- another execution; created: whether the caller makes it now.  A null key is none.  p_codes,
-- p_details (null as a whole: none): starts that are refused already make no row; one that is
-- refused for its queue and was started before is found all the same.
create function inferpipe.keys_claim(
  p_workspace int4, p_ids int8[], p_keys uuid[], p_expires_at timestamptz, p_hashes bytea[],
  p_codes text[], p_details text[],
  out ids int8[], out created bool[], out codes text[], out details text[])
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_scope_start constant int2 := 0;
  c_full constant text := 'IP429';
  c_mismatch constant text := 'IP422';
  v_now timestamptz := inferpipe.clock();
  v_lost bool;
  v_refused bool;
begin
  loop
    insert into inferpipe._inferpipe_idempotency as k (
      key, exec_id, created_at, expires_at, workspace_id, scope, request_hash)
    select d.key, d.exec_id, v_now, p_expires_at, p_workspace, c_scope_start, d.hash
    from (
      select distinct on (x.key) x.key, x.exec_id, x.hash
      from unnest(p_ids, p_keys, p_hashes, p_codes)
        with ordinality x(exec_id, key, hash, code, pos)
      where x.key is not null and x.code is null
      order by x.key, x.pos) d
    order by d.key
    on conflict on constraint idempotency_pkey do update
      set exec_id = excluded.exec_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at, request_hash = excluded.request_hash
      where k.expires_at <= v_now;

    select array_agg(y.id order by y.pos), array_agg(y.code is null and y.own order by y.pos),
      bool_or(y.key is not null and y.code is null and not y.found),
      array_agg(y.code order by y.pos), bool_or(y.code is not null),
      array_agg(case y.code when c_mismatch then 'key: it was used for another request'
                            else y.detail end order by y.pos)
    into ids, created, v_lost, codes, v_refused, details
    from (
      select x.pos, x.key, coalesce(f.exec_id, x.exec_id) as id, x.detail,
        x.key is null or f.exec_id = x.exec_id as own, f.exec_id is not null as found,
        case when f.request_hash <> x.hash and coalesce(x.code, c_full) = c_full then c_mismatch
             when f.exec_id is not null and x.code = c_full then null
             else x.code end as code
      from unnest(p_ids, p_keys, p_hashes, p_codes, p_details)
        with ordinality x(exec_id, key, hash, code, detail, pos)
      left join lateral (
        select k.exec_id, k.request_hash from inferpipe._inferpipe_idempotency k
        where k.workspace_id = p_workspace and k.scope = c_scope_start and k.key = x.key
          and (x.code is null or k.expires_at > v_now)
        limit 1) f on true) y;
    exit when not v_lost; -- else it expired and was deleted meanwhile
  end loop;
  if not v_refused then
    codes := null;
  end if;
end
$$;
