#!/bin/bash
# tests/cli/retention.sh - the retention policy and the deletion of one execution, by the commands.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
"$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
worker=$!
children+=($worker)
check "the worker registers its workflows" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_workflows"

expect "at first all are kept" 0 '^completed +forever' "$demo" retention show
expect "a policy" 0 '^failed +12w6d' "$demo" retention set --completed 1h30m --failed 90d
expect "it stays" 0 '' "$demo" retention show --json
check "as JSON" json_is "j->'retention'->0->>'keep' = '1h30m' and j->'retention'->2->>'keep' = 'forever'" \
    "$(cat "$work/out")"
expect "a part of it" 0 '^failed +forever' "$demo" retention set --failed forever
expect "the rest stays" 0 '^completed +1h30m' "$demo" retention show
expect "nothing to set" 2 'want --completed' "$demo" retention set
expect "too short" 2 'less than a minute' "$demo" retention set --canceled 59s
expect "not a duration" 2 'canceled' "$demo" retention set --canceled soon

expect "one completes" 0 '^completed' "$demo" execution start echo --wait --timeout 20s
done=$(head -n 1 "$work/out")
expect "one fails" 1 '^exe_' "$demo" execution start failing --wait --timeout 20s
sad=$(head -n 1 "$work/out")
expect "nothing is old enough" 0 '^0 executions removed' "$demo" retention run
sql "update inferpipe_test.clock set shift = '2 hours'"
expect "two hours later" 0 '"removed":1' "$demo" retention run --json
expect "the completed one is gone" 3 'no execution' "$demo" execution get "$done"
expect "the failed one is kept" 0 'failed' "$demo" execution get "$sad"

expect "delete" 0 '^deleted$' "$demo" execution delete "$sad"
expect "it is gone" 3 'no execution' "$demo" execution get "$sad"
expect "delete it twice" 3 'no execution' "$demo" execution delete "$sad"
id=$("$demo" execution start waiter)
expect "one that lives is refused" 4 'has not ended' "$demo" execution delete "$id"
expect "unless forced" 0 '"deleted":true' "$demo" execution delete "$id" --force --json
expect "it is gone, too" 3 'no execution' "$demo" execution get "$id"
finish
