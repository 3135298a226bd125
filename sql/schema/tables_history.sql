-- What happened: append-only, partitioned by exec_id, so by week (partitions_ensure.sql).  The
-- partition key is the id itself: every primary key is legal, and all that belongs to an execution
-- lies in the same week's partitions and goes with them.
--
-- Payloads are kept byte for byte. codec 0: the column holds the UTF-8 JSON text; codec 1: it holds
-- the SHA-256 of the text, which is in _inferpipe_payloads.
--
-- Deleted from outside retention: the failed step, its attempts and the result when a person
-- retries (execution_retry), messages as they become journal rows (flush_receive), and a whole
-- journal when its execution continues as new (flush_continue).

create table inferpipe._inferpipe_executions (
  exec_id int8 not null,
  created_at timestamptz not null,
  deadline timestamptz,             -- of the first try; the one in force is in _inferpipe_runs
  parent_id int8,                   -- of a child: who started it, and
  parent_key int8,                  -- the key of the spawn row in the parent's journal
  forked_from int8,                 -- whose journal it began with
  seed int8 not null,               -- source of recorded random numbers
  workspace_id int4 not null,
  lane int4 not null,
  prio int2 not null,
  codec int2 not null,
  input bytea not null,
  metadata jsonb,
  traceparent text,
  queue_key text,
  idem_key uuid,
  left_alone bool,                  -- true: a child that does not end with its parent
  options jsonb,                    -- what else was asked for: {"retry": {"attempts", "backoff",
                                    -- "maxDelayMs"}, "tags": {}, "webhookUrl": ""}
  constraint executions_pkey primary key (exec_id),
  constraint executions_codec check (codec in (0, 1))
) partition by range (exec_id);
-- The children of an execution, with those that have ended.  A child's id is above its parent's:
-- with that in the condition, older partitions are not looked at.
create index _inferpipe_executions_parent
  on inferpipe._inferpipe_executions (parent_id, exec_id) where parent_id is not null;

create table inferpipe._inferpipe_results (
  exec_id int8 not null,
  finished_at timestamptz not null,
  started_at timestamptz,           -- null: it never was
  workspace_id int4 not null,
  fence int4 not null,
  status int2 not null,             -- 1 completed, 2 failed, 3 canceled
  codec int2 not null default 0,
  output bytea,
  error_code text,
  error text,
  constraint results_pkey primary key (exec_id),
  constraint results_status check (status in (1, 2, 3)),
  constraint results_codec check (codec in (0, 1)),
  constraint results_output check (status = 1 or output is null)
) partition by range (exec_id);
create index _inferpipe_results_status
  on inferpipe._inferpipe_results (workspace_id, status, exec_id);
create index _inferpipe_results_unhappy
  on inferpipe._inferpipe_results (finished_at) where status <> 1;

-- The journal.  step_key is a hash of name and occurrence; the name is compared on replay.  seq is
-- the ordinal of the call in program order. kind: 1 step, 2 sleep, 3 message, 4 child started, 5
-- recorded time, 6 transactional step, 7 parallel step, 9 the intent of a wait (it holds when the
-- wait times out), 10 child ended (under the seq of its start), 11 compensations follow, 12 an
-- event of the workflow, 13 a patch that this execution took, 14 continued as new (in front of
-- call 1: seq 0, name how often, result the input), 15 what an await has decided.  status: 0 ok, 1
-- failed, 2 timed out.  tokens, usd: what the step said that its last attempt cost; of kind 14, the
-- cost of the journals before.
create table inferpipe._inferpipe_steps (
  exec_id int8 not null,
  step_key int8 not null,
  done_at timestamptz not null,
  wake_at timestamptz,
  took_us int8,
  fence int4 not null,              -- of the claim that wrote it
  seq int4 not null,
  kind int2 not null,
  status int2 not null,
  codec int2 not null,
  attempts int2 not null,
  name text not null,
  result bytea,
  error_code text,
  error text,
  tokens int8,
  usd numeric,
  constraint steps_pkey primary key (exec_id, step_key),
  constraint steps_kind check (kind between 1 and 15 and kind <> 8),
  constraint steps_status check (status in (0, 1, 2)),
  constraint steps_codec check (codec in (0, 1))
) partition by range (exec_id);

-- Failed attempts that were followed by another one (or will be).
create table inferpipe._inferpipe_attempts (
  exec_id int8 not null,
  step_key int8 not null,
  failed_at timestamptz not null,
  next_at timestamptz,
  fence int4 not null,
  seq int4 not null,
  attempt int2 not null,
  error_code text,
  error text,
  tokens int8,
  usd numeric,
  constraint attempts_pkey primary key (exec_id, step_key, attempt, fence)
) partition by range (exec_id);

-- The mailbox.  A message stays until a wait takes it, also when it came first.  One that was sent
-- with a dedupe text then leaves an empty row with name_key 0 behind, so that a second send is
-- still known as one.
create sequence inferpipe._inferpipe_message_seq as int8;
create table inferpipe._inferpipe_messages (
  exec_id int8 not null,
  name_key int8 not null,
  msg_id int8 not null default pg_catalog.nextval('inferpipe._inferpipe_message_seq'),
  created_at timestamptz not null,
  codec int2 not null,
  dedupe uuid,
  name text not null,
  payload bytea,
  constraint messages_pkey primary key (exec_id, name_key, msg_id),
  constraint messages_codec check (codec in (0, 1))
) partition by range (exec_id);
create unique index _inferpipe_messages_dedupe
  on inferpipe._inferpipe_messages (exec_id, dedupe) where dedupe is not null;

-- Large payloads, once for each execution.  Stored out of line and as they are: a text over the
-- inline limit is read whole or not at all.
create table inferpipe._inferpipe_payloads (
  exec_id int8 not null,
  codec int2 not null default 0,    -- 0: as it is; room for compression by the client
  hash bytea not null,
  data bytea not null,
  constraint payloads_pkey primary key (exec_id, hash),
  constraint payloads_hash check (octet_length(hash) = 32)
) partition by range (exec_id);
alter table inferpipe._inferpipe_payloads alter column data set storage external;

-- What an execution says of itself now: step_key 0 is its live state, any other one the progress of
-- that step.  The only rows here that are written over.
create table inferpipe._inferpipe_states (
  exec_id int8 not null,
  step_key int8 not null,
  said_at timestamptz not null,
  fence int4 not null,
  seq int4 not null,
  attempt int2 not null,
  name text not null,
  data bytea,
  constraint states_pkey primary key (exec_id, step_key)
) partition by range (exec_id);

-- The stream of an execution: what its workflow and its steps emitted, numbered without a gap in
-- the order in which it became durable.  (fence, nth) is the emitter's own count, by which a second
-- arrival of an event is known.
create table inferpipe._inferpipe_events (
  exec_id int8 not null,
  seq int4 not null,
  fence int4 not null,
  nth int4 not null,
  at timestamptz not null,
  attempt int2 not null,            -- 0: of the workflow itself
  kind text not null,
  step text not null,
  data bytea not null,
  constraint events_pkey primary key (exec_id, seq)
) partition by range (exec_id);

-- The net under the partitions: a row whose week has no partition lands here, and `doctor` tells.
create table inferpipe._inferpipe_executions_default
  partition of inferpipe._inferpipe_executions default;
create table inferpipe._inferpipe_results_default
  partition of inferpipe._inferpipe_results default;
create table inferpipe._inferpipe_steps_default
  partition of inferpipe._inferpipe_steps default;
create table inferpipe._inferpipe_attempts_default
  partition of inferpipe._inferpipe_attempts default;
create table inferpipe._inferpipe_messages_default
  partition of inferpipe._inferpipe_messages default;
create table inferpipe._inferpipe_payloads_default
  partition of inferpipe._inferpipe_payloads default;
create table inferpipe._inferpipe_states_default
  partition of inferpipe._inferpipe_states default;
create table inferpipe._inferpipe_events_default
  partition of inferpipe._inferpipe_events default;
