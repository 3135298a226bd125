-- The checker of make chaos: what the database, the ledger that the workers kept outside of it and
-- the history of the clients say about each other, once everything has come to rest.
--
--   select * from chaos.violations();
--
-- A row is a violation.  inferpipe_test.violations() is part of it: rows against the audit trail
-- and the times of their commits (INV1 to INV12).  What is added here needs to know what was asked
-- for.
create schema chaos;

-- What transactional steps wrote, with the number that their result has too.
create table chaos.effects (exec_id int8 not null, step text not null, nonce text not null);
grant usage on schema chaos to public;
grant insert on chaos.effects to public;

-- A line for each beginning and end of a step's body (tests/chaos/worker.c).
create table chaos.ledger (
  what text not null, exec text not null, step_key text not null, attempt int4 not null,
  fence int4 not null, pid int4 not null, mono_us int8 not null, real_us int8 not null,
  nonce text not null);

-- What the harness did and what its clients were told; what a to e mean depends on `what`:
--   plan       key, plan, how it ends (completes, fails, endless)   before the first try
--   started    key, id                                              each acknowledgement
--   try        id, name, dedupe                                     before the first try to send it
--   sent       id, name, dedupe                                     acknowledged
--   cancel     id, force                                            before the first try
--   seen       id, status, output or error code, from, to           asked at `from`, told at `to`
--   quiet      since                                                the last fault was over by then
--   crash      when                                                 the server lost its memory
--   wrong      id or key, what it was told                          an answer that cannot be
create table chaos.history (what text not null, a text, b text, c text, d text, e text);

-- One line an execution: what was asked for and what became of it.
create table chaos.work (
  exec_id int8 primary key, key text not null, plan json not null, ends text not null,
  canceled bool not null, status int2, output json, error_code text,
  parent_id int8, origin text not null); -- what its first step is made from

-- The journal of all executions, payloads put in place.
create table chaos.journal (
  exec_id int8 not null, seq int4 not null, step_key int8 not null, kind int2 not null,
  status int2 not null, fence int4 not null, name text not null, value json, committed timestamptz,
  primary key (exec_id, seq, kind)); -- the end of a child has the number of its beginning

create function chaos.prepare()
returns void language plpgsql volatile
set jit = off
as $$
begin
  create index on chaos.ledger (exec, step_key);
  create index on chaos.ledger (nonce);
  create index on chaos.history (what, a);
  create index on chaos.work (parent_id);
  insert into chaos.work
  select e.exec_id, coalesce(h.a, case when e.parent_id is null then 'a tick' else 'a child' end),
    case when t.exec_id is null then convert_from(e.input, 'UTF8')::json
         else '{"ops": [["step", 0]]}' end,
    coalesce(h.c, 'completes'), exists (
      select from chaos.history c
      where c.what = 'cancel' and c.a = inferpipe.id_text(coalesce(e.parent_id, e.exec_id))),
    r.status, convert_from(case r.codec when 0 then r.output else p.data end, 'UTF8')::json,
    r.error_code, e.parent_id, coalesce(convert_from(e.input, 'UTF8')::json ->> 'p',
      convert_from(e.input, 'UTF8')::json ->> 'scheduledTime', 'start')
  from inferpipe._inferpipe_executions e
  left join inferpipe._inferpipe_cron_executions t on t.exec_id = e.exec_id
  left join chaos.history h on h.what = 'plan' and inferpipe.text_uuid(h.a) = e.idem_key
  left join inferpipe._inferpipe_results r on r.exec_id = e.exec_id
  left join inferpipe._inferpipe_payloads p on p.exec_id = r.exec_id and p.hash = r.output
  where h.a is not null or e.parent_id is not null or t.exec_id is not null;
  insert into chaos.journal
  select s.exec_id, s.seq, s.step_key, s.kind, s.status, s.fence, s.name,
    convert_from(case s.codec when 0 then s.result else p.data end, 'UTF8')::json,
    pg_xact_commit_timestamp(s.xmin)
  from inferpipe._inferpipe_steps s
  join chaos.work w on w.exec_id = s.exec_id
  left join inferpipe._inferpipe_payloads p on p.exec_id = s.exec_id and p.hash = s.result
  where s.kind not in (9, 14);
  analyze chaos.ledger, chaos.history, chaos.work, chaos.journal;
end
$$;

-- What clients were told is so, and stays so.
create function chaos.client_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'acknowledged: this start is gone', s.b, format('key %s', s.a)
  from chaos.history s
  where s.what = 'started' and not exists (
    select from chaos.work w where w.exec_id = inferpipe.id_parse(s.b) and w.key = s.a)
  union all
  select 'a key has several executions', min(s.b), format('key %s: %s', s.a, count(distinct s.b))
  from chaos.history s where s.what = 'started' group by s.a having count(distinct s.b) > 1
  union all
  select 'an execution that nobody asked for', inferpipe.id_text(e.exec_id), ''
  from inferpipe._inferpipe_executions e
  where not exists (select from chaos.work w where w.exec_id = e.exec_id)
  union all
  select 'a result changed', s.a, string_agg(distinct s.b || ' ' || s.c, ', ')
  from chaos.history s where s.what = 'seen' and s.b in ('completed', 'failed', 'canceled')
  group by s.a having count(distinct (s.b, s.c)) > 1
  union all
  select 'it had ended and went on', s.a, format('%s after %s', s.b, f.b)
  from chaos.history s
  join chaos.history f on f.what = 'seen' and f.a = s.a
    and f.b in ('completed', 'failed', 'canceled') and f.e::int8 < s.d::int8
  where s.what = 'seen' and s.b in ('queued', 'running')
  union all
  select 'a client saw another result', s.a, format('%s %s, but it is %s %s', s.b, s.c, w.status,
    coalesce(w.output::text, w.error_code))
  from chaos.history s
  join chaos.work w on w.exec_id = inferpipe.id_parse(s.a)
  where s.what = 'seen' and s.b in ('completed', 'failed', 'canceled')
    and (s.b, s.c) is distinct from (
      (array['completed', 'failed', 'canceled'])[w.status],
      coalesce(w.output::text, w.error_code, ''))
  union all
  select 'a client was told what cannot be', h.a, h.b from chaos.history h where h.what = 'wrong'
$$;

-- Every execution ended, and as its plan says.
create function chaos.work_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'it has not ended', inferpipe.id_text(w.exec_id), format(
    'state %s, owner %s, ready at %s, %s', r.state, r.owner, r.ready_at, w.plan)
  from chaos.work w
  left join inferpipe._inferpipe_runs r on r.exec_id = w.exec_id
  where w.status is null
  union all
  select 'it ended another way', inferpipe.id_text(w.exec_id), format(
    'status %s %s of a plan that %s', w.status, w.error_code, w.ends)
  from chaos.work w
  where not (w.status = 3 and w.canceled)
    and w.status <> case w.ends when 'completes' then 1 when 'fails' then 2 else 3 end
  union all
  select 'a call has not exactly one row', inferpipe.id_text(w.exec_id), format('%s rows for %s',
    count(j.seq), w.plan)
  from chaos.work w
  left join chaos.journal j on j.exec_id = w.exec_id and j.kind not in (10, 15)
  where w.status = 1
  group by w.exec_id
  having count(j.seq) <> (
    select sum(case when o.op ->> 0 in ('kids', 'emit', 'par') then (o.op ->> 1)::int4 else 1 end)
    from json_array_elements(w.plan -> 'ops') o(op))
  union all
  select 'the output is not that of its last step', inferpipe.id_text(w.exec_id), w.output::text
  from chaos.work w
  where w.status = 1 and w.output ->> 'n' is distinct from coalesce((
    select case j.kind when 3 then coalesce(j.value #>> '{}', '-') else j.value ->> 'n' end
    from chaos.journal j
    where j.exec_id = w.exec_id and (j.kind in (1, 3, 6, 10) or j.name like 'par%.last')
    order by j.seq desc limit 1), w.origin)
$$;

-- The journal: each value was made from the one before it, by a body that ended.
create function chaos.chain_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'INV4: made from what was not recorded', inferpipe.id_text(c.exec_id), format(
    '"%s" was made from %s, before it is %s', c.name, c.value ->> 'p', c.before)
  from (
    select j.*, coalesce(lag(case j.kind when 3 then coalesce(j.value #>> '{}', '-')
        else j.value ->> 'n' end) over (partition by j.exec_id order by j.seq), w.origin) as before
    from chaos.journal j
    join chaos.work w on w.exec_id = j.exec_id
    where (j.kind in (1, 3, 6, 10) or j.name like 'par%.last') and j.status <> 1
      and j.name not like 'back%') c
  where c.kind in (1, 6, 7) and c.value ->> 'p' is distinct from c.before
  union all
  select 'a result that no body gave under this lease', inferpipe.id_text(j.exec_id), format(
    '"%s" fence %s', j.name, j.fence)
  from chaos.journal j
  where j.kind in (1, 6, 7) and j.status = 0 and not exists (
    select from chaos.ledger l
    where l.what = 'end' and l.nonce = j.value ->> 'n' and l.exec = inferpipe.id_text(j.exec_id)
      and l.fence = j.fence)
  union all
  select 'a large result came back smaller', inferpipe.id_text(j.exec_id), j.name
  from chaos.journal j
  join chaos.work w on w.exec_id = j.exec_id
  where j.name like 'large%' and j.status = 0
    and length(j.value ->> 'fill') <>
      (w.plan #>> array['ops', substr(j.name, 6), '1'])::int4 -- "large2" is the third
  union all
  select 'INV6: an effect is not that of the recorded result', inferpipe.id_text(f.exec_id), f.step
  from chaos.effects f
  where not exists (
    select from chaos.journal j
    where j.exec_id = f.exec_id and j.name = f.step and j.value ->> 'n' = f.nonce)
$$;

-- Children: as many as were started, each told of once, and as what it was.
create function chaos.child_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'a child was started more than once, or never', inferpipe.id_text(p.exec_id), format(
    '%s calls, %s executions', n.calls, n.children)
  from chaos.work p
  cross join lateral (
    select (select count(*) from chaos.journal j
            where j.exec_id = p.exec_id and j.kind = 4) as calls,
      (select count(*) from chaos.work c where c.parent_id = p.exec_id) as children) n
  where n.calls <> n.children
  union all
  select 'a parent was told what its child did not give', inferpipe.id_text(j.exec_id), format(
    'call %s: %s', j.seq, j.value)
  from chaos.journal j
  where j.kind = 10 and j.status = 0 and not exists (
    select from chaos.work c
    where c.parent_id = j.exec_id and c.status = 1 and c.output::text = j.value::text)
  union all
  select 'a parent that completed was not told of each child', inferpipe.id_text(w.exec_id), ''
  from chaos.work w
  where w.status = 1 and (
    select count(*) filter (where j.kind = 4) <> count(*) filter (where j.kind = 10)
    from chaos.journal j where j.exec_id = w.exec_id)
$$;

-- What was done is undone when the execution fails or is canceled, once each and in reverse; by a
-- cancel by force not, and when it completes not.
create function chaos.compensation_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  with done as (
    select w.exec_id, w.status, d.seq, d.value ->> 'n' as n, substr(d.name, 5) as op,
      exists (select from chaos.history h
        where h.what = 'cancel' and h.b = 'force'
          and h.a = inferpipe.id_text(coalesce(w.parent_id, w.exec_id))) as by_force
    from chaos.work w
    join chaos.journal d on d.exec_id = w.exec_id and d.kind = 1 and d.status = 0
      and d.name like 'saga%'),
  undone as (
    select j.exec_id, substr(j.name, 5) as op, j.seq, j.value ->> 'p' as p
    from chaos.journal j where j.name like 'back%')
  select 'a step was not undone', inferpipe.id_text(d.exec_id), format('saga%s', d.op)
  from done d
  where d.status in (2, 3) and not d.by_force and not exists (
    select from undone u where u.exec_id = d.exec_id and u.op = d.op)
  union all
  select 'undone, and nothing had been done', inferpipe.id_text(u.exec_id), format('back%s of %s',
    u.op, u.p)
  from undone u
  where not exists (
    select from done d
    where d.exec_id = u.exec_id and d.op = u.op and d.n = u.p and d.status in (2, 3))
  union all
  select 'undone in another order', inferpipe.id_text(a.exec_id), format('back%s before back%s',
    a.op, b.op)
  from undone a
  join undone b on b.exec_id = a.exec_id and b.seq > a.seq and b.op::int4 > a.op::int4
$$;

-- The stream: numbered without a gap; what the workflow emits is there once and in order; what a
-- step emitted before it gave its result is there.
create function chaos.event_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  with events as (
    select v.exec_id, v.seq, v.fence, v.attempt, v.step, v.kind,
      convert_from(v.data, 'UTF8')::json as data
    from inferpipe._inferpipe_events v)
  select 'a gap in a stream', inferpipe.id_text(v.exec_id), format('%s events up to %s', count(*),
    max(v.seq))
  from events v group by v.exec_id having count(*) <> max(v.seq)
  union all
  select 'an event came twice, or out of order', inferpipe.id_text(o.exec_id), format('%s', o.data)
  from (
    select v.exec_id, v.data, (v.data ->> 'k')::int4 as k,
      row_number() over (partition by v.exec_id, v.data ->> 'op' order by v.seq) - 1 as nth
    from events v where v.kind = 'data') o
  where o.k <> o.nth
  union all
  select 'an event of the workflow is not there', inferpipe.id_text(w.exec_id), format('%s of %s',
    o.n - 1, o.op)
  from chaos.work w
  cross join json_array_elements(w.plan -> 'ops') with ordinality o(op, n)
  where w.status = 1 and o.op ->> 0 = 'emit' and (o.op ->> 1)::int4 <> (
    select count(*) from events v
    where v.exec_id = w.exec_id and v.data ->> 'op' = 'emit' || o.n - 1)
  union all
  select 'an event of a step is not there', inferpipe.id_text(j.exec_id), j.name
  from chaos.journal j
  join chaos.work w on w.exec_id = j.exec_id
  where j.name like 'chat%' and j.status = 0
    and (w.plan #>> array['ops', substr(j.name, 5), '1'])::int4 > (
      select count(distinct v.data ->> 'k') from events v
      where v.exec_id = j.exec_id and v.step = j.name and v.fence = j.fence)
$$;

-- The queue "narrow" (tests/chaos/check.c): four in the hands of workers at most, two of a key from
-- their admission to their end.  The trail has a place given back before another one can have it.
create function chaos.queue_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  with narrow as (
    select a.audit_id, a.exec_id, a.op, e.queue_key,
      (coalesce(a.new_owner, 0) <> 0)::int4 - (coalesce(a.old_owner, 0) <> 0)::int4 as hands,
      count(*) filter (where coalesce(a.old_owner, 0) = 0 and a.new_owner <> 0)
        over (partition by a.exec_id order by a.audit_id) as claims
    from inferpipe_test.audit a
    join inferpipe._inferpipe_executions e on e.exec_id = a.exec_id
    join inferpipe._inferpipe_lanes l on l.lane_id = e.lane
    join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id and q.name = 'narrow'),
  totals as (
    select n.exec_id, n.queue_key, sum(n.hands) over (order by n.audit_id) as hands,
      sum(case when n.hands = 1 and n.claims = 1 then 1
               when n.op = 'DELETE' and n.claims > 0 then -1
               else 0 end) over (partition by n.queue_key order by n.audit_id) as of_key
    from narrow n)
  select 'more than four of the queue', inferpipe.id_text(t.exec_id), format('%s', t.hands)
  from totals t where t.hands > 4
  union all
  select 'more than two of a key', inferpipe.id_text(t.exec_id), format('%s: %s', t.queue_key,
    t.of_key)
  from totals t where t.of_key > 2
  union all
  select 'a count of a queue is wrong', d.subject, d.check_name || ': ' || d.detail
  from inferpipe.doctor_queues() d
$$;

-- Schedules that fire each second: every instant from the first to the last, once each, and each
-- started one execution.
create function chaos.cron_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'INV13: an instant did not fire', j.name, format('%s fired from %s to %s',
    count(e.scheduled_time), min(e.scheduled_time), max(e.scheduled_time))
  from inferpipe._inferpipe_cron_jobs j
  join inferpipe._inferpipe_cron_executions e on e.job_id = j.job_id
  group by j.name
  having count(*) <> extract(epoch from max(e.scheduled_time) - min(e.scheduled_time)) + 1
  union all
  select 'INV13: an instant started nothing', j.name, format('%s: outcome %s', e.scheduled_time,
    e.outcome)
  from inferpipe._inferpipe_cron_executions e
  join inferpipe._inferpipe_cron_jobs j on j.job_id = e.job_id
  where e.outcome <> 0 or not exists (
    select from chaos.work w where w.exec_id = e.exec_id and w.status = 1)
  union all
  select 'INV13: two executions for one instant', w.origin, format('%s, and %s schedules',
    count(*), (select count(*) from inferpipe._inferpipe_cron_jobs))
  from chaos.work w where w.key = 'a tick'
  group by w.origin
  having count(*) > (select count(*) from inferpipe._inferpipe_cron_jobs)
$$;

-- A message that was acknowledged is there once: received, or still in the mailbox.  One that was
-- not is there once or never.  Nothing is received that nobody sent.
create function chaos.message_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  with places as (
    select j.exec_id, j.value #>> '{}' as dedupe from chaos.journal j
    where j.kind = 3 and j.status = 0
    union all
    select m.exec_id, convert_from(m.payload, 'UTF8')::json #>> '{}'
    from inferpipe._inferpipe_messages m where m.name_key <> 0),
  found as (select p.exec_id, p.dedupe, count(*) as n from places p group by 1, 2)
  select 'INV8: an acknowledged message is gone', s.a, format('"%s"', s.c)
  from chaos.history s
  where s.what = 'sent' and not exists (
    select from found f where f.exec_id = inferpipe.id_parse(s.a) and f.dedupe = s.c)
  union all
  select 'INV8: a message is there more than once', inferpipe.id_text(f.exec_id), f.dedupe
  from found f where f.n > 1
  union all
  select 'INV8: a message that nobody sent', inferpipe.id_text(f.exec_id), f.dedupe
  from found f
  where not exists (
    select from chaos.history s
    where s.what = 'try' and s.a = inferpipe.id_text(f.exec_id) and s.c = f.dedupe)
$$;

-- A claim does not wait for the disk (sql/schema/claim.sql): a crash of the server may undo it
-- after a worker was told, and the next claim has the same fence.  Safe, as the owner is another
-- one; but two bodies may then carry one fence.  The first one may begin a good while after its
-- claim: it waits for a thread, or its worker is stopped.
create function chaos.crashed(p_from_us int8, p_to_us int8)
returns bool language sql stable
as $$
  select exists (
    select from chaos.history h
    where h.what = 'crash' and h.a::int8 between p_from_us - 15000000 and p_to_us)
$$;

-- The ledger: who ran what, in the order in which it happened.
create function chaos.ledger_violations()
returns table (invariant text, id text, what text) language sql stable
as $$
  select 'two workers had one lease', l.exec, format('fence %s: processes %s', l.fence,
    string_agg(distinct l.pid::text, ', '))
  from chaos.ledger l group by l.exec, l.fence
  having count(distinct l.pid) > 1 and not chaos.crashed(min(l.mono_us), max(l.mono_us))
  union all
  select 'an attempt began twice under one lease', l.exec, format('step %s attempt %s fence %s',
    l.step_key, l.attempt, l.fence)
  from chaos.ledger l where l.what = 'begin'
  group by l.exec, l.step_key, l.attempt, l.fence
  having count(*) > 1 and not chaos.crashed(min(l.mono_us), max(l.mono_us))
  union all
  select case when l.fence >= j.fence then 'a recorded step ran again'
              else 'a recorded step ran again, by a worker that could know' end,
    l.exec, format('"%s" attempt %s, process %s, fence %s, %s after fence %s recorded it', j.name,
      l.attempt, l.pid, l.fence, to_timestamp(l.real_us / 1e6) - j.committed, j.fence)
  from chaos.ledger l
  join chaos.journal j on j.exec_id = inferpipe.id_parse(l.exec)
    and j.step_key = ('x' || right(l.step_key, 16))::bit(64)::int8
  where l.what = 'begin' and to_timestamp(l.real_us / 1e6) > j.committed
    and (l.fence > j.fence
      or (l.fence = j.fence and not chaos.crashed((
        select min(b.mono_us) from chaos.ledger b
        where b.exec = l.exec and b.fence = l.fence), l.mono_us))
      or l.mono_us > (select max(h.a::int8) from chaos.history h where h.what = 'quiet'))
$$;

-- Bodies that began although another worker had recorded the step: their own was stopped or cut
-- off and had lost its lease without knowing.  Nobody can prevent these while faults last; what
-- they give is not kept.
create function chaos.zombies()
returns int8 language sql stable
as $$
  select count(*)
  from chaos.ledger l
  join chaos.journal j on j.exec_id = inferpipe.id_parse(l.exec)
    and j.step_key = ('x' || right(l.step_key, 16))::bit(64)::int8
  where l.what = 'begin' and to_timestamp(l.real_us / 1e6) > j.committed and l.fence < j.fence
$$;

-- A message may be left over here: its wait may have timed out before it came.
create function chaos.violations()
returns table (invariant text, id text, what text) language sql stable
set jit = off
as $$
  select * from inferpipe_test.violations() v
  where v.invariant <> 'INV8: a message is left over'
  union all select * from chaos.client_violations()
  union all select * from chaos.work_violations()
  union all select * from chaos.chain_violations()
  union all select * from chaos.child_violations()
  union all select * from chaos.compensation_violations()
  union all select * from chaos.event_violations()
  union all select * from chaos.queue_violations()
  union all select * from chaos.cron_violations()
  union all select * from chaos.message_violations()
  union all select * from chaos.ledger_violations()
$$;

-- How much there was: a run that did nothing proves nothing.
create function chaos.figures()
returns table (name text, value int8) language sql stable
set jit = off
as $$
  select 'executions', count(*) from chaos.work
  union all select 'children', count(*) from chaos.work w where w.parent_id is not null
  union all select 'instants of schedules', count(*) from inferpipe._inferpipe_cron_executions
  union all select 'ms that an instant was late at most', coalesce(max(
      extract(epoch from e.fired_at - e.scheduled_time) * 1000), 0)::int8
    from inferpipe._inferpipe_cron_executions e
  union all select 'completed', count(*) from chaos.work w where w.status = 1
  union all select 'failed as planned', count(*) from chaos.work w where w.status = 2
  union all select 'canceled', count(*) from chaos.work w where w.status = 3
  union all select 'journal rows', count(*) from chaos.journal
  union all select 'continued as new', count(*) from inferpipe._inferpipe_steps s where s.kind = 14
  union all select 'bodies begun', count(*) from chaos.ledger l where l.what = 'begin'
  union all select 'bodies whose result was not kept', count(*) from chaos.ledger l
    where l.what = 'end' and not exists (
      select from chaos.journal j
      where j.exec_id = inferpipe.id_parse(l.exec) and j.value ->> 'n' = l.nonce)
  union all select 'parallel steps', count(*) from chaos.journal j where j.kind = 7
  union all select 'compensations', count(*) from chaos.journal j where j.name like 'back%'
  union all select 'events of streams', count(*) from inferpipe._inferpipe_events
  union all select 'executions of the narrow queue', count(*) from inferpipe._inferpipe_executions e
    where e.queue_key is not null
  union all select 'transactional effects', count(*) from chaos.effects
  union all select 'messages received', count(*) from chaos.journal j
    where j.kind = 3 and j.status = 0
  union all select 'waits timed out', count(*) from chaos.journal j
    where j.kind = 3 and j.status = 2
  union all select 'take-overs', count(*) from (
    select a.exec_id, a.old_fence from inferpipe_test.audit a
    join inferpipe._inferpipe_workers w on w.worker_id = a.old_owner and w.died_of is not null
    where a.old_owner <> 0 and a.new_owner = 0 and a.new_state = 0) t
  union all select 'late bodies of workers that could not know', chaos.zombies()
  union all select 'answers seen by clients', count(*) from chaos.history h where h.what = 'seen'
  union all select 'starts acknowledged', count(*) from chaos.history h where h.what = 'started'
  union all select 'messages acknowledged', count(*) from chaos.history h where h.what = 'sent'
$$;
