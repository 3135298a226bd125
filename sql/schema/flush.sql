-- The group commit: what happened to many executions of one worker, in one transaction, one fsync.
--
-- The arrays p_ have an element for each execution (each at most once), r_ for each journal row, a_
-- for each failed attempt, l_ for each large payload, n_ for each note (flush_notes.sql), c_ for
-- each child to start.  Moves: 0 keep, 1 park, 2 end, 3 receive, 4 hand back, 5 wait for children,
-- 6 continue as new (p_codec, p_output: the new input).
-- The answer has a row for each execution, in the order given:
--
--   verdict  0 written; 1 another transaction holds the row, or at an end the parent's: nothing
--            written, try again;
--            2 not ours; 3 a journal row with this key exists under another fence or seq: nothing
--            written
--   flags    the run's (1: cancel requested)
--   wake_at  when its sleep ends, or when it wakes at the latest after a park
--   got      of a receive: 0 parked, 1 a message, 2 timed out; payload: the message
--
-- Why it is correct.  The first statement locks every run row that the rest touches, in ascending
-- order, and only rows whose (owner, fence) are ours: who takes an execution away needs the same
-- lock, so it comes wholly before us (then the re-check under the lock sees the new owner and the
-- row is not ours) or wholly after.  No clock takes part.  A row that another transaction holds (a
-- user's transaction may hold one for long) is skipped, so one execution never delays the others.
--
-- Tables are looked up by sub-selects after LATERAL that cannot be flattened, here and wherever
-- arrays meet tables: a join may be planned the other way round while the tables are empty, and
-- that plan stays cached when they have grown.
--
-- Sending the same arrays again is safe: rows that are there with our fence and seq are our own.
-- After a park, an end or a continuation that was committed the answer is 2, "not ours", which is
-- true; after the last of these it is ours under the next fence.
create function inferpipe.flush(
  p_worker int8, p_exec int8[], p_fence int4[], p_move int2[], p_state int2[], p_status int2[],
  p_wake_at timestamptz[], p_wake_ms int8[], p_codec int2[], p_output bytea[],
  p_error_code text[], p_error text[],
  p_wait_key int8[], p_wait_intent int8[], p_wait_seq int4[], p_wait_name text[],
  p_wait_ms int8[],
  r_exec int8[], r_key int8[], r_seq int4[], r_kind int2[], r_status int2[], r_attempts int2[],
  r_name text[], r_codec int2[], r_result bytea[], r_error_code text[], r_error text[],
  r_took_us int8[], r_wake_ms int8[],
  a_exec int8[], a_key int8[], a_seq int4[], a_attempt int2[], a_error_code text[],
  a_error text[], a_next_ms int8[],
  l_exec int8[], l_hash bytea[], l_data bytea[],
  n_exec int8[] default '{}', n_what int2[] default '{}', n_key int8[] default '{}',
  n_seq int4[] default '{}', n_attempt int2[] default '{}', n_number int4[] default '{}',
  n_name text[] default '{}', n_kind text[] default '{}', n_data bytea[] default '{}',
  n_tokens int8[] default '{}', n_usd int8[] default '{}',
  c_exec int8[] default '{}', c_key int8[] default '{}', c_seq int4[] default '{}',
  c_name text[] default '{}', c_workflow text[] default '{}', c_version text[] default '{}',
  c_queue text[] default '{}', c_queue_key text[] default '{}', c_prio int2[] default '{}',
  c_delay_ms int8[] default '{}', c_deadline_ms int8[] default '{}', c_flags int2[] default '{}',
  c_codec int2[] default '{}', c_input bytea[] default '{}', c_large bytea[] default '{}',
  c_metadata text[] default '{}')
returns table (
  exec_id int8, verdict int2, flags int2, wake_at timestamptz, got int2, payload bytea)
language plpgsql volatile rows 50
as $$
#variable_conflict use_column
declare
  c_keep constant int2 := 0;
  c_park constant int2 := 1;
  c_end constant int2 := 2;
  c_receive constant int2 := 3;
  c_back constant int2 := 4;
  c_await constant int2 := 5;
  c_continue constant int2 := 6;
  c_sleep constant int2 := 2;
  c_unwind constant int2 := 11;
  c_told constant int2 := 63; -- flags that the worker acts on
  v_now timestamptz := inferpipe.clock();
  v_own int8[];    -- what is ours and locked, ascending; the next three are aligned with it
  v_pos int4[];    -- its place in the p_ arrays
  v_fence int4[];
  v_flags int2[];
  v_flagged int2;  -- all their flags
  v_parent int8[]; -- null as a whole unless one of them has a parent
  v_held int8[];   -- they end, and another transaction holds their parent
  v_started int8[];
  v_fresh bool;    -- some of them have no journal yet
  v_wrote int8[];
  v_conflict int8[];
  v_wake timestamptz[];
  v_got int2[];
  v_payload bytea[];
begin
  select array_agg(l.exec_id), array_agg(l.pos), array_agg(l.fence), array_agg(l.flags),
    bit_or(l.flags), bool_or(not l.has_journal),
    case when count(l.parent_id) > 0 then array_agg(l.parent_id) end
  into v_own, v_pos, v_fence, v_flags, v_flagged, v_fresh, v_parent
  from (
    select l.exec_id, x.pos::int4 as pos, l.fence, l.flags, l.has_journal, l.parent_id
    from (select * from unnest(p_exec, p_fence) with ordinality u(exec_id, fence, pos)
          order by u.exec_id) x
    cross join lateral (
      select r.exec_id, r.fence, r.flags, r.has_journal, r.parent_id
      from inferpipe._inferpipe_runs r
      where r.exec_id = x.exec_id and r.owner = p_worker and r.fence = x.fence
      for no key update skip locked) l) l;

  if v_parent is not null and c_end = any (p_move) then
    select inferpipe.parents_lock(array_agg(o.exec_id), array_agg(o.parent)) into v_held
    from unnest(v_own, v_pos, v_parent) o(exec_id, pos, parent)
    where p_move[o.pos] = c_end and o.parent is not null;
    if v_held is not null then
      select array_agg(o.exec_id), array_agg(o.pos), array_agg(o.fence), array_agg(o.flags)
      into v_own, v_pos, v_fence, v_flags
      from unnest(v_own, v_pos, v_fence, v_flags) o(exec_id, pos, fence, flags)
      where o.exec_id <> all (v_held);
    end if;
  end if;

  if v_own is not null and cardinality(r_exec) > 0 then
    select j.wrote, j.conflicts into v_wrote, v_conflict
    from inferpipe.flush_journal(v_now, v_own, v_fence, r_exec, r_key, r_seq, r_kind, r_status,
      r_attempts, r_name, r_codec, r_result, r_error_code, r_error, r_took_us, r_wake_ms) j;
    if v_conflict is not null then
      select array_agg(o.exec_id), array_agg(o.pos), array_agg(o.fence), array_agg(o.flags)
      into v_own, v_pos, v_fence, v_flags
      from unnest(v_own, v_pos, v_fence, v_flags) o(exec_id, pos, fence, flags)
      where o.exec_id <> all (v_conflict);
    end if;
  end if;

  if v_own is not null then
    if c_unwind = any (r_kind) then
      perform inferpipe.flush_unwind(v_own, r_exec, r_kind);
    end if;
    if cardinality(l_exec) > 0 then
      perform inferpipe.flush_payloads(v_own, l_exec, l_hash, l_data);
    end if;
    if cardinality(a_exec) > 0 then
      perform inferpipe.flush_attempts(
        v_now, v_own, v_fence, a_exec, a_key, a_seq, a_attempt, a_error_code, a_error, a_next_ms);
    end if;
    if cardinality(c_exec) > 0 then
      v_started := inferpipe.flush_children(v_now, v_own, v_fence, c_exec, c_key, c_seq, c_name,
        c_workflow, c_version, c_queue, c_queue_key, c_prio, c_delay_ms, c_deadline_ms, c_flags,
        c_codec, c_input, c_large, c_metadata);
      v_wrote := array(select u.id from unnest(v_wrote || v_started) u(id) order by u.id);
    end if;
    if cardinality(n_exec) > 0 then
      perform inferpipe.flush_notes(v_now, v_own, v_fence, n_exec, n_what, n_key, n_seq, n_attempt,
        n_number, n_name, n_kind, n_data, n_tokens, n_usd);
    end if;
    if c_continue = any (p_move) then
      perform inferpipe.flush_continue(v_now, v_own, v_pos, v_fence, p_move, p_codec, p_output,
        n_exec, n_what, n_key, n_attempt, n_tokens, n_usd);
    end if;
    if c_sleep = any (r_kind) then
      v_wake := inferpipe.flush_wakes(v_own, r_exec, r_key, r_kind);
    end if;
    if v_fresh and c_keep = any (p_move) then
      perform inferpipe.flush_mark(v_own, v_pos, v_wrote, p_move, a_exec);
    end if;
    if c_park = any (p_move) or c_back = any (p_move) then
      v_wake := inferpipe.flush_park(v_now, v_own, v_pos, v_wrote, p_move, p_state, p_wake_at,
        p_wake_ms, a_exec, v_wake);
    end if;
    if c_await = any (p_move) then
      v_wake := inferpipe.flush_await(v_now, v_own, v_pos, v_wrote, v_wake, p_move, p_wait_key,
        p_wait_seq, p_wake_at, p_wake_ms);
    end if;
    if c_receive = any (p_move) then
      select w.got, w.payload, w.wakes into v_got, v_payload, v_wake
      from inferpipe.flush_receives(v_now, v_own, v_pos, v_fence, v_wrote, v_wake, p_move,
        p_wait_key, p_wait_intent, p_wait_seq, p_wait_name, p_wait_ms) w;
    end if;
    if c_end = any (p_move) then
      perform inferpipe.flush_end(v_own, v_pos, p_exec, p_fence, p_move, p_status, p_codec,
        p_output, p_error_code, p_error);
    end if;
  end if;

  if cardinality(v_own) = cardinality(p_exec) and v_flagged & c_told = 0 and v_wake is null
    and v_got is null
  then -- as a rule: all is written, and there is nothing to tell
    return query
    select unnest(p_exec), 0::int2, 0::int2, null::timestamptz, 0::int2, null::bytea;
    return;
  end if;
  return query
  select x.exec_id,
    case when o.i is not null then 0
         when x.exec_id = any (v_conflict) then 3
         when ours.locked then 1
         else 2 end::int2,
    coalesce(v_flags[o.i], 0::int2), v_wake[o.i], coalesce(v_got[o.i], 0::int2), v_payload[o.i]
  from unnest(p_exec, p_fence) with ordinality x(exec_id, fence, pos)
  cross join lateral (
    select case when v_own[width_bucket(x.exec_id, v_own)] = x.exec_id
                then width_bucket(x.exec_id, v_own) end as i offset 0) o
  left join lateral (
    select true as locked from inferpipe._inferpipe_runs r
    where o.i is null and r.exec_id = x.exec_id and r.owner = p_worker and r.fence = x.fence
    limit 1) ours on true
  order by x.pos;
end
$$;
