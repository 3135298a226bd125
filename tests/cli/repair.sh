#!/bin/bash
# tests/cli/repair.sh - execution retry, cancel and fork for many: what is found, done and refused.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
sql "select inferpipe.workflow_register(1, '{echo,other}', '{1,1}', '{default,night}', '{null,null}')" >/dev/null
seq 250 | "$ip" execution start echo --from-file - >"$work/ids" 2>/dev/null
"$ip" execution start other >/dev/null

expect "without an ID or a status" 2 'needs an ID, or --status' "$ip" execution cancel
expect "with both" 2 '--status goes without an ID' "$ip" execution cancel "$(head -1 "$work/ids")" --status queued
expect "a dry run only shows" 0 '^found 250$' "$ip" execution cancel --status queued --workflow echo --dry-run
check "it lists them all" cmp -s <(sort "$work/ids") "$work/out"
expect "some of them" 0 '^more: --cursor exe_' "$ip" execution cancel --status queued --workflow echo --limit 120
check "and no more" test "$(sql "select count(*) from inferpipe.executions where status = 'canceled'")" = 120
expect "the others" 0 '^done 130, refused 0$' "$ip" execution cancel --status queued --queue default
expect "nothing is left" 0 '^done 0, refused 0$' "$ip" execution cancel --status queued --workflow echo
expect "retry of those of the last hour" 0 '^done 250, refused 0$' "$ip" execution retry --status canceled --since 1h
check "they are queued" test "$(sql "select count(*) from inferpipe.executions where status = 'queued'")" = 251
"$ip" execution cancel --status queued --limit 3 >/dev/null 2>&1
expect "retry of none before that" 0 '^done 0, ' "$ip" execution retry --status canceled --until 2020-01-31T08:00:00Z
expect "a time that is none" 2 '--since: "noon" is neither' "$ip" execution retry --status failed --since noon
expect "fork, as JSON lines" 0 '^\{"id":"exe_.*","outcome":"done","fork":"exe_' \
    "$ip" execution fork --status canceled --key once --json
check "the last line counts" test "$(tail -n 1 "$work/out")" = '{"done":3,"refused":0,"cursor":null}'
cp "$work/out" "$work/first"
expect "the same again" 0 '"done":3' "$ip" execution fork --status canceled --key once --json
check "gives the same forks" cmp -s "$work/first" "$work/out"
expect "a fork from an unknown step" 4 'refused: .* has no step nope' "$ip" execution fork --status canceled --from nope
check "three refusals" grep -qx 'done 0, refused 3' "$work/err"
expect "no --input for many" 2 'are for a single execution' "$ip" execution fork --status canceled --input 1
expect "retry of what cannot be" 4 '"outcome":"refused","code":"CONFLICT"' "$ip" execution retry --status queued --limit 2 --json
finish
