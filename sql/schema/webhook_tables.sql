-- Webhooks out: who is told of executions that end, and what was told to whom.
--
-- A delivery is an execution of the workflow inferpipe.webhook: its retries, its journal and its
-- fate are the engine's.  Secrets are sealed (src/base/secretbox.h): the database cannot read them.

-- An endpoint of a workspace.  The one without a URL holds the secret of the workspace itself,
-- which signs what goes to the webhookUrl of single executions.
create table inferpipe._inferpipe_webhooks (
  webhook_id int8 primary key,      -- drawn by who makes it: the seal of the secret is bound to it
  workspace_id int4 not null,
  url text,
  workflow text,                    -- of this one alone; null: of all
  events int2 not null,             -- bits of results.status: 2 completed, 4 failed, 8 canceled
  secret bytea not null,
  secret_before bytea,              -- signs as well, for as long as a rotation lasts:
  before_until timestamptz,
  created_at timestamptz not null,
  disabled_at timestamptz,
  disabled_why text,
  constraint webhooks_id check (webhook_id > 0),
  constraint webhooks_url check (octet_length(url) between 1 and 2048),
  constraint webhooks_events check (events in (0, 2, 4, 6, 8, 10, 12, 14)),
  constraint webhooks_rotation check ((secret_before is null) = (before_until is null))
);
-- What an end of an execution looks at: as a rule it is empty.
create index _inferpipe_webhooks_open on inferpipe._inferpipe_webhooks (workspace_id)
  where disabled_at is null and url is not null;
create unique index _inferpipe_webhooks_own on inferpipe._inferpipe_webhooks (workspace_id)
  where url is null;

-- One row for each delivery: history, beside its execution (tables_history.sql).
create table inferpipe._inferpipe_deliveries (
  exec_id int8 not null,            -- the delivery itself
  webhook_id int8 not null,         -- 0: to the webhookUrl of the execution
  target_id int8 not null,          -- the execution that ended; 0: a test
  target_fence int4 not null,       -- its end that is told of: a retry makes another one
  workspace_id int4 not null,
  status int2 not null,             -- of the result; 0: a test
  event text not null,              -- the same on each delivery of this end
  constraint deliveries_pkey primary key (exec_id)
) partition by range (exec_id);
create index _inferpipe_deliveries_webhook
  on inferpipe._inferpipe_deliveries (workspace_id, webhook_id, exec_id);
create table inferpipe._inferpipe_deliveries_default
  partition of inferpipe._inferpipe_deliveries default;
