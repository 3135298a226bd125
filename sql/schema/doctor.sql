-- Looks for what must not be, and for what an operator should know: one row a finding, none when
-- all is well. severity: error (a promise is broken), warning (look at it), info.
--
-- Each check is one statement, so one snapshot: a move under way cannot look like a fault. p_from
-- and p_to bound the ids of the check that reads executions (null: no bound). At most 100 findings
-- a check.
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
  return query select * from inferpipe.doctor_tables();
  return query select * from inferpipe.doctor_server();
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
      || case when bool_or(alive.one) then '' else '; no worker is alive' end
  from inferpipe._inferpipe_runs r
  join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  left join lateral (
    select true as one from inferpipe._inferpipe_workers k
    where k.state = 0 and k.workspace_id = l.workspace_id limit 1) alive on true
  where r.owner = 0 and r.ready_at < inferpipe.clock() - interval '60 seconds' and not q.paused
  group by w.workflow_id, w.name, w.version, q.name
  order by min(r.ready_at)
  limit 100)
  union all
  (select 'lease_over', 'warning', 'worker ' || w.worker_id,
    'its lease ended at ' || w.expires_at || ' and nobody has taken over'
  from inferpipe._inferpipe_workers w
  where w.state = 0 and w.expires_at < inferpipe.clock() - interval '60 seconds'
  limit 100)
$$;

-- Partitions, indexes and dead rows.
create function inferpipe.doctor_tables()
returns table (check_name text, severity text, subject text, detail text) language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select 'default_partition', 'warning', '_inferpipe_' || d.name || '_default',
    'rows lie outside of every weekly partition'
  from inferpipe.history_strays() d(name)
  union all
  select 'partition_missing', case when week.n = 0 then 'error' else 'warning' end,
    '_inferpipe_' || p.name,
    'there is no partition for the week of ' || week.first::date || ': run inferpipe.maintain()'
  from unnest(inferpipe.history_tables()) p(name)
  cross join lateral (
    select n, date_trunc('week', inferpipe.clock() at time zone 'UTC')
      + n * interval '7 days' as first
    from generate_series(0, 1) n) week
  where to_regclass(format('inferpipe.%I',
    '_inferpipe_' || p.name || to_char(week.first, '_YYYYMMDD'))) is null
  union all
  select 'index_invalid', 'error', c.relname, 'rebuild it: reindex index concurrently'
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  where c.relnamespace = 'inferpipe'::regnamespace and not (i.indisvalid and i.indisready)
  union all
  select 'index_missing', 'error', '_inferpipe_runs_due', 'claims cannot work without it'
  where to_regclass('inferpipe._inferpipe_runs_due') is null
  union all
  select 'dead_rows', 'warning', t.relname,
    t.n_dead_tup || ' dead rows beside ' || t.n_live_tup || ': is autovacuum running?'
  from pg_stat_user_tables t
  where t.schemaname = 'inferpipe' and t.relname in ('_inferpipe_runs', '_inferpipe_workers')
    and t.n_dead_tup > 100000 and t.n_dead_tup > t.n_live_tup
$$;

-- Roles, settings and what holds the server back.
create function inferpipe.doctor_server()
returns table (check_name text, severity text, subject text, detail text) language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select 'old_snapshot', 'warning', 'backend ' || a.pid,
    'a transaction of ' || coalesce(a.usename::text, '?') || ' is open since ' || a.xact_start
      || ': nothing newer can be vacuumed'
  from pg_stat_activity a
  where a.backend_xmin is not null and a.xact_start < clock_timestamp() - interval '5 minutes'
  union all
  select 'role_missing', 'error', r.name, 'create it: create role ' || r.name || ' nologin'
  from (values ('inferpipe_owner'), ('inferpipe_worker'), ('inferpipe_reader')) r(name)
  where not exists (select from pg_roles p where p.rolname = r.name)
  union all
  select 'isolation', 'error', 'default_transaction_isolation',
    'it is ' || s.setting || '; starts and messages need read committed'
  from pg_settings s
  where s.name = 'default_transaction_isolation' and s.setting <> 'read committed'
$$;
