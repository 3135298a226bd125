-- What doctor asks about tables, the server, and what holds vacuum back.

-- The indexes that are no constraint's, and how to make them again.
create function inferpipe.doctor_indexes()
returns table (name text, definition text) language sql immutable
as $$
  values
    ('_inferpipe_runs_due', 'on inferpipe._inferpipe_runs (lane, shard, prio, ready_at)'
      ' where owner = 0'),
    ('_inferpipe_runs_parent', 'on inferpipe._inferpipe_runs (parent_id, exec_id)'
      ' where parent_id is not null'),
    ('_inferpipe_executions_parent', 'on inferpipe._inferpipe_executions (parent_id, exec_id)'
      ' where parent_id is not null'),
    ('_inferpipe_cron_jobs_due', 'on inferpipe._inferpipe_cron_jobs (workspace_id, next_at)'
      ' where not paused'),
    ('_inferpipe_cron_executions_started', 'on inferpipe._inferpipe_cron_executions'
      ' (job_id, exec_id) where exec_id is not null'),
    ('_inferpipe_results_status', 'on inferpipe._inferpipe_results'
      ' (workspace_id, status, exec_id)'),
    ('_inferpipe_results_unhappy', 'on inferpipe._inferpipe_results (finished_at)'
      ' where status <> 1'),
    ('_inferpipe_idempotency_expires', 'on inferpipe._inferpipe_idempotency using brin (expires_at)'
      ' with (pages_per_range = 16)')
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
  select 'index_missing', 'error', x.name, 'it must be ' || x.definition
  from inferpipe.doctor_indexes() x
  where to_regclass('inferpipe.' || x.name) is null
  union all
  select 'index_missing', 'error', c.relname, 'its primary key is missing: restore it'
  from pg_class c
  where c.relnamespace = 'inferpipe'::regnamespace and c.relkind in ('r', 'p')
    and c.relname like '\_inferpipe\_%'
    and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
$$;

-- Roles, settings, durability.
create function inferpipe.doctor_server()
returns table (check_name text, severity text, subject text, detail text) language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select 'role_missing', 'error', r.name, 'create it: create role ' || r.name || ' nologin'
  from (values ('inferpipe_owner'), ('inferpipe_worker'), ('inferpipe_reader')) r(name)
  where not exists (select from pg_roles p where p.rolname = r.name)
  union all
  select 'isolation', 'error', s.name, 'it is ' || s.setting
    || '; starts and messages need read committed'
  from pg_settings s
  where s.name = 'default_transaction_isolation' and s.setting <> 'read committed'
  union all
  select 'durability', case when s.name = 'synchronous_commit' then 'warning' else 'error' end,
    s.name, 'it is off: what was acknowledged may be lost when the server crashes'
  from pg_settings s
  where s.name in ('fsync', 'full_page_writes', 'synchronous_commit')
    and s.reset_val = 'off' -- not what this session has set
  union all
  select 'async_standby', 'info', 'replication',
    'no standby is synchronous: a failover may lose the last acknowledged commits'
  from pg_stat_replication p
  having count(*) > 0 and not coalesce(bool_or(p.sync_state in ('sync', 'quorum')), false)
  union all
  select 'timeline', 'info', 'timeline ' || t.id,
    'this server was promoted from a standby before: see that no worker writes to the old one'
  from (select (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int4) as id) t
  where t.id > 1
$$;

-- What keeps vacuum from cleaning up, and what that has led to.
create function inferpipe.doctor_vacuum()
returns table (check_name text, severity text, subject text, detail text) language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select 'old_snapshot', 'warning', 'backend ' || a.pid,
    'a transaction of ' || coalesce(a.usename::text, '?') || ' is open since ' || a.xact_start
      || ': nothing newer can be vacuumed'
  from pg_stat_activity a
  where a.backend_xmin is not null and a.xact_start < clock_timestamp() - interval '5 minutes'
  union all
  select 'old_snapshot', 'warning', 'prepared transaction ' || p.gid,
    'it is open since ' || p.prepared || ': commit prepared or rollback prepared'
  from pg_prepared_xacts p
  where p.prepared < clock_timestamp() - interval '5 minutes'
  union all
  select 'old_snapshot', 'warning', 'replication slot ' || s.slot_name,
    'it is not active and keeps what ' || age(coalesce(s.xmin, s.catalog_xmin))
      || ' transactions have left: drop it or start its standby'
  from pg_replication_slots s
  where not s.active and coalesce(s.xmin, s.catalog_xmin) is not null
  union all
  select 'autovacuum_off', 'error', 'autovacuum', 'it is off for the whole server'
  from pg_settings s
  where s.name = 'autovacuum' and s.setting = 'off'
  union all
  select 'autovacuum_off', 'error', c.relname, 'autovacuum is off for this table'
  from pg_class c
  where c.relnamespace = 'inferpipe'::regnamespace
    and c.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off']
  union all
  select 'dead_rows', 'warning', t.relname,
    t.n_dead_tup || ' dead rows beside ' || t.n_live_tup || ': is autovacuum running?'
  from pg_stat_user_tables t
  where t.schemaname = 'inferpipe' and t.n_dead_tup > 100000 and t.n_dead_tup > t.n_live_tup
  union all
  select 'freeze_age', 'warning', c.relname,
    'it was not frozen for ' || age(c.relfrozenxid) || ' transactions: vacuum freeze it'
  from pg_class c
  where c.relnamespace = 'inferpipe'::regnamespace and c.relkind = 'r'
    and age(c.relfrozenxid) > 1500000000
$$;
