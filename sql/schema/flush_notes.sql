-- The part of flush that writes notes: what an execution says beside its journal.
--
-- n_what: 1 what an attempt cost (it goes into the row of that failed attempt, if there is one,
-- else into the step's), 2 the execution's live state, 3 an event, 4 the progress of a running
-- step.  n_number counts the notes of one claim; of several notes that write one row, the last one
-- holds.
--
-- Sent again, a note writes the same once more.  p_own, p_fence: as in flush_journal; the caller
-- holds the locks, and has written the rows that costs belong to.
create function inferpipe.flush_notes(
  p_now timestamptz, p_own int8[], p_fence int4[],
  n_exec int8[], n_what int2[], n_key int8[], n_seq int4[], n_attempt int2[], n_number int4[],
  n_name text[], n_kind text[], n_data bytea[], n_tokens int8[], n_usd int8[])
returns void language plpgsql volatile
as $$
declare
  c_cost constant int2 := 1;
  c_state constant int2 := 2;
  c_event constant int2 := 3;
  c_progress constant int2 := 4;
begin
  if c_cost = any (n_what) then
    perform inferpipe.flush_costs(p_own, p_fence, n_exec, n_what, n_key, n_attempt, n_tokens,
      n_usd);
  end if;
  if c_state = any (n_what) or c_progress = any (n_what) then
    insert into inferpipe._inferpipe_states as t (
      exec_id, step_key, said_at, fence, seq, attempt, name, data)
    select distinct on (x.exec_id, x.key) x.exec_id, x.key, p_now,
      p_fence[width_bucket(x.exec_id, p_own)], x.seq, x.attempt, x.name, x.data
    from unnest(n_exec, n_what, n_key, n_seq, n_attempt, n_number, n_name, n_data)
      x(exec_id, what, key, seq, attempt, number, name, data)
    where x.what in (c_state, c_progress)
      and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    order by x.exec_id, x.key, x.number desc
    on conflict (exec_id, step_key) do update
      set said_at = excluded.said_at, fence = excluded.fence, seq = excluded.seq,
        attempt = excluded.attempt, name = excluded.name, data = excluded.data;
  end if;
  if c_event = any (n_what) then
    perform inferpipe.flush_events(
      p_now, p_own, p_fence, n_exec, n_what, n_attempt, n_number, n_name, n_kind, n_data);
  end if;
end
$$;

-- Events get the next numbers of their execution, under its lock.  Those of this claim come in the
-- order of n_number, and each batch has all that were not acknowledged: what is there already ends
-- with the newest row, so everything up to its nth is a second arrival.
create function inferpipe.flush_events(
  p_now timestamptz, p_own int8[], p_fence int4[], n_exec int8[], n_what int2[],
  n_attempt int2[], n_number int4[], n_name text[], n_kind text[], n_data bytea[])
returns void language plpgsql volatile
as $$
declare
  c_event constant int2 := 3;
begin
  insert into inferpipe._inferpipe_events (
    exec_id, seq, fence, nth, at, attempt, kind, step, data)
  select y.exec_id,
    y.last_seq + row_number() over (partition by y.exec_id order by y.number)::int4, y.fence,
    y.number, p_now, y.attempt, y.kind, y.name, y.data
  from (
    select x.exec_id, x.attempt, x.number, x.name, x.kind, x.data,
      p_fence[width_bucket(x.exec_id, p_own)] as fence, coalesce(l.seq, 0) as last_seq,
      l.fence as last_fence, l.nth
    from unnest(n_exec, n_what, n_attempt, n_number, n_name, n_kind, n_data)
      x(exec_id, what, attempt, number, name, kind, data)
    left join lateral (
      select e.seq, e.fence, e.nth from inferpipe._inferpipe_events e
      where e.exec_id = x.exec_id
      order by e.seq desc
      limit 1) l on true
    where x.what = c_event and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id) y
  where y.last_fence is distinct from y.fence or y.number > y.nth;
  perform inferpipe.awaited_events(array(
    select x.exec_id from unnest(n_exec, n_what) x(exec_id, what)
    where x.what = c_event and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id));
end
$$;

-- Notes of executions whose step is still running, in a statement of their own.  p_exec, p_fence:
-- as in flush; verdict: its 0, 1 and 2.  events: how many the execution has now.
--
-- They count as something to load for the next owner: it goes on from the progress of the step.
create function inferpipe.notes(
  p_worker int8, p_exec int8[], p_fence int4[],
  n_exec int8[], n_what int2[], n_key int8[], n_seq int4[], n_attempt int2[], n_number int4[],
  n_name text[], n_kind text[], n_data bytea[], n_tokens int8[], n_usd int8[])
returns table (exec_id int8, verdict int2, events int4) language plpgsql volatile rows 50
as $$
#variable_conflict use_column
declare
  v_now timestamptz := inferpipe.clock();
  v_own int8[];
  v_fence int4[];
begin
  select array_agg(l.exec_id), array_agg(l.fence) into v_own, v_fence
  from (
    select l.exec_id, l.fence
    from (select * from unnest(p_exec, p_fence) u(exec_id, fence) order by u.exec_id) x
    cross join lateral (
      select r.exec_id, r.fence from inferpipe._inferpipe_runs r
      where r.exec_id = x.exec_id and r.owner = p_worker and r.fence = x.fence
      for no key update skip locked) l) l;
  if v_own is not null then
    perform inferpipe.flush_notes(v_now, v_own, v_fence, n_exec, n_what, n_key, n_seq, n_attempt,
      n_number, n_name, n_kind, n_data, n_tokens, n_usd);
    update inferpipe._inferpipe_runs r set has_journal = true
    where not r.has_journal and r.exec_id = any (v_own);
  end if;

  return query
  select x.exec_id,
    case when v_own[width_bucket(x.exec_id, v_own)] = x.exec_id then 0
         when ours.locked then 1
         else 2 end::int2,
    coalesce((select e.seq from inferpipe._inferpipe_events e
              where e.exec_id = x.exec_id order by e.seq desc limit 1), 0)
  from unnest(p_exec, p_fence) with ordinality x(exec_id, fence, pos)
  left join lateral (
    select true as locked from inferpipe._inferpipe_runs r
    where r.exec_id = x.exec_id and r.owner = p_worker and r.fence = x.fence
    limit 1) ours on true
  order by x.pos;
end
$$;

-- Costs go into the rows of their attempts, one by one: few steps have any.  n_usd: in billionths.
create function inferpipe.flush_costs(
  p_own int8[], p_fence int4[], n_exec int8[], n_what int2[], n_key int8[], n_attempt int2[],
  n_tokens int8[], n_usd int8[])
returns void language plpgsql volatile
as $$
declare
  c_cost constant int2 := 1;
  c_parts constant numeric := 1000000000;
  v_own int4;
begin
  for i in 1 .. cardinality(n_exec) loop
    v_own := width_bucket(n_exec[i], p_own);
    continue when n_what[i] <> c_cost or p_own[v_own] is distinct from n_exec[i];
    update inferpipe._inferpipe_attempts a set tokens = n_tokens[i],
      usd = trim_scale(n_usd[i] / c_parts)
    where a.exec_id = n_exec[i] and a.step_key = n_key[i] and a.attempt = n_attempt[i]
      and a.fence = p_fence[v_own];
    continue when found;
    update inferpipe._inferpipe_steps s set tokens = n_tokens[i],
      usd = trim_scale(n_usd[i] / c_parts)
    where s.exec_id = n_exec[i] and s.step_key = n_key[i] and s.fence = p_fence[v_own];
  end loop;
end
$$;
