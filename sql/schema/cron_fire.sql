-- Fires ticks: jobs and instants that a worker computed from what cron_due told it.
--
--   p_job, p_expect, p_next   one element a job: the next_at it had, and the one it gets
--   p_missed                  the jobs of which instants from p_expect on were passed over
--   p_tick_job, p_tick_at     the ticks to fire, any number for each job
--
-- Exactly once: under the job's row lock, next_at moves only from p_expect; who comes second finds
-- another value and writes nothing. After a lost answer the same call may be sent again.
--
-- next_at: the earliest of the workspace, afterwards.
--
-- Locks: the jobs' rows by job_id; those that others hold are skipped, they are being fired.
-- Failure: nothing of one job is an error for the others; a workflow that nobody runs is outcome 4.
create function inferpipe.cron_fire(
  p_workspace int4, p_job int4[], p_expect timestamptz[], p_next timestamptz[], p_missed int4[],
  p_tick_job int4[], p_tick_at timestamptz[])
returns table (fired int4, started int4, next_at timestamptz) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
declare
  c_waiting_max constant int4 := 1000;
  v_now timestamptz := inferpipe.clock();
  v_mine int4[];
  v_job int4[];
  v_at timestamptz[];
  v_exec int8[];
begin
  select coalesce(array_agg(l.job_id), '{}') into v_mine
  from (
    select j.job_id
    from unnest(p_job, p_expect) x(job_id, at)
    join inferpipe._inferpipe_cron_jobs j on j.job_id = x.job_id
    where j.next_at = x.at and not j.paused and j.workspace_id = p_workspace
    order by j.job_id for no key update of j skip locked) l;

  update inferpipe._inferpipe_cron_jobs j
  set next_at = x.next, lane = k.lane
  from unnest(p_job, p_next) x(job_id, next), (
    select v.workflow, v.version, v.queue,
      inferpipe.cron_lane(p_workspace, v.queue, v.workflow, v.version) as lane
    from inferpipe._inferpipe_cron_jobs v where v.job_id = any (v_mine)
    group by v.workflow, v.version, v.queue) k
  where x.job_id = any (v_mine) and j.job_id = x.job_id and k.workflow = j.workflow
    and k.version is not distinct from j.version and k.queue is not distinct from j.queue;

  insert into inferpipe._inferpipe_cron_executions (job_id, scheduled_time, fired_at, outcome)
  select x.job_id, x.at, v_now, 2
  from unnest(p_job, p_expect) x(job_id, at)
  where x.job_id = any (p_missed) and x.job_id = any (v_mine)
  on conflict do nothing;

  with tick as (
    insert into inferpipe._inferpipe_cron_executions
      (job_id, scheduled_time, fired_at, outcome, exec_id)
    select t.job_id, t.at, v_now, o.outcome,
      case o.outcome when 0 then inferpipe.id_new() end
    from (
      select x.job_id, x.at, row_number() over (partition by x.job_id order by x.at) as nth
      from unnest(p_tick_job, p_tick_at) x(job_id, at) where x.job_id = any (v_mine)) t
    join inferpipe._inferpipe_cron_jobs j on j.job_id = t.job_id
    cross join lateral (
      select case when j.lane is null then 4 when j.overlap = 2 then 0
        when t.nth = 1 and j.waiting = 0 and not inferpipe.cron_live(t.job_id) then 0
        when j.overlap = 1 and j.waiting + t.nth <= c_waiting_max then 3
        else 1 end::int2) o(outcome)
    on conflict do nothing
    returning job_id, scheduled_time, outcome, exec_id),
  queued as (
    update inferpipe._inferpipe_cron_jobs j set waiting = j.waiting + q.n
    from (select t.job_id, count(*)::int4 as n from tick t where t.outcome = 3 group by 1) q
    where j.job_id = q.job_id)
  select count(*), array_agg(t.job_id) filter (where t.outcome = 0),
    array_agg(t.scheduled_time) filter (where t.outcome = 0),
    array_agg(t.exec_id) filter (where t.outcome = 0)
  into fired, v_job, v_at, v_exec from tick t;

  started := inferpipe.cron_start(p_workspace, v_job, v_at, v_exec, false);
  select j.next_at into next_at from inferpipe._inferpipe_cron_jobs j
  where j.workspace_id = p_workspace and not j.paused order by j.next_at limit 1;
  return next;
end
$$;

-- Starts what waits under `queue` where the execution before has ended: the oldest tick of a job.
create function inferpipe.cron_release(p_workspace int4, p_limit int4)
returns int4 language plpgsql volatile
as $$
declare
  v_mine int4[];
  v_job int4[];
  v_at timestamptz[];
  v_exec int8[];
begin
  select coalesce(array_agg(l.job_id), '{}') into v_mine
  from (
    select j.job_id from inferpipe._inferpipe_cron_jobs j
    where j.workspace_id = p_workspace and j.waiting > 0 and not j.paused and j.lane is not null
      and not inferpipe.cron_live(j.job_id)
    order by j.job_id limit p_limit for no key update skip locked) l;
  -- Asked again: now under the lock, so nobody else can have started one meanwhile.
  with oldest as (
    select m.job_id, e.scheduled_time
    from unnest(v_mine) m(job_id)
    cross join lateral (
      select w.scheduled_time from inferpipe._inferpipe_cron_executions w
      where w.job_id = m.job_id and w.outcome = 3
      order by w.scheduled_time limit 1) e
    where not inferpipe.cron_live(m.job_id)),
  tick as (
    update inferpipe._inferpipe_cron_executions e set outcome = 0, exec_id = inferpipe.id_new()
    from oldest o where e.job_id = o.job_id and e.scheduled_time = o.scheduled_time
    returning e.job_id, e.scheduled_time, e.exec_id),
  fewer as (
    update inferpipe._inferpipe_cron_jobs j set waiting = j.waiting - 1
    from tick t where j.job_id = t.job_id)
  select array_agg(t.job_id), array_agg(t.scheduled_time), array_agg(t.exec_id)
  into v_job, v_at, v_exec from tick t;
  return inferpipe.cron_start(p_workspace, v_job, v_at, v_exec, false);
end
$$;
