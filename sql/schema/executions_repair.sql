-- What one asks for many executions: to find them, and to retry, cancel or fork them in batches.

-- The ids behind p_after, ascending, of executions with this status.  Filters that are null let all
-- through.  p_since_ms and p_until_ms bound when it ended, or was created if it has not; they are
-- milliseconds since 1970, negative ones count back from now.
create function inferpipe.executions_matching(
  p_workspace int4, p_status text, p_workflow text, p_version text, p_queue text,
  p_error_code text, p_since_ms int8, p_until_ms int8, p_after int8, p_limit int4)
returns setof int8 language plpgsql volatile
as $$
declare
  v_result int2 := case p_status when 'completed' then 1 when 'failed' then 2 when 'canceled' then 3
    end;
  v_since timestamptz := coalesce(inferpipe.time_at(p_since_ms), '-infinity');
  v_until timestamptz := coalesce(inferpipe.time_at(p_until_ms), 'infinity');
  v_lanes int4[];
begin
  if v_result is null and coalesce(p_status, '') not in ('queued', 'running') then
    raise exception 'status: must be queued, running, completed, failed or canceled'
      using errcode = 'IP400';
  end if;
  select array_agg(l.lane_id) into v_lanes
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  where l.workspace_id = p_workspace and w.name = coalesce(p_workflow, w.name)
    and w.version = coalesce(p_version, w.version) and q.name = coalesce(p_queue, q.name);
  if v_result is not null then
    return query
    select f.exec_id
    from inferpipe._inferpipe_results f
    join inferpipe._inferpipe_executions e on e.exec_id = f.exec_id
    where f.workspace_id = p_workspace and f.status = v_result and f.exec_id > p_after
      and f.finished_at >= v_since and f.finished_at < v_until and e.lane = any (v_lanes)
      and (p_error_code is null or f.error_code = p_error_code)
    order by f.exec_id
    limit p_limit;
  elsif p_error_code is null then
    return query
    select r.exec_id
    from inferpipe._inferpipe_runs r
    join inferpipe._inferpipe_executions e on e.exec_id = r.exec_id
    where r.workspace_id = p_workspace and (r.owner = 0 and r.fence = 0) = (p_status = 'queued')
      and r.exec_id > p_after and e.created_at >= v_since and e.created_at < v_until
      and r.lane = any (v_lanes)
    order by r.exec_id
    limit p_limit;
  end if;
end
$$;

-- A time in milliseconds since 1970, or (negative) before now.
create function inferpipe.time_at(p_ms int8)
returns timestamptz language sql volatile
as $$
  select case when p_ms < 0 then inferpipe.clock() + p_ms * interval '1 millisecond'
    else to_timestamp(p_ms / 1000.0) end
$$;

-- Retries, cancels or forks each of these: a row for each, with a code and a text where it was
-- refused.  p_key makes forks repeatable: each has the key, a blank and its source's id.
--
-- One that is refused leaves nothing of itself and does not hinder the others: each has a
-- subtransaction.  Row locks are taken in ascending order and kept until the caller's transaction
-- ends, so a batch should be small.
create function inferpipe.executions_repair(
  p_workspace int4, p_action text, p_exec int8[], p_force bool, p_from text, p_version text,
  p_key text, p_key_ttl_ms int8)
returns table (exec_id int8, code text, detail text, fork int8) language plpgsql volatile rows 100
as $$
#variable_conflict use_column
declare
  c_canceled_now constant int4 := 2;
  v_id int8;
begin
  foreach v_id in array array(select distinct u.id from unnest(p_exec) u(id) order by u.id)
  loop
    exec_id := v_id;
    code := null;
    detail := null;
    fork := null;
    begin
      case p_action
        when 'retry' then
          perform inferpipe.execution_retry(p_workspace, v_id);
        when 'cancel' then
          detail := case inferpipe.execution_cancel(p_workspace, v_id, p_force)
            when c_canceled_now then 'canceled' else 'requested' end;
        when 'fork' then
          select f.exec_id into fork
          from inferpipe.execution_fork(p_workspace, v_id, p_from, p_version, null, null, null,
            null, null, p_key || ' ' || inferpipe.id_text(v_id), p_key_ttl_ms) f;
      end case;
    exception
      when sqlstate 'IP400' or sqlstate 'IP404' or sqlstate 'IP409' or sqlstate 'IP422'
        or lock_not_available then
        get stacked diagnostics code = returned_sqlstate, detail = message_text;
    end;
    return next;
  end loop;
end
$$;
