-- Lets a failed or canceled execution go on from its last completed step, under its old id.
--
-- Its result is deleted, and with it the failure it ended with: the failed (or timed out) row of
-- the last call, the intent of that wait, and the attempts of that step, so that the step has its
-- full number of attempts again. Failures that the workflow has handled and gone on from stay:
-- replay needs them.  Of one that was compensated, the failed compensations are tried again; when
-- none has failed, there is nothing left to go on from.
--
-- The fence goes on counting from the result's, so that no claim before the end can match again.
-- The time to the deadline begins anew; executions.deadline keeps the first one, from which the
-- length is known however often one retries.
--
-- Children that failed with it are retried too (children_settle). The parent of a retried child
-- keeps the outcome that it was told.
--
-- Two retries at once: both lock the result; the second finds it gone.  Retention waits for us.
-- Failure: IP404 unknown, IP409 it is not failed or canceled.
create function inferpipe.execution_retry(p_workspace int4, p_exec int8)
returns void language plpgsql volatile
as $$
declare
  c_child constant int2 := 4;
  c_flag_left_alone constant int2 := 16;
  c_flag_webhook constant int2 := 128;
  c_flag_parent constant int2 := 32;
  v_now timestamptz := inferpipe.clock();
  v_fence int4;
  v_parent bool;
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
  v_parent := exists (
    select from inferpipe._inferpipe_steps t where t.exec_id = p_exec and t.kind = c_child);
  perform inferpipe.runs_insert(p_workspace, array[p_exec], array[e.lane], array[e.prio],
    array[v_now], array[
      case when not inferpipe.is_unwinding(p_exec) then v_now + (e.deadline - e.created_at) end],
    array[(case when v_parent then c_flag_parent else 0 end
      + case when e.left_alone then c_flag_left_alone else 0 end
      + case when e.options ? 'webhookUrl' then c_flag_webhook else 0 end)::int2],
    array[e.parent_id],
    case when e.queue_key is not null then array[e.queue_key] end, array[v_fence], array[
      exists (select from inferpipe._inferpipe_steps t where t.exec_id = p_exec)
      or exists (select from inferpipe._inferpipe_attempts a where a.exec_id = p_exec)])
  from inferpipe._inferpipe_executions e
  where e.exec_id = p_exec;
  if v_parent and not inferpipe.is_unwinding(p_exec) then
    perform inferpipe.children_settle(p_workspace, p_exec);
  end if;
end
$$;

-- Takes the failure that ended the execution out of its journal: that of the last call, and those
-- of parallel steps and children that the workflow has not acted upon.  When it learns of such a
-- failure this is recorded (a failed await), and so is what it does then; so a failure is
-- forgotten when nothing but more of their kind was recorded after it.
create function inferpipe.forget_failure(p_exec int8)
returns void language plpgsql volatile
as $$
declare
  c_sleep constant int2 := 2;
  c_child constant int2 := 4;
  c_parallel constant int2 := 7;
  c_intent constant int2 := 9;
  c_child_end constant int2 := 10;
  c_await constant int2 := 15;
  c_timed_out constant int2 := 2;
  v_last record;
  v_acted int4;
begin
  if inferpipe.is_unwinding(p_exec) then
    perform inferpipe.forget_undoing(p_exec);
    return;
  end if;
  select t.seq, t.kind, t.status into v_last
  from inferpipe._inferpipe_steps t
  where t.exec_id = p_exec and t.kind <> c_intent
  order by t.seq desc, t.kind desc
  limit 1;
  if v_last.status <> 0 then
    delete from inferpipe._inferpipe_attempts a where a.exec_id = p_exec and a.seq = v_last.seq;
    delete from inferpipe._inferpipe_steps t
    where t.exec_id = p_exec and t.seq = v_last.seq and (t.status <> 0 or t.kind = c_intent);
    if v_last.kind = c_await and v_last.status = c_timed_out then -- its time begins anew
      delete from inferpipe._inferpipe_steps t
      where t.exec_id = p_exec and t.seq = v_last.seq - 1 and t.kind = c_sleep;
    end if;
  end if;

  select coalesce(max(t.seq), 0) into v_acted
  from inferpipe._inferpipe_steps t
  where t.exec_id = p_exec and t.kind not in (c_child, c_parallel, c_intent, c_child_end)
    and not (t.kind = c_await and t.status = 0) and not (t.kind = c_sleep and t.name = 'await');
  delete from inferpipe._inferpipe_attempts a
  using inferpipe._inferpipe_steps t
  where t.exec_id = p_exec and t.seq > v_acted and t.kind = c_parallel and t.status <> 0
    and a.exec_id = p_exec and a.step_key = t.step_key;
  delete from inferpipe._inferpipe_steps t
  where t.exec_id = p_exec and t.seq > v_acted and t.kind in (c_parallel, c_child_end)
    and t.status <> 0;
end
$$;

-- Brings the journal of a retried parent and its children together again: a child that failed, or
-- was canceled because its parent ended, is retried too; one that completed meanwhile is recorded.
-- Children under way go on (one that was asked to end does).
--
-- Waits for the ends of children that are under way; those that come later see the parent's new
-- run.
create function inferpipe.children_settle(p_workspace int4, p_exec int8)
returns void language plpgsql volatile
as $$
declare
  c_child constant int2 := 4;
  c_completed constant int2 := 1;
  v_child record;
begin
  perform from inferpipe._inferpipe_runs r
  where r.parent_id = p_exec order by r.exec_id
  for no key update;
  for v_child in
    select e.exec_id, f.status
    from (
      select t.step_key, inferpipe.id_parse(convert_from(t.result, 'UTF8')::json #>> '{}') as id
      from inferpipe._inferpipe_steps t
      where t.exec_id = p_exec and t.kind = c_child and t.result is not null) s
    join inferpipe._inferpipe_executions e on e.exec_id = s.id
    join inferpipe._inferpipe_results f on f.exec_id = s.id
    where not exists (
      select from inferpipe._inferpipe_steps t
      where t.exec_id = p_exec and t.step_key = ~s.step_key)
    order by e.exec_id
  loop
    if v_child.status = c_completed then
      perform inferpipe.children_ended(array[v_child.exec_id], array[p_exec]);
    else
      perform inferpipe.execution_retry(p_workspace, v_child.exec_id);
    end if;
  end loop;
end
$$;

-- Takes failed compensations out of the journal, so that they are tried again; IP409 when there is
-- none: what the execution did has been undone, it cannot go on from there.
create function inferpipe.forget_undoing(p_exec int8)
returns void language plpgsql volatile
as $$
declare
  v_failed int8[];
begin
  with failed as (
    delete from inferpipe._inferpipe_steps t
    using inferpipe._inferpipe_steps m
    where t.exec_id = p_exec and m.exec_id = p_exec and m.step_key = 11 and t.seq > m.seq
      and t.status <> 0
    returning t.step_key)
  select array_agg(f.step_key) into v_failed from failed f;
  if v_failed is null then
    raise exception 'execution % has been compensated: start it anew', inferpipe.id_text(p_exec)
      using errcode = 'IP409';
  end if;
  delete from inferpipe._inferpipe_attempts a
  where a.exec_id = p_exec and a.step_key = any (v_failed);
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
