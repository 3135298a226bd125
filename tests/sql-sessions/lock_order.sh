#!/usr/bin/env bash
# tests/sql-sessions/lock_order.sh - what two sessions do to each other: who waits for whom, who
# goes on at once, and that nothing is lost or done twice.  Needs DATABASE_URL; the exit code counts.
source "$(dirname "$0")/lib/session.sh"

session a
session b
once "select inferpipe_test.setup(); select inferpipe_test.worker(98)" >/dev/null
start() { once "select inferpipe_test.start()"; }
claim="select exec_id || ' ' || fence from inferpipe_test.claim"
run() { once "select inferpipe_test.run($1)"; }
verdict="select verdict || ' ' || got || ' ' || coalesce(convert_from(payload, 'UTF8'), '-') from inferpipe_test.flush"

# -- claims do not wait for each other ---
one=$(start) two=$(start)
ask a "begin" >/dev/null
is "$(ask a "$claim(99, 1)" | grep -c .)" 1 "the first claim takes one and keeps its transaction open"
got=$(ask b "$claim(98, 100)")
is "$(grep -c . <<<"$got")" 1 "the second claim takes the other one at once"
ask a "commit" >/dev/null
is "$(once "select count(distinct owner) from inferpipe._inferpipe_runs where exec_id in ($one, $two)")" \
    2 "each has one"
once "select verdict from inferpipe._inferpipe_runs r, inferpipe_test.flush(r.exec_id, r.fence, 2, r.owner)" \
    >/dev/null

# -- a message in an open transaction: the owner's flush answers "locked" at once ---
run=$(start)
once "$claim()" >/dev/null
ask a "begin" >/dev/null
is "$(ask a "select inferpipe.execution_send(1, $run, 'm', '1', null, null)")" t "a user sends"
is "$(ask b "$verdict($run, 1, 0, p_step => 's')")" "1 0 -" "the flush does not wait"
is "$(once "select count(*) from inferpipe._inferpipe_steps where exec_id = $run")" 0 "and writes nothing"
ask a "commit" >/dev/null
is "$(ask b "$verdict($run, 1, 0, p_step => 's')")" "0 0 -" "after the commit it is written"

# -- no lost wake-up: wait and message at once, in either order ---
ask a "begin" >/dev/null
is "$(ask a "$verdict($run, 1, 3, p_wait => 'n')")" "0 0 -" "the wait parks in an open transaction"
tell b "select inferpipe.execution_send(1, $run, 'n', '2', null, null)"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" t "the message waits for it"
is "$(run "$run")" "state 0 owner 0 fence 1" "and wakes it"
once "$claim()" >/dev/null
is "$(ask b "$verdict($run, 2, 3, p_wait => 'n')")" "0 1 2" "which receives it"
ask a "begin" >/dev/null
ask a "select inferpipe.execution_send(1, $run, 'o', '3', null, null)" >/dev/null
is "$(ask b "$verdict($run, 2, 3, p_wait => 'o')")" "1 0 -" "a message under way: the wait comes again"
ask a "commit" >/dev/null
is "$(ask b "$verdict($run, 2, 3, p_wait => 'o')")" "0 1 3" "and finds it"

# -- a transactional step holds its run until its transaction ends ---
ask a "begin" >/dev/null
is "$(ask a "select inferpipe.step_tx_commit(99, $run, 2, 5, 9, 'tx', 1::int2, 1, 0::int2, '1', null,
    pg_current_xact_id()::text)")" t "the step is recorded in an open transaction"
is "$(ask b "$verdict($run, 2, 0, p_step => 't')")" "1 0 -" "a flush does not wait for it"
once "select inferpipe.worker_dead(99, 'test')" >/dev/null
is "$(ask b "select released || ' ' || remaining from inferpipe.reap_release(5::int2, 100)")" "0 1" \
    "a reaper leaves it for its next call"
is "$(once "select state from inferpipe._inferpipe_workers where worker_id = 99")" 1 "the worker is not gone yet"
ask a "commit" >/dev/null
is "$(ask b "select released || ' ' || remaining from inferpipe.reap_release(5::int2, 100)")" "1 0" \
    "then it is released"
is "$(once "select crashes from inferpipe._inferpipe_runs where exec_id = $run")" 1 \
    "with the step as its progress"
is "$(ask b "$verdict($run, 2, 0, p_step => 't')")" "2 0 -" "the dead worker writes nothing more"

# -- take-over and flush: whoever has the lock first comes wholly first ---
once "$claim(98)" >/dev/null
ask a "begin" >/dev/null
is "$(ask a "$verdict($run, 3, 0, 98, p_step => 'first')")" "0 0 -" "a flush in an open transaction"
once "select inferpipe.worker_dead(98, 'test')" >/dev/null
is "$(ask b "select released || ' ' || remaining from inferpipe.reap_release(5::int2, 100)")" "0 1" \
    "the reaper passes by"
ask a "commit" >/dev/null
ask b "begin" >/dev/null
is "$(ask b "select released from inferpipe.reap_release(5::int2, 100)")" 1 "the reaper first"
is "$(ask a "$verdict($run, 3, 0, 98, p_step => 'second')")" "1 0 -" "the flush passes by"
ask b "commit" >/dev/null
is "$(ask a "$verdict($run, 3, 0, 98, p_step => 'second')")" "2 0 -" "and then is not the owner"
is "$(once "select string_agg(name, ' ' order by done_at) from inferpipe._inferpipe_steps
    where exec_id = $run and kind = 1")" "s first" "only what came first was written"

# -- a claim and the mark of its worker ---
once "select inferpipe_test.worker(97), inferpipe_test.worker(96)" >/dev/null
ask a "begin" >/dev/null
is "$(ask a "$claim(97)")" "$run 4" "a claim in an open transaction"
tell b "select inferpipe.worker_dead(97, 'test')"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" t "the mark waits for it"
is "$(ask b "select released from inferpipe.reap_release(5::int2, 100)")" 1 \
    "so the release sees what was claimed"
ask b "begin" >/dev/null
ask b "select inferpipe.worker_dead(96, 'test')" >/dev/null
tell a "$claim(96)"
wait_blocked a
ask b "commit" >/dev/null
like "$(answer a)" IP001 "a claim that waited for the mark gets nothing"
is "$(run "$run")" "state 0 owner 0 fence 4" "the run is free"

# -- cancel and claim: the same lock ---
once "select inferpipe_test.worker(95)" >/dev/null
ask a "begin" >/dev/null
ask a "$claim(95)" >/dev/null
tell b "select inferpipe.execution_cancel(1, $run, false)"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" 1 "a cancel that waited for a claim sees the owner"
is "$(once "select worker_id from inferpipe._inferpipe_cancels where exec_id = $run")" 95 "and tells it"
ask a "begin" >/dev/null
is "$(ask a "select inferpipe.execution_cancel(1, $run, true)")" 2 "a forced cancel in an open transaction"
is "$(ask b "$verdict($run, 5, 0, 95, p_step => 'late')")" "1 0 -" "a flush passes by"
ask a "commit" >/dev/null
is "$(ask b "$verdict($run, 5, 0, 95, p_step => 'late')")" "2 0 -" "and then finds it ended"

# -- two retries, two keys ---
ask a "begin" >/dev/null
ask a "select inferpipe.execution_retry(1, $run)" >/dev/null
tell b "select inferpipe.execution_retry(1, $run)"
wait_blocked b
ask a "commit" >/dev/null
like "$(answer b)" IP409 "only one of two retries goes through"
keyed="select exec_id || ' ' || created from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0,
    null, 'k', 60000, '1', null, null, null)"
ask a "begin" >/dev/null
first=$(ask a "$keyed")
tell b "$keyed"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" "${first% *} false" "a start with the same key waits and gets the same id"
ask a "begin" >/dev/null
ask a "${keyed/\'k\'/\'l\'}" >/dev/null
tell b "${keyed/\'k\'/\'l\'}"
wait_blocked b
ask a "rollback" >/dev/null
like "$(answer b)" " true" "or makes its own when the other is rolled back"

# -- batches in opposite orders ---
once "select inferpipe_test.worker(94); select count(*) from inferpipe_test.claim(94)" >/dev/null
once "insert into inferpipe._inferpipe_workers (worker_id, expires_at, started_at, seen_at, workspace_id)
    select 93, now(), now(), now(), 1" >/dev/null
both=$(once "select string_agg(exec_id::text, ',' order by exec_id) from inferpipe._inferpipe_runs
    where owner = 94")
is "$(tr -cd , <<<"$both" | wc -c)" 2 "a worker with three executions"
ask a "begin" >/dev/null
for id in $(tr , '\n' <<<"$both" | tac); do
    ask a "select exec_id from inferpipe._inferpipe_runs where exec_id = $id for no key update" >/dev/null
    is "$(ask b "$verdict($id, (select fence from inferpipe._inferpipe_runs where exec_id = $id), 0, 94)")" \
        "1 0 -" "a row locked out of order is skipped, not waited for"
done
ask a "rollback" >/dev/null

# -- fork and flush: one moment of the source ---
run2=$(once "select inferpipe_test.start()")
once "select inferpipe_test.worker(92); select count(*) from inferpipe_test.claim(92)" >/dev/null
fork="select exec_id from inferpipe.execution_fork(1, $run2, null, null, null, null, null, null, null, null, null)"
ask a "begin" >/dev/null
is "$(ask a "$verdict($run2, 1, 0, 92, p_step => 'one')")" "0 0 -" "a flush in an open transaction"
tell b "$fork"
wait_blocked b
ask a "commit" >/dev/null
is "$(once "select count(*) from inferpipe._inferpipe_steps where exec_id = $(answer b)")" 1 \
    "a fork that waited for it has its step"
ask a "begin" >/dev/null
forked=$(ask a "$fork")
is "$(ask b "$verdict($run2, 1, 0, 92, p_step => 'two', p_seq => 2)")" "1 0 -" "a flush passes by a fork"
ask a "commit" >/dev/null
is "$(ask b "$verdict($run2, 1, 2, 92, p_step => 'two', p_seq => 2)")" "0 0 -" "and writes after it"
is "$(once "select count(*) from inferpipe._inferpipe_steps where exec_id = $forked")" 1 "the fork has none of that"

# -- partitions: two at once, and behind a long transaction ---
ask a "begin" >/dev/null
tables=$(once "select cardinality(inferpipe.history_tables())")
is "$(ask a "select inferpipe.partitions_ensure(9)")" "$tables" "one makes the partitions of a week"
is "$(ask b "select inferpipe.partitions_ensure(9)")" 0 "another one does not wait for it"
ask a "commit" >/dev/null
ask a "begin; select count(*) from inferpipe._inferpipe_steps_default" >/dev/null
is "$(ask b "select inferpipe.partitions_ensure(10)")" $((tables - 1)) "a table that is in use is left for later"
ask a "commit" >/dev/null
is "$(ask b "select inferpipe.partitions_ensure(10)")" 1 "and made then"

# A reader that has locked the history in the other order than two partitions would: with one a
# transaction there is no such order, so it waits and then reads.
ask a "begin; select inferpipe.maintain()" >/dev/null
ask b "set deadlock_timeout = '20ms'; begin" >/dev/null
once "update inferpipe_test.clock set shift = interval '28 days'" >/dev/null
ask a "commit; begin" >/dev/null
is "$(ask a "select inferpipe.maintain()")" t "the hourly chores make a partition"
is "$(once "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted
    and relation::regclass::text like '%\_default'")" 1 "and lock one default partition"
tables="inferpipe._inferpipe_$(once "select string_agg(t, ', inferpipe._inferpipe_' order by i desc)
    from unnest(inferpipe.history_tables()) with ordinality h(t, i)")"
tell b "lock table $tables in access share mode; select 'read'"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" read "a reader in any order gets through"
ask b "commit; reset deadlock_timeout" >/dev/null
once "update inferpipe_test.clock set shift = '0'" >/dev/null

is "$(once "select count(*) from inferpipe.doctor(null, null) where severity = 'error'")" 0 "doctor is content"
closing
