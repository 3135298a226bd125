-- Deletes one execution with all that is known of it: input, output, journal, messages, payloads,
-- key.  For data protection, and for people; the rest leaves by policy (retention.sql).
--
-- One that lives is refused unless p_force cancels it first, without its clean-up: its worker's
-- next write is refused, as after any forced cancel. What other executions have recorded of it (a
-- parent its result, a receiver its message) belongs to them: delete those as well. Backups, WAL
-- and dead rows keep it until they go or are vacuumed.
--
-- Two deletes, or a delete and a retry, at once: both lock the result, the second finds it gone.
-- Failure: IP404 unknown, IP409 it has not ended.  Locks: the retention lock, the run's row, the
-- result.
create function inferpipe.execution_delete(p_workspace int4, p_exec int8, p_force bool)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform inferpipe.history_lock();
  if p_force and exists (select from inferpipe._inferpipe_runs r
                         where r.exec_id = p_exec and r.workspace_id = p_workspace) then
    perform inferpipe.execution_cancel(p_workspace, p_exec, true);
  end if;
  perform from inferpipe._inferpipe_results f
  where f.exec_id = p_exec and f.workspace_id = p_workspace
  for update;
  if not found then
    if exists (select from inferpipe._inferpipe_runs r
               where r.exec_id = p_exec and r.workspace_id = p_workspace) then
      raise exception 'execution % has not ended', inferpipe.id_text(p_exec)
        using errcode = 'IP409', hint = 'Cancel it first, or force its end.';
    end if;
    raise exception 'there is no execution %', inferpipe.id_text(p_exec) using errcode = 'IP404';
  end if;
  perform inferpipe.history_forget(array[p_exec]);
end
$$;

-- The same for callers (callers.sql).
create function inferpipe.delete(
  p_id text, p_force bool default false, p_workspace text default 'default')
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform inferpipe.execution_delete(inferpipe.workspace_id(p_workspace),
    inferpipe.id_parse(p_id), coalesce(p_force, false));
end
$$;
