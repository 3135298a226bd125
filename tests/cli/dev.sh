#!/bin/bash
# tests/cli/dev.sh - dev on a folder of its own: up, down, again, and after kill -9.
. "$(dirname "$0")/lib.bash"
unset PGHOST PGUSER PGDATABASE DATABASE_URL
folder=$work/dev

# start_dev COMMAND...: sets dev to its pid and waits until it is ready.
start_dev() {
    rm -f "$work/ready"
    "$@" --ready-file "$work/ready" >"$work/dev.out" 2>"$work/dev.err" &
    dev=$!
    children+=($dev)
    await 60 ready_or_gone
    test -s "$work/ready" || fail "dev comes up" "$(tail -n 5 "$work/dev.err")"
}

ready_or_gone() { test -s "$work/ready" || gone $dev; }

stop_dev() {
    local status=0
    kill "-$1" $dev
    wait $dev || status=$?
    return $status
}

# Processes whose command line or working directory is in the folder.
processes_of() {
    local process cwd
    for process in /proc/[0-9]*; do
        cwd=$(readlink "$process/cwd" 2>/dev/null)
        [[ $cwd == "$1"* ]] && echo "${process#/proc/}"
    done
}
none_left() { [ -z "$(processes_of "$1")" ]; }
server_pid() { head -n 1 "$1/pgdata/postmaster.pid"; }

start_dev "$demo" dev --data "$folder" --processes 2
check "it prints the URL" grep -q '^ready DATABASE_URL=postgresql://' "$work/dev.out"
check "the server is not root's" test "$(stat -c %u "/proc/$(server_pid "$folder")")" != 0
check "nobody else gets in" test "$(stat -c %a "$folder/socket")" = 700
check "it listens on no port" bash -c "! grep -q '^[0-9]' <(sed -n 6p '$folder/pgdata/postmaster.pid')"
# shellcheck disable=SC1091
. "$folder/env"
key=$INFERPIPE_API_KEY
expect "its server answers to its key" 0 '"id":"steps10"' \
    curl -sS --fail-with-body -H "authorization: Bearer $key" "$INFERPIPE_BASE_URL/v1/workflows"
check "the key is its owner's alone" test "$(stat -c %a "$folder/api-key")" = 600
check "the page of routes needs none" \
    curl -sSf -m 20 -o /dev/null "$INFERPIPE_BASE_URL/docs"
check "the line that it prints works" bash -c "$(grep -o 'curl .*' "$work/dev.out") | grep -q steps10"
expect "an execution runs" 0 '^completed$' "$demo" execution start steps10 --wait --timeout 20s
expect "a second dev on the folder is refused" 4 'is in use by another `dev`' \
    "$demo" dev --data "$folder"
check "SIGINT ends it with 0" stop_dev INT
check "nothing is left running" none_left "$folder"

start_dev "$ip" dev --data "$folder" --worker "$demo"
check "it starts again, with another program's workflows" grep -q '^try:' "$work/dev.out"
check "its key is the same" grep -q "^key $key$" "$work/dev.out"
expect "the data is still there" 0 'steps10' "$ip" execution list
expect "an execution runs again" 0 '^completed$' "$ip" execution start echo --wait --timeout 20s

# Killed, it takes everything along; the next one comes up at once all the same.
{ kill -KILL $dev && wait $dev; } 2>/dev/null
start_dev "$ip" dev --data "$folder" --json
check "it starts after a kill -9" grep -q '"ready":true' "$work/dev.out"
expect "the data survived" 0 'echo' "$ip" execution list
kill -KILL "$(server_pid "$folder")"
status=0
wait $dev || status=$?
check "a server that ends takes dev along" test $status = 1
check "it says so" grep -q 'PostgreSQL ended: killed by signal 9' "$work/dev.err"
check "nothing is left running then" await 15 none_left "$folder"

start_dev "$ip" dev --data "$folder"
check "it recovers" stop_dev TERM
check "without workflows it says so" grep -q 'no workflows' "$work/dev.out"

# A path too long for a socket.
long=$work/$(printf 'l%.0s' {1..100})
mkdir "$long"
cd "$long" || exit 1
start_dev "$ip" dev --data x
check "a long path is fine" stop_dev INT
check "its socket is elsewhere" test -L "$long/x/socket"
rm -rf "$(readlink "$long/x/socket")"
cd / || exit 1

# A folder that user postgres cannot reach; only root has that trouble.
if [ "$(id -u)" = 0 ]; then
    mkdir -m 700 "$work/private"
    start_dev "$ip" dev --data "$work/private/dev"
    check "an unreachable folder is fine" stop_dev INT
    check "it says where the data is" grep -q 'lives elsewhere' "$work/dev.err"
    away=$(readlink "$work/private/dev/elsewhere")
    check "nothing is left running there" none_left "$away"
    start_dev "$ip" dev --data "$work/private/dev"
    check "it is found again" stop_dev INT
    check "and not made twice" test "$(readlink "$work/private/dev/elsewhere")" = "$away"
    rm -rf "$away"
fi
echo not a cluster >"$work/file"
expect "a file in place of the folder" 1 'cannot|File exists' "$ip" dev --data "$work/file"
expect "no PostgreSQL" 3 'INFERPIPE_PG_BIN' env INFERPIPE_PG_BIN=/nonexistent "$ip" dev --data "$work/none"
finish
