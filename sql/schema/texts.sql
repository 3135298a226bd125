-- The numbers of the tables as people read them. Immutable and simple: the planner puts them in
-- place.

-- From the status of the result (null: none yet) and the owner and fence of the run.
create function inferpipe.status_text(p_status int2, p_owner int8, p_fence int4)
returns text language sql immutable parallel safe
as $$
  select case p_status when 1 then 'completed' when 2 then 'failed' when 3 then 'canceled'
    else case when p_owner = 0 and p_fence = 0 then 'queued' else 'running' end end
$$;

-- What a run with this state waits for; null when it runs or may run.
create function inferpipe.waiting_text(p_state int2)
returns text language sql immutable parallel safe
as $$
  select case p_state when 2 then 'timer' when 3 then 'message' when 4 then 'retry'
    when 6 then 'child' when 7 then 'slot' end
$$;

create function inferpipe.kind_text(p_kind int2)
returns text language sql immutable parallel safe
as $$
  select case p_kind when 1 then 'step' when 2 then 'sleep' when 3 then 'message'
    when 4 then 'child' when 5 then 'now' when 6 then 'tx' when 7 then 'step'
    when 9 then 'intent' when 10 then 'child end' when 11 then 'unwind'
    when 12 then 'emit' when 13 then 'patch'
    when 14 then 'continued' when 15 then 'await' end
$$;

create function inferpipe.step_status_text(p_status int2)
returns text language sql immutable parallel safe
as $$
  select case p_status when 0 then 'ok' when 1 then 'failed' when 2 then 'timed_out' end
$$;
