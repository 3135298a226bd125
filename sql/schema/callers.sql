-- What people and programs with a transaction open call: names and ids as texts, payloads as json.
--
--   select inferpipe.start('order', '{"id": 7}');
--
-- Everything happens in the caller's own transaction: an execution that he rolls back never was.
-- They run with the rights of the owner, on a fixed search_path; whoever may execute them may act
-- in every workspace, so an administrator grants them with care:
--
--   grant usage on schema inferpipe to app;
--   grant execute on function inferpipe.start to app;
--
-- Failure: IP400 a bad argument, IP404 no such thing, IP409 the state does not allow it, IP413 too
-- large, IP422 the key was used for another request.

-- Starts an execution; gives its id.  With p_key a repeat gives the first one's id.
create function inferpipe.start(
  p_workflow text, p_input json default 'null', p_key text default null, p_queue text default null,
  p_priority int4 default 3, p_delay interval default '0', p_deadline interval default null,
  p_metadata json default null, p_version text default null, p_workspace text default 'default',
  p_queue_key text default null, p_run_at timestamptz default null,
  p_debounce_key text default null, p_debounce interval default null,
  p_debounce_max interval default null)
returns text language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  c_metadata_max constant int4 := 16384;
  v_input bytea := inferpipe.json_bytes('input', p_input);
  v_large bytea;
  v_id int8;
begin
  perform inferpipe.check_slug('workflow', coalesce(p_workflow, ''));
  perform inferpipe.check_slug('queue', p_queue);
  perform inferpipe.check_text('version', p_version, 63);
  perform inferpipe.check_text('key', p_key, 255);
  perform inferpipe.check_text('queue_key', p_queue_key, 255);
  perform inferpipe.check_text('debounce_key', p_debounce_key, 255);
  if not isfinite(p_run_at) then
    raise exception 'run_at: must be a point in time' using errcode = 'IP400';
  end if;
  if p_priority is null or p_priority not between 1 and 5 then
    raise exception 'priority: must be 1 (first) to 5' using errcode = 'IP400';
  end if;
  if p_metadata is not null and (json_typeof(p_metadata) <> 'object'
      or octet_length(inferpipe.json_bytes('metadata', p_metadata)) > c_metadata_max) then
    raise exception 'metadata: must be a JSON object of at most % bytes', c_metadata_max
      using errcode = 'IP400';
  end if;
  if octet_length(v_input) > inferpipe.setting('payload_inline') then
    v_large := sha256(v_input);
  end if;
  select s.exec_id into v_id
  from inferpipe.execution_start(inferpipe.workspace_id(p_workspace), p_workflow, p_version,
    p_queue, p_priority::int2, inferpipe.check_span('delay', p_delay),
    inferpipe.check_span('deadline', p_deadline), p_key, inferpipe.setting('idempotency_ttl_ms'),
    v_input, v_large, p_metadata::text, null, p_queue_key, p_run_at, p_debounce_key,
    inferpipe.check_span('debounce', p_debounce),
    inferpipe.check_span('debounce_max', p_debounce_max)) s;
  return inferpipe.id_text(v_id);
end
$$;

-- Sends a message.  False: one with this p_dedupe was sent before.
create function inferpipe.send(
  p_id text, p_name text, p_message json default 'null', p_dedupe text default null,
  p_workspace text default 'default')
returns bool language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message bytea := inferpipe.json_bytes('message', p_message);
  v_large bytea;
begin
  perform inferpipe.check_text('name', coalesce(p_name, ''), 200);
  perform inferpipe.check_text('dedupe', p_dedupe, 255);
  if octet_length(v_message) > inferpipe.setting('payload_inline') then
    v_large := sha256(v_message);
  end if;
  return inferpipe.execution_send(inferpipe.workspace_id(p_workspace), inferpipe.id_parse(p_id),
    p_name, v_message, v_large, p_dedupe);
end
$$;

-- Asks for the end: 'canceled' it has ended now, 'requested' its worker ends it.
create function inferpipe.cancel(
  p_id text, p_force bool default false, p_workspace text default 'default')
returns text language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  c_canceled_now constant int4 := 2;
begin
  return case inferpipe.execution_cancel(inferpipe.workspace_id(p_workspace),
      inferpipe.id_parse(p_id), coalesce(p_force, false))
    when c_canceled_now then 'canceled' else 'requested' end;
end
$$;

-- Lets a failed or canceled execution go on from its last completed step.
create function inferpipe.retry(p_id text, p_workspace text default 'default')
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform inferpipe.execution_retry(inferpipe.workspace_id(p_workspace), inferpipe.id_parse(p_id));
end
$$;

-- queued, running, completed, failed or canceled.
create function inferpipe.status(p_id text, p_workspace text default 'default')
returns text language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_workspace int4 := inferpipe.workspace_id(p_workspace);
  v_id int8 := inferpipe.id_parse(p_id);
  v_status text;
begin
  select inferpipe.status_text(f.status, r.owner, r.fence) into v_status
  from inferpipe._inferpipe_executions e
  left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id
  left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id
  where e.exec_id = v_id and e.workspace_id = v_workspace;
  if not found then
    raise exception 'there is no execution %', inferpipe.id_text(v_id) using errcode = 'IP404';
  end if;
  return v_status;
end
$$;

-- The output of a completed execution; null for any other.
create function inferpipe.result(p_id text, p_workspace text default 'default')
returns json language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_workspace int4 := inferpipe.workspace_id(p_workspace);
  v_id int8 := inferpipe.id_parse(p_id);
  v_output bytea;
begin
  select case f.codec when 0 then f.output else (
      select p.data from inferpipe._inferpipe_payloads p
      where p.exec_id = f.exec_id and p.hash = f.output) end
  into v_output
  from inferpipe._inferpipe_executions e
  left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id and f.status = 1
  where e.exec_id = v_id and e.workspace_id = v_workspace;
  if not found then
    raise exception 'there is no execution %', inferpipe.id_text(v_id) using errcode = 'IP404';
  end if;
  return convert_from(v_output, 'UTF8')::json;
end
$$;
