-- The durable core: everything that one execution needs from start to end.
-- Each line \i is replaced by that file when the migration is built into the binary.
create schema if not exists inferpipe;
\i ../schema/roles.sql
\i ../schema/clock.sql
\i ../schema/ids.sql
\i ../schema/keys.sql
\i ../schema/tables_names.sql
\i ../schema/tables_live.sql
\i ../schema/tables_history.sql
\i ../schema/history_tables.sql
\i ../schema/partitions_ensure.sql
\i ../schema/texts.sql
\i ../schema/workspace_id.sql
\i ../schema/lane_intern.sql
\i ../schema/wake.sql
\i ../schema/run_end.sql
\i ../schema/runs_insert.sql
\i ../schema/execution_start.sql
\i ../schema/execution_send.sql
\i ../schema/execution_cancel.sql
\i ../schema/execution_retry.sql
\i ../schema/execution_fork.sql
\i ../schema/json_bytes.sql
\i ../schema/execution_delete.sql
\i ../schema/callers.sql
\i ../schema/callers_fork.sql
\i ../schema/workflow_register.sql
\i ../schema/lanes.sql
\i ../schema/worker_beat.sql
\i ../schema/tick.sql
\i ../schema/claim.sql
\i ../schema/start_local.sql
\i ../schema/owned.sql
\i ../schema/journal.sql
\i ../schema/flush_journal.sql
\i ../schema/flush_extras.sql
\i ../schema/flush_park.sql
\i ../schema/flush_receive.sql
\i ../schema/flush_end.sql
\i ../schema/flush_notes.sql
\i ../schema/flush.sql
\i ../schema/step_tx_commit.sql
\i ../schema/assert_lease.sql
\i ../schema/step_send.sql
\i ../schema/reap_mark.sql
\i ../schema/reap_release.sql
\i ../schema/worker_leave.sql
\i ../schema/maintain.sql
\i ../schema/retention.sql
\i ../schema/retention_rewrite.sql
\i ../schema/doctor.sql
\i ../schema/views.sql
\i ../schema/grants.sql
-- The partitions of last week (a clock that is a little behind), this one and eight ahead.
select inferpipe.partitions_make(
  date_trunc('week', inferpipe.clock() at time zone 'UTC') - interval '7 days');
select inferpipe.partitions_ensure(8);
