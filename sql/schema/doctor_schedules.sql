-- The part of doctor about schedules: those that are not fired, start what nobody runs, fail each
-- time, or that no program declares any more.  Paused ones are left alone.
--
-- Each check is one statement, so one snapshot.  Overdue ones are found by the index of next
-- instants; the others read the jobs once, and by index the newest execution of each.

-- Why nobody fires in a workspace, as the rest of a sentence.
create function inferpipe.doctor_cron_holder(p_workspace int4)
returns text language sql stable
as $$
  select coalesce(
    (select 'worker ' || l.locked_by || ', which fires schedules, has not: see its log'
     from inferpipe._inferpipe_cron_locks l
     join inferpipe._inferpipe_workers a on a.worker_id = l.locked_by and a.state = 0
     where l.name = inferpipe.cron_lock_name(p_workspace) and l.expires_at > inferpipe.clock()),
    (select 'no worker fires schedules, of ' || count(*) || ' that are alive: see --cron'
     from inferpipe._inferpipe_workers a
     where a.workspace_id = p_workspace and a.state = 0
     having count(*) > 0),
    'no worker is alive')
$$;

-- How the newest p_n executions of a schedule ended, of the last eight with ids from p_from on.
-- What lives, and what retention has removed, is left out.
create function inferpipe.doctor_cron_ended(p_job int4, p_from int8, p_n int4)
returns table (exec_id int8, status int2, error_code text) language sql stable
as $$
  select x.exec_id, f.status, f.error_code
  from (
    select e.exec_id from inferpipe._inferpipe_cron_executions e
    where e.job_id = p_job and e.exec_id >= coalesce(p_from, 0)
    order by e.exec_id desc limit 8) x
  cross join lateral (
    select r.status, r.error_code from inferpipe._inferpipe_results r
    where r.exec_id = x.exec_id limit 1) f
  order by x.exec_id desc limit p_n
$$;

create function inferpipe.doctor_schedules(p_from int8)
returns table (check_name text, severity text, subject text, detail text) language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
set enable_mergejoin = on
as $$
  (select 'schedule_overdue', 'warning', w.slug || '/' || j.name,
    'it should have fired at ' || j.next_at || ' and '
      || inferpipe.doctor_cron_holder(w.workspace_id)
  from inferpipe._inferpipe_workspaces w
  cross join lateral (
    select k.name, k.next_at from inferpipe._inferpipe_cron_jobs k
    where k.workspace_id = w.workspace_id and not k.paused
      and k.next_at < inferpipe.clock() - interval '60 seconds'
    order by k.next_at limit 100) j
  limit 100)
  union all
  (select 'schedule_stranded', 'warning',
    w.slug || '/' || k.workflow || coalesce('/' || k.version, ''),
    k.jobs || ' schedules start it and no living worker runs it, one of them ' || k.name
  from (
    select j.workspace_id, j.workflow, j.version, count(*) as jobs, min(j.name) as name
    from inferpipe._inferpipe_cron_jobs j
    where not j.paused
    group by j.workspace_id, j.workflow, j.version) k
  join inferpipe._inferpipe_workspaces w on w.workspace_id = k.workspace_id
  where not exists (
    select from inferpipe._inferpipe_workflows f
    join inferpipe._inferpipe_worker_workflows r on r.workflow_id = f.workflow_id
    join inferpipe._inferpipe_workers a on a.worker_id = r.worker_id and a.state = 0
    where f.workspace_id = k.workspace_id and f.name = k.workflow
      and (k.version is null or f.version = k.version))
  order by k.jobs desc
  limit 100)
  union all
  (select 'schedule_failing', 'warning', w.slug || '/' || j.name,
    'its last 3 executions failed, the newest is ' || inferpipe.id_text(l.exec_id) || ': '
      || l.error_code
  from inferpipe._inferpipe_cron_jobs j
  join inferpipe._inferpipe_workspaces w on w.workspace_id = j.workspace_id
  cross join lateral inferpipe.doctor_cron_ended(j.job_id, p_from, 1) l
  where not j.paused and l.status = 2 and 3 = (
    select count(*) from inferpipe.doctor_cron_ended(j.job_id, p_from, 3) x where x.status = 2)
  limit 100)
  union all
  (select 'schedule_undeclared', 'info', w.slug || '/' || j.name,
    case when not j.declared then 'program ' || j.program || ' no longer has it in its code'
         else 'no worker of program ' || j.program || ', which declares it, is alive' end
  from inferpipe._inferpipe_cron_jobs j
  join inferpipe._inferpipe_workspaces w on w.workspace_id = j.workspace_id
  where not j.paused and j.program is not null and (not j.declared or not exists (
    select from inferpipe._inferpipe_workers a
    where a.workspace_id = j.workspace_id and a.program = j.program and a.state = 0))
  limit 100)
$$;
