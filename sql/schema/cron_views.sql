-- Schedules as people read them, each role its own workspaces (views.sql).

create function inferpipe.cron_outcome_text(p_outcome int2)
returns text language sql immutable parallel safe
as $$
  select case p_outcome when 0 then 'started' when 1 then 'skipped' when 2 then 'missed'
    when 3 then 'waiting' when 4 then 'unregistered' end
$$;

create view inferpipe.cron_jobs with (security_barrier) as
select
  j.name,
  j.schedule,
  j.timezone,
  j.workflow,
  j.version,
  j.queue,
  j.prio as priority,
  pg_catalog.convert_from(j.input, 'UTF8')::json as input,
  case j.overlap when 0 then 'skip' when 1 then 'queue' when 2 then 'allow' end as overlap,
  case j.catchup when 0 then 'last' when 1 then 'skip' when 2 then 'all' end as catchup,
  j.catchup_max,
  j.jitter_ms,
  j.paused,
  j.waiting,
  j.program,
  j.declared,
  case when not j.paused then j.next_at end as next_at,
  l.scheduled_time as last_at,
  inferpipe.cron_outcome_text(l.outcome) as last_outcome,
  j.created_at,
  j.changed_at,
  v.slug as workspace
from inferpipe._inferpipe_cron_jobs j
join inferpipe._inferpipe_visible v on v.workspace_id = j.workspace_id
left join lateral (
  select e.scheduled_time, e.outcome from inferpipe._inferpipe_cron_executions e
  where e.job_id = j.job_id order by e.scheduled_time desc limit 1) l on true;

-- duration: from the execution's creation to its end.
create view inferpipe.cron_executions with (security_barrier) as
select
  j.name as job,
  e.scheduled_time,
  e.fired_at,
  e.fired_at - e.scheduled_time as lateness,
  inferpipe.cron_outcome_text(e.outcome) as outcome,
  e.manual,
  inferpipe.id_text(e.exec_id) as id,
  case when e.exec_id is not null and (r.exec_id is not null or f.exec_id is not null)
    then inferpipe.status_text(f.status, r.owner, r.fence) end as status,
  f.error_code,
  f.finished_at - x.created_at as duration,
  v.slug as workspace
from inferpipe._inferpipe_cron_executions e
join inferpipe._inferpipe_cron_jobs j on j.job_id = e.job_id
join inferpipe._inferpipe_visible v on v.workspace_id = j.workspace_id
left join inferpipe._inferpipe_executions x on x.exec_id = e.exec_id
left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id
left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id;
