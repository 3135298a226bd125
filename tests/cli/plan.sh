#!/bin/bash
# tests/cli/plan.sh - plan by the command, and three releases of one program on one database: what
# the plan says before a deploy is what happens after it.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
r1=$build/tests/programs/release
r2=$build/tests/programs/release-2
r3=$build/tests/programs/release-3

worker() {
    "$1" worker --tick 100ms --lease 2s >>"$work/worker.log" 2>&1 &
    workers+=($!)
    children+=($!)
}
no_workers() {
    kill -TERM "${workers[@]}"
    wait "${workers[@]}"
    workers=()
}
workers=()
waiting() { [ "$(sql "select count(*) from inferpipe._inferpipe_runs where state = 3 and owner = 0")" = "$1" ]; }
ended() { [ "$(sql "select count(*) from inferpipe._inferpipe_results where status = 1 and convert_from(output, 'UTF8') = '$1'")" = "$2" ]; }

# Release 1 is in use.
worker "$r1"
check "release 1 registers" await 15 sql "select 1 / count(*) from inferpipe._inferpipe_workflows"
expect "nothing lives yet" 0 '^no execution is live$' "$r1" plan
for i in 1 2 3 4 5 6; do "$r1" execution start order --key "order-$i" >>"$work/ids"; done
"$r1" execution start parcel >"$work/parcel"
check "all wait for a message" await 15 waiting 7
everything() {
    sql "select md5(string_agg(x, ' ' order by x)) from (select r::text from inferpipe._inferpipe_runs r
        union all select s::text from inferpipe._inferpipe_steps s
        union all select w::text from inferpipe._inferpipe_workflows w) t(x)"
}
before=$(everything)
expect "release 1 continues its own" 0 '^order +1 +6 +6 +0 +0 +0$' "$r1" plan
check "and the other workflow" grep -qE '^parcel +1 +1 +1 +0 +0 +0$' "$work/out"

# Before release 2.
expect "release 2 continues all" 0 '"passed":true,"continues":7,"diverges":0' "$r2" plan --json
expect "inferpipe asks another program" 0 '^order +1 +6 +6 +0 +0 +0$' "$ip" plan --worker "$r2"
expect "which finds the database by a flag" 0 '^parcel ' \
    env -u DATABASE_URL "$ip" plan --worker "$r2" --database-url "$DATABASE_URL"

# Before release 3.
first=$(head -n 1 "$work/ids")
expect "release 3 does not" 1 "^$first +order +1 +diverges +2 +call 2: expected step \"charge\" \(recorded as call 2\), found step \"check\"$" "$r3" plan
check "it lacks a version" grep -qE '^parcel +1 +1 +0 +0 +0 +1$' "$work/out"
expect "the same by inferpipe" 1 '^and 4 more' "$ip" plan --worker "$r3" --show 2
expect "as JSON" 1 '"passed":false,"continues":0,"diverges":6,"fails":0,"unknown":1' "$r3" plan --json
check "which is JSON" json_is "jsonb_array_length(j->'findings') = 6 and j->'omitted' = '0'
    and j->'findings'->0->>'id' = '$first' and j->'findings'->0->'calls' = '2'
    and j->'workflows'->1->>'unknown' = '1'" "$(cat "$work/out")"
words=$("$r3" plan --json | sed 's/.*"message":"\(call 2[^}]*\)"}.*/\1/; s/\\"/"/g')
expect "some of them" 1 '^order +1 +6 +0 +2 +0 +0$' "$r3" plan --workflow order --limit 2
expect "a missing version" 1 '^parcel +1 +1 +0 +0 +0 +1$' "$r3" plan --workflow parcel
expect "which may be allowed" 0 '^parcel +1 +1 +0 +0 +0 +1$' "$r3" plan --workflow parcel --allow-unknown
expect "a queue without any" 0 '^no execution is live$' "$r3" plan --queue night
check "nothing has changed by all this" test "$(everything)" = "$before"

# What cannot be asked.
expect "a program without workflows" 2 'has no workflows: give it --worker PROGRAM' "$ip" plan
expect "a program that is not there" 2 'cannot run "nope": No such file' "$ip" plan --worker nope
expect "a limit of nothing" 2 'limit: "0" is not a number from 1' "$r1" plan --limit 0
expect "a bad name" 2 'workflow' "$r1" plan --workflow 'No Such'
expect "a server that is away" 1 'connect' "$r1" plan --database-url 'postgres:///x?host=/nowhere'

# Side by side: each takes the versions that it knows, old executions go on under either.
worker "$r2"
check "release 2 registers" await 15 sql "select 1 / count(*) from inferpipe._inferpipe_workflows where version = '2'"
for i in 1 2 3; do "$r2" execution start parcel; done >/dev/null
check "version 2 runs in release 2" await 15 ended '"parcel 2"' 3
"$r1" execution send "$(cat "$work/parcel")" go 1
check "version 1 goes on" await 15 ended '"parcel 1"' 1
"$r1" execution send "$first" go 1
check "so does an old order" await 15 sql "select 1 / count(*) from inferpipe._inferpipe_results where exec_id = inferpipe.id_parse('$first') and status = 1"

# Release 1 goes, release 2 continues what it began, and takes the patch with what is new.
no_workers
worker "$r2"
second=$(sed -n 2p "$work/ids")
"$r2" execution send "$second" go 1
expect "release 2 continues an old one" 0 '^completed' "$r2" execution watch "$second"
check "without the new step" test "$(sql "select count(*) from inferpipe._inferpipe_steps where name = 'check'")" = 0
"$r2" execution start order >"$work/new"
check "a new one waits, too" await 15 waiting 5
check "with the new step" test "$(sql "select string_agg(kind::text, ' ' order by seq) from inferpipe._inferpipe_steps where kind in (1, 13) and exec_id = inferpipe.id_parse('$(cat "$work/new")')")" = "1 13 1 1"
new=$(cat "$work/new")
expect "release 1 cannot go on with it" 1 "^$new +order +1 +unknown +2 +call 2: expected patch \"check\"" "$r1" plan
check "and with it alone" grep -qE '^order +1 +5 +4 +0 +0 +1$' "$work/out"
expect "which may be allowed, too" 0 '"unknown":1' "$r1" plan --allow-unknown --json

# While a deploy is under way release 1 may get it: it leaves it to release 2.
no_workers
worker "$r1"
"$r1" execution send "$new" go 1
check "release 1 leaves it alone" await 15 sql "select 1 / count(*) from inferpipe._inferpipe_attempts where exec_id = inferpipe.id_parse('$new') and error_code = 'NONDETERMINISTIC'"
worker "$r2"
kill -TERM "${workers[0]}"
expect "release 2 goes on with it" 0 '^completed' "$r2" execution watch "$new"

# Release 3 does what its plan said, in the same words.
no_workers
worker "$r3"
third=$(sed -n 3p "$work/ids")
"$r3" execution send "$third" go 1
expect "release 3 fails an old one" 1 '^failed' "$r3" execution watch "$third"
check "in the words of the plan" test "$(sql "select error_code || ': ' || error from inferpipe.executions where id = '$third'")" = "NONDETERMINISTIC: $words"
no_workers
worker "$r2"
"$r2" execution retry "$third"
expect "with the right release it goes on" 0 '^completed' "$r2" execution watch "$third"
finish
