-- Puts a message into an execution's mailbox and wakes the execution if it waits for it.  False: a
-- message with this dedupe text was sent before.  May be part of the caller's own transaction.
--
-- No lost wake-up: this function and the wait (flush_receive) both lock the run's row before they
-- touch the mailbox, in a statement of its own, so that the next one sees what was committed before
-- the lock was given.  Either the wait finds the message, or the message finds the wait.
--
-- p_hash not null (the SHA-256 of p_payload): the payload goes to _inferpipe_payloads.
--
-- Failure: IP404 unknown, IP409 it has ended.  Locks: the run's row, until the transaction ends;
-- meanwhile its owner's flush answers "locked" at once and tries again.
create function inferpipe.execution_send(
  p_workspace int4, p_exec int8, p_name text, p_payload bytea, p_hash bytea, p_dedupe text)
returns bool language plpgsql volatile
as $$
declare
  c_ready constant int2 := 0;
  c_message constant int2 := 3;
  c_any_message constant int8 := -1;
  v_now timestamptz := inferpipe.clock();
  v_key int8 := inferpipe.name_key(p_name);
  v_state int2;
  v_wait_key int8;
  v_lane int4;
begin
  select r.state, r.wait_key, r.lane into v_state, v_wait_key, v_lane
  from inferpipe._inferpipe_runs r
  where r.exec_id = p_exec and r.workspace_id = p_workspace
  for no key update;
  if not found then
    perform inferpipe.run_missing(p_workspace, p_exec);
  end if;

  insert into inferpipe._inferpipe_messages (
    exec_id, name_key, created_at, codec, dedupe, name, payload)
  values (p_exec, v_key, v_now, case when p_hash is null then 0 else 1 end,
    inferpipe.text_uuid(p_dedupe), p_name, coalesce(p_hash, p_payload))
  on conflict do nothing;
  if not found then
    return false;
  end if;
  if p_hash is not null then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    values (p_exec, p_hash, p_payload)
    on conflict do nothing;
  end if;
  if v_state = c_message and v_wait_key in (v_key, c_any_message) then
    update inferpipe._inferpipe_runs r
    set state = c_ready, ready_at = v_now, wait_key = 0
    where r.exec_id = p_exec;
    perform inferpipe.wake(p_workspace, array[v_lane]);
  end if;
  return true;
end
$$;

-- Raises what is true of an execution that has no row in runs.
create function inferpipe.run_missing(p_workspace int4, p_exec int8)
returns void language plpgsql stable
as $$
begin
  if exists (select from inferpipe._inferpipe_results f
             where f.exec_id = p_exec and f.workspace_id = p_workspace) then
    raise exception 'execution % has ended', inferpipe.id_text(p_exec) using errcode = 'IP409';
  end if;
  raise exception 'there is no execution %', inferpipe.id_text(p_exec) using errcode = 'IP404';
end
$$;
