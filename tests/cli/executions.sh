#!/bin/bash
# tests/cli/executions.sh - executions from start to end, by the commands alone, beside a worker.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
"$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
worker=$!
children+=($worker)
check "the worker registers its workflows" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_workflows"

expect "start prints the id" 0 '^exe_[0-9a-z]{13}$' "$demo" execution start echo
expect "start --wait prints status and output" 0 '^\{"a":1.50\}$' \
    "$demo" execution start echo --input '{"a":1.50}' --wait --timeout 20s
check "the id, the status, the output" test "$(wc -l <"$work/out")/$(sed -n 2p "$work/out")" = 3/completed
expect "input from stdin" 0 '^\[1,2\]$' \
    bash -c "echo '[1,2]' | '$demo' execution start echo --input - --wait --timeout 20s"
echo '"file"' >"$work/input"
expect "input from a file" 0 '^"file"' \
    "$demo" execution start echo --input "@$work/input" --wait --timeout 20s
expect "a failed one exits with 1" 1 '^NO_LUCK: .*it never works' \
    "$demo" execution start failing --wait --timeout 20s
expect "the same as JSON" 1 '"status":"failed","error_code":"' \
    "$demo" execution start failing --wait --timeout 20s --json
check "it is JSON" json_is "j->>'status' = 'failed'" "$(cat "$work/out")"
expect "a flaky one completes" 0 '^completed$' "$demo" execution start flaky --wait --timeout 20s

id=$("$demo" execution start waiter)
expect "a wait that is too short" 5 'it has not ended yet' \
    "$demo" execution start waiter --wait --timeout 100ms
expect "send" 0 '^sent$' "$demo" execution send "$id" go '{"x": 1}' --dedupe one
expect "watch follows it to its end" 0 '^completed$' "$demo" execution watch "$id"
expect "send to an ended one" 4 'has ended' "$demo" execution send "$id" go
expect "cancel of an ended one" 4 'has ended' "$demo" execution cancel "$id"
expect "get shows the output" 0 '^output +\{"x": 1\}$' "$demo" execution get "$id"
expect "get as JSON" 0 '' "$demo" execution get "$id" --json
check "it holds the output as it came" grep -qF '"output":{"x": 1}' "$work/out"

id=$("$demo" execution start steps10)
expect "watch prints a line a step" 0 '  count +ok|  count +completed' "$demo" execution watch "$id"
check "ten steps and the end" test "$(wc -l <"$work/out")" = 11
expect "watch as JSON" 0 '^\{"id":"exe_.*"status":"completed"' "$demo" execution watch "$id" --json
while read -r line; do
    json_is "j ? 'status'" "$line" || fail "each line of watch is JSON" "$line"
done <"$work/out"
expect "steps" 0 '^SEQ +STEP +KIND' "$demo" execution steps "$id"
expect "steps as JSON" 0 '' "$demo" execution steps "$id" --json
check "all ten of them" json_is "jsonb_array_length(j->'steps') = 10" "$(cat "$work/out")"

id=$("$demo" execution start failing)
expect "watch of a failed one exits with 1" 1 '^failed' "$demo" execution watch "$id"
expect "retry" 0 '^queued$' "$demo" execution retry "$id"
expect "it fails again" 1 '^failed' "$demo" execution watch "$id"

expect "fork of a failed one" 0 '^exe_[0-9a-z]{13}$' "$demo" execution fork "$id"
expect "its get names the source" 0 "^forked from +$id\$" "$demo" execution get "$(cat "$work/out")"
id=$("$demo" execution start sleepy --input '{"ms": 1}')
expect "watch it" 0 '^completed' "$demo" execution watch "$id"
expect "fork from a step, with another result before it" 0 '"forked_from":"exe_.*"created":true' \
    "$demo" execution fork "$id" --from after --set before=7 --set 'before={"x": 1.50}' --input 3 --json
fork=$(sed 's/.*"id":"\([^"]*\).*/\1/' "$work/out")
expect "it completes" 0 '^completed' "$demo" execution watch "$fork"
expect "with its input" 0 '^output +3$' "$demo" execution get "$fork"
check "with the last result that was set" grep -qF '{"x": 1.50}' <<<"$("$demo" execution steps "$fork")"
expect "fork from an unknown step" 3 'has no step nope' "$demo" execution fork "$id" --from nope
expect "fork with a bad result" 2 'set: "x" is not STEP=JSON' "$demo" execution fork "$id" --set x

id=$("$demo" execution start hang --input "{\"file\": \"$work/pid\"}")
check "the step runs" await 10 test -s "$work/pid"
expect "retry of a running one" 4 '' "$demo" execution retry "$id"
expect "cancel" 0 'requested|canceled' "$demo" execution cancel "$id"
expect "watch of a canceled one exits with 1" 1 '^canceled' "$demo" execution watch "$id"
id=$("$demo" execution start waiter --delay 1h)
expect "cancel of one that has not begun" 0 '"canceled":true' "$demo" execution cancel "$id" --json

id=$("$demo" execution start rounds --input 2)
for message in 1 2 3; do
    expect "send to whichever generation" 0 '^sent$' "$demo" execution send "$id" go "$message"
done
expect "watch follows the generations" 0 ' continued as new \(2\)$' "$demo" execution watch "$id"
check "the last one from its first step" test "$(grep -A 1 -F 'as new (2)' "$work/out" |
    awk '{ print $2 }' | tr '\n' ' ')" = 'continued round '
expect "watch as JSON says so too" 0 '"seq":0,"name":"2","kind":"continued"' \
    "$demo" execution watch "$id" --json
expect "get tells how often it continued" 0 '^continued +2$' "$demo" execution get "$id"
expect "and as JSON" 0 '"continued":2' "$demo" execution get "$id" --json
expect "steps begin with the continuation" 0 '^0 +2 +continued ' "$demo" execution steps "$id"

id=$("$demo" execution start family --input 7)
expect "a parent ends" 0 '^completed' "$demo" execution watch "$id"
expect "get counts its children by status" 0 '^children +1 [a-z]+, 1 completed$' "$demo" execution get "$id"
expect "and as JSON" 0 '' "$demo" execution get "$id" --json
check "all five counts" json_is "j->'children'->>'completed' = '1' and j->'children'->>'failed' = '0'" \
    "$(cat "$work/out")"
expect "a list of children" 0 'echo' "$demo" execution list --parent "$id" --status completed
check "only those" test "$(wc -l <"$work/out")" = 2
expect "a child names its parent" 0 "^parent +$id\$" \
    "$demo" execution get "$(awk 'NR == 2 { print $1 }' "$work/out")"
expect "a bad parent" 2 '--parent: "x" is not an execution id' "$demo" execution list --parent x
id=$("$demo" execution list --parent "$id" --workflow waiter | awk 'NR == 2 { print $1 }')
expect "the one left alone" 0 'sent' "$demo" execution send "$id" go

id=$("$demo" execution start echo --at 2100-01-31T08:00:00.5+02:00)
check "start --at waits until then" test "$("$demo" execution list --status queued --json |
    grep -o "$id.*" | grep -o '"ready_at":"[^"]*"' | head -1)" = '"ready_at":"2100-01-31T06:00:00.500Z"'
expect "a time that has passed is now" 0 '^completed$' \
    "$demo" execution start echo --at 2020-01-01T00:00:00Z --wait --timeout 20s

# Pages, newest first, without gaps or repeats.
all=$("$demo" execution list --limit 1000 | awk 'NR > 1 { print $1 }')
cursor='' pages=''
while :; do
    page=$("$demo" execution list --limit 4 ${cursor:+--cursor "$cursor"} 2>"$work/more")
    pages+=$(awk 'NR > 1 { print $1 }' <<<"$page")$'\n'
    cursor=$(sed -n 's/^more: --cursor //p' "$work/more")
    [ -n "$cursor" ] || break
done
check "the pages together are the list" test "$(grep . <<<"$pages")" = "$all"
expect "a list by status" 0 'failed' "$demo" execution list --status failed --workflow failing
check "only those" test -z "$(awk 'NR > 1 && $3 != "failed"' "$work/out")"
for command in 'execution list' 'workflow list' 'worker list' 'doctor' 'config' 'version' 'migrate'; do
    # shellcheck disable=SC2086
    expect "$command as JSON" 0 '' "$demo" $command --json
    check "$command prints one object" json_is "jsonb_typeof(j) = 'object'" "$(cat "$work/out")"
done
expect "doctor finds nothing" 0 '^ok: nothing found$' "$demo" doctor
sql "insert into inferpipe._inferpipe_results (exec_id, workspace_id, status, fence, codec, finished_at)
     values (1, 1, 1, 1, 0, now())" || fail "set-up" "cannot plant a fault"
expect "doctor finds a planted fault" 1 'CHECK +SEVERITY' "$demo" doctor
check "no escape sequence in a pipe" bash -c "! '$demo' execution list | grep -q \$'\\033'"

kill -TERM $worker
status=0
wait $worker || status=$?
check "SIGTERM ends the worker with 0" test $status = 0
check "it left the database in order" \
    test "$(sql "select count(*) from inferpipe._inferpipe_workers where state = 0")" = 0
finish
