#!/bin/bash
# tests/cli/queues.sh - limits of queues by the commands alone, beside a worker.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
expect "a limit may come before the queue" 0 '^concurrency +5$' \
    "$demo" queue set mail --concurrency 5
expect "a rate with its period" 0 '^period +1m$' "$demo" queue set mail --rate 100 --period 1m
expect "the burst is the rate" 0 '^burst +100$' "$demo" queue get mail
expect "the other limit stayed" 0 '^concurrency +5$' "$demo" queue get mail
expect "list" 0 '^mail +false .* 5 +100 +1m' "$demo" queue list
expect "list as JSON" 0 '"name":"mail","paused":false' "$demo" queue list --json
check "it is JSON" json_is "j->'queues'->0->>'rate' = '100'" "$(cat "$work/out")"
expect "0 removes one" 0 '^rate +-$' "$demo" queue set mail --rate 0
expect "a limit out of range" 2 'concurrency' "$demo" queue set mail --concurrency 1000001
expect "no limit at all" 2 'give at least one' "$demo" queue set mail
expect "a bad name" 2 'queue: must be' "$demo" queue pause 'Not A Slug'
expect "an unknown queue" 3 'there is no queue nope' "$demo" queue get nope

"$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
children+=($!)
check "the worker registers" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_workflows"
expect "pause" 0 '^paused$' "$demo" queue pause mail
expect "pause as JSON" 0 '"queue":"paused"' "$demo" queue pause mail --json
id=$("$demo" execution start echo --queue mail --queue-key one)
expect "nothing begins" 5 'it has not ended yet' \
    "$demo" execution start echo --queue mail --wait --timeout 300ms
expect "resume" 0 '^resumed$' "$demo" queue resume mail
expect "then it does" 0 '^completed$' "$demo" execution watch "$id"
expect "a queue in use keeps its name" 0 '^without limits$' "$demo" queue delete mail
expect "and has no limits" 0 '^concurrency +-$' "$demo" queue get mail
first=$("$demo" execution start echo --debounce-key d --debounce 1h --debounce-max 2h)
expect "a debounced start is merged into the first" 0 "^$first\$" \
    "$demo" execution start echo --input 2 --debounce-key d --debounce 1ms
expect "and its input counts" 0 '^output +2$' bash -c \
    "'$demo' execution watch $first >/dev/null && '$demo' execution get $first"
expect "a debounce without a key" 2 'go together' "$demo" execution start echo --debounce 1s
"$demo" queue set unused --concurrency 1 >"$work/out"
expect "one that nobody used goes" 0 '^deleted$' "$demo" queue delete unused
finish
