-- The part of flush that begins journals anew (move 6): what ifp_continue_as_new asks for.  The
-- execution keeps its id, mailbox, stream, live state and deadline, and stays its worker's; all
-- that its journal holds goes, and the first row of the next one (kind 14, in front of call 1)
-- has the new input.  Its name is the number of the generation, 1 for the first that follows.
--
-- Why it is correct.  The caller holds the run's lock, so no message, no end of a child and no
-- other write comes in between: the old journal and the new one are never seen together.  The
-- fence goes up with each generation, as it does with each claim: whatever was sent for the
-- generation before (a late attempt, a progress report, this flush a second time) finds another
-- fence and writes nothing.  So it is not continued twice; a worker that did not hear the answer
-- finds the execution among its own, under the new fence.
--
-- What it cost so far is kept in the row of kind 14, large payloads as long as the input, the
-- mailbox or the new journal refers to them.
--
-- p_own, p_pos, p_fence: as in flush_park.  p_codec, p_input: the new input.  The n_ arrays are
-- those of flush_notes, which has run: of their costs those are added here whose rows never came
-- to the journal.
create function inferpipe.flush_continue(
  p_now timestamptz, p_own int8[], p_pos int4[], p_fence int4[], p_move int2[], p_codec int2[],
  p_input bytea[], n_exec int8[], n_what int2[], n_key int8[], n_attempt int2[], n_tokens int8[],
  n_usd int8[])
returns void language plpgsql volatile
as $$
declare
  c_continue constant int2 := 6;
  v_at int4;
  v_cost record;
begin
  for i in 1 .. cardinality(p_own) loop
    v_at := p_pos[i];
    continue when p_move[v_at] <> c_continue;
    select u.tokens, u.usd into v_cost
    from inferpipe.costs_unwritten(p_own[i], p_fence[i], n_exec, n_what, n_key, n_attempt, n_tokens,
      n_usd) u;
    perform inferpipe.journal_renew(p_now, p_own[i], p_fence[i] + 1, p_codec[v_at], p_input[v_at],
      v_cost.tokens, v_cost.usd);
  end loop;
end
$$;

-- What the notes say that attempts cost which have no row; null when there is none.
create function inferpipe.costs_unwritten(
  p_exec int8, p_fence int4, n_exec int8[], n_what int2[], n_key int8[], n_attempt int2[],
  n_tokens int8[], n_usd int8[], out tokens int8, out usd numeric)
language plpgsql stable
as $$
declare
  c_cost constant int2 := 1;
  c_parts constant numeric := 1000000000;
begin
  select sum(x.tokens), sum(x.usd / c_parts) into tokens, usd
  from unnest(n_exec, n_what, n_key, n_attempt, n_tokens, n_usd)
    x(exec_id, what, key, attempt, tokens, usd)
  where x.exec_id = p_exec and x.what = c_cost
    and not exists (
      select from inferpipe._inferpipe_attempts a
      where a.exec_id = p_exec and a.step_key = x.key and a.attempt = x.attempt
        and a.fence = p_fence)
    and not exists (
      select from inferpipe._inferpipe_steps s
      where s.exec_id = p_exec and s.step_key = x.key and s.fence = p_fence);
end
$$;

-- Replaces the journal of one execution, whose run the caller has locked.  p_fence: the new one.
-- p_tokens, p_usd: what it cost beside what its rows say.
create function inferpipe.journal_renew(
  p_now timestamptz, p_exec int8, p_fence int4, p_codec int2, p_input bytea, p_tokens int8,
  p_usd numeric)
returns void language plpgsql volatile
as $$
#variable_conflict use_column
declare
  c_continued constant int2 := 14;
  c_own_state constant int8 := 0;
  v_generation int4;
  v_tokens int8;
  v_usd numeric;
begin
  with step as (
    delete from inferpipe._inferpipe_steps s where s.exec_id = p_exec
    returning s.kind, s.name, s.tokens, s.usd),
  attempt as (
    delete from inferpipe._inferpipe_attempts a where a.exec_id = p_exec
    returning a.tokens, a.usd),
  cost as (
    select s.tokens, s.usd from step s
    union all select a.tokens, a.usd from attempt a
    union all select p_tokens, p_usd)
  select (
      select coalesce(max(s.name::int4) filter (where s.kind = c_continued), 0) + 1 from step s),
    sum(c.tokens), trim_scale(sum(c.usd))
  into v_generation, v_tokens, v_usd
  from cost c;
  delete from inferpipe._inferpipe_states t
  where t.exec_id = p_exec and t.step_key <> c_own_state;
  delete from inferpipe._inferpipe_payloads p
  where p.exec_id = p_exec and p.hash <> all (array(
    select p_input where p_codec = 1
    union all
    select e.input from inferpipe._inferpipe_executions e where e.exec_id = p_exec and e.codec = 1
    union all
    select m.payload from inferpipe._inferpipe_messages m
    where m.exec_id = p_exec and m.codec = 1 and m.payload is not null));

  insert into inferpipe._inferpipe_steps (
    exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result, tokens,
    usd)
  values (p_exec, c_continued, p_now, p_fence, 0, c_continued, 0, p_codec, 1, v_generation,
    p_input, v_tokens, v_usd);
  update inferpipe._inferpipe_runs r set fence = p_fence, has_journal = true, crashes = 0
  where r.exec_id = p_exec;
end
$$;
