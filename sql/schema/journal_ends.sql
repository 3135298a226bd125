-- Which of these children have ended: the rows of their ends, as journal gives them.  p_key: the
-- key of an end row of p_exec, the complement of the spawn row's key.
--
-- For a parent that stays with its worker beside parallel steps.  Whatever the answer says was
-- committed by the end of the child and is never replaced (child_end.sql): an old one is only short
-- of rows.
create function inferpipe.journal_ends(p_exec int8[], p_key int8[])
returns table (
  exec_id int8, step_key int8, seq int4, kind int2, status int2, attempts int2,
  done_at timestamptz, wake_at timestamptz, name text, result bytea, error_code text, error text)
language plpgsql stable rows 10
as $$
#variable_conflict use_column
declare
  c_child_end constant int2 := 10;
begin
  return query
  select s.exec_id, s.step_key, s.seq, s.kind, s.status, s.attempts, s.done_at, s.wake_at, s.name,
    case s.codec when 0 then s.result else inferpipe.payload_read(s.exec_id, s.result) end,
    s.error_code, s.error
  from unnest(p_exec, p_key) x(exec_id, key)
  cross join lateral (
    select t.* from inferpipe._inferpipe_steps t
    where t.exec_id = x.exec_id and t.step_key = x.key limit 1) s
  where s.kind = c_child_end;
end
$$;
