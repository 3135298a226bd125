-- The history tables: one list for all who make, check, empty or drop their partitions.
--
-- A history table `_inferpipe_<name>` is partitioned by range of exec_id (tables_history.sql), has
-- a partition `_inferpipe_<name>_default`, and one `_inferpipe_<name>_<YYYYMMDD>` for each week,
-- which begins on that Monday, 00:00 UTC.  A new history table is a name here.
create function inferpipe.history_tables()
returns text[] language sql immutable parallel safe
as $$
  select array['executions', 'results', 'steps', 'attempts', 'messages', 'payloads', 'states',
    'events', 'deliveries']
$$;

-- The weeks that have partitions, and the ids that belong to each: lo <= exec_id < hi.
create function inferpipe.history_weeks()
returns table (week timestamptz, week_end timestamptz, lo int8, hi int8) language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select w.week, w.week + interval '168 hours', inferpipe.id_floor(w.week),
    inferpipe.id_floor(w.week + interval '168 hours')
  from (
    select to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC' as week
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'inferpipe._inferpipe_executions'::regclass
      and c.relname ~ '^_inferpipe_executions_[0-9]{8}$') w
  order by w.week
$$;

-- The history tables whose default partition has rows: no week was there for them.
create function inferpipe.history_strays()
returns setof text language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text;
  v_filled bool;
begin
  foreach v_table in array inferpipe.history_tables() loop
    execute format('select exists (select from inferpipe.%I)',
      '_inferpipe_' || v_table || '_default') into v_filled;
    if v_filled then
      return next v_table;
    end if;
  end loop;
end
$$;

-- Takes all that is known of these executions out of the history; gives their number. They have
-- ended, or their run is gone: the caller holds what keeps them from coming back (history_lock).
create function inferpipe.history_forget(p_exec int8[])
returns int8 language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text;
  v_rows int8;
  v_forgotten int8 := 0;
begin
  delete from inferpipe._inferpipe_idempotency k
  using inferpipe._inferpipe_executions e
  where e.exec_id = any (p_exec) and e.idem_key is not null
    and k.workspace_id = e.workspace_id and k.scope = 0 and k.key = e.idem_key
    and k.exec_id = e.exec_id;
  foreach v_table in array inferpipe.history_tables() loop
    execute format('delete from inferpipe.%I where exec_id = any ($1)', '_inferpipe_' || v_table)
      using p_exec;
    get diagnostics v_rows = row_count;
    if v_table = 'executions' then
      v_forgotten := v_rows;
    end if;
  end loop;
  return v_forgotten;
end
$$;

-- Keeps executions that have ended from leaving the history until the transaction ends, for those
-- who bring one back to life. Shared among them; retention passes by meanwhile.
create function inferpipe.history_lock()
returns void language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select from inferpipe._inferpipe_settings s where s.name = 'retention' for share $$;
