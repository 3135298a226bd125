-- Makes the weekly partitions of the history tables from the present week to p_weeks ahead, those
-- that are missing, p_most at most; gives their number.  A week begins on Monday, 00:00 UTC.
--
-- A partition is made apart and then attached: that takes a mild lock on the parent, and ACCESS
-- EXCLUSIVE on the default partition alone, until the transaction ends.  A long transaction may
-- hold that one, and everybody would queue behind us: so we ask for 100 ms at most, skip the
-- partition, and the next call tries again, weeks before it is needed.  A week whose rows already
-- lie in the default partition is skipped too: nothing is moved here; `doctor` tells.
--
-- Two default partitions locked in one transaction can deadlock with a reader that has them in
-- the other order.  So who calls beside running work gives p_most 1 and makes each partition in a
-- transaction of its own, as its last act: whoever holds one lock and asks for no other waits
-- for nobody.
--
-- Two calls at once: the row `partitions` of the settings is the lock; the second one makes
-- nothing.
create function inferpipe.partitions_ensure(p_weeks int4, p_most int4 default null)
returns int4 language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  v_first timestamp := date_trunc('week', inferpipe.clock() at time zone 'UTC');
  v_made int4 := 0;
begin
  if p_weeks is null or p_weeks not between 0 and 520 then
    raise exception 'weeks: must be 0 to 520' using errcode = 'IP400';
  end if;
  perform from inferpipe._inferpipe_settings s
    where s.name = 'partitions' for update skip locked;
  if not found then
    return 0;
  end if;
  for v_week in 0 .. p_weeks loop
    exit when v_made >= p_most;
    v_made := v_made + inferpipe.partitions_make(v_first + v_week * interval '7 days',
      p_most - v_made);
  end loop;
  return v_made;
end
$$;

-- The partitions of one week, p_most at most, for partitions_ensure, which holds the lock.
create function inferpipe.partitions_make(p_week timestamp, p_most int4 default null)
returns int4 language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parent text;
  v_name text;
  v_made int4 := 0;
begin
  foreach v_parent in array inferpipe.history_tables() loop
    exit when v_made >= p_most;
    v_name := format('_inferpipe_%s_%s', v_parent, to_char(p_week, 'YYYYMMDD'));
    continue when to_regclass('inferpipe.' || quote_ident(v_name)) is not null;
    begin
      execute format('create table inferpipe.%I (like inferpipe._inferpipe_%s'
        ' including defaults including constraints including storage) %s', v_name, v_parent,
        inferpipe.partition_options(v_parent));
      execute format('alter table inferpipe._inferpipe_%s attach partition inferpipe.%I'
        ' for values from (%s) to (%s)', v_parent, v_name,
        inferpipe.id_floor(p_week at time zone 'UTC'),
        inferpipe.id_floor((p_week + interval '7 days') at time zone 'UTC'));
      v_made := v_made + 1;
    exception
      when lock_not_available or check_violation then null; -- a later call tries again
    end;
  end loop;
  return v_made;
end
$$;

-- How autovacuum looks at a partition: what is only appended needs nothing; where rows are replaced
-- or taken out, a fifth of a large week would be too much dead weight.
create function inferpipe.partition_options(p_table text)
returns text language sql immutable
as $$
  select case when p_table in ('messages', 'states')
    then 'with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)'
    else '' end
$$;
