#!/bin/bash
# tests/cli/demo.sh - scripts/demo, what `make run` shows, without a terminal.
. "$(dirname "$0")/lib.bash"
unset PGHOST PGUSER PGDATABASE DATABASE_URL
export BUILD=$build INFERPIPE_DATA="$work/the data"

none_left() { [[ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ') != *"$work/the data"* ]]; }

expect "a worker is killed and the proof holds" 0 \
    '^proof: ok executions=6 steps=[0-9]+ reran_completed=0 rows=[0-9]+ sha256=[0-9a-f]{64} recovered_in_ms=[0-9]+$' \
    env DEMO=only "$root/scripts/demo"
check "it killed one" grep -q '^kill -9 [0-9]*, in the middle of a step of exe_' "$work/out"
check "and says who went on" grep -q 'was taken over by worker' "$work/out"
check "it read the whole file" grep -q " rows=$(wc -l </usr/share/dict/american-english) " "$work/out"
check "the sum is the file's" grep -q " sha256=$(sha256sum </usr/share/dict/american-english |
    cut -d ' ' -f 1) " "$work/out"
check "nothing is left running" none_left
check "no color without a terminal" bash -c "! grep -q \$'\\e' '$work/out'"

# Once more, and this time it stays.
env DEMO=1 "$root/scripts/demo" >"$work/stays" 2>&1 &
stays=$!
children+=($stays)
check "it runs again on the same folder" await 60 grep -q '^Ctrl-C stops all of it' "$work/stays"
check "with the same result" grep -q '^proof: ok ' "$work/stays"
expect "a second one is refused meanwhile" 4 'is in use by another' env DEMO=only "$root/scripts/demo"
# shellcheck disable=SC1091
. "$work/the data/env"
expect "one can look around" 0 'import-words +completed' "$ip" execution list
expect "doctor finds nothing" 0 '^ok' "$ip" doctor
kill -TERM $stays
status=0
wait $stays || status=$?
check "SIGTERM ends it with 0" test $status = 0
check "and all that it started" none_left
expect "another mode is refused" 2 'DEMO is' env DEMO=2 "$root/scripts/demo"
finish
