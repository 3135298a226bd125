-- Short ways for tests of schedules.

-- A schedule of workflow "order" whose next instant is p_next.
create function inferpipe_test.schedule(
  p_name text, p_next timestamptz, p_overlap int4 default 2, p_workflow text default 'order',
  p_jitter_ms int8 default 0, p_schedule text default '* * * * *', p_replace bool default false,
  p_workspace int4 default 1)
returns int4 language plpgsql
as $$
begin
  perform inferpipe.cron_put(p_workspace, p_name, p_schedule, 'UTC', p_next, p_workflow, null, null,
    3::int2, '{"a":1.50}', p_overlap::int2, 0::int2, 100, p_jitter_ms, false, null, p_replace);
  return (select job_id from inferpipe._inferpipe_cron_jobs
    where name = p_name and workspace_id = p_workspace);
end
$$;

-- Fires ticks of one job; "fired started".
create function inferpipe_test.fire(
  p_job int4, p_expect timestamptz, p_next timestamptz, p_ticks timestamptz[],
  p_missed bool default false)
returns text language sql
as $$
  select fired || ' ' || started from inferpipe.cron_fire(1, array[p_job], array[p_expect],
    array[p_next], case when p_missed then array[p_job] else '{}' end,
    array_fill(p_job, array[cardinality(p_ticks)]), p_ticks)
$$;

-- What became of a job's ticks, oldest first: "started started".
create function inferpipe_test.outcomes(p_job int4)
returns text language sql
as $$
  select string_agg(inferpipe.cron_outcome_text(outcome), ' ' order by scheduled_time)
  from inferpipe._inferpipe_cron_executions where job_id = p_job
$$;

grant execute on all functions in schema inferpipe_test to public;
