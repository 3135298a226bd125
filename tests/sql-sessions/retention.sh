#!/usr/bin/env bash
# tests/sql-sessions/retention.sh - retention beside others: it waits for nobody for long, nobody
# waits for it for long, and nothing that comes back to life is lost.  Needs DATABASE_URL.
source "$(dirname "$0")/lib/session.sh"

session a
session b
shift_clock() { once "update inferpipe_test.clock set shift = '$1'" >/dev/null; }
retain="select concat_ws(' ', removed, done, more) from inferpipe.retain()"
# Drops what is empty; what is left is what a test put there.
settle() { until [[ $(once "$retain") == "0 f" ]]; do :; done; }
count() { once "select count(*) from inferpipe._inferpipe_executions"; }

# An old week of ten completed executions and a failed one; returns with the clock 100 days later.
shift_clock "-100 days"
once "select inferpipe_test.setup();
    select inferpipe.partitions_make(date_trunc('week', inferpipe.clock() at time zone 'UTC'))" >/dev/null
once "select count(inferpipe_test.start()) from generate_series(1, 11);
    select count(*) from inferpipe_test.claim();
    select count(verdict) from inferpipe._inferpipe_runs r, inferpipe_test.flush(r.exec_id, 1, 2)
    where r.exec_id <> (select max(exec_id) from inferpipe._inferpipe_runs)" >/dev/null
sad=$(once "select exec_id from inferpipe._inferpipe_runs")
once "select verdict from inferpipe_test.flush($sad, 1, 2, p_status => 2)" >/dev/null
shift_clock "0"
once "select inferpipe_test.worker(98); select inferpipe.retention_set('completed', '30 days')" >/dev/null

# -- one at a time, and a call that is interrupted has done nothing ---
ask a "begin" >/dev/null
is "$(ask a "$retain")" "10 rewritten t" "a week is rewritten in an open transaction"
is "$(ask b "$retain")" "0 f" "another call passes by"
ask a "rollback" >/dev/null
is "$(count)" 11 "rolled back, all is there"

# -- a retry under way keeps the week ---
ask a "begin; select inferpipe.execution_retry(1, $sad)" >/dev/null
is "$(ask b "$retain")" "0 f" "retention waits for a retry"
ask a "rollback" >/dev/null

# -- a transaction that reads history: retention gives up, others go on, it comes again ---
ask a "begin; select count(*) from inferpipe._inferpipe_steps" >/dev/null
is "$(ask b "$retain")" "0 waits t" "a reader holds it up for its 100 ms"
is "$(once "select count(inferpipe_test.start())")" 1 "others go on"
is "$(ask b "$retain")" "0 f" "it does not try again at once"
is "$(count)" 12 "nothing has left"
ask a "commit" >/dev/null
shift_clock "1 minute"
is "$(ask b "$retain")" "10 rewritten t" "a minute later it does"
is "$(count)" 2 "what may go has gone"
is "$(once "select inferpipe.execution_retry(1, $sad)")" "" "what stays can be tried again"
settle
is "$(once "select count(*) from inferpipe._inferpipe_executions where exec_id = $sad")" 1 "and lives on"

# -- a delete and a retention: a row that was deleted does not come back ---
shift_clock "0"
ask a "begin; select inferpipe.execution_delete(1, $sad, true)" >/dev/null
is "$(ask b "$retain")" "0 f" "retention waits for a delete"
ask a "commit" >/dev/null
shift_clock "2 days"
is "$(once "select done from inferpipe.retain()")" "dropped" "the week is empty and goes"
is "$(once "select to_regclass('inferpipe._inferpipe_steps_' || to_char(date_trunc('week',
    now() at time zone 'UTC' - interval '100 days'), 'YYYYMMDD')) is null")" t "with its partitions"

is "$(once "select count(*) from inferpipe.doctor(null, null) where severity = 'error'")" 0 "doctor is content"
closing
