-- The part of flush that writes notes: what an execution says beside its journal.
--
-- n_what: 1 what an attempt cost (it goes into the row of that failed attempt, if there is one,
-- else into the step's), 2 the execution's live state.  n_number counts the notes of one claim; of
-- several notes that write one row, the last one holds.
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
begin
  if c_cost = any (n_what) then
    perform inferpipe.flush_costs(p_own, p_fence, n_exec, n_what, n_key, n_attempt, n_tokens,
      n_usd);
  end if;
  if c_state = any (n_what) then
    insert into inferpipe._inferpipe_states as t (
      exec_id, step_key, said_at, fence, seq, attempt, name, data)
    select distinct on (x.exec_id, x.key) x.exec_id, x.key, p_now,
      p_fence[width_bucket(x.exec_id, p_own)], x.seq, x.attempt, x.name, x.data
    from unnest(n_exec, n_what, n_key, n_seq, n_attempt, n_number, n_name, n_data)
      x(exec_id, what, key, seq, attempt, number, name, data)
    where x.what = c_state and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    order by x.exec_id, x.key, x.number desc
    on conflict (exec_id, step_key) do update
      set said_at = excluded.said_at, fence = excluded.fence, seq = excluded.seq,
        attempt = excluded.attempt, name = excluded.name, data = excluded.data;
  end if;
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
