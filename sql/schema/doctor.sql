-- Looks for what must not be, and for what an operator should know: one row a finding, none when
-- all is well. severity: error (a promise is broken), warning (look at it), info.
--
-- Each check is one statement, so one snapshot: a move under way cannot look like a fault. p_from
-- and p_to bound the ids of the checks that read executions and history (null: no bound). At most
-- 100 findings a check.  What each check means is in src/app/checks.h; doctor_repair.sql mends.
create function inferpipe.doctor(p_from int8, p_to int8)
returns table (check_name text, severity text, subject text, detail text) language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
set enable_mergejoin = on
as $$
begin
  return query select * from inferpipe.doctor_rows(p_from, p_to);
  return query select * from inferpipe.doctor_work();
  return query select * from inferpipe.doctor_workers();
  return query select * from inferpipe.doctor_queues();
  return query select * from inferpipe.doctor_schedules(p_from);
  return query select * from inferpipe.doctor_tables();
  return query select * from inferpipe.doctor_server();
  return query select * from inferpipe.doctor_vacuum();
end
$$;

-- The promises about rows.
create function inferpipe.doctor_rows(p_from int8, p_to int8)
returns table (check_name text, severity text, subject text, detail text) language sql stable
as $$
  (select 'run_or_result', 'error', inferpipe.id_text(e.exec_id),
    case when r.exec_id is null then 'it has neither a run nor a result'
         else 'it has a run and a result' end
  from inferpipe._inferpipe_executions e
  left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id
  left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id
  where e.exec_id >= coalesce(p_from, 0) and e.exec_id <= coalesce(p_to, 9223372036854775807)
    and (r.exec_id is null) = (f.exec_id is null)
  limit 100)
  union all
  (select 'run_without_execution', 'error', inferpipe.id_text(r.exec_id),
    'it has a run but no row in executions'
  from inferpipe._inferpipe_runs r
  where r.exec_id >= coalesce(p_from, 0) and r.exec_id <= coalesce(p_to, 9223372036854775807)
    and not exists (
      select from inferpipe._inferpipe_executions e where e.exec_id = r.exec_id)
  limit 100)
  union all
  (select 'waits_with_mail', 'error', inferpipe.id_text(r.exec_id),
    'it waits for a message that is there'
  from inferpipe._inferpipe_runs r
  where r.state = 3 and exists (
    select from inferpipe._inferpipe_messages m
    where m.exec_id = r.exec_id and m.name_key <> 0 and r.wait_key in (m.name_key, -1))
  limit 100)
  union all
  (select 'owner_not_alive', case when w.state = 1 then 'warning' else 'error' end,
    inferpipe.id_text(r.exec_id),
    'its worker ' || r.owner || case when w.state = 1 then ' is dead, release is under way'
                                     else ' is gone' end
  from inferpipe._inferpipe_runs r
  left join inferpipe._inferpipe_workers w on w.worker_id = r.owner
  where r.owner <> 0 and w.state is distinct from 0
  limit 100)
  union all
  (select 'no_reason_to_wake', 'error', inferpipe.id_text(r.exec_id),
    'it wakes at ' || r.ready_at || case when r.ready_at > r.deadline then ', after its deadline'
                                         else ', in more than 100 years' end
  from inferpipe._inferpipe_runs r
  where r.owner = 0 and (r.ready_at > inferpipe.clock() + interval '101 years'
    or (r.state <> 0 and r.ready_at > r.deadline))
  limit 100)
$$;

-- Is the work being done?
create function inferpipe.doctor_work()
returns table (check_name text, severity text, subject text, detail text) language sql stable
as $$
  (select 'overdue', 'warning', w.name || '/' || w.version || ' in ' || q.name,
    count(*) || ' executions are ready and were not claimed for '
      || pg_catalog.date_trunc('second', inferpipe.clock() - min(r.ready_at))
  from inferpipe._inferpipe_runs r
  join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  where r.owner = 0 and r.ready_at < inferpipe.clock() - interval '60 seconds' and not q.paused
  group by w.workflow_id, w.name, w.version, q.name
  order by min(r.ready_at)
  limit 100)
  union all
  (select 'stranded', 'warning', s.workflow || '/' || s.version,
    s.executions || ' executions live and no living worker runs this version'
  from inferpipe.stranded() s
  order by s.oldest_ready_at
  limit 100)
$$;

-- The workers: their leases, versions and clocks.
create function inferpipe.doctor_workers()
returns table (check_name text, severity text, subject text, detail text) language sql stable
as $$
  (select 'lease_over', 'warning', 'worker ' || w.worker_id,
    'its lease ended at ' || w.expires_at || ' and nobody has taken over'
  from inferpipe._inferpipe_workers w
  where w.state = 0 and w.expires_at < inferpipe.clock() - interval '60 seconds'
  limit 100)
  union all
  (select 'clock_skew', 'warning', 'worker ' || w.worker_id || ' on ' || coalesce(w.host, '?'),
    'its clock is ' || abs(w.clock_ahead_ms) || ' ms '
      || case when w.clock_ahead_ms > 0 then 'ahead of' else 'behind' end || ' the database'
  from inferpipe._inferpipe_workers w
  where w.state = 0 and abs(w.clock_ahead_ms) > 2000
  limit 100)
  union all
  select 'versions_differ', 'info', 'workers',
    'InferPipe ' || pg_catalog.string_agg(distinct w.version, ', ' order by w.version)
      || ' run side by side'
  from inferpipe._inferpipe_workers w
  where w.state = 0
  having count(distinct w.version) > 1
$$;
