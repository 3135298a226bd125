-- What an end of executions tells: deliveries, started in the transaction of the end.
--
-- So an end that is committed is told, and one that is not never is.  The id of an event is made of
-- the execution and the fence of its end: the same however often it is delivered, another one when
-- the execution is retried and ends again.  Deliveries are not told of themselves.

-- These executions have ended: their results are written.  p_own: those that have a URL of their
-- own.
create function inferpipe.webhooks_ended(p_exec int8[], p_own int8[])
returns void language plpgsql volatile
as $$
declare
  v_told record;
begin
  for v_told in
    select t.workspace_id, array_agg(t.webhook_id) as webhooks, array_agg(t.exec_id) as targets,
      array_agg(t.fence) as fences, array_agg(t.status) as states,
      array_agg('evt_' || pg_catalog.substr(inferpipe.id_text(t.exec_id), 5) || '_' || t.fence)
        as events
    from (
      select f.workspace_id, h.webhook_id, f.exec_id, f.fence, f.status
      from unnest(p_exec) x(exec_id)
      cross join lateral (
        select r.* from inferpipe._inferpipe_results r where r.exec_id = x.exec_id limit 1) f
      cross join lateral (
        select w.name
        from inferpipe._inferpipe_executions e
        join inferpipe._inferpipe_lanes l on l.lane_id = e.lane
        join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
        where e.exec_id = x.exec_id limit 1) w
      cross join lateral (
        select o.webhook_id from inferpipe._inferpipe_webhooks o
        where o.workspace_id = f.workspace_id and o.disabled_at is null and o.url is not null
          and o.events & (1 << f.status) <> 0 and (o.workflow is null or o.workflow = w.name)
        union all
        select 0 where f.exec_id = any (p_own)) h
      where not pg_catalog.starts_with(w.name, 'inferpipe.')) t
    group by t.workspace_id
    order by t.workspace_id
  loop
    perform inferpipe.webhooks_start(v_told.workspace_id, v_told.webhooks, v_told.targets,
      v_told.fences, v_told.states, v_told.events);
  end loop;
end
$$;

-- Starts deliveries; gives their ids, in this order.  An id that was drawn before (the clock went
-- back) fails the call, and who ends the execution tries again.
create function inferpipe.webhooks_start(
  p_workspace int4, p_webhook int8[], p_target int8[], p_fence int4[], p_status int2[],
  p_event text[])
returns int8[] language plpgsql volatile
as $$
declare
  c_prio constant int2 := 3;
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_count int4 := cardinality(p_webhook);
  v_lane int4 := inferpipe.webhook_lane(p_workspace);
  v_deadline timestamptz;
  v_exec int8[];
begin
  select v_now + w.deadline_ms * c_millisecond into v_deadline
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  where l.lane_id = v_lane;
  select array_agg(inferpipe.id_new()) into v_exec from generate_series(1, v_count);
  insert into inferpipe._inferpipe_executions
    (exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input, traceparent)
  select x.exec_id, v_now, v_deadline,
    pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0), p_workspace, v_lane, c_prio, 0,
    pg_catalog.convert_to(pg_catalog.format('{"event":"%s","type":"%s","executionId":%s}', x.event,
      inferpipe.webhook_type(x.status),
      case when x.target = 0 then 'null' else '"' || inferpipe.id_text(x.target) || '"' end),
      'UTF8'),
    case when x.target <> 0 then inferpipe.trace_within(x.target, (
      select e.traceparent from inferpipe._inferpipe_executions e
      where e.exec_id = x.target limit 1)) end
  from unnest(v_exec, p_target, p_status, p_event) x(exec_id, target, status, event);
  insert into inferpipe._inferpipe_deliveries
    (exec_id, webhook_id, target_id, target_fence, workspace_id, status, event)
  select x.exec_id, x.webhook_id, x.target, x.fence, p_workspace, x.status, x.event
  from unnest(v_exec, p_webhook, p_target, p_fence, p_status, p_event)
    x(exec_id, webhook_id, target, fence, status, event);
  perform inferpipe.runs_insert(p_workspace, v_exec, array_fill(v_lane, array[v_count]),
    array_fill(c_prio, array[v_count]), array_fill(v_now, array[v_count]),
    case when v_deadline is null then null else array_fill(v_deadline, array[v_count]) end, null,
    null, null);
  return v_exec;
end
$$;

create function inferpipe.webhook_type(p_status int2)
returns text language sql immutable parallel safe
as $$
  select case p_status when 1 then 'execution.completed' when 2 then 'execution.failed'
    when 3 then 'execution.canceled' else 'webhook.test' end
$$;

-- The lane of deliveries.  Workers register the workflow when they start; who comes before the
-- first of them makes it.
create function inferpipe.webhook_lane(p_workspace int4)
returns int4 language plpgsql volatile
as $$
declare
  c_name constant text := 'inferpipe.webhook';
  c_queue constant text := 'inferpipe.webhooks';
  c_version constant text := '1';
  c_deadline_ms constant int8 := 86400000;
  v_lane int4;
begin
  select l.lane_id into v_lane
  from inferpipe._inferpipe_workflows w
  join inferpipe._inferpipe_lanes l on l.workflow_id = w.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  where w.workspace_id = p_workspace and w.name = c_name and w.version = c_version
    and q.name = c_queue;
  if found then
    return v_lane;
  end if;
  insert into inferpipe._inferpipe_workflows (
    workspace_id, name, version, queue, deadline_ms, registered_at)
  values (p_workspace, c_name, c_version, c_queue, c_deadline_ms, inferpipe.clock())
  on conflict on constraint workflows_unique do nothing;
  return inferpipe.lane_intern(p_workspace, c_queue, c_name, c_version);
end
$$;
