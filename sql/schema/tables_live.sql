-- What is alive: one narrow row for each live execution, one for each worker. Everything else about
-- an execution is append-only history (tables_history.sql).

-- One process that runs executions.  The id is drawn at random for each incarnation and never used
-- again, so a late write of an older one cannot match.  One UPDATE a beat keeps all its executions.
create table inferpipe._inferpipe_workers (
  worker_id int8 primary key,
  expires_at timestamptz not null,  -- for people; the reaper watches `beats` with its own clock
  started_at timestamptz not null,
  seen_at timestamptz not null,
  beats int8 not null default 0,
  backend_start timestamptz,        -- of its control connection: a hint that it is gone
  backend_pid int4,
  workspace_id int4 not null,
  pid int4,
  state int2 not null default 0,    -- 0 alive, 1 dead (its executions are being released), 2 gone
  hungry bool not null default false, -- wants a notification when work comes
  host text,
  program text,
  version text,
  died_of text,
  clock_ahead_ms int4,              -- its clock before ours, when it last told; null: not yet
  constraint workers_state check (state in (0, 1, 2)),
  constraint workers_id check (worker_id > 0)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- What each worker runs, as it said itself.
create table inferpipe._inferpipe_worker_workflows (
  worker_id int8 not null,
  workflow_id int4 not null,
  constraint worker_workflows_pkey primary key (worker_id, workflow_id)
);

-- Exactly one row for each execution that has not ended: it is the lock, the lease, the timer and
-- the queue entry.  Due is `owner = 0 and ready_at <= now`, whatever it waits for.
--
-- state: 0 ready, 1 running, and waiting for: 2 timer, 3 message, 4 retry, 6 child, 7 slot.
-- fence: how often it was claimed or continued as new; every write of a worker is checked against
-- (owner, fence) under this row's lock.
--
-- The constraints are kept simple: a statement that writes here prepares each of them, some 2 us
-- apiece.
create table inferpipe._inferpipe_runs (
  exec_id int8 primary key,
  ready_at timestamptz not null,
  started_at timestamptz,           -- of its first claim
  owner int8 not null default 0,    -- worker_id, 0: nobody
  wait_key int8 not null default 0, -- what it waits for: name_key of a message, key of a child's
                                    -- end row; -1: any
  deadline timestamptz,
  parent_id int8,                   -- the execution whose child it is
  fence int4 not null default 0,
  workspace_id int4 not null,
  lane int4 not null,
  shard int2 not null,              -- exec_id modulo the number of shards
  prio int2 not null default 3,     -- 0: of a limited queue and begun, so it goes on before others
  state int2 not null default 0,
  flags int2 not null default 0,    -- 1 cancel requested, 2 run alone (it crashed its workers),
                                    -- 4 holds a place of its queue key, 8 and has not begun,
                                    -- 16 left alone when its parent ends, 32 has started children,
                                    -- 64 somebody waits for its end or follows its stream, 128 has
                                    -- a webhook of its own
  crashes int2 not null default 0,  -- take-overs in a row without progress
  has_journal bool not null default false, -- there is something to load
  constraint runs_state check (state between 0 and 7 and state <> 5),
  constraint runs_owned_is_running check ((owner = 0) = (state <> 1)),
  constraint runs_wakes check (isfinite(ready_at)),
  wait_left int4,                   -- in state 6: how many children must still end
  constraint runs_wait_key check ((wait_key <> 0) = (state = 3) or state = 6),
  constraint runs_prio check (prio between 0 and 5),
  constraint runs_flags check (flags between 0 and 255),
  constraint runs_fence check (fence >= 0),
  constraint runs_crashes check (crashes >= 0)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05);

-- No index by owner: only a take-over asks, and reads a million rows in 50 ms.
create index _inferpipe_runs_due on inferpipe._inferpipe_runs (lane, shard, prio, ready_at)
  where owner = 0;

-- Children of one execution: found when it ends.
create index _inferpipe_runs_parent on inferpipe._inferpipe_runs (parent_id, exec_id)
  where parent_id is not null;

-- Executions that have ended while children of theirs were still to be canceled: the next ticks do
-- it.  Empty as a rule.
create table inferpipe._inferpipe_orphans (
  parent_id int8 primary key
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Cancels on their way to the worker that owns the execution; its next tick takes them.
create table inferpipe._inferpipe_cancels (
  worker_id int8 not null,
  exec_id int8 not null,
  constraint cancels_pkey primary key (worker_id, exec_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Keys of starts, for as long as the caller asked. Not partitioned: a key must be unique over time.
create table inferpipe._inferpipe_idempotency (
  key uuid not null,                -- text_uuid of the caller's key
  exec_id int8 not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  workspace_id int4 not null,
  scope int2 not null,              -- 0 start, 1 a kept answer (answers.sql)
  status int2,                      -- of a kept answer: its HTTP status and its sealed body; null:
  body bytea,                       -- it is not there yet
  request_hash bytea not null,      -- another request under the same key is refused
  constraint idempotency_pkey primary key (workspace_id, scope, key),
  constraint idempotency_hash check (octet_length(request_hash) = 16)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
create index _inferpipe_idempotency_expires on inferpipe._inferpipe_idempotency
  using brin (expires_at) with (pages_per_range = 16);
