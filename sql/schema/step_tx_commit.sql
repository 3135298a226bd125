-- Records a transactional step inside the transaction that did its work: both commit or neither
-- does. False: the execution is not this worker's any more; the caller rolls back.
--
-- The run's row stays locked until the user's transaction ends.  Who takes the execution away waits
-- for that; the worker's own flush answers "locked" meanwhile.
--
-- p_xid is the transaction that the engine began.  If the user's code has ended it, this is another
-- one, and recording the step here would say that the user's writes are part of it: IP400.  A step
-- that is recorded already (the answer to an earlier COMMIT was lost) is IP409, so that the work is
-- not done twice; the journal has the result. p_large: the payload when p_codec is 1 and p_result
-- its hash.
create function inferpipe.step_tx_commit(
  p_worker int8, p_exec int8, p_fence int4, p_key int8, p_seq int4, p_name text, p_attempts int2,
  p_took_us int8, p_codec int2, p_result bytea, p_large bytea, p_xid text)
returns bool language plpgsql volatile
as $$
declare
  c_tx_step constant int2 := 6;
  v_now timestamptz := inferpipe.clock();
  v_has_journal bool;
begin
  if p_xid is distinct from pg_catalog.pg_current_xact_id()::text then
    raise exception 'step %: its transaction was ended by the step itself', p_name
      using errcode = 'IP400';
  end if;
  select r.has_journal into v_has_journal
  from inferpipe._inferpipe_runs r
  where r.exec_id = p_exec and r.owner = p_worker and r.fence = p_fence
  for no key update;
  if not found then
    return false;
  end if;

  insert into inferpipe._inferpipe_steps (
    exec_id, step_key, done_at, took_us, fence, seq, kind, status, codec, attempts, name, result)
  values (p_exec, p_key, v_now, p_took_us, p_fence, p_seq, c_tx_step, 0, p_codec, p_attempts,
    p_name, p_result)
  on conflict do nothing;
  if not found then
    raise exception 'step %: it is recorded already', p_name using errcode = 'IP409';
  end if;
  if p_large is not null then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    values (p_exec, p_result, p_large)
    on conflict do nothing;
  end if;
  if not v_has_journal then
    update inferpipe._inferpipe_runs r set has_journal = true where r.exec_id = p_exec;
  end if;
  return true;
end
$$;
