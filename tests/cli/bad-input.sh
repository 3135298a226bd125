#!/bin/bash
# tests/cli/bad-input.sh - each kind of bad input: a clear text, the right exit code, nothing done.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
sql "select inferpipe.workflow_register(1, '{echo}', '{1}', '{default}', '{null}')" >/dev/null ||
    fail "set-up" "cannot register a workflow"
start=("$ip" execution start echo)

expect "an unknown option" 2 'unknown option "--inputs"; did you mean "--input"' \
    "${start[@]}" --inputs 1
expect "a duration without a unit" 2 '^inferpipe: execution start: --delay: "5"' "${start[@]}" --delay 5
expect "a duration over a hundred years" 2 '--deadline' "${start[@]}" --deadline 99999999d
expect "a bad time" 2 '^inferpipe: execution start: --at: "tomorrow" is not a time like' "${start[@]}" --at tomorrow
expect "a day that is not there" 2 '--at: "2026-02-29T08:00:00Z"' "${start[@]}" --at 2026-02-29T08:00:00Z
expect "a time too far away" 2 '--at: must be a time from 1970 to 2169' "${start[@]}" --at 2300-01-01T00:00:00Z
expect "two times" 2 '--at goes without --delay' "${start[@]}" --at 2030-01-01T00:00:00Z --delay 5s
expect "a negative duration" 2 '--delay' "${start[@]}" --delay=-5s
expect "input that is no JSON" 2 '^inferpipe: execution start: input: .*byte' \
    "${start[@]}" --input '{"a":1,}'
expect "input with a duplicate key" 2 'input: ' "${start[@]}" --input '{"a":1,"a":2}'
expect "input with a zero character" 2 'input: ' "${start[@]}" --input '"\u0000"'
expect "input from a file that is not there" 2 'cannot open "/nonexistent"' \
    "${start[@]}" --input @/nonexistent
expect "input from a folder" 2 'cannot read' "${start[@]}" --input @/tmp
head -c 2000 /dev/zero | tr '\0' 7 >"$work/large"
expect "a payload over the limit" 4 'payload_max|payload-max|1024' \
    "${start[@]}" --payload-inline 0 --payload-max 1024 --input "@$work/large"
expect "a payload over the limit, endless" 4 'over the limit of 1024 bytes' \
    bash -c "tr '\\0' 7 </dev/zero | '$ip' execution start echo --payload-inline 0 \
        --payload-max 1024 --input -"
expect "metadata that is no object" 2 'metadata' "${start[@]}" --metadata '[1]'
expect "a priority of 6" 2 '--priority: "6" is not a number from 1 to 5' "${start[@]}" --priority 6
expect "an empty key" 2 'key' "${start[@]}" --key ''
expect "a queue that is no slug" 2 'queue' "${start[@]}" --queue 'A b'
expect "a workflow that is no slug" 2 'workflow' "$ip" execution start 'No Slug'
expect "--timeout without --wait" 2 '--timeout goes with --wait' "${start[@]}" --timeout 1s
expect "an unknown workflow" 3 'unknown workflow "nope"; a worker registers it at its first start' \
    "$ip" execution start nope
expect "an unknown version" 3 'unknown workflow "echo" version 9' "${start[@]}" --version 9
expect "an unknown workspace" 3 'workspace' "${start[@]}" --workspace other
expect "an unknown workflow, as JSON" 3 '^\{"error":\{"code":"NOT_FOUND","command":"execution start"' \
    "$ip" execution start nope --json
expect "an id that is none" 2 '"exe_x" is not an execution id' "$ip" execution get exe_x
for command in get steps watch cancel retry 'send exe_0000000000001 go'; do
    # shellcheck disable=SC2086
    set -- $command
    expect "$1 of an execution that is not there" 3 'exe_0000000000001' \
        "$ip" execution "$1" exe_0000000000001 "${@:3}"
done
expect "a status that is none" 2 'queued, running, completed, failed or canceled' \
    "$ip" execution list --status done
expect "a limit of 0" 2 '--limit' "$ip" execution list --limit 0
expect "a cursor that is none" 2 '--cursor' "$ip" execution list --cursor 7
check "nothing was started" test "$(sql 'select count(*) from inferpipe._inferpipe_executions')" = 0

# The same key with another input.
expect "a start with a key" 0 '"created":true' "${start[@]}" --key k --input 1 --json
expect "its repeat" 0 '"created":false' "${start[@]}" --key k --input 1 --json
expect "its repeat with another input" 4 'key' "${start[@]}" --key k --input 2

# The database.
expect "no database" 1 'connection|connect' env DATABASE_URL="postgres:///x?host=$work" "$ip" doctor
expect "a wrong connection string" 2 '' env DATABASE_URL="nonsense=1" "$ip" doctor
sql "update inferpipe._inferpipe_migrations set version = 999
     where version = (select max(version) from inferpipe._inferpipe_migrations)"
expect "a database that is too new" 4 '999' "${start[@]}"
expect "migrate refuses it" 4 '999' "$ip" migrate
expect "a worker refuses it" 4 '999' "$demo" worker
expect "workers under a supervisor refuse it" 4 '999' "$demo" worker --processes 2
check "nothing else was started" test "$(sql 'select count(*) from inferpipe._inferpipe_executions')" = 1
new_database
expect "a database without the schema" 4 'migrate' "${start[@]}"
expect "a worker without the schema" 4 'migrate' "$demo" worker
expect "a dry run of migrate" 0 '^missing 0001' "$ip" migrate --dry-run
check "it did nothing" test -z "$(sql "select nspname from pg_namespace where nspname = 'inferpipe'")"
expect "migrate" 0 '^applied 0001' "$ip" migrate
expect "migrate again" 0 '"applied":\[\]' "$ip" migrate --json

finish
