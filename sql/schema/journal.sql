-- A page of the journals of several executions: for each the next p_limit rows after step key
-- p_after, in the order of the keys.  p_after null: from the start, and then also one row of kind 8
-- for each step with failed attempts: attempts = the number of the last one, wake_at = when the
-- next one may begin; one of kind 20 for each step whose progress is known: result; and one of kind
-- 21 if the execution has events: seq = how many.
--
-- To be called by the owner, in a statement after the one that claimed: nothing can be added under
-- an older fence once the claim was committed, and this snapshot sees all that was.
create function inferpipe.journal(p_exec int8[], p_after int8[], p_limit int4)
returns table (
  exec_id int8, step_key int8, seq int4, kind int2, status int2, attempts int2,
  done_at timestamptz, wake_at timestamptz, name text, result bytea, error_code text, error text)
language plpgsql stable rows 100
as $$
#variable_conflict use_column
declare
  c_attempts constant int2 := 8;
  c_progress constant int2 := 20;
  c_events constant int2 := 21;
  c_before_all constant int8 := -9223372036854775808;
begin
  return query
  select s.exec_id, s.step_key, s.seq, s.kind, s.status, s.attempts, s.done_at, s.wake_at, s.name,
    case s.codec when 0 then s.result else inferpipe.payload_read(s.exec_id, s.result) end,
    s.error_code, s.error
  from unnest(p_exec, p_after) x(exec_id, after)
  cross join lateral (
    select t.* from inferpipe._inferpipe_steps t
    where t.exec_id = x.exec_id and t.step_key > coalesce(x.after, c_before_all)
    order by t.step_key
    limit p_limit) s;
  return query
  select a.exec_id, a.step_key, a.seq, c_attempts, 0::int2, max(a.attempt), max(a.failed_at),
    max(a.next_at), null::text, null::bytea, null::text, null::text
  from unnest(p_exec, p_after) x(exec_id, after)
  cross join lateral (
    select t.* from inferpipe._inferpipe_attempts t
    where t.exec_id = x.exec_id and x.after is null offset 0) a
  group by a.exec_id, a.step_key, a.seq;
  return query
  select t.exec_id, t.step_key, t.seq, c_progress, 0::int2, t.attempt, t.said_at,
    null::timestamptz, t.name, t.data, null::text, null::text
  from unnest(p_exec, p_after) x(exec_id, after)
  cross join lateral (
    select s.* from inferpipe._inferpipe_states s
    where s.exec_id = x.exec_id and x.after is null and s.step_key <> 0 offset 0) t;
  return query
  select x.exec_id, 0::int8, t.seq, c_events, 0::int2, 0::int2, t.at, null::timestamptz, null::text,
    null::bytea, null::text, null::text
  from unnest(p_exec, p_after) x(exec_id, after)
  cross join lateral (
    select e.seq, e.at from inferpipe._inferpipe_events e
    where e.exec_id = x.exec_id and x.after is null
    order by e.seq desc
    limit 1) t;
end
$$;
