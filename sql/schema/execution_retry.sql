-- Lets a failed or canceled execution go on from its last completed step, under its old id.
--
-- Its result is deleted, and with it the failure it ended with: the failed (or timed out) row of
-- the last call, the intent of that wait, and the attempts of that step, so that the step has its
-- full number of attempts again. Failures that the workflow has handled and gone on from stay:
-- replay needs them.
--
-- The fence goes on counting from the result's, so that no claim before the end can match again.
-- The time to the deadline begins anew; executions.deadline keeps the first one, from which the
-- length is known however often one retries.
--
-- Two retries at once: both lock the result; the second finds it gone.  Retention waits for us.
-- Failure: IP404 unknown, IP409 it is not failed or canceled.
create function inferpipe.execution_retry(p_workspace int4, p_exec int8)
returns void language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_fence int4;
begin
  perform inferpipe.history_lock();
  select f.fence into v_fence
  from inferpipe._inferpipe_results f
  where f.exec_id = p_exec and f.workspace_id = p_workspace and f.status <> 1
  for update;
  if not found then
    perform inferpipe.retry_refused(p_workspace, p_exec);
  end if;

  perform inferpipe.forget_failure(p_exec);
  delete from inferpipe._inferpipe_results f where f.exec_id = p_exec;
  perform inferpipe.runs_insert(p_workspace, array[p_exec], array[e.lane], array[e.prio],
    array[v_now], array[v_now + (e.deadline - e.created_at)], null, null, array[e.queue_key],
    array[v_fence], array[
      exists (select from inferpipe._inferpipe_steps t where t.exec_id = p_exec)
      or exists (select from inferpipe._inferpipe_attempts a where a.exec_id = p_exec)])
  from inferpipe._inferpipe_executions e
  where e.exec_id = p_exec;
end
$$;

-- Takes the failure that ended the execution out of its journal.
create function inferpipe.forget_failure(p_exec int8)
returns void language plpgsql volatile
as $$
declare
  c_intent constant int2 := 9;
  v_seq int4;
  v_status int2;
begin
  select t.seq, t.status into v_seq, v_status
  from inferpipe._inferpipe_steps t
  where t.exec_id = p_exec and t.kind <> c_intent
  order by t.seq desc
  limit 1;
  if v_status <> 0 then
    delete from inferpipe._inferpipe_attempts a where a.exec_id = p_exec and a.seq = v_seq;
    delete from inferpipe._inferpipe_steps t
    where t.exec_id = p_exec and t.seq = v_seq and (t.status <> 0 or t.kind = c_intent);
  end if;
end
$$;

-- Raises why this execution cannot be tried again.
create function inferpipe.retry_refused(p_workspace int4, p_exec int8)
returns void language plpgsql stable
as $$
begin
  if exists (select from inferpipe._inferpipe_executions e
             where e.exec_id = p_exec and e.workspace_id = p_workspace) then
    raise exception 'execution % is neither failed nor canceled', inferpipe.id_text(p_exec)
      using errcode = 'IP409';
  end if;
  raise exception 'there is no execution %', inferpipe.id_text(p_exec) using errcode = 'IP404';
end
$$;
