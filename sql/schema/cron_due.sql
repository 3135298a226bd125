-- Reads about schedules.  None locks anything; what they say may be old when it is used, and
-- cron_fire checks it again.

-- For the tick: the earliest instant, whether a waiting tick may start, who holds the lock (0:
-- nobody).  No row in a workspace without schedules that run.
create function inferpipe.cron_look(p_workspace int4)
returns table (next_at timestamptz, waits bool, holder int8) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
begin
  return query
  select j.next_at,
    exists (select from inferpipe._inferpipe_cron_jobs v
            where v.workspace_id = p_workspace and v.waiting > 0 and not v.paused),
    coalesce((select l.locked_by from inferpipe._inferpipe_cron_locks l
              join inferpipe._inferpipe_workers w on w.worker_id = l.locked_by and w.state = 0
              where l.name = inferpipe.cron_lock_name(p_workspace)
                and l.expires_at > inferpipe.clock()), 0)
  from inferpipe._inferpipe_cron_jobs j
  where j.workspace_id = p_workspace and not j.paused
  order by j.next_at limit 1;
end
$$;

-- The jobs whose instant has come, the oldest first.  p_skip: those that the caller cannot compute.
create function inferpipe.cron_due(p_workspace int4, p_skip int4[], p_limit int4)
returns table (
  job_id int4, next_at timestamptz, now timestamptz, catchup int2, catchup_max int4, name text,
  schedule text, timezone text) language plpgsql volatile
as $$
#variable_conflict use_column
declare
  v_now timestamptz := inferpipe.clock();
begin
  return query
  select j.job_id, j.next_at, v_now, j.catchup, j.catchup_max, j.name, j.schedule, j.timezone
  from inferpipe._inferpipe_cron_jobs j
  where j.workspace_id = p_workspace and not j.paused and j.next_at <= v_now
    and j.job_id <> all (p_skip)
  order by j.next_at limit p_limit;
end
$$;

-- An execution of this job has not ended.  The newest eight are looked at: older ones that still
-- live were started under `allow`.
create function inferpipe.cron_live(p_job int4)
returns bool language sql volatile
as $$
  select exists (
    select from (
      select e.exec_id from inferpipe._inferpipe_cron_executions e
      where e.job_id = p_job and e.exec_id is not null
      order by e.exec_id desc limit 8) x
    join inferpipe._inferpipe_runs r on r.exec_id = x.exec_id)
$$;
