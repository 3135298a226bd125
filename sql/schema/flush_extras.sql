-- The parts of flush that most batches do not need.  p_own, p_fence: as in flush_journal.

-- Failed attempts.
create function inferpipe.flush_attempts(
  p_now timestamptz, p_own int8[], p_fence int4[],
  a_exec int8[], a_key int8[], a_seq int4[], a_attempt int2[], a_error_code text[], a_error text[],
  a_next_ms int8[])
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_attempts (
    exec_id, step_key, failed_at, next_at, fence, seq, attempt, error_code, error)
  select x.exec_id, x.key, p_now,
    p_now + case when x.next_ms >= 0 then x.next_ms end * interval '1 millisecond',
    p_fence[width_bucket(x.exec_id, p_own)], x.seq, x.attempt, x.error_code, x.error
  from unnest(a_exec, a_key, a_seq, a_attempt, a_error_code, a_error, a_next_ms)
    x(exec_id, key, seq, attempt, error_code, error, next_ms)
  where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
  on conflict do nothing;
end
$$;

-- Large payloads: once for each execution, whatever refers to them.
create function inferpipe.flush_payloads(
  p_own int8[], l_exec int8[], l_hash bytea[], l_data bytea[])
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
  select x.exec_id, x.hash, x.data
  from unnest(l_exec, l_hash, l_data) x(exec_id, hash, data)
  where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
  on conflict do nothing;
end
$$;

-- When the sleeps of this batch end, as recorded: a resend must hear the first answer. Aligned with
-- p_own; of several sleeps of one execution the earliest.
create function inferpipe.flush_wakes(p_own int8[], r_exec int8[], r_key int8[], r_kind int2[])
returns timestamptz[] language plpgsql volatile
as $$
declare
  c_sleep constant int2 := 2;
  v_wakes timestamptz[] := array_fill(null::timestamptz, array[cardinality(p_own)]);
  v_row record;
begin
  for v_row in
    select width_bucket(x.exec_id, p_own) as i, s.wake_at
    from unnest(r_exec, r_key, r_kind) x(exec_id, key, kind)
    cross join lateral (
      select t.wake_at from inferpipe._inferpipe_steps t
      where t.exec_id = x.exec_id and t.step_key = x.key limit 1) s
    where x.kind = c_sleep and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
  loop
    v_wakes[v_row.i] := least(v_wakes[v_row.i], v_row.wake_at);
  end loop;
  return v_wakes;
end
$$;

-- Marks executions that stay and have something to load now.  Those that park are marked with the
-- park, those that end need it no more.
create function inferpipe.flush_mark(
  p_own int8[], p_pos int4[], p_wrote int8[], p_move int2[], a_exec int8[])
returns void language plpgsql volatile
as $$
declare
  c_keep constant int2 := 0;
begin
  update inferpipe._inferpipe_runs r set has_journal = true
  where not r.has_journal and r.exec_id = any (array(
    select o.exec_id from unnest(p_own, p_pos) o(exec_id, pos)
    where p_move[o.pos] = c_keep
      and (p_wrote[width_bucket(o.exec_id, p_wrote)] = o.exec_id or o.exec_id = any (a_exec))));
end
$$;

-- Executions that begin to run their compensations: neither a cancel nor the deadline counts any
-- more, and neither may wake them or cut short a wait.
create function inferpipe.flush_unwind(p_own int8[], r_exec int8[], r_kind int2[])
returns void language plpgsql volatile
as $$
declare
  c_unwind constant int2 := 11;
  c_flag_cancel constant int2 := 1;
begin
  update inferpipe._inferpipe_runs r set flags = r.flags & ~c_flag_cancel, deadline = null
  where r.exec_id = any (array(
    select x.exec_id from unnest(r_exec, r_kind) x(exec_id, kind)
    where x.kind = c_unwind and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id));
end
$$;
