-- What must be true of every database that workers have died on: the checker of the fault tests.
--
--   select * from inferpipe_test.violations(11);
--
-- A row is a violation; none is what the tests want.  The rules look at the tables, at the audit
-- trail (audit.sql), at the times of the commits (track_commit_timestamp), and at three tables that
-- the tests fill: app_effects, what transactional steps wrote; ledger, each start of a step's body,
-- as the workers wrote it down outside the database; pauses, when a worker was stopped by a signal.
create table inferpipe_test.app_effects (exec_id int8 not null, step text not null);

create table inferpipe_test.ledger (
  exec text not null,
  step_key text not null, -- what ifp_step_key says
  attempt int4 not null,
  pid int4 not null,
  mono_us int8 not null,
  real_us int8 not null
);

-- A thread that was stopped just before the user's code runs it when it goes on, whatever happened
-- meanwhile: nobody can prevent that, so the ledger's lines of this process are not held against it
-- until it has had time to notice.
create table inferpipe_test.pauses (pid int4 not null, until timestamptz not null);

-- A body began after its step was recorded.
create function inferpipe_test.ran_again()
returns table (exec_id int8, what text) language sql stable
as $$
  select s.exec_id, format('"%s", attempt %s in process %s, %s after it was recorded', s.name,
    l.attempt, l.pid, to_timestamp(l.real_us / 1e6) - s.done_at)
  from inferpipe_test.ledger l
  join inferpipe._inferpipe_steps s on s.exec_id = inferpipe.id_parse(l.exec)
    and s.step_key = ('x' || right(l.step_key, 16))::bit(64)::int8
  where to_timestamp(l.real_us / 1e6) > s.done_at
    and not exists (
      select from inferpipe_test.pauses p
      where p.pid = l.pid
        and to_timestamp(l.real_us / 1e6) between p.until and p.until + interval '2 seconds')
$$;

-- A row of the journal or a result was written by who had no right to.
create function inferpipe_test.fence_violations()
returns table (invariant text, exec_id int8, what text) language sql stable
as $$
  select 'INV3a: written under a fence that nobody had', s.exec_id, format('"%s" fence %s',
    s.name, s.fence)
  from inferpipe._inferpipe_steps s
  where s.fence > 0 -- 0: copied by a fork, or the end of a child
    and not exists (
    select from inferpipe_test.audit a
    where a.exec_id = s.exec_id and a.new_fence = s.fence and a.new_owner <> 0)
  union all
  select 'INV3b: a row committed after its lease was taken away', s.exec_id, format(
    '"%s" fence %s', s.name, s.fence)
  from inferpipe._inferpipe_steps s
  join inferpipe_test.audit a on a.exec_id = s.exec_id and a.old_owner <> 0
    and coalesce(a.new_owner, 0) = 0 and a.old_fence = s.fence
  where pg_xact_commit_timestamp(s.xmin) > pg_xact_commit_timestamp(a.xmin)
  union all
  select 'INV3b: a result that its owner did not write', r.exec_id, format('fence %s', r.fence)
  from inferpipe._inferpipe_results r
  where not exists (
    select from inferpipe_test.audit a
    where a.exec_id = r.exec_id and a.op = 'DELETE' and a.old_fence = r.fence
      and (a.old_owner <> 0 or r.status = 3))
  union all
  select 'INV5: a claim and a continuation raise the fence by one', c.exec_id, format('%s after %s',
    c.new_fence, c.before)
  from (
    select a.exec_id, a.new_fence,
      lag(a.new_fence) over (partition by a.exec_id order by a.audit_id) as before
    from inferpipe_test.audit a
    where a.new_owner <> 0 and (a.old_owner = 0 or a.new_fence <> a.old_fence)) c
  where c.new_fence <> c.before + 1
$$;

-- What was recorded does not add up.
create function inferpipe_test.journal_violations(p_rows int4)
returns table (invariant text, exec_id int8, what text) language sql stable
as $$
  select 'INV6: a transactional step and its effect, once each', coalesce(e.exec_id, s.exec_id),
    format('%s effects, %s rows', coalesce(e.n, 0), coalesce(s.n, 0))
  from (
    select f.exec_id, f.step, count(*) as n from inferpipe_test.app_effects f group by 1, 2) e
  full join (
    select t.exec_id, t.name, count(*) as n
    from inferpipe._inferpipe_steps t where t.kind = 6 and t.status = 0 group by 1, 2) s
    on s.exec_id = e.exec_id and s.name = e.step
  where (e.n, s.n) is distinct from (1, 1)
  union all
  select 'INV7: completed with calls missing', r.exec_id, format('%s rows, the last is %s', count(
    s.seq), max(s.seq))
  from inferpipe._inferpipe_results r
  left join inferpipe._inferpipe_steps s on s.exec_id = r.exec_id
    and s.kind not in (9, 10, 14)
  where r.status = 1
  group by r.exec_id
  having count(s.seq) <> coalesce(p_rows, count(s.seq)) or count(distinct s.seq) <> count(s.seq)
    or max(s.seq) <> count(s.seq)
  union all
  select 'INV11: went on before its sleep was over', a.exec_id, format('"%s" %s early', b.name,
    a.wake_at - b.done_at)
  from inferpipe._inferpipe_steps a
  join inferpipe._inferpipe_steps b on b.exec_id = a.exec_id and b.seq = a.seq + 1
  where a.kind = 2 and b.kind not in (10, 11, 15) and b.done_at < a.wake_at
  union all
  select 'INV12: a row committed after the result', s.exec_id, format('"%s"', s.name)
  from inferpipe._inferpipe_steps s
  join inferpipe._inferpipe_results r on r.exec_id = s.exec_id
  where pg_xact_commit_timestamp(s.xmin) > pg_xact_commit_timestamp(r.xmin)
$$;

create function inferpipe_test.message_violations()
returns table (invariant text, exec_id int8, what text) language sql stable
as $$
  select 'INV8: a message is left over', r.exec_id, format('"%s"', m.name)
  from inferpipe._inferpipe_messages m
  join inferpipe._inferpipe_results r on r.exec_id = m.exec_id and r.status = 1
  where m.name_key <> 0
  union all
  select 'INV8: a message was received twice', min(s.exec_id), convert_from(s.result, 'UTF8')
  from inferpipe._inferpipe_steps s
  where s.kind = 3 and s.status = 0
  group by s.result
  having count(*) > 1
  union all
  select 'INV9: waits though its message is there', r.exec_id, format('"%s"', m.name)
  from inferpipe._inferpipe_runs r
  join inferpipe._inferpipe_messages m on m.exec_id = r.exec_id and m.name_key = r.wait_key
  where r.state = 3
$$;

-- All of it, once everything has come to rest.  p_rows: how many calls a completed execution has
-- made; null when they differ.
create function inferpipe_test.violations(p_rows int4 default null)
returns table (invariant text, id text, what text) language sql stable
set jit = off -- it costs seconds here: nobody has analyzed the partitions
as $$
  select v.invariant, inferpipe.id_text(v.exec_id), v.what
  from (
    select 'INV1: exactly one of run and result' as invariant, e.exec_id, format(
      '%s runs, %s results', n.runs, n.results) as what
    from inferpipe._inferpipe_executions e
    cross join lateral (
      select (select count(*) from inferpipe._inferpipe_runs r where r.exec_id = e.exec_id) as runs,
        (select count(*) from inferpipe._inferpipe_results r
         where r.exec_id = e.exec_id) as results) n
    where n.runs + n.results <> 1
    union all
    select * from inferpipe_test.fence_violations()
    union all
    select * from inferpipe_test.journal_violations(p_rows)
    union all
    select * from inferpipe_test.message_violations()
    union all
    select 'INV10: owned by a worker that is not alive', r.exec_id, format('worker %s', r.owner)
    from inferpipe._inferpipe_runs r
    where r.owner <> 0 and not exists (
      select from inferpipe._inferpipe_workers w where w.worker_id = r.owner and w.state = 0)
    union all
    select 'a completed step ran again', a.exec_id, a.what from inferpipe_test.ran_again() a
    union all
    select 'an illegal move', a.exec_id, format('from state %s to %s, owner %s to %s', a.old_state,
      a.new_state, a.old_owner, a.new_owner)
    from inferpipe_test.audit a
    where not exists (
      select from inferpipe_test.legal_moves m
      where m.from_state = a.old_state and m.to_state = a.new_state
        and m.ownership = (coalesce(a.new_owner, 0) <> 0)::int4 - (coalesce(a.old_owner, 0) <> 0
          )::int4)) v
  order by 1, 2
$$;

grant select, insert on inferpipe_test.app_effects to public;
grant execute on all functions in schema inferpipe_test to public;
