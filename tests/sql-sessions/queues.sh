#!/bin/bash
# tests/sql-sessions/queues.sh - limited queues between sessions: no place is given twice, none is
# lost, and a transaction that stays open holds up nobody else's executions.
. "$(dirname "$0")/lib/session.sh"

session one
session two
session user
once "select inferpipe_test.setup(); select inferpipe_test.worker(100);
    select inferpipe.limit('default', p_concurrency => 3, p_key_concurrency => 1)" >/dev/null
claims() { ask "$1" "select inferpipe_test.grant_limited($2, $3)"; }
key() { once "select inferpipe_test.key('$1')"; }

# Two claims at once: the second waits for the first, and finds what is left.
once "select count(inferpipe_test.start()) from generate_series(1, 10)" >/dev/null
ask one "begin" >/dev/null
is "$(claims one 99 0)" 3 "the first claim takes all places"
tell two "select inferpipe_test.grant_limited(100, 0)"
wait_blocked two
ask one "commit" >/dev/null
is "$(answer two)" 0 "the second one, at the same time, finds none"

# A claim that is rolled back leaves no trace.
ask one "begin" >/dev/null
is "$(claims one 99 1)" 2 "two places are free again"
ask one "rollback" >/dev/null
is "$(claims two 100 0)" 0 "they were told free in that transaction only"
is "$(claims one 99 1)" 2 "so they are free for its worker"
once "delete from inferpipe._inferpipe_runs; delete from inferpipe._inferpipe_executions" >/dev/null

# Two executions end at once, and somebody's start of the same keys stays open.
for name in a b a b; do once "select inferpipe_test.start_key('$name')" >/dev/null; done
is "$(claims one 99 0)" 2 "one of each key"
ask user "begin" >/dev/null
ask user "select inferpipe_test.start_key('a'), inferpipe_test.start_key('c')" >/dev/null
ends="select inferpipe_test.finish_exec(r.exec_id) from inferpipe._inferpipe_runs r
    join inferpipe._inferpipe_executions e using (exec_id) where r.owner = 99 and e.queue_key"
ask one "begin; $ends = 'a'" >/dev/null
ask two "begin; $ends = 'b'" >/dev/null
ask one "commit" >/dev/null
is "$(claims one 99 1)" 1 "an end that is not committed gives no place, one that is does"
ask two "commit" >/dev/null
is "$(claims one 99 1)" 1 "nor is it lost afterwards"
is "$(key a) / $(key b)" "used 1 fresh 0 waiting 0 / used 1 fresh 0 waiting 0" "both are held again"
ask user "commit" >/dev/null
is "$(claims one 99 2)" 1 "the open start arrives when it commits"
is "$(key a)" "used 1 fresh 0 waiting 1" "its other one waits"

# A waiting execution that a user's transaction holds is passed over, and not forgotten.
waiter=$(once "select exec_id from inferpipe._inferpipe_queue_waits")
once "select inferpipe_test.start_key('a')" >/dev/null
claims one 99 3 >/dev/null
is "$(key a)" "used 1 fresh 0 waiting 2" "two wait"
ask user "begin; select inferpipe.execution_send(1, $waiter, 'm', 'null', null, null)" >/dev/null
once "$ends = 'a'" >/dev/null
is "$(claims one 99 2)" 1 "the next one is admitted in its place"
once "$ends = 'a'" >/dev/null
is "$(claims one 99 1)" 0 "it cannot be while its row is held"
ask user "commit" >/dev/null
once "update inferpipe_test.clock set shift = '2 seconds'" >/dev/null
is "$(claims one 99 1)" 1 "a second later it is"

# Canceled while it waits, and an end at the same time.
once "select inferpipe_test.start_key('a')" >/dev/null
claims one 99 2 >/dev/null
waiter=$(once "select exec_id from inferpipe._inferpipe_queue_waits")
ask user "begin; select inferpipe.execution_cancel(1, $waiter, false)" >/dev/null
once "$ends = 'a'" >/dev/null
is "$(claims one 99 1)" 0 "a cancel that is not committed holds the row"
ask user "commit" >/dev/null
once "update inferpipe_test.clock set shift = '4 seconds'" >/dev/null
once "select inferpipe_test.start_key('a')" >/dev/null
is "$(claims one 99 1)" 1 "then the place goes to the next"
is "$(key a)" "used 1 fresh 0 waiting 0" "and nobody is left over"

# A transaction that changes limits holds up no claim.
ask user "begin; select inferpipe.limit('default', p_concurrency => 9)" >/dev/null
once "$ends = 'c'" >/dev/null
once "select inferpipe_test.start()" >/dev/null
is "$(claims one 99 2)" 1 "a claim goes by the limits that are committed"
ask user "commit" >/dev/null
is "$(once "select count(*) from inferpipe.doctor_queues()")" 0 "doctor finds nothing"
closing
