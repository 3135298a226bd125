-- The part of flush that writes journal rows.  p_own are the locked executions in ascending order,
-- p_fence their fences; rows of other executions are ignored.
--
-- A row that is there already is our own resend if fence and seq are equal. Otherwise two different
-- calls claim one key, and the execution is in conflict: nothing of it is written, also not its
-- rows that went in without trouble, which are taken out again before anybody can see them.
--
-- width_bucket() finds a row's execution in p_own by binary search.  A join of two unnested arrays
-- would compare each with each: no hash and no merge joins under our planner settings.
--
-- wrote: executions that got a row here, ascending.  conflicts: null as a rule.
create function inferpipe.flush_journal(
  p_now timestamptz, p_own int8[], p_fence int4[],
  r_exec int8[], r_key int8[], r_seq int4[], r_kind int2[], r_status int2[], r_attempts int2[],
  r_name text[], r_codec int2[], r_result bytea[], r_error_code text[], r_error text[],
  r_took_us int8[], r_wake_ms int8[],
  out wrote int8[], out conflicts int8[])
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  v_key int8[];
begin
  with added as (
    insert into inferpipe._inferpipe_steps (
      exec_id, step_key, done_at, wake_at, took_us, fence, seq, kind, status, codec, attempts,
      name, result, error_code, error)
    select x.exec_id, x.key, p_now,
      p_now + case when x.wake_ms >= 0 then x.wake_ms end * interval '1 millisecond',
      x.took_us, p_fence[width_bucket(x.exec_id, p_own)], x.seq, x.kind, x.status,
      coalesce(x.codec, 0::int2), coalesce(x.attempts, 1::int2), x.name, x.result, x.error_code,
      x.error
    from unnest(r_exec, r_key, r_seq, r_kind, r_status, r_attempts, r_name, r_codec, r_result,
      r_error_code, r_error, r_took_us, r_wake_ms)
      x(exec_id, key, seq, kind, status, attempts, name, codec, result,
        error_code, error, took_us, wake_ms)
    where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    on conflict do nothing
    returning exec_id, step_key)
  select array_agg(a.exec_id order by a.exec_id), array_agg(a.step_key order by a.exec_id)
  into wrote, v_key
  from added a;
  if coalesce(cardinality(wrote), 0) = cardinality(r_exec) then
    return;
  end if;

  select array_agg(distinct x.exec_id) into conflicts
  from unnest(r_exec, r_key, r_seq) x(exec_id, key, seq)
  cross join lateral (
    select t.seq, t.fence from inferpipe._inferpipe_steps t
    where t.exec_id = x.exec_id and t.step_key = x.key limit 1) s
  where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    and (s.seq <> x.seq or s.fence <> p_fence[width_bucket(x.exec_id, p_own)]);
  for i in 1 .. coalesce(cardinality(wrote), 0) loop
    continue when conflicts is null or wrote[i] <> all (conflicts);
    delete from inferpipe._inferpipe_steps s
    where s.exec_id = wrote[i] and s.step_key = v_key[i];
  end loop;
end
$$;
