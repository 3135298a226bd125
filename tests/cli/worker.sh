#!/bin/bash
# tests/cli/worker.sh - the supervisor of worker processes.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
# A long lease: what is quick here is quick because the parent tells.
"$demo" worker --processes 2 --lease 60s --tick 100ms >"$work/out1" 2>"$work/log" &
parent=$!
children+=($parent)

worker_pids() { sql "select pid from inferpipe._inferpipe_workers where state = 0 order by pid"; }
two_workers() { [ "$(worker_pids | wc -l)" = 2 ]; }
check "two workers come up" await 15 two_workers
mapfile -t before < <(worker_pids)

id=$("$demo" execution start hang --input "{\"file\": \"$work/pids\"}")
check "a step runs" await 10 test -s "$work/pids"
victim=$(head -n 1 "$work/pids")
kill -KILL "$victim"
ran_twice() { [ "$(wc -l <"$work/pids")" = 2 ]; }
check "the other worker takes the execution over" await 15 ran_twice
check "another process runs the step" test "$(tail -n 1 "$work/pids")" != "$victim"
check "the dead one is replaced" await 15 two_workers
mapfile -t after < <(worker_pids)
check "by a process of its own" test "${before[*]}" != "${after[*]}"
check "the parent told why" test -n "$(sql "select 1 from inferpipe._inferpipe_workers
    where died_of like 'killed by signal 9%' and pid = $victim")"
check "the finished step did not run again" test "$(sql "select count(*)
    from inferpipe._inferpipe_steps where name = 'first'")" = 1
expect "the execution is canceled" 0 '' "$demo" execution cancel "$id"
expect "and ends" 1 '^canceled' "$demo" execution watch "$id"

kill -TERM $parent
status=0
wait $parent || status=$?
check "SIGTERM ends all with 0" test $status = 0
for pid in "${after[@]}"; do
    check "worker process is gone" gone "$pid"
done
check "all leases are released" test "$(worker_pids | wc -l)" = 0

# The children go with a parent that is killed.
"$demo" worker --processes 2 --tick 100ms >"$work/out2" 2>"$work/log2" &
parent=$!
children+=($parent)
check "two workers come up again" await 15 two_workers
mapfile -t orphans < <(worker_pids)
{ kill -KILL $parent && wait $parent; } 2>/dev/null
for pid in "${orphans[@]}"; do
    check "a child ends with its parent" await 15 gone "$pid"
done
check "in order" await 5 test "$(worker_pids | wc -l)" = 0

# A second signal does not wait.
"$demo" worker --supervise --drain 1h >"$work/out3" 2>"$work/log3" &
parent=$!
children+=($parent)
rm -f "$work/pids"
"$demo" execution start echo --wait --timeout 20s >/dev/null
mapfile -t only < <(worker_pids)
check "one supervised worker" test ${#only[@]} = 1
kill -STOP "${only[0]}"
kill -TERM $parent
# Two signals at once would be delivered as one.
check "the first signal is seen" await 15 grep -q stopping "$work/log3"
check "the first signal waits for the child" alive $parent
kill -TERM $parent
status=0
wait $parent || status=$?
check "the second one ends it at once" gone "${only[0]}"
expect "a wrong worker id" 2 'INFERPIPE_WORKER_ID' env INFERPIPE_WORKER_ID=x "$demo" worker
finish
