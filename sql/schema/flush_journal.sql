-- The part of flush that writes journal rows.  p_own are the locked executions in ascending order,
-- p_fence their fences; rows of other executions are ignored.
--
-- Nearly always all rows are new, and a plain insert is enough: `on conflict` and `returning` cost
-- half as much again. When it meets a row that is there, the block's subtransaction takes back all
-- that it wrote, and the rows are looked up: the locks of their executions are ours, so what is
-- there stays.  A row is our own resend if fence and seq are equal, and is left alone.  Otherwise
-- two different calls claim one key, and the execution is in conflict: nothing of it is written.
-- Two new rows of one key are an error of the caller's, and stay one.
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
  v_all bool := true; -- all rows are taken to be new
begin
  loop
    begin
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
        and (v_all or not exists (
          select from inferpipe._inferpipe_steps t
          where t.exec_id = x.exec_id and t.step_key = x.key));
      exit;
    exception when unique_violation then
      if not v_all then
        raise;
      end if;
    end;
    v_all := false;
    select array_agg(distinct x.exec_id) into conflicts
    from unnest(r_exec, r_key, r_seq) x(exec_id, key, seq)
    cross join lateral (
      select t.seq, t.fence from inferpipe._inferpipe_steps t
      where t.exec_id = x.exec_id and t.step_key = x.key limit 1) s
    where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
      and (s.seq <> x.seq or s.fence <> p_fence[width_bucket(x.exec_id, p_own)]);
    if conflicts is not null then
      select array_agg(o.exec_id), array_agg(o.fence) into p_own, p_fence
      from unnest(p_own, p_fence) o(exec_id, fence)
      where o.exec_id <> all (conflicts);
    end if;
    wrote := array(
      select x.exec_id from unnest(r_exec, r_key) x(exec_id, key)
      where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
        and not exists (
          select from inferpipe._inferpipe_steps t
          where t.exec_id = x.exec_id and t.step_key = x.key)
      order by x.exec_id);
  end loop;
  if v_all then
    wrote := array(
      select x.exec_id from unnest(r_exec) x(exec_id)
      where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id order by x.exec_id);
  end if;
end
$$;
