-- What readers see: names instead of numbers, texts instead of codes, payloads as json.
--
-- Each view shows the rows of the workspaces that the asking role may see. security_barrier keeps a
-- cheap function in the reader's own WHERE from looking at the others first; ids and texts compare
-- by leakproof operators, so a look-up by exec_id or workspace still uses the index.
--
-- For single executions and small sets.  Lists over everything start from runs or results
-- (src/store/statements.c).

-- The workspaces that the asking role may see: members of inferpipe_worker and inferpipe_owner, the
-- owner of this view and superusers see all; others what _inferpipe_readers gives to a role they
-- have.
create view inferpipe._inferpipe_visible with (security_barrier) as
select w.workspace_id, w.slug
from inferpipe._inferpipe_workspaces w
where pg_catalog.pg_has_role(current_user, 'inferpipe_worker', 'member')
  or pg_catalog.pg_has_role(current_user, 'inferpipe_owner', 'member')
  or current_user = (
    select t.tableowner from pg_catalog.pg_tables t
    where t.schemaname = 'inferpipe' and t.tablename = '_inferpipe_workspaces')
  or exists (
    select from inferpipe._inferpipe_readers r
    join pg_catalog.pg_roles g on g.rolname = r.role
    where r.workspace_id = w.workspace_id
      and pg_catalog.pg_has_role(current_user, g.oid, 'member'));

create view inferpipe.executions with (security_barrier) as
select
  inferpipe.id_text(e.exec_id) as id,
  w.name as workflow,
  w.version,
  q.name as queue,
  inferpipe.status_text(f.status, r.owner, r.fence) as status,
  inferpipe.waiting_text(r.state) as waiting_for,
  e.prio as priority,
  pg_catalog.convert_from(case e.codec when 0 then e.input else (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = e.exec_id and p.hash = e.input) end, 'UTF8')::json as input,
  pg_catalog.convert_from(case f.codec when 0 then f.output else (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = f.exec_id and p.hash = f.output) end, 'UTF8')::json as output,
  f.error_code,
  f.error,
  e.metadata,
  e.traceparent,
  e.created_at,
  r.ready_at,
  f.finished_at,
  coalesce(r.deadline, e.deadline) as deadline,
  nullif(r.owner, 0) as worker_id,
  r.fence as claims,
  r.crashes,
  r.flags & 1 <> 0 as cancel_requested,
  cost.tokens,
  cost.usd,
  (select pg_catalog.convert_from(s.data, 'UTF8')::json from inferpipe._inferpipe_states s
   where s.exec_id = e.exec_id and s.step_key = 0) as state,
  e.exec_id,
  v.slug as workspace,
  inferpipe.id_text(e.forked_from) as forked_from,
  inferpipe.id_text(e.parent_id) as parent,
  coalesce((
    select s.name::int4 from inferpipe._inferpipe_steps s
    where s.exec_id = e.exec_id and s.step_key = 14 and s.kind = 14), 0) as continued
from inferpipe._inferpipe_executions e
join inferpipe._inferpipe_visible v on v.workspace_id = e.workspace_id
join inferpipe._inferpipe_lanes l on l.lane_id = e.lane
join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id
left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id
left join lateral (
  select sum(c.tokens)::int8 as tokens, sum(c.usd) as usd
  from (
    select s.tokens, s.usd from inferpipe._inferpipe_steps s where s.exec_id = e.exec_id
    union all
    select a.tokens, a.usd from inferpipe._inferpipe_attempts a where a.exec_id = e.exec_id) c
) cost on true;

-- The journal; the intents of waits are left out, waiting_for and ready_at of the execution tell
-- them.  What a step cost includes its failed attempts.  A step whose progress is known and that is
-- not recorded yet shows as running, done_at is when it said so.
create view inferpipe.steps with (security_barrier) as
select
  inferpipe.id_text(s.exec_id) as id,
  s.seq,
  s.name,
  inferpipe.kind_text(s.kind) as kind,
  inferpipe.step_status_text(s.status) as status,
  s.attempts,
  pg_catalog.convert_from(case s.codec when 0 then s.result else (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = s.exec_id and p.hash = s.result) end, 'UTF8')::json as result,
  s.error_code,
  s.error,
  s.done_at,
  s.wake_at,
  s.took_us,
  cost.tokens,
  cost.usd,
  pg_catalog.convert_from(p.data, 'UTF8')::json as progress,
  s.exec_id,
  v.slug as workspace
from inferpipe._inferpipe_steps s
join inferpipe._inferpipe_executions e on e.exec_id = s.exec_id
join inferpipe._inferpipe_visible v on v.workspace_id = e.workspace_id
left join lateral (
  select sum(c.tokens)::int8 as tokens, sum(c.usd) as usd
  from (
    select s.tokens, s.usd
    union all
    select a.tokens, a.usd from inferpipe._inferpipe_attempts a
    where a.exec_id = s.exec_id and a.step_key = s.step_key) c
) cost on true
left join inferpipe._inferpipe_states p on p.exec_id = s.exec_id and p.step_key = s.step_key
where s.kind <> 9
union all
select
  inferpipe.id_text(p.exec_id), p.seq, p.name, inferpipe.kind_text(1::int2), 'running', p.attempt,
  null, null, null, p.said_at, null, null, null, null,
  pg_catalog.convert_from(p.data, 'UTF8')::json, p.exec_id, v.slug
from inferpipe._inferpipe_states p
join inferpipe._inferpipe_executions e on e.exec_id = p.exec_id
join inferpipe._inferpipe_visible v on v.workspace_id = e.workspace_id
where p.step_key <> 0 and not exists (
  select from inferpipe._inferpipe_steps s
  where s.exec_id = p.exec_id and s.step_key = p.step_key);

-- The stream of an execution, in order by seq.
create view inferpipe.events with (security_barrier) as
select
  inferpipe.id_text(x.exec_id) as id,
  x.seq,
  x.at,
  x.kind,
  nullif(x.step, '') as step,
  x.attempt,
  pg_catalog.convert_from(x.data, 'UTF8')::json as data,
  x.exec_id,
  v.slug as workspace
from inferpipe._inferpipe_events x
join inferpipe._inferpipe_executions e on e.exec_id = x.exec_id
join inferpipe._inferpipe_visible v on v.workspace_id = e.workspace_id;

-- Messages that no wait has taken yet.
create view inferpipe.messages with (security_barrier) as
select
  inferpipe.id_text(m.exec_id) as id,
  m.name,
  pg_catalog.convert_from(case m.codec when 0 then m.payload else (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = m.exec_id and p.hash = m.payload) end, 'UTF8')::json as message,
  m.created_at,
  m.exec_id,
  v.slug as workspace
from inferpipe._inferpipe_messages m
join inferpipe._inferpipe_executions e on e.exec_id = m.exec_id
join inferpipe._inferpipe_visible v on v.workspace_id = e.workspace_id
where m.name_key <> 0;

create view inferpipe.workers with (security_barrier) as
select
  w.worker_id,
  case w.state when 0 then 'alive' when 1 then 'dead' else 'gone' end as state,
  w.host,
  w.pid,
  w.program,
  w.version,
  w.died_of,
  w.started_at,
  w.seen_at,
  w.expires_at,
  w.hungry,
  (select pg_catalog.string_agg(f.name || '/' || f.version, ', ' order by f.name, f.version)
   from inferpipe._inferpipe_worker_workflows k
   join inferpipe._inferpipe_workflows f on f.workflow_id = k.workflow_id
   where k.worker_id = w.worker_id) as workflows,
  w.clock_ahead_ms,
  coalesce(h.runs, 0) as executions,
  v.slug as workspace
from inferpipe._inferpipe_workers w
join inferpipe._inferpipe_visible v on v.workspace_id = w.workspace_id
left join (
  select r.owner, count(*) as runs
  from inferpipe._inferpipe_runs r where r.owner <> 0 group by r.owner) h on h.owner = w.worker_id;

create view inferpipe.queues with (security_barrier) as
select
  q.name,
  q.paused,
  coalesce(c.ready, 0) as ready,
  coalesce(c.running, 0) as running,
  coalesce(c.waiting, 0) as waiting,
  c.oldest_ready_at,
  q.created_at,
  v.slug as workspace,
  coalesce(c.slot, 0) as waiting_for_slot,
  coalesce(u.used, 0) as used,
  q.concurrency,
  q.rate,
  q.rate_period_ms,
  q.rate_burst,
  q.key_concurrency,
  q.key_rate,
  q.key_period_ms,
  q.key_burst,
  q.key_window,
  q.waiting_max
from inferpipe._inferpipe_queues q
join inferpipe._inferpipe_visible v on v.workspace_id = q.workspace_id
left join (
  select y.queue_id, sum(y.used) as used
  from inferpipe._inferpipe_queue_use y group by y.queue_id) u on u.queue_id = q.queue_id
left join (
  select l.queue_id,
    count(*) filter (where r.state = 0) as ready,
    count(*) filter (where r.state = 1) as running,
    count(*) filter (where r.state not in (0, 1)) as waiting,
    count(*) filter (where r.state = 7) as slot,
    min(r.ready_at) filter (where r.state = 0) as oldest_ready_at
  from inferpipe._inferpipe_runs r
  join inferpipe._inferpipe_lanes l on l.lane_id = r.lane
  group by l.queue_id) c on c.queue_id = q.queue_id;
