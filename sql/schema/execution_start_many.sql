-- Starts many executions in one statement: all of them or none.
--
-- The arguments mean what they mean in execution_start_batch, whose work it is.  The answer has a
-- row for each start, in the order given: a key that was used before, also one that came before in
-- this batch, gives that execution's id and created = false.
--
-- Failure: the first refusal, counted from 1; nothing is written then.  An id that is taken because
-- the clock went back is a unique violation; the same call then works when it is made again.
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
  v_ids int8[];
  v_created bool[];
  v_codes text[]; -- null: nobody is refused
  v_details text[];
  v_first int4;
begin
  select array_agg(b.exec_id order by b.pos), array_agg(b.created order by b.pos),
    case when count(b.code) > 0 then array_agg(b.code order by b.pos) end,
    array_agg(b.detail order by b.pos), min(b.pos) filter (where b.code is not null)
  into v_ids, v_created, v_codes, v_details, v_first
  from inferpipe.execution_start_batch(p_workspace, w_workflow, w_version, w_queue,
    array(select inferpipe.id_new() from unnest(p_what)), array(
      select pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0) from unnest(p_what)),
    p_what, p_prio, p_delay_ms, p_deadline_ms, null, p_key, p_key_ttl_ms, null, p_input,
    p_input_hash, p_metadata, p_traceparent, p_queue_key, p_run_at)
    with ordinality b(exec_id, created, code, detail, pos);
  if v_codes is not null then
    raise exception using errcode = v_codes[v_first], message = case v_codes[v_first]
      when 'IP422' then pg_catalog.format(
        'key: start %s has one that was used for another request', v_first)
      else v_details[v_first] end;
  end if;
  return query select x.exec_id, x.created from unnest(v_ids, v_created) x(exec_id, created);
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
