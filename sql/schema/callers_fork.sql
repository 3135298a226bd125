-- Forks for those who come through SQL; the rules of callers.sql hold here too.
--
--   select inferpipe.fork('exe_0123456789abc', 'charge', p_set => '{"fetch": {"items": 3}}');

-- Makes an execution with the journal of another one up to the step p_from (as `execution steps`
-- shows it: name, or name#2), and gives its id.  p_set: an object of results to replace, by step.
-- p_from null: from the call that a failed or canceled one ended with.
create function inferpipe.fork(
  p_id text, p_from text default null, p_input json default null, p_set json default null,
  p_version text default null, p_key text default null, p_workspace text default 'default')
returns text language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_inline int8 := inferpipe.setting('payload_inline');
  v_input bytea := case when p_input is not null then inferpipe.json_bytes('input', p_input) end;
  v_step text[];
  v_result bytea[];
  v_id int8;
begin
  perform inferpipe.check_text('from', p_from, 255);
  perform inferpipe.check_text('version', p_version, 63);
  perform inferpipe.check_text('key', p_key, 255);
  if p_set is not null then
    if json_typeof(p_set) <> 'object' then
      raise exception 'set: must be an object of results by step' using errcode = 'IP400';
    end if;
    perform inferpipe.json_nesting('set', p_set);
    select array_agg(s.key order by s.key),
      array_agg(inferpipe.json_bytes('set ' || s.key, s.value) order by s.key)
    into v_step, v_result
    from json_each(p_set) s;
  end if;
  select f.exec_id into v_id
  from inferpipe.execution_fork(inferpipe.workspace_id(p_workspace), inferpipe.id_parse(p_id),
    p_from, p_version, v_input,
    case when octet_length(v_input) > v_inline then sha256(v_input) end,
    v_step, v_result,
    (select array_agg(case when octet_length(r.v) > v_inline then sha256(r.v) end order by r.at)
     from unnest(v_result) with ordinality r(v, at)),
    p_key, inferpipe.setting('idempotency_ttl_ms')) f;
  return inferpipe.id_text(v_id);
end
$$;
