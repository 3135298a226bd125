-- Mends what a check of doctor has found, where that can be done without guessing: one row for each
-- thing mended, with what was done; none when there was nothing to mend, or nobody can.
--
-- Each repair asks again for what is broken, under the locks that a function of the protocol would
-- take, so running it twice, or beside workers, does no harm. One call is one transaction, and
-- the caller makes one for each check: a worker must be marked dead in an earlier transaction than
-- the one that releases its executions (reap_mark.sql).
--
-- Runs with the rights of the schema's owner.  Locks: rows of runs, ascending, skipping what others
-- hold; for default_partition ACCESS EXCLUSIVE on the history tables, asked for 100 ms each.
create function inferpipe.doctor_repair(p_check text)
returns table (subject text, detail text) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
as $$
begin
  case p_check
    when 'lease_over' then
      return query select * from inferpipe.repair_leases();
    when 'owner_not_alive' then
      return query select * from inferpipe.repair_owners();
    when 'waits_with_mail', 'no_reason_to_wake' then
      return query select * from inferpipe.repair_waits(p_check);
    when 'run_or_result' then
      return query select * from inferpipe.repair_ends();
    when 'partition_missing', 'default_partition' then
      return query select * from inferpipe.repair_partitions();
    when 'index_missing' then
      return query select * from inferpipe.repair_indexes();
    when 'queue_place_of_nobody', 'queue_key_places', 'queue_key_waits', 'queue_key_idle' then
      return query select 'queues', m.n || ' counts were made anew'
      from inferpipe.queue_settle() m(n) where m.n > 0;
    else
      return; -- the explanation says what a person can do
  end case;
end
$$;

-- Workers whose lease is long over: others may take over from now on.
create function inferpipe.repair_leases()
returns table (subject text, detail text) language sql volatile
as $$
  update inferpipe._inferpipe_workers w set state = 1, died_of = 'its lease was over: doctor'
  where w.state = 0 and w.expires_at < inferpipe.clock() - interval '60 seconds'
  returning 'worker ' || w.worker_id, 'marked as dead; its executions are released next'
$$;

-- Executions of workers that are not alive.  Those of a worker without a row are given to one that
-- is known to be dead, so that one function releases all.
create function inferpipe.repair_owners()
returns table (subject text, detail text) language plpgsql volatile
as $$
declare
  c_crash_limit constant int2 := 5;
  c_batch constant int4 := 1000;
  v_now timestamptz := inferpipe.clock();
  v_done record;
begin
  insert into inferpipe._inferpipe_workers as w (
    worker_id, expires_at, started_at, seen_at, workspace_id, state, died_of)
  select o.owner, v_now, v_now, v_now, o.workspace_id, 1, 'unknown: doctor'
  from (
    select r.owner, min(r.workspace_id) as workspace_id
    from inferpipe._inferpipe_runs r where r.owner <> 0 group by r.owner) o
  left join inferpipe._inferpipe_workers k on k.worker_id = o.owner
  where k.state is distinct from 0 and k.state is distinct from 1
  on conflict (worker_id) do update set state = 1, died_of = 'gone: doctor' where w.state = 2;
  loop
    select * into v_done from inferpipe.reap_release(c_crash_limit, c_batch);
    exit when v_done.released = 0;
    subject := v_done.released || ' executions';
    detail := 'released from workers that are not alive';
    return next;
  end loop;
end
$$;

-- Executions that would sleep though there is something to do: they are made due.
create function inferpipe.repair_waits(p_check text)
returns table (subject text, detail text) language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_lane int4;
  v_workspace int4;
  v_exec int8;
begin
  for v_exec, v_lane, v_workspace in
    select r.exec_id, r.lane, r.workspace_id
    from inferpipe._inferpipe_runs r
    where r.owner = 0 and case p_check
      when 'waits_with_mail' then r.state = 3 and exists (
        select from inferpipe._inferpipe_messages m
        where m.exec_id = r.exec_id and m.name_key <> 0 and r.wait_key in (m.name_key, -1))
      else r.ready_at > v_now + interval '101 years'
        or (r.state <> 0 and r.ready_at > r.deadline) end
    order by r.exec_id
    for no key update skip locked
  loop
    update inferpipe._inferpipe_runs r set state = 0, wait_key = 0, ready_at = v_now
    where r.exec_id = v_exec;
    perform inferpipe.wake(v_workspace, array[v_lane]);
    subject := inferpipe.id_text(v_exec);
    detail := 'made due; its code looks again at what it waits for';
    return next;
  end loop;
end
$$;

-- An execution with a run and a result has ended: the run goes.  One with neither goes on from its
-- journal, with a fence above every row of it.
create function inferpipe.repair_ends()
returns table (subject text, detail text) language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_one record;
begin
  perform inferpipe.history_lock();
  return query
  delete from inferpipe._inferpipe_runs r
  where r.exec_id = any (array(
    select q.exec_id from inferpipe._inferpipe_runs q
    join inferpipe._inferpipe_results f on f.exec_id = q.exec_id
    order by q.exec_id for no key update of q skip locked))
  returning inferpipe.id_text(r.exec_id), 'it has ended: its run was removed'::text;

  for v_one in
    select e.exec_id, e.workspace_id, e.lane, e.prio, e.parent_id, coalesce(s.fence, 0) as fence,
      s.fence is not null as has_journal
    from inferpipe._inferpipe_executions e
    left join lateral (
      select max(t.fence) as fence from inferpipe._inferpipe_steps t
      where t.exec_id = e.exec_id) s on true
    where not exists (select from inferpipe._inferpipe_runs r where r.exec_id = e.exec_id)
      and not exists (select from inferpipe._inferpipe_results f where f.exec_id = e.exec_id)
    order by e.exec_id
  loop
    perform inferpipe.runs_insert(v_one.workspace_id, array[v_one.exec_id], array[v_one.lane],
      array[v_one.prio], array[v_now], array[null::timestamptz], null, array[v_one.parent_id],
      null, array[v_one.fence], array[v_one.has_journal]);
    subject := inferpipe.id_text(v_one.exec_id);
    detail := 'it is ready again and goes on from its journal; its deadline is lost';
    return next;
  end loop;
end
$$;

-- Missing partitions of the coming weeks, and rows that lie in the net for want of one.
create function inferpipe.repair_partitions()
returns table (subject text, detail text) language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  c_weeks_ahead constant int4 := 8;
  c_week_ids constant int8 := (7 * 86400000::int8) << 20;
  v_made int4 := inferpipe.partitions_ensure(c_weeks_ahead);
  v_table text;
  v_net text;
  v_first timestamptz;
  v_lo int8;
  v_moved int8;
begin
  if v_made > 0 then
    return query select 'partitions', v_made || ' were made';
  end if;
  foreach v_table in array inferpipe.history_tables() loop
    v_net := '_inferpipe_' || v_table || '_default';
    execute format('lock table inferpipe.%I in access exclusive mode', v_net);
    loop
      execute format('select min(exec_id) from inferpipe.%I', v_net) into v_lo;
      exit when v_lo is null;
      v_first := date_trunc('week', (timestamptz '2020-01-01 00:00 UTC'
        + (v_lo >> 20) * interval '1 millisecond') at time zone 'UTC') at time zone 'UTC';
      v_lo := inferpipe.id_floor(v_first);
      execute format('create temp table moved (like inferpipe.%I) on commit drop', v_net);
      execute format('with d as (delete from inferpipe.%I where exec_id >= %s and exec_id < %s'
        ' returning *) insert into moved select * from d', v_net, v_lo, v_lo + c_week_ids);
      perform inferpipe.partitions_make(v_first at time zone 'UTC');
      if to_regclass('inferpipe.' || inferpipe.partition_name(v_table, v_first)) is null then
        raise exception 'the history is in use' using errcode = 'lock_not_available';
      end if;
      execute format('insert into inferpipe.%I select * from moved', '_inferpipe_' || v_table);
      get diagnostics v_moved = row_count;
      drop table moved;
      return query select v_net, v_moved || ' rows were moved to the week of ' || v_first::date;
    end loop;
  end loop;
end
$$;

create function inferpipe.repair_indexes()
returns table (subject text, detail text) language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_index record;
begin
  for v_index in
    select x.* from inferpipe.doctor_indexes() x
    where to_regclass('inferpipe.' || x.name) is null
  loop
    execute format('create index %I %s', v_index.name, v_index.definition);
    subject := v_index.name;
    detail := 'it was built';
    return next;
  end loop;
end
$$;
