-- The part of flush that waits for messages (move 3): flush_receives goes through the executions,
-- flush_receive does one, whose row the caller has locked.
--
-- In this order, so that sending the same wait again gives the same answer:
--   1. the wait's own row is there: it is the answer;
--   2. the oldest message of that name becomes the wait's row;
--   3. else the intent row, written by the first call, says when the wait ends: a later replay does
--      not begin the time again;
--   4. its time is over: the wait's row says so (status 2);
--   5. else the execution parks until the message, the end of the wait or its deadline; a requested
--      cancel makes it due now.
--
-- got: 0 parked (wakes says until when), 1 a message, 2 timed out.  When got <> 0 the execution
-- stays the worker's.  p_wait_ms null or negative: no end.
create function inferpipe.flush_receive(
  p_now timestamptz, p_exec int8, p_fence int4, p_progress bool, p_key int8, p_intent int8,
  p_seq int4, p_name text, p_wait_ms int8,
  out got int2, out payload bytea, out wakes timestamptz)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_got_message constant int2 := 1;
  c_got_timeout constant int2 := 2;
  c_intent constant int2 := 9;
  c_timed_out constant int2 := 2;
  v_status int2;
  v_added bool;
begin
  select s.status, case s.codec when 0 then s.result else (
      select d.data from inferpipe._inferpipe_payloads d
      where d.exec_id = s.exec_id and d.hash = s.result) end
  into v_status, payload
  from inferpipe._inferpipe_steps s where s.exec_id = p_exec and s.step_key = p_key;
  if found then
    got := case when v_status = c_timed_out then c_got_timeout else c_got_message end;
  else
    select m.got, m.payload into got, payload
    from inferpipe.flush_consume(p_now, p_exec, p_fence, p_key, p_seq, p_name) m;
  end if;

  if got is null then
    insert into inferpipe._inferpipe_steps (
      exec_id, step_key, done_at, wake_at, fence, seq, kind, status, codec, attempts, name)
    values (p_exec, p_intent, p_now,
      p_now + case when p_wait_ms >= 0 then p_wait_ms end * interval '1 millisecond',
      p_fence, p_seq, c_intent, 0, 0, 0, p_name)
    on conflict do nothing;
    v_added := found;
    select s.wake_at into wakes
    from inferpipe._inferpipe_steps s where s.exec_id = p_exec and s.step_key = p_intent;
    if wakes <= p_now then
      insert into inferpipe._inferpipe_steps (
        exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, error_code)
      values (p_exec, p_key, p_now, p_fence, p_seq, 3, c_timed_out, 0, 1, p_name, 'TIMEOUT');
      got := c_got_timeout;
    end if;
  end if;

  if got is null then
    got := 0;
    select inferpipe.flush_wait(p_now, p_exec, p_name, wakes, p_progress or v_added) into wakes;
  else
    update inferpipe._inferpipe_runs r set has_journal = true
    where r.exec_id = p_exec and not r.has_journal;
  end if;
end
$$;

-- The oldest message of this name, if any, becomes a journal row.  What had a dedupe text leaves
-- an empty row with name_key 0, so that a second send is still known as one.
create function inferpipe.flush_consume(
  p_now timestamptz, p_exec int8, p_fence int4, p_key int8, p_seq int4, p_name text,
  out got int2, out payload bytea)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_got_message constant int2 := 1;
  c_message constant int2 := 3;
  v_message record;
begin
  select m.name_key, m.msg_id, m.codec, m.dedupe, m.payload into v_message
  from inferpipe._inferpipe_messages m
  where m.exec_id = p_exec and m.name_key = inferpipe.name_key(p_name)
  order by m.msg_id
  limit 1;
  if not found then
    return;
  end if;
  if v_message.dedupe is null then
    delete from inferpipe._inferpipe_messages m
    where m.exec_id = p_exec and m.name_key = v_message.name_key and m.msg_id = v_message.msg_id;
  else
    update inferpipe._inferpipe_messages m set name_key = 0, codec = 0, payload = null
    where m.exec_id = p_exec and m.name_key = v_message.name_key and m.msg_id = v_message.msg_id;
  end if;
  insert into inferpipe._inferpipe_steps (
    exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result)
  values (p_exec, p_key, p_now, p_fence, p_seq, c_message, 0, v_message.codec, 1, p_name,
    v_message.payload);
  got := c_got_message;
  payload := case v_message.codec when 0 then v_message.payload else (
    select d.data from inferpipe._inferpipe_payloads d
    where d.exec_id = p_exec and d.hash = v_message.payload) end;
end
$$;

-- Parks an execution until its message comes; gives the time at which it wakes in any case.
create function inferpipe.flush_wait(
  p_now timestamptz, p_exec int8, p_name text, p_until timestamptz, p_progress bool)
returns timestamptz language plpgsql volatile
as $$
declare
  c_message constant int2 := 3;
  c_flag_cancel constant int2 := 1;
  c_longest constant interval := '100 years'; -- a wait without an end still has a time to wake
  v_ready_at timestamptz;
  v_workspace int4;
  v_lane int4;
begin
  update inferpipe._inferpipe_runs r
  set owner = 0, state = c_message, wait_key = inferpipe.name_key(p_name), has_journal = true,
    crashes = case when p_progress then 0 else r.crashes end,
    ready_at = case when r.flags & c_flag_cancel <> 0 then p_now
                    else least(p_until, r.deadline, p_now + c_longest) end
  where r.exec_id = p_exec
  returning r.ready_at, r.workspace_id, r.lane into v_ready_at, v_workspace, v_lane;
  if v_ready_at <= p_now then
    perform inferpipe.wake(v_workspace, array[v_lane]);
  end if;
  return v_ready_at;
end
$$;

-- All waits of a batch, one after the other.  p_own and so on: as in flush_park.  got, payload and
-- wakes are aligned with p_own; p_wakes is what is known for the others.
create function inferpipe.flush_receives(
  p_now timestamptz, p_own int8[], p_pos int4[], p_fence int4[], p_wrote int8[],
  p_wakes timestamptz[], p_move int2[], p_wait_key int8[], p_wait_intent int8[], p_wait_seq int4[],
  p_wait_name text[], p_wait_ms int8[],
  out got int2[], out payload bytea[], out wakes timestamptz[])
language plpgsql volatile
as $$
declare
  c_receive constant int2 := 3;
  v_at int4;
  v_answer record;
begin
  wakes := p_wakes;
  for i in 1 .. cardinality(p_own) loop
    v_at := p_pos[i];
    continue when p_move[v_at] <> c_receive;
    select w.got, w.payload, w.wakes into v_answer
    from inferpipe.flush_receive(p_now, p_own[i], p_fence[i],
      coalesce(p_own[i] = any (p_wrote), false), p_wait_key[v_at], p_wait_intent[v_at],
      p_wait_seq[v_at], p_wait_name[v_at], p_wait_ms[v_at]) w;
    got[i] := v_answer.got;
    payload[i] := v_answer.payload;
    wakes[i] := v_answer.wakes;
  end loop;
end
$$;
