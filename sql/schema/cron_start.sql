-- The executions of ticks whose rows are written: their rows in executions and runs.  Gives how
-- many.  Part of cron_fire, cron_release and cron_trigger; the jobs' rows are locked, lane is set.
--
-- An id that was drawn before (the clock went back) fails the whole call: nothing was fired, and
-- the next look draws again.
create function inferpipe.cron_start(
  p_workspace int4, p_job int4[], p_at timestamptz[], p_exec int8[], p_manual bool)
returns int4 language plpgsql volatile
as $$
declare
  c_millisecond constant interval := '1 millisecond';
  v_now timestamptz := inferpipe.clock();
  v_exec int8[];
  v_lane int4[];
  v_prio int2[];
  v_ready timestamptz[];
  v_deadline timestamptz[];
  v_input bytea[];
begin
  if p_exec is null then
    return 0;
  end if;
  select array_agg(t.exec_id), array_agg(j.lane), array_agg(j.prio),
    array_agg(v_now + c_millisecond * case when p_manual then 0
      else inferpipe.cron_jitter(t.job_id, t.at, j.jitter_ms) end),
    array_agg(v_now + w.deadline_ms * c_millisecond),
    array_agg(inferpipe.cron_input(j.name, t.at, p_manual, j.input))
  into v_exec, v_lane, v_prio, v_ready, v_deadline, v_input
  from unnest(p_job, p_at, p_exec) t(job_id, at, exec_id)
  join inferpipe._inferpipe_cron_jobs j on j.job_id = t.job_id
  join inferpipe._inferpipe_lanes l on l.lane_id = j.lane
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id;
  insert into inferpipe._inferpipe_executions
    (exec_id, created_at, deadline, seed, workspace_id, lane, prio, codec, input)
  select x.exec_id, v_now, x.deadline,
    pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0), p_workspace, x.lane, x.prio, 0,
    x.input
  from unnest(v_exec, v_lane, v_prio, v_deadline, v_input) x(exec_id, lane, prio, deadline, input);
  perform inferpipe.runs_insert(p_workspace, v_exec, v_lane, v_prio, v_ready, v_deadline, null,
    null, null);
  return cardinality(v_exec);
end
$$;

-- Milliseconds below p_max, the same for one job and instant each time.
create function inferpipe.cron_jitter(p_job int4, p_at timestamptz, p_max int8)
returns int8 language sql stable parallel safe
as $$
  select case when p_max = 0 then 0 else
    (pg_catalog.hashint8extended(extract(epoch from p_at)::int8, p_job) & 9223372036854775807)
      % p_max end
$$;

-- {"job": name, "scheduledTime": UTC, "manual": bool, "input": the job's, byte for byte}
create function inferpipe.cron_input(p_name text, p_at timestamptz, p_manual bool, p_input bytea)
returns bytea language sql stable parallel safe
as $$
  select pg_catalog.convert_to(pg_catalog.format(
      '{"job":"%s","scheduledTime":"%sZ","manual":%s,"input":', p_name,
      pg_catalog.to_char(p_at at time zone 'UTC', case when p_manual
        then 'YYYY-MM-DD"T"HH24:MI:SS.MS' else 'YYYY-MM-DD"T"HH24:MI:SS' end),
      case when p_manual then 'true' else 'false' end), 'UTF8')
    || p_input || '}'::bytea
$$;

-- The lane of a job, or null while nobody has registered its workflow (or its queue has no legal
-- name, which only a hand-made row can bring about).
create function inferpipe.cron_lane(
  p_workspace int4, p_queue text, p_workflow text, p_version text)
returns int4 language plpgsql volatile
as $$
begin
  return inferpipe.lane_intern(p_workspace, p_queue, p_workflow, p_version);
exception
  when sqlstate 'IP404' or sqlstate 'IP400' then
    return null;
end
$$;
