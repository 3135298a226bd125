-- Starts an execution; may be part of the caller's own transaction.
--
-- Without a key: a row in executions and one in runs.  With a key the same start may be sent again
-- and again: the first one makes the execution, the others get its id and created = false, as long
-- as the key is remembered (p_key_ttl_ms).  The same key with another request is IP422.
--
-- Two starts with one key at once: the loop looks, inserts and looks again; each statement has its
-- own snapshot (READ COMMITTED), so the one whose INSERT met the other's row waits for that
-- transaction and then either sees its row or inserts its own.
--
-- p_version null: the version registered last.  p_queue null: the workflow's.  p_deadline_ms null:
-- the workflow's; negative: none; it counts from now, also when p_delay_ms lets the start wait.
-- p_debounce_key: the start may be merged into an earlier one (debounce.sql).
-- p_run_at: when it may begin, in place of a delay.  p_queue_key: its key in the limits of the
-- queue (queue_keys.sql).
--
-- p_input_hash not null (the SHA-256 of p_input): the input goes to _inferpipe_payloads.
--
-- Failure: IP404 unknown workflow, IP422 key mismatch, IP429 too many wait; nothing is
-- written then.
-- Locks: the idempotency row, until the caller's transaction ends.
create function inferpipe.execution_start(
  p_workspace int4, p_workflow text, p_version text, p_queue text, p_prio int2, p_delay_ms int8,
  p_deadline_ms int8, p_key text, p_key_ttl_ms int8, p_input bytea, p_input_hash bytea,
  p_metadata text, p_traceparent text, p_queue_key text default null,
  p_run_at timestamptz default null, p_debounce_key text default null,
  p_debounce_ms int8 default null, p_debounce_max_ms int8 default null)
returns table (exec_id int8, created bool) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
declare
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_lane int4 := inferpipe.lane_intern(p_workspace, p_queue, p_workflow, p_version);
  v_ready_at timestamptz := coalesce(p_run_at, v_now + coalesce(p_delay_ms, 0) * c_millisecond);
  v_deadline timestamptz;
  v_queue int4;
  v_waiting_max int4;
  v_debounce uuid;
  v_key uuid;
  v_id int8;
begin
  select case when coalesce(p_deadline_ms, w.deadline_ms) >= 0
    then v_now + coalesce(p_deadline_ms, w.deadline_ms) * c_millisecond end,
    q.queue_id, q.waiting_max
  into v_deadline, v_queue, v_waiting_max
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  where l.lane_id = v_lane;

  if p_key is not null then
    v_key := inferpipe.text_uuid(p_key);
    select k.exec_id, k.is_new into v_id, created
    from inferpipe.key_claim(p_workspace, v_key, v_now + p_key_ttl_ms * c_millisecond,
      inferpipe.request_hash(p_workflow, p_version, p_queue, p_input)) k;
    if not created then
      exec_id := v_id;
      return next;
      return;
    end if;
  end if;

  if p_debounce_key is not null then
    if coalesce(p_debounce_ms, 0) <= 0 then
      raise exception 'debounce: must be a span of time above 0' using errcode = 'IP400';
    end if;
    v_ready_at := v_now + p_debounce_ms * c_millisecond;
    v_debounce := inferpipe.text_uuid(p_workflow || ' ' || p_debounce_key);
    exec_id := inferpipe.debounce_join(p_workspace, v_debounce, v_ready_at, p_input, p_input_hash);
    if exec_id is not null then
      created := false;
      return next;
      return;
    end if;
  end if;
  if v_waiting_max is not null then
    perform inferpipe.queue_check(v_queue, v_waiting_max);
  end if;

  loop
    v_id := coalesce(v_id, inferpipe.id_new());
    insert into inferpipe._inferpipe_executions (
      exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input, metadata,
      traceparent, queue_key, idem_key)
    values (v_id, v_now, v_deadline, pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0),
      p_workspace, v_lane, p_prio, case when p_input_hash is null then 0 else 1 end,
      coalesce(p_input_hash, p_input), p_metadata::jsonb, p_traceparent, p_queue_key,
      v_key)
    on conflict do nothing;
    exit when found;
    v_id := inferpipe.id_new(); -- taken: the clock went back
    update inferpipe._inferpipe_idempotency k set exec_id = v_id
    where k.workspace_id = p_workspace and k.scope = 0 and k.key = v_key;
  end loop;
  if p_input_hash is not null then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    values (v_id, p_input_hash, p_input);
  end if;
  perform inferpipe.runs_insert(p_workspace, array[v_id], array[v_lane], array[p_prio],
    array[v_ready_at], array[v_deadline], null, null,
    case when p_queue_key is not null then array[p_queue_key] end);
  if v_debounce is not null then
    update inferpipe._inferpipe_debounces d
    set exec_id = v_id,
      latest = coalesce(v_now + p_debounce_max_ms * c_millisecond, 'infinity')
    where d.workspace_id = p_workspace and d.key = v_debounce;
  end if;
  exec_id := v_id;
  created := true;
  return next;
end
$$;

-- Makes the key's row, or finds the one that is there.  is_new: the caller makes the execution now.
create function inferpipe.key_claim(
  p_workspace int4, p_key uuid, p_expires_at timestamptz, p_request_hash bytea,
  out exec_id int8, out is_new bool)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_scope_start constant int2 := 0;
  v_now timestamptz := inferpipe.clock();
  v_hash bytea;
begin
  loop
    select k.exec_id, k.request_hash into exec_id, v_hash
    from inferpipe._inferpipe_idempotency k
    where k.workspace_id = p_workspace and k.scope = c_scope_start and k.key = p_key
      and k.expires_at > v_now;
    if found then
      if v_hash <> p_request_hash then
        raise exception 'key: it was used for another request' using errcode = 'IP422';
      end if;
      is_new := false;
      return;
    end if;
    insert into inferpipe._inferpipe_idempotency as k (
      key, exec_id, created_at, expires_at, workspace_id, scope, request_hash)
    values (p_key, inferpipe.id_new(), v_now, p_expires_at, p_workspace, c_scope_start,
      p_request_hash)
    on conflict on constraint idempotency_pkey do update
      set exec_id = excluded.exec_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at, request_hash = excluded.request_hash
      where k.expires_at <= v_now
    returning k.exec_id into exec_id;
    if found then
      is_new := true;
      return;
    end if;
  end loop;
end
$$;

-- What must be equal for two starts with one key to be the same request.
create function inferpipe.request_hash(
  p_workflow text, p_version text, p_queue text, p_input bytea)
returns bytea language sql stable parallel safe
as $$
  select pg_catalog.substr(pg_catalog.sha256(
    pg_catalog.convert_to(p_workflow, 'UTF8') || '\x00'::bytea
    || pg_catalog.convert_to(coalesce(p_version, ''), 'UTF8') || '\x00'::bytea
    || pg_catalog.convert_to(coalesce(p_queue, ''), 'UTF8') || '\x00'::bytea || p_input), 1, 16)
$$;
