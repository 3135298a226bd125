-- Schedules: the jobs, what became of each tick, and the lock that saves work.
--
-- A tick is a job and an instant.  It fires once, whoever computes it and how often: cron_fire
-- moves next_at only from the value that the caller saw, under the job's row lock, and the
-- primary key of _inferpipe_cron_executions refuses the same instant again.  The lock only keeps
-- ten workers from reading the same due jobs; correctness does not need it.

create table inferpipe._inferpipe_cron_jobs (
  job_id int4 generated always as identity primary key,
  next_at timestamptz not null,     -- the instant that fires next
  created_at timestamptz not null,
  changed_at timestamptz not null,
  jitter_ms int8 not null,          -- an execution begins up to so much after its instant
  workspace_id int4 not null,
  lane int4,                        -- found at the last tick; null: nobody runs the workflow
  catchup_max int4 not null,        -- of catchup 2
  waiting int4 not null default 0,  -- ticks that wait for the execution before them
  prio int2 not null,
  overlap int2 not null,            -- while one of its executions lives: 0 skip, 1 queue, 2 allow
  catchup int2 not null,            -- of the ticks missed: 0 the last, 1 none, 2 catchup_max
  paused bool not null,
  declared bool not null,           -- the program below had it in its code when it last started
  name text not null,
  schedule text not null,
  timezone text not null,
  workflow text not null,
  version text,                     -- null: the one registered last
  queue text,                       -- null: the workflow's
  program text,                     -- that declared it; null: made by command
  input bytea not null,             -- UTF-8 JSON
  constraint cron_jobs_unique unique (workspace_id, name),
  constraint cron_jobs_name check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  constraint cron_jobs_schedule check (octet_length(schedule) between 1 and 255),
  constraint cron_jobs_timezone check (octet_length(timezone) between 1 and 63),
  constraint cron_jobs_input check (octet_length(input) between 1 and 16384),
  constraint cron_jobs_next check (isfinite(next_at)),
  constraint cron_jobs_jitter check (jitter_ms between 0 and 86400000),
  constraint cron_jobs_prio check (prio between 1 and 5),
  constraint cron_jobs_overlap check (overlap between 0 and 2),
  constraint cron_jobs_catchup check (catchup between 0 and 2),
  constraint cron_jobs_catchup_max check (catchup_max between 1 and 1000),
  constraint cron_jobs_waiting check (waiting >= 0),
  constraint cron_jobs_declared check (program is not null or not declared)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index _inferpipe_cron_jobs_due
  on inferpipe._inferpipe_cron_jobs (workspace_id, next_at) where not paused;
create index _inferpipe_cron_jobs_waiting
  on inferpipe._inferpipe_cron_jobs (workspace_id, job_id) where waiting > 0 and not paused;

-- outcome: 0 started; 1 skipped, an execution of the job was live; 2 missed, nobody was there
-- (the first of those; the next row tells until when); 3 waiting for the one before; 4 not
-- started, nobody runs the workflow.
create table inferpipe._inferpipe_cron_executions (
  job_id int4 not null,
  scheduled_time timestamptz not null,
  fired_at timestamptz not null,
  exec_id int8,
  outcome int2 not null,
  manual bool not null default false,
  constraint cron_executions_pkey primary key (job_id, scheduled_time),
  constraint cron_executions_outcome check (outcome between 0 and 4),
  constraint cron_executions_started check ((outcome = 0) = (exec_id is not null))
) with (autovacuum_vacuum_scale_factor = 0.05);
create index _inferpipe_cron_executions_started
  on inferpipe._inferpipe_cron_executions (job_id, exec_id) where exec_id is not null;
create index _inferpipe_cron_executions_waiting
  on inferpipe._inferpipe_cron_executions (job_id, scheduled_time) where outcome = 3;
create index _inferpipe_cron_executions_fired
  on inferpipe._inferpipe_cron_executions using brin (fired_at) with (pages_per_range = 16);

create table inferpipe._inferpipe_cron_locks (
  name text primary key,
  locked_by int8 not null,          -- worker_id
  fence int8 not null default 1,    -- +1 for each holder
  locked_at timestamptz not null,
  expires_at timestamptz not null
) with (fillfactor = 50);
