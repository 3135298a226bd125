-- What people and programs do to schedules.  next_at is computed by the caller, who knows the
-- expressions and the time zones, from a time that inferpipe.clock() gave him a moment ago.
--
-- Failure: IP400 a bad argument, IP404 no such job, IP409 it is there already or has changed.
-- Locks: the job's row.

-- Makes a job, or (p_replace) changes it.  A job keeps its next_at when neither schedule nor time
-- zone change, and stays paused.  p_program: that declares it, null: made by command.  True: it is
-- new.
create function inferpipe.cron_put(
  p_workspace int4, p_name text, p_schedule text, p_timezone text, p_next timestamptz,
  p_workflow text, p_version text, p_queue text, p_prio int2, p_input bytea, p_overlap int2,
  p_catchup int2, p_catchup_max int4, p_jitter_ms int8, p_paused bool, p_program text,
  p_replace bool)
returns bool language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_new bool;
begin
  insert into inferpipe._inferpipe_cron_jobs as j (
    next_at, created_at, changed_at, jitter_ms, workspace_id, catchup_max, prio, overlap, catchup,
    paused, declared, name, schedule, timezone, workflow, version, queue, program, input)
  values (p_next, v_now, v_now, p_jitter_ms, p_workspace, p_catchup_max, p_prio, p_overlap,
    p_catchup, p_paused, p_program is not null, p_name, p_schedule, p_timezone, p_workflow,
    p_version, p_queue, p_program, p_input)
  on conflict on constraint cron_jobs_unique do update
    set next_at = case when j.schedule = excluded.schedule and j.timezone = excluded.timezone
          then j.next_at else excluded.next_at end,
      changed_at = excluded.changed_at, jitter_ms = excluded.jitter_ms,
      catchup_max = excluded.catchup_max, prio = excluded.prio, overlap = excluded.overlap,
      catchup = excluded.catchup, declared = excluded.declared, schedule = excluded.schedule,
      timezone = excluded.timezone, workflow = excluded.workflow, version = excluded.version,
      queue = excluded.queue, program = excluded.program, input = excluded.input
    where p_replace and (j.schedule, j.timezone, j.workflow, j.prio, j.overlap, j.catchup,
        j.catchup_max, j.jitter_ms, j.declared, j.input)
      is distinct from (excluded.schedule, excluded.timezone, excluded.workflow, excluded.prio,
        excluded.overlap, excluded.catchup, excluded.catchup_max, excluded.jitter_ms,
        excluded.declared, excluded.input)
      or p_replace and (j.version, j.queue, j.program)
        is distinct from (excluded.version, excluded.queue, excluded.program)
  returning xmax = 0 into v_new;
  if v_new is null and not p_replace then
    raise exception 'name: there is a schedule % already', p_name using errcode = 'IP409';
  end if;
  return coalesce(v_new, false);
end
$$;

-- The jobs in a program's code, when it starts.  Those that it declared before and no longer has
-- stay as they are and are shown as not declared.  By name, so two programs that start at once
-- wait for each other in one order.
create function inferpipe.cron_declare(
  p_workspace int4, p_program text, p_name text[], p_schedule text[], p_timezone text[],
  p_next timestamptz[], p_workflow text[], p_version text[], p_queue text[], p_prio int2[],
  p_input bytea[], p_overlap int2[], p_catchup int2[], p_catchup_max int4[], p_jitter_ms int8[])
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_cron_jobs j set declared = false
  from (
    select v.job_id from inferpipe._inferpipe_cron_jobs v
    where v.workspace_id = p_workspace and v.program = p_program and v.declared
      and v.name <> all (p_name)
    order by v.name for no key update) g
  where j.job_id = g.job_id;
  perform inferpipe.cron_put(p_workspace, x.name, x.schedule, x.timezone, x.next, x.workflow,
    x.version, x.queue, x.prio, x.input, x.overlap, x.catchup, x.catchup_max, x.jitter_ms, false,
    p_program, true)
  from (
    select * from unnest(p_name, p_schedule, p_timezone, p_next, p_workflow, p_version, p_queue,
      p_prio, p_input, p_overlap, p_catchup, p_catchup_max, p_jitter_ms)
      u(name, schedule, timezone, next, workflow, version, queue, prio, input, overlap, catchup,
        catchup_max, jitter_ms)
    order by u.name) x;
end
$$;

-- No tick fires while a job is paused, and none of those is missed: it goes on with p_next, which
-- was computed from the schedule and zone named here.  True: it was not so before.
create function inferpipe.cron_pause(
  p_workspace int4, p_name text, p_paused bool, p_schedule text, p_timezone text,
  p_next timestamptz)
returns bool language plpgsql volatile
as $$
declare
  v_job inferpipe._inferpipe_cron_jobs;
begin
  v_job := inferpipe.cron_find(p_workspace, p_name);
  if v_job.paused = p_paused then
    return false;
  end if;
  if (v_job.schedule, v_job.timezone) is distinct from (p_schedule, p_timezone) then
    raise exception 'name: the schedule % was changed meanwhile', p_name using errcode = 'IP409';
  end if;
  update inferpipe._inferpipe_cron_jobs j
  set paused = p_paused, changed_at = inferpipe.clock(),
    next_at = case when p_paused then j.next_at else p_next end
  where j.job_id = v_job.job_id;
  return true;
end
$$;

-- Starts an execution now, whatever the schedule, its overlap and its pause say.
create function inferpipe.cron_trigger(p_workspace int4, p_name text)
returns int8 language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_job inferpipe._inferpipe_cron_jobs := inferpipe.cron_find(p_workspace, p_name);
  v_exec int8 := inferpipe.id_new();
begin
  update inferpipe._inferpipe_cron_jobs j
  set lane = inferpipe.lane_intern(p_workspace, j.queue, j.workflow, j.version)
  where j.job_id = v_job.job_id;
  insert into inferpipe._inferpipe_cron_executions
    (job_id, scheduled_time, fired_at, outcome, exec_id, manual)
  values (v_job.job_id, v_now, v_now, 0, v_exec, true);
  perform inferpipe.cron_start(p_workspace, array[v_job.job_id], array[v_now], array[v_exec], true);
  return v_exec;
end
$$;

-- The job and its history; its executions stay.
create function inferpipe.cron_delete(p_workspace int4, p_name text)
returns void language plpgsql volatile
as $$
declare
  v_job inferpipe._inferpipe_cron_jobs := inferpipe.cron_find(p_workspace, p_name);
begin
  delete from inferpipe._inferpipe_cron_executions e where e.job_id = v_job.job_id;
  delete from inferpipe._inferpipe_cron_jobs j where j.job_id = v_job.job_id;
end
$$;

-- The job, locked.
create function inferpipe.cron_find(p_workspace int4, p_name text)
returns inferpipe._inferpipe_cron_jobs language plpgsql volatile
as $$
declare
  v_job inferpipe._inferpipe_cron_jobs;
begin
  select j.* into v_job from inferpipe._inferpipe_cron_jobs j
  where j.workspace_id = p_workspace and j.name = p_name for no key update;
  if not found then
    raise exception 'name: there is no schedule %', p_name using errcode = 'IP404';
  end if;
  return v_job;
end
$$;

-- History older than the setting says, in one batch; `maintain` calls it.  True: there may be more.
create function inferpipe.cron_forget(p_limit int4)
returns bool language plpgsql volatile
as $$
declare
  c_millisecond constant interval := '1 millisecond';
  v_before timestamptz := inferpipe.clock()
    - coalesce(inferpipe.setting('cron_history_ms'), 0) * c_millisecond;
  v_gone int4;
begin
  delete from inferpipe._inferpipe_cron_executions e
  using (
    select x.job_id, x.scheduled_time from inferpipe._inferpipe_cron_executions x
    where x.fired_at < v_before and x.outcome <> 3 limit p_limit for update skip locked) d
  where e.job_id = d.job_id and e.scheduled_time = d.scheduled_time;
  get diagnostics v_gone = row_count;
  return v_gone = p_limit;
end
$$;
