-- Makes a new execution that begins with the journal of another one, and goes on from there.
--
-- Copied: the journal's rows in front of the step p_from, with their payloads; the input, unless
-- p_input is given; the seed, since replay draws the same random numbers from it; priority,
-- metadata, trace context, and the span to the deadline, which counts from now.  p_set_* replaces
-- results of copied rows.  Not copied: messages that no wait has taken, and the parent, who hears
-- nothing of a fork.  The source stays as it is, whether it lives or has ended.
--
-- What a copied row says holds: a child in it is not started again, a recorded time stays, a sleep
-- ends when it ended for the source.  What was under way at p_from begins anew: a wait has its full
-- time, a step all its attempts.  A child tells its end to the source alone, so one that was
-- started in front of p_from must have ended.
--
-- p_from: a label as step_labels gives it.  Null: where the source stands; of one that has failed
-- or was canceled, without the failure that ended it, as a retry would forget it.  p_version null:
-- the source's.  p_key makes the fork repeatable, as for a start.
--
-- Why it is one moment of the source: every change of an execution holds its row in runs, and so do
-- we, from before the first statement that reads the journal.  Of one that has ended the result's
-- row keeps retry and retention away.  Locks: that row, until the caller's transaction ends.
-- Failure: IP404 no such execution, step or version; IP400 p_set names no copied result; IP409 a
-- child lives; IP422 key.
create function inferpipe.execution_fork(
  p_workspace int4, p_exec int8, p_from text, p_version text, p_input bytea, p_input_hash bytea,
  p_set_step text[], p_set_result bytea[], p_set_hash bytea[], p_key text, p_key_ttl_ms int8)
returns table (exec_id int8, created bool) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
declare
  c_failed constant int2 := 2;
  c_canceled constant int2 := 3;
  v_status int2 := inferpipe.fork_lock(p_workspace, p_exec);
  v_id int8;
begin
  created := true;
  if p_key is not null then
    select k.exec_id, k.is_new into v_id, created
    from inferpipe.key_claim(p_workspace, inferpipe.text_uuid(p_key),
      inferpipe.clock() + p_key_ttl_ms * interval '1 millisecond',
      inferpipe.fork_hash(p_exec, p_from, p_version, p_input, p_set_step, p_set_result)) k;
  end if;
  exec_id := v_id;
  if created then
    exec_id := inferpipe.fork_head(p_exec, coalesce(v_id, inferpipe.id_new()), p_version, p_input,
      p_input_hash, case when p_key is not null then inferpipe.text_uuid(p_key) end);
    perform inferpipe.fork_journal(p_exec, exec_id, inferpipe.fork_seq(p_exec, p_from));
    if p_from is null and v_status in (c_failed, c_canceled) then
      perform inferpipe.fork_forget(p_exec, exec_id);
    end if;
    if p_input is not null then
      perform inferpipe.fork_continued(exec_id, p_input, p_input_hash);
    end if;
    perform inferpipe.fork_children(exec_id);
    perform inferpipe.fork_set(exec_id, p_set_step, p_set_result, p_set_hash);
    perform inferpipe.fork_payloads(p_exec, exec_id);
    perform inferpipe.fork_run(exec_id);
  end if;
  return next;
end
$$;

-- Keeps the source as it is until the transaction ends; gives the status of its result, or null.
-- It may end, or be tried again, between the two looks: then the next round finds it.
create function inferpipe.fork_lock(p_workspace int4, p_exec int8)
returns int2 language plpgsql volatile
as $$
declare
  v_status int2;
begin
  loop
    perform from inferpipe._inferpipe_runs r
    where r.exec_id = p_exec and r.workspace_id = p_workspace
    for no key update;
    if found then
      return null;
    end if;
    select f.status into v_status
    from inferpipe._inferpipe_results f
    where f.exec_id = p_exec and f.workspace_id = p_workspace
    for key share;
    if found then
      return v_status;
    end if;
    perform from inferpipe._inferpipe_executions e
    where e.exec_id = p_exec and e.workspace_id = p_workspace;
    if not found then
      raise exception 'there is no execution %', inferpipe.id_text(p_exec) using errcode = 'IP404';
    end if;
  end loop;
end
$$;

-- The calls of an execution under the names that people use: `charge`, and `charge#2` for the
-- second one of that name, in program order.  Intents and the ends of children belong to a call;
-- what follows the marker of an unwinding is no part of the program, nor is a continuation.
create function inferpipe.step_labels(p_exec int8)
returns table (step_key int8, seq int4, kind int2, status int2, label text)
language sql stable
as $$
  select s.step_key, s.seq, s.kind, s.status,
    s.name || case when s.nth = 1 then '' else '#' || s.nth end
  from (
    select t.step_key, t.seq, t.kind, t.status, t.name,
      row_number() over (partition by t.name order by t.seq) as nth
    from inferpipe._inferpipe_steps t
    where t.exec_id = p_exec and t.kind not in (9, 10, 11, 14)
      and t.seq < coalesce((
        select min(m.seq) from inferpipe._inferpipe_steps m
        where m.exec_id = p_exec and m.kind = 11), 2147483647)) s
$$;

-- The number of the call with which the fork goes on.
create function inferpipe.fork_seq(p_exec int8, p_from text)
returns int4 language plpgsql stable
as $$
declare
  v_seqs int4[];
begin
  if p_from is null then
    return (select coalesce(max(l.seq), 0) + 1 from inferpipe.step_labels(p_exec) l);
  end if;
  select array_agg(l.seq) into v_seqs
  from inferpipe.step_labels(p_exec) l where l.label = p_from;
  if v_seqs is null then
    raise exception 'from: execution % has no step %', inferpipe.id_text(p_exec), p_from
      using errcode = 'IP404', hint = 'inferpipe execution steps lists them.';
  elsif cardinality(v_seqs) > 1 then
    raise exception 'from: % could be call % or %', p_from, v_seqs[1], v_seqs[2]
      using errcode = 'IP400';
  end if;
  return v_seqs[1];
end
$$;

-- Takes the failure that ended the source out of the fork's journal, and children whose failure
-- that was: the fork starts its own.
create function inferpipe.fork_forget(p_exec int8, p_id int8)
returns void language plpgsql volatile
as $$
declare
  c_child constant int2 := 4;
begin
  perform inferpipe.forget_failure(p_id);
  delete from inferpipe._inferpipe_steps s
  where s.exec_id = p_id and s.kind = c_child
    and not exists (
      select from inferpipe._inferpipe_steps t
      where t.exec_id = p_id and t.step_key = ~s.step_key)
    and exists (
      select from inferpipe._inferpipe_steps t
      where t.exec_id = p_exec and t.step_key = ~s.step_key);
end
$$;

-- What must be equal for two forks with one key to be the same request.
create function inferpipe.fork_hash(
  p_exec int8, p_from text, p_version text, p_input bytea, p_set_step text[], p_set_result bytea[])
returns bytea language sql stable
as $$
  select pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(
    row(p_exec, p_from, p_version, p_input, p_set_step, p_set_result)::text, 'UTF8')), 1, 16)
$$;

-- The new execution's own row.  p_id is drawn again when it is taken: the clock went back.
create function inferpipe.fork_head(
  p_exec int8, p_id int8, p_version text, p_input bytea, p_input_hash bytea, p_key uuid)
returns int8 language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_lane int4;
begin
  select case when p_version is null then e.lane
    else inferpipe.lane_intern(e.workspace_id, q.name, w.name, p_version) end
  into v_lane
  from inferpipe._inferpipe_executions e
  join inferpipe._inferpipe_lanes l on l.lane_id = e.lane
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  where e.exec_id = p_exec;
  loop
    insert into inferpipe._inferpipe_executions (
      exec_id, created_at, deadline, forked_from, seed, workspace_id, lane, prio, codec, input,
      metadata, traceparent, queue_key, idem_key, options)
    select p_id, v_now, v_now + (e.deadline - e.created_at), p_exec, e.seed, e.workspace_id, v_lane,
      e.prio,
      case when p_input is null then e.codec when p_input_hash is null then 0 else 1 end,
      coalesce(p_input_hash, p_input, e.input), e.metadata, e.traceparent, e.queue_key, p_key,
      e.options
    from inferpipe._inferpipe_executions e where e.exec_id = p_exec
    on conflict do nothing;
    exit when found;
    p_id := inferpipe.id_new();
    update inferpipe._inferpipe_idempotency k set exec_id = p_id
    from inferpipe._inferpipe_executions e
    where e.exec_id = p_exec and k.workspace_id = e.workspace_id and k.scope = 0 and k.key = p_key;
  end loop;
  if p_input_hash is not null then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    values (p_id, p_input_hash, p_input);
  end if;
  return p_id;
end
$$;

-- The journal in front of call p_seq.  fence 0: no claim of the new execution wrote these rows.
create function inferpipe.fork_journal(p_exec int8, p_id int8, p_seq int4)
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_steps (
    exec_id, step_key, done_at, wake_at, took_us, fence, seq, kind, status, codec, attempts, name,
    result, error_code, error)
  select p_id, s.step_key, s.done_at, s.wake_at, s.took_us, 0, s.seq, s.kind, s.status, s.codec,
    s.attempts, s.name, s.result, s.error_code, s.error
  from inferpipe._inferpipe_steps s where s.exec_id = p_exec and s.seq < p_seq;
  insert into inferpipe._inferpipe_attempts (
    exec_id, step_key, failed_at, next_at, fence, seq, attempt, error_code, error)
  select p_id, a.step_key, a.failed_at, a.next_at, a.fence, a.seq, a.attempt, a.error_code, a.error
  from inferpipe._inferpipe_attempts a where a.exec_id = p_exec and a.seq < p_seq;
end
$$;

-- A source that was continued as new goes on with its last input, which is in the journal: a new
-- one goes there too.
create function inferpipe.fork_continued(p_id int8, p_input bytea, p_input_hash bytea)
returns void language plpgsql volatile
as $$
declare
  c_continued constant int2 := 14;
begin
  update inferpipe._inferpipe_steps s
  set codec = case when p_input_hash is null then 0 else 1 end,
    result = coalesce(p_input_hash, p_input)
  where s.exec_id = p_id and s.step_key = c_continued;
end
$$;

-- How the children ended that the copied rows started: what the source was not told, because it had
-- ended before them, is told here.
create function inferpipe.fork_children(p_id int8)
returns void language plpgsql volatile
as $$
declare
  c_child constant int2 := 4;
  c_child_end constant int2 := 10;
  v_row record;
begin
  for v_row in
    select s.step_key, s.seq, s.name,
      inferpipe.id_parse(btrim(convert_from(s.result, 'UTF8'), '"')) as child
    from inferpipe._inferpipe_steps s
    where s.exec_id = p_id and s.kind = c_child and s.result is not null
      and not exists (
        select from inferpipe._inferpipe_steps t
        where t.exec_id = p_id and t.step_key = ~s.step_key)
  loop
    insert into inferpipe._inferpipe_steps (
      exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result,
      error_code, error)
    select p_id, ~v_row.step_key, f.finished_at, 0, v_row.seq, c_child_end,
      case f.status when 1 then 0 else 1 end, f.codec, 1, v_row.name, f.output, f.error_code,
      f.error
    from inferpipe._inferpipe_results f where f.exec_id = v_row.child;
    if not found then
      raise exception 'from: the child % (%) has not ended', v_row.name,
        inferpipe.id_text(v_row.child)
        using errcode = 'IP409', hint = 'Fork from it, or from a step in front of it.';
    end if;
    insert into inferpipe._inferpipe_payloads (exec_id, codec, hash, data)
    select p_id, d.codec, d.hash, d.data
    from inferpipe._inferpipe_payloads d
    join inferpipe._inferpipe_steps s on s.exec_id = p_id and s.step_key = ~v_row.step_key
    where d.exec_id = v_row.child and s.codec = 1 and d.hash = s.result
    on conflict do nothing;
  end loop;
end
$$;

-- Replaces results: of steps, transactional steps and messages; a failed one then has gone well.
create function inferpipe.fork_set(
  p_id int8, p_step text[], p_result bytea[], p_hash bytea[])
returns void language plpgsql volatile
as $$
declare
  v_key int8;
begin
  for i in 1 .. coalesce(cardinality(p_step), 0) loop
    begin
      select l.step_key into strict v_key
      from inferpipe.step_labels(p_id) l where l.label = p_step[i] and l.kind in (1, 3, 6);
    exception
      when no_data_found or too_many_rows then
        raise exception 'set: % is not one step or message before the one to start from', p_step[i]
          using errcode = 'IP400';
    end;
    update inferpipe._inferpipe_steps s
    set status = 0, error_code = null, error = null,
      codec = case when p_hash[i] is null then 0 else 1 end,
      result = coalesce(p_hash[i], p_result[i])
    where s.exec_id = p_id and s.step_key = v_key;
    if p_hash[i] is not null then
      insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
      values (p_id, p_hash[i], p_result[i])
      on conflict do nothing;
    end if;
  end loop;
end
$$;

-- The large payloads that the copied rows refer to.
create function inferpipe.fork_payloads(p_exec int8, p_id int8)
returns void language plpgsql volatile
as $$
begin
  insert into inferpipe._inferpipe_payloads (exec_id, codec, hash, data)
  select p_id, p.codec, p.hash, p.data
  from inferpipe._inferpipe_payloads p
  where p.exec_id = p_exec and p.hash = any (array(
    select e.input from inferpipe._inferpipe_executions e where e.exec_id = p_id and e.codec = 1
    union
    select s.result from inferpipe._inferpipe_steps s where s.exec_id = p_id and s.codec = 1))
  on conflict do nothing;
end
$$;

-- Makes it due, last of all.
create function inferpipe.fork_run(p_id int8)
returns void language plpgsql volatile
as $$
begin
  perform inferpipe.runs_insert(e.workspace_id, array[p_id], array[e.lane], array[e.prio],
    array[e.created_at], array[e.deadline], null, null, array[e.queue_key], null,
    array[exists (select from inferpipe._inferpipe_steps t where t.exec_id = p_id)])
  from inferpipe._inferpipe_executions e
  where e.exec_id = p_id;
end
$$;
