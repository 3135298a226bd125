-- What the limits of queues are kept by.  Queues without limits have no rows here.
--
-- One lock: the queue's row in _inferpipe_queue_state.  Whoever claims from a limited queue holds
-- it for that one statement; only he writes _use, _keys and _waits, so these need no locks of their
-- own.  Settings are read without a lock: a transaction that changes them holds up nobody.

create table inferpipe._inferpipe_queue_state (
  queue_id int4 primary key,
  version int8 not null default 0,  -- of the settings that the last claim went by
  rate_at timestamptz not null default '-infinity', -- when all that was taken is paid for
  starved bool not null default false -- somebody was refused a place since the last one was freed
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- How many executions of the queue each worker has: an absolute number, told with each claim.
create table inferpipe._inferpipe_queue_use (
  queue_id int4 not null,
  worker_id int8 not null,
  turn int8 not null,               -- of the worker's call that wrote it; an older one is refused
  used int4 not null,
  constraint queue_use_pkey primary key (queue_id, worker_id),
  constraint queue_use_used check (used >= 0)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- A key with executions that were admitted, or wait for that.
create table inferpipe._inferpipe_queue_keys (
  queue_id int4 not null,
  used int4 not null default 0,     -- places held: admitted, not ended
  fresh int4 not null default 0,    -- of these, not begun
  waiting int4 not null default 0,  -- rows in _inferpipe_queue_waits
  turns int4 not null default 0,    -- admissions from there, to take the lowest priority in turn
  rate_at timestamptz,              -- as in _inferpipe_queue_state
  wake_at timestamptz,              -- look at it again then
  key text not null,
  constraint queue_keys_pkey primary key (queue_id, key),
  constraint queue_keys_counts check (fresh >= 0 and used >= fresh and waiting >= 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index _inferpipe_queue_keys_wake on inferpipe._inferpipe_queue_keys (queue_id, wake_at)
  where wake_at is not null;

-- Executions that have arrived and found no place of their key.  Their run is in state 7 and due at
-- its deadline only.
create table inferpipe._inferpipe_queue_waits (
  queue_id int4 not null,
  prio int2 not null,
  exec_id int8 not null,
  key text not null,
  constraint queue_waits_pkey primary key (queue_id, key, prio, exec_id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Places given back by executions that ended, for the next claim to count: who ends executions
-- appends here and waits for nobody.
create table inferpipe._inferpipe_queue_freed (
  queue_id int4 not null,
  freed_id int8 generated always as identity,
  fresh bool not null,              -- it had not begun
  key text not null,
  constraint queue_freed_pkey primary key (queue_id, freed_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
