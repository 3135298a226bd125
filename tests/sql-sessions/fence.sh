#!/usr/bin/env bash
# tests/sql-sessions/fence.sh - assert_lease in a user's transaction: what it wrote is committed
# before anybody else has the execution, or not at all.  Needs DATABASE_URL; the exit code counts.
source "$(dirname "$0")/lib/session.sh"

session a
session b
once "select inferpipe_test.setup(); create table sales (by int4)" >/dev/null
run=$(once "select inferpipe_test.start()")
other=$(once "select inferpipe_test.start()")
once "select count(*) from inferpipe_test.claim()" >/dev/null
lease() { once "select inferpipe.id_text($run) || '.' || owner || '.' || fence
    from inferpipe._inferpipe_runs where exec_id = $run"; }
verdict="select verdict from inferpipe_test.flush"
release="select released || ' ' || remaining from inferpipe.reap_release(5::int2, 100)"
mine=$(lease)

# -- the fence came first: take-over, cancel and commit wait or pass by ---
ask a "begin" >/dev/null
ask a "insert into sales values (1)" >/dev/null
ask a "select inferpipe.assert_lease('$mine')" >/dev/null
is "$(ask b "$verdict($run, 1, 0, p_step => 's')")" 1 "a commit of the execution comes again"
is "$(ask b "$verdict($other, 1, 0, p_step => 's')")" 0 "one of another execution goes on"
once "select inferpipe.worker_dead(99, 'test')" >/dev/null
is "$(ask b "$release")" "1 1" "a reaper leaves it and takes the others"
tell b "select inferpipe.execution_cancel(1, $run, true)"
wait_blocked b
ask a "commit" >/dev/null
is "$(answer b)" 2 "a forced cancel waits for the transaction"
is "$(once "select count(*) from sales")" 1 "whose write is there"

# -- the take-over came first: the stale worker's write aborts ---
once "select inferpipe.execution_retry(1, $run)" >/dev/null
once "select inferpipe_test.worker(98); select count(*) from inferpipe_test.claim(98)" >/dev/null
mine=$(lease)
ask a "begin" >/dev/null
ask a "insert into sales values (2)" >/dev/null
once "select inferpipe.worker_dead(98, 'test')" >/dev/null
is "$(ask b "$release")" "2 0" "taken over in the middle of the transaction"
like "$(ask a "select inferpipe.assert_lease('$mine')")" IP001 "the stale one is told"
ask a "commit" >/dev/null
is "$(once "select count(*) from sales")" 1 "and its write is gone"

# -- the same with a snapshot from before the take-over ---
once "select inferpipe_test.worker(97); select count(*) from inferpipe_test.claim(97)" >/dev/null
mine=$(lease)
ask a "begin isolation level repeatable read; select count(*) from sales" >/dev/null
ask a "insert into sales values (3)" >/dev/null
once "select inferpipe.worker_dead(97, 'test'); $release" >/dev/null
like "$(ask a "select inferpipe.assert_lease('$mine')")" 40001 "an old snapshot does not hide it"
ask a "commit" >/dev/null
is "$(once "select count(*) from sales")" 1 "nor let the write through"

# -- both at once: the take-over has the row, the fence waits and then finds it gone ---
once "select inferpipe_test.worker(96); select count(*) from inferpipe_test.claim(96)" >/dev/null
mine=$(lease)
ask b "begin; select inferpipe.execution_cancel(1, $run, true)" >/dev/null
ask a "begin; insert into sales values (4)" >/dev/null
tell a "select inferpipe.assert_lease('$mine')"
wait_blocked a
ask b "commit" >/dev/null
like "$(answer a)" IP001 "the fence waits for a cancel under way"
ask a "rollback" >/dev/null

closing
