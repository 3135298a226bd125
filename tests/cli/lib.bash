# tests/cli/lib.bash - what the tests of the command line share; sourced, not run.
#
#   expect NAME CODE PATTERN COMMAND...   the exit code, and a line of stdout or stderr that matches
#   check NAME COMMAND...                 the command succeeds
#   finish                                last of all: says how it went
#
# Nothing sleeps for a fixed time: await looks again until a time limit.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$root/$build
ip=$build/inferpipe
demo=$build/tests/programs/demo
work=$(mktemp -d /tmp/ifp-cli-XXXXXX)
chmod 755 "$work"
failed=0
children=()
databases=0
unset INFERPIPE_CONFIG INFERPIPE_WORKER_ID
export INFERPIPE_PORT=0 # any free one

clean_up() {
    local pid
    for pid in "${children[@]}"; do
        kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

pass() { echo "ok $1"; }
fail() {
    echo "not ok $1: $2"
    failed=1
}

expect() {
    local name=$1 code=$2 pattern=$3 got=0
    shift 3
    timeout -k 5 60 "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -ne "$code" ]; then
        fail "$name" "exit code $got, not $code: $(tail -n 3 "$work/err")"
    elif ! grep -qE -- "$pattern" "$work/out" "$work/err"; then
        fail "$name" "nothing matches '$pattern' in: $(head -c 600 "$work/out" "$work/err")"
    else
        pass "$name"
    fi
}

check() {
    local name=$1
    shift
    if "$@"; then pass "$name"; else fail "$name" "$* failed"; fi
}

# await SECONDS COMMAND...: until it succeeds.
await() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || return 1
        read -rt 0.05 <> <(:)
    done
    return 0
}

# A database of our own, from the template; DATABASE_URL then names it.  It ends with the server.
new_database() {
    local name=cli_$$_$((databases++))
    "$INFERPIPE_TEST_PGBIN/createdb" "$@" "$name" || exit 1
    export DATABASE_URL="postgres:///$name?host=$PGHOST&user=$PGUSER"
}

sql() { "$INFERPIPE_TEST_PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -c "$1"; }

# PostgreSQL is the judge of what is JSON; $1 is an expression over j that must be true.
json_is() {
    "$INFERPIPE_TEST_PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -v "j=$2" -v "test=$1" -d postgres <<<"
        select case when $1 then 'yes' end from (select :'j'::jsonb as j) as x" | grep -qx yes
}

alive() { kill -0 "$1" 2>/dev/null; }
gone() { ! alive "$1"; }

finish() { exit $failed; }
