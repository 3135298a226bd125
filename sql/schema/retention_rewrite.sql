-- Takes a week's partitions away, or puts new ones with what stays in their place.
--
-- Both end with DDL under ACCESS EXCLUSIVE on the history tables and that week's partitions: others
-- wait for it, and behind our request, so we ask for 100 ms at most for each and hold it for the
-- DDL alone. The caller holds the retention lock and catches lock_not_available.

create function inferpipe.retention_drop(p_week timestamptz)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  v_table text;
begin
  foreach v_table in array inferpipe.history_tables() loop
    execute format('drop table if exists inferpipe.%I', inferpipe.partition_name(v_table, p_week));
  end loop;
end
$$;

create function inferpipe.partition_name(p_table text, p_week timestamptz)
returns text language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('_inferpipe_%s_%s', p_table, to_char(p_week at time zone 'UTC', 'YYYYMMDD'))
$$;

-- What has ended and stays cannot change (the retention lock), so it is copied first, while
-- everybody works on.  What lived when we looked may still write, or end: it is copied under the
-- lock, which is why there may only be little of it.
--
-- The new tables have the parents' indexes and a CHECK of their bounds, so attaching them reads
-- nothing.
create function inferpipe.retention_rewrite(
  p_week timestamptz, p_lo int8, p_hi int8, p_now timestamptz)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  v_live int8[] := array(
    select r.exec_id from inferpipe._inferpipe_runs r
    where r.exec_id >= p_lo and r.exec_id < p_hi);
  v_stay int8[] := array(
    select f.exec_id from inferpipe.retention_fates(p_lo, p_hi, p_now) f where not f.may_go);
  v_table text;
  v_name text;
begin
  perform inferpipe.partitions_make(p_week at time zone 'UTC'); -- those that are missing
  v_stay := array(select unnest(v_stay) except select unnest(v_live));
  foreach v_table in array inferpipe.history_tables() loop
    v_name := inferpipe.partition_name(v_table, p_week);
    execute format('create table inferpipe.%I (like inferpipe.%I including all) %s',
      v_name || '_new', '_inferpipe_' || v_table, inferpipe.partition_options(v_table));
    execute format('alter table inferpipe.%I add constraint bounds'
      ' check (exec_id >= %s and exec_id < %s)', v_name || '_new', p_lo, p_hi);
    execute format('insert into inferpipe.%I select * from inferpipe.%I where exec_id = any ($1)',
      v_name || '_new', v_name) using v_stay;
  end loop;
  foreach v_table in array inferpipe.history_tables() loop
    execute format('lock table inferpipe.%I, inferpipe.%I in access exclusive mode',
      '_inferpipe_' || v_table, inferpipe.partition_name(v_table, p_week));
  end loop;
  foreach v_table in array inferpipe.history_tables() loop
    v_name := inferpipe.partition_name(v_table, p_week);
    execute format('insert into inferpipe.%I select * from inferpipe.%I where exec_id = any ($1)',
      v_name || '_new', v_name) using v_live;
    execute format('drop table inferpipe.%I', v_name);
    execute format('alter table inferpipe.%I attach partition inferpipe.%I'
      ' for values from (%s) to (%s)', '_inferpipe_' || v_table, v_name || '_new', p_lo, p_hi);
    execute format('alter table inferpipe.%I drop constraint bounds', v_name || '_new');
    execute format('alter table inferpipe.%I rename to %I', v_name || '_new', v_name);
  end loop;
end
$$;
