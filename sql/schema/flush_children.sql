-- The part of flush that starts children: each spawn row (kind 4) that is new brings an execution,
-- so what is sent again starts nothing twice. The row's result is the child's id.
--
-- p_own, p_fence: as in flush_journal.  The c_ arrays have an element for each child: c_exec is the
-- parent, c_key, c_seq and c_name are those of the call.  Null c_version, c_queue, c_prio and
-- c_deadline_ms: what a start would take, but the priority is the parent's.  c_large: the input
-- when c_codec is 1 and c_input its hash.
--
-- A child that cannot be made, because nobody has registered its workflow, ends at once: its end
-- row (kind 10) says NOT_FOUND, and the parent's code decides.
--
-- The spawn rows of one parent commit together, so all of them are new or none is.  Anything else
-- means that two histories claim one key: the flush is refused (23505), and its caller finds the
-- execution to blame.  An id that is taken (the clock went back) is 40001: sent again, it draws
-- others.
--
-- Gives the parents that got rows, ascending; null when there are none.
create function inferpipe.flush_children(
  p_now timestamptz, p_own int8[], p_fence int4[],
  c_exec int8[], c_key int8[], c_seq int4[], c_name text[], c_workflow text[], c_version text[],
  c_queue text[], c_queue_key text[], c_prio int2[], c_delay_ms int8[], c_deadline_ms int8[],
  c_flags int2[], c_codec int2[], c_input bytea[], c_large bytea[], c_metadata text[])
returns int8[] language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_child constant int2 := 4;
  c_flag_parent constant int2 := 32;
  v_workspace int4;
  v_lane int4[];
  v_deadline timestamptz[];
  v_id int8[];
  v_new int8[];
  v_added int4;
begin
  select r.workspace_id into v_workspace
  from inferpipe._inferpipe_runs r where r.exec_id = p_own[1];
  select k.lanes, k.deadlines into v_lane, v_deadline
  from inferpipe.flush_child_kinds(p_now, v_workspace, c_workflow, c_version, c_queue,
    c_deadline_ms) k;
  select array_agg(inferpipe.id_new()) into v_id from unnest(c_exec);

  with added as (
    insert into inferpipe._inferpipe_steps (
      exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result)
    select x.exec_id, x.key, p_now, p_fence[width_bucket(x.exec_id, p_own)], x.seq, c_child, 0, 0,
      1, x.name,
      case when x.lane > 0 then convert_to('"' || inferpipe.id_text(x.id) || '"', 'UTF8') end
    from unnest(c_exec, c_key, c_seq, c_name, v_lane, v_id) x(exec_id, key, seq, name, lane, id)
    where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    on conflict do nothing
    returning exec_id)
  select array_agg(distinct a.exec_id order by a.exec_id), count(*) into v_new, v_added
  from added a;
  perform inferpipe.flush_children_check(p_own, p_fence, v_new, v_added, c_exec, c_key, c_seq);
  if v_new is null then
    return null;
  end if;

  perform inferpipe.flush_children_start(p_now, v_workspace, v_new, v_id, v_lane, v_deadline,
    c_exec, c_key, c_prio, c_queue_key, c_delay_ms, c_flags, c_codec, c_input, c_large,
    c_metadata);
  if 0 = any (v_lane) then
    perform inferpipe.flush_children_refuse(p_now, v_new, v_lane, c_exec, c_key, c_seq, c_name,
      c_workflow, c_version);
  end if;
  update inferpipe._inferpipe_runs r
  set flags = r.flags | c_flag_parent, has_journal = true
  where r.exec_id = any (v_new) and (r.flags & c_flag_parent = 0 or not r.has_journal);
  return v_new;
end
$$;

-- The lane (0: nobody knows the workflow) and the deadline of each child; equal neighbours are
-- looked up once.
create function inferpipe.flush_child_kinds(
  p_now timestamptz, p_workspace int4, c_workflow text[], c_version text[], c_queue text[],
  c_deadline_ms int8[], out lanes int4[], out deadlines timestamptz[])
language plpgsql volatile
as $$
declare
  v_child record;
  v_kind text[]; -- workflow, version, queue of the lane at hand
  v_lane int4;
  v_default_ms int8;
  v_ms int8;
begin
  for v_child in
    select x.workflow, x.version, x.queue, x.deadline_ms
    from unnest(c_workflow, c_version, c_queue, c_deadline_ms)
      x(workflow, version, queue, deadline_ms)
  loop
    if array[v_child.workflow, v_child.version, v_child.queue] is distinct from v_kind then
      v_kind := array[v_child.workflow, v_child.version, v_child.queue];
      v_lane := 0;
      v_default_ms := null;
      if exists (
          select from inferpipe._inferpipe_workflows w
          where w.workspace_id = p_workspace and w.name = v_child.workflow
            and (v_child.version is null or w.version = v_child.version)) then
        v_lane := inferpipe.lane_intern(p_workspace, v_child.queue, v_child.workflow,
          v_child.version);
        select w.deadline_ms into v_default_ms
        from inferpipe._inferpipe_lanes l
        join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
        where l.lane_id = v_lane;
      end if;
    end if;
    v_ms := coalesce(v_child.deadline_ms, v_default_ms);
    lanes := lanes || v_lane;
    deadlines := deadlines || case when v_ms >= 0 then p_now + v_ms * interval '1 millisecond' end;
  end loop;
end
$$;

-- Raises unless the spawn rows of each parent are all new (p_new) or all our own of an earlier
-- sending.
create function inferpipe.flush_children_check(
  p_own int8[], p_fence int4[], p_new int8[], p_added int4, c_exec int8[], c_key int8[],
  c_seq int4[])
returns void language plpgsql volatile
as $$
begin
  if p_added = cardinality(c_exec) then
    return;
  end if;
  perform from unnest(c_exec, c_key, c_seq) x(exec_id, key, seq)
  cross join lateral (
    select t.seq, t.fence from inferpipe._inferpipe_steps t
    where t.exec_id = x.exec_id and t.step_key = x.key limit 1) s
  where p_own[width_bucket(x.exec_id, p_own)] = x.exec_id
    and (s.seq <> x.seq or s.fence <> p_fence[width_bucket(x.exec_id, p_own)]);
  if found or p_added is distinct from (
      select count(*) from unnest(c_exec) u(exec_id)
      where p_new[width_bucket(u.exec_id, p_new)] = u.exec_id) then
    raise exception 'a child was started under this key by another call' using errcode = '23505';
  end if;
end
$$;

-- The trace context of what an execution starts: the trace that it is part of itself (without one
-- its own, made of its id), and its span, which is its id (src/base/traceparent.h).
create function inferpipe.trace_within(p_exec int8, p_traceparent text)
returns text language sql immutable parallel safe
as $$
  select case when p_traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
      then pg_catalog.left(p_traceparent, 36) || x.id || pg_catalog.right(p_traceparent, 3)
      else '00-' || x.id || x.id || '-' || x.id || '-01' end
  from (select pg_catalog.lpad(pg_catalog.to_hex(p_exec), 16, '0') as id) x
$$;

-- Makes the executions of the children of p_new that have a lane.
create function inferpipe.flush_children_start(
  p_now timestamptz, p_workspace int4, p_new int8[], p_id int8[], p_lane int4[],
  p_deadline timestamptz[], c_exec int8[], c_key int8[], c_prio int2[], c_queue_key text[],
  c_delay_ms int8[], c_flags int2[], c_codec int2[], c_input bytea[], c_large bytea[],
  c_metadata text[])
returns void language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_flag_left_alone constant int2 := 16;
  v_made int4;
  v_wanted int4;
begin
  insert into inferpipe._inferpipe_executions (
    exec_id, created_at, deadline, parent_id, parent_key, seed, workspace_id, lane, prio, codec,
    input, metadata, traceparent, queue_key, left_alone)
  select x.id, p_now, x.deadline, x.exec_id, x.key,
    pg_catalog.uuid_hash_extended(pg_catalog.gen_random_uuid(), 0), p_workspace, x.lane,
    coalesce(x.prio, p.prio), x.codec, x.input, x.metadata::jsonb,
    inferpipe.trace_within(x.exec_id, p.traceparent), x.queue_key,
    nullif(x.flags & c_flag_left_alone <> 0, false)
  from unnest(c_exec, c_key, p_id, p_lane, p_deadline, c_prio, c_queue_key, c_codec, c_input,
    c_metadata, c_flags)
    x(exec_id, key, id, lane, deadline, prio, queue_key, codec, input, metadata, flags)
  cross join lateral (
    select e.prio, e.traceparent from inferpipe._inferpipe_executions e
    where e.exec_id = x.exec_id limit 1) p
  where x.lane > 0 and p_new[width_bucket(x.exec_id, p_new)] = x.exec_id
  on conflict do nothing;
  get diagnostics v_made = row_count;
  select count(*) into v_wanted
  from unnest(c_exec, p_lane) x(exec_id, lane)
  where x.lane > 0 and p_new[width_bucket(x.exec_id, p_new)] = x.exec_id;
  if v_made <> v_wanted then
    raise exception 'an id is taken' using errcode = 'serialization_failure';
  end if;

  insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
  select x.id, x.input, x.large
  from unnest(c_exec, p_id, p_lane, c_input, c_large) x(exec_id, id, lane, input, large)
  where x.large is not null and x.lane > 0
    and p_new[width_bucket(x.exec_id, p_new)] = x.exec_id;
  perform inferpipe.runs_insert(p_workspace, array_agg(x.id), array_agg(x.lane),
    array_agg(e.prio), array_agg(p_now + x.delay_ms * interval '1 millisecond'),
    array_agg(x.deadline), array_agg(x.flags), array_agg(x.exec_id), array_agg(x.queue_key))
  from unnest(c_exec, p_id, p_lane, p_deadline, c_queue_key, c_delay_ms, c_flags)
    x(exec_id, id, lane, deadline, queue_key, delay_ms, flags)
  cross join lateral (
    select t.prio from inferpipe._inferpipe_executions t where t.exec_id = x.id limit 1) e
  where x.lane > 0 and p_new[width_bucket(x.exec_id, p_new)] = x.exec_id
  having count(*) > 0;
end
$$;

-- Ends the children whose workflow nobody knows.
create function inferpipe.flush_children_refuse(
  p_now timestamptz, p_new int8[], p_lane int4[], c_exec int8[], c_key int8[], c_seq int4[],
  c_name text[], c_workflow text[], c_version text[])
returns void language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_child_end constant int2 := 10;
begin
  insert into inferpipe._inferpipe_steps (
    exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, error_code, error)
  select x.exec_id, ~x.key, p_now, 0, x.seq, c_child_end, 1, 0, 1, x.name, 'NOT_FOUND',
    'workflow: ' || x.workflow || coalesce(' version ' || x.version, '') || ' is not registered'
  from unnest(c_exec, c_key, c_seq, c_name, p_lane, c_workflow, c_version)
    x(exec_id, key, seq, name, lane, workflow, version)
  where x.lane = 0 and p_new[width_bucket(x.exec_id, p_new)] = x.exec_id
  on conflict do nothing;
end
$$;
