-- Who may do what.  Everything belongs to the user that migrates; PUBLIC gets nothing.
--
-- inferpipe_worker has rights on the tables that the functions touch, because the hot functions run
-- with the rights of who calls them: changing roles inside costs time on each call. Partitions need
-- no grants: access goes through their parents.
revoke all on schema inferpipe from public;
revoke all on all tables in schema inferpipe from public;
revoke all on all sequences in schema inferpipe from public;
revoke all on all functions in schema inferpipe from public;

grant usage on schema inferpipe to inferpipe_owner, inferpipe_worker, inferpipe_reader;

grant all on all tables in schema inferpipe to inferpipe_owner;
grant all on all sequences in schema inferpipe to inferpipe_owner;
grant execute on all functions in schema inferpipe to inferpipe_owner, inferpipe_worker;

grant select on all tables in schema inferpipe to inferpipe_worker;
-- Hashes and key material leave through the server's functions alone (api_keys.sql).
revoke all on inferpipe._inferpipe_api_keys, inferpipe._inferpipe_jwt_keys from inferpipe_worker;
grant usage on all sequences in schema inferpipe to inferpipe_worker;
grant insert, update on
  inferpipe._inferpipe_workflows, inferpipe._inferpipe_queues, inferpipe._inferpipe_lanes,
  inferpipe._inferpipe_workers, inferpipe._inferpipe_idempotency, inferpipe._inferpipe_executions
  to inferpipe_worker;
grant insert, update, delete on
  inferpipe._inferpipe_runs, inferpipe._inferpipe_cancels, inferpipe._inferpipe_results,
  inferpipe._inferpipe_orphans,
  inferpipe._inferpipe_steps, inferpipe._inferpipe_attempts, inferpipe._inferpipe_messages,
  inferpipe._inferpipe_states
  to inferpipe_worker;
grant insert, update, delete on
  inferpipe._inferpipe_queue_state, inferpipe._inferpipe_queue_use, inferpipe._inferpipe_queue_keys,
  inferpipe._inferpipe_queue_waits, inferpipe._inferpipe_queue_freed,
  inferpipe._inferpipe_queue_backlog, inferpipe._inferpipe_debounces
  to inferpipe_worker;
grant insert on inferpipe._inferpipe_worker_workflows, inferpipe._inferpipe_events
  to inferpipe_worker;
grant insert, delete on inferpipe._inferpipe_payloads to inferpipe_worker;
grant insert, update, delete on inferpipe._inferpipe_webhooks to inferpipe_worker;
grant insert on inferpipe._inferpipe_deliveries to inferpipe_worker;

grant select on
  inferpipe.executions, inferpipe.steps, inferpipe.events, inferpipe.messages,
  inferpipe.workers, inferpipe.queues
  to inferpipe_reader;
-- The views use these with the rights of who asks.
grant execute on function
  inferpipe.id_text, inferpipe.id_parse, inferpipe.status_text, inferpipe.waiting_text,
  inferpipe.kind_text, inferpipe.step_status_text
  to inferpipe_reader;
