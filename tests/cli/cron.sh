#!/bin/bash
# tests/cli/cron.sh - schedules by the commands alone.
. "$(dirname "$0")/lib.bash"

# No database, no configuration.
next=(env -u DATABASE_URL -u PGHOST "$ip" cron next)
expect "next shows the gap of daylight saving" 0 '^2026-03-08T07:00:00.000Z +2026-03-08 03:00:00 -04:00$' \
    "${next[@]}" '30 2 * * *' --zone America/New_York -n 2 --from 2026-03-07T12:00:00Z
check "as many as asked for" test "$(wc -l <"$work/out")" = 3
expect "next as JSON" 0 '' "${next[@]}" '@every 90s' --json --count 3 --from 2026-01-01T00:00:00Z
check "it names instants" json_is "j->'times'->2->>'at' = '2026-01-01T00:04:30.000Z'" "$(cat "$work/out")"
expect "next takes now when not told" 0 '^20[0-9]{2}-.*T00:00:00.000Z' "${next[@]}" @daily
expect "a mistake is named with its place" 2 'hour, position 3: 24 is not within 0 to 23' "${next[@]}" '0 24 * * *'
expect "what never fires is refused" 2 'it never fires' "${next[@]}" '0 0 30 2 *'
expect "an unknown zone" 2 'there is no time zone Mars/Crater' "${next[@]}" @daily --zone Mars/Crater
expect "a bad time" 2 '^inferpipe: cron next: --from: ' "${next[@]}" @daily --from tomorrow
expect "too many" 2 '' "${next[@]}" @daily --count 1001

# With a database and a worker; the worker's program declares one schedule of its own.
new_database -T ifp_template
"$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
worker=$!
children+=($worker)
check "the worker declares its program's schedule" await 10 \
    sql "select 1 / count(*) from inferpipe.cron_jobs where name = 'yearly' and declared and program = 'demo'"
expect "create" 0 '^created$' "$demo" cron create beat '* * * * * *' echo --input '{"n": 1.0}' --overlap allow
expect "a name is taken once" 4 'there is a schedule beat already' "$demo" cron create beat @daily echo
expect "replace" 0 '"created":false' "$demo" cron create beat '* * * * * *' echo --input '[1.0]' --replace \
    --overlap allow --json
check "it fires" await 20 sql "select 1 / (count(*) >= 3)::int from inferpipe.cron_executions
    where job = 'beat' and outcome = 'started' and status = 'completed'"
expect "list" 0 '^beat +\* \* \* \* \* \* +UTC +echo +active +20' "$demo" cron list
expect "list as JSON" 0 '' "$demo" cron list --json
check "it has both" json_is "jsonb_array_length(j->'schedules') = 2
    and j->'schedules'->0->>'declared' = 'false' and j->'schedules'->0->'input' = '[1.0]'" "$(cat "$work/out")"
expect "get" 0 '^overlap +allow$' "$demo" cron get beat
expect "get of what is not there" 3 'there is no schedule nothing' "$demo" cron get nothing
expect "history" 0 '^20.*Z +[0-9]+ +started +exe_[0-9a-z]{13} +completed +[0-9]+' "$demo" cron history beat
expect "history as JSON" 0 '' "$demo" cron history beat --json --limit 2
check "two rows with lateness and duration" json_is "jsonb_array_length(j->'history') = 2
    and (j->'history'->1->>'lateness_ms')::int between 0 and 60000
    and (j->'history'->1->>'duration_ms')::int >= 0" "$(cat "$work/out")"
id=$(sed -nE 's/.*"id":"(exe_[0-9a-z]+)".*/\1/p' "$work/out")
expect "the execution was given the tick" 0 '"scheduledTime":"20' "$demo" execution get "$id"
expect "pause" 0 '^paused$' "$demo" cron pause beat
paused=$(sql "select count(*) from inferpipe.cron_executions where job = 'beat'")
expect "trigger of a paused one" 0 '^exe_' "$demo" cron trigger beat
check "nothing else fires" test "$(sql "select count(*) from inferpipe.cron_executions where job = 'beat'")" \
    = $((paused + 1))
expect "resume" 0 '^active$' "$demo" cron resume beat
check "it goes on" await 20 sql "select 1 / (count(*) > $((paused + 2)))::int
    from inferpipe.cron_executions where job = 'beat'"
check "nothing of the pause was missed" test \
    "$(sql "select count(*) from inferpipe.cron_executions where outcome = 'missed'")" = 0
expect "delete" 0 '^deleted$' "$demo" cron delete beat
expect "delete again" 3 'there is no schedule beat' "$demo" cron delete beat
expect "a bad policy" 2 '^demo: cron create: --overlap: "maybe" is not skip, queue or allow' \
    "$demo" cron create x @daily echo --overlap maybe
expect "a bad expression" 2 'cron create: schedule: hour' "$demo" cron create x '0 99 * * *' echo
expect "an input over its limit" 4 'input: 16385 bytes, at most 16384' \
    bash -c "printf '\"%16383s\"' x | '$demo' cron create x @daily echo --input -"
expect "an input at its limit" 0 'created' \
    bash -c "printf '\"%16382s\"' x | '$demo' cron create x @daily echo --input -"
expect "doctor finds nothing" 0 '^ok: nothing found$' "$demo" doctor
kill -TERM $worker
status=0
wait $worker || status=$?
check "the worker ends in order" test $status = 0
finish
