#!/bin/bash
# tests/chaos/smoke.sh - make chaos in short: every kind of fault once, with a failover, and nothing
# is lost or done twice.  And the control: without the fence the same checker finds it.
#
# The seed is a new one each time; a failure prints it.
set -uo pipefail
cd "$(dirname "$0")/../.."
chaos=${BUILD:-build}/tests/chaos/chaos
work=$(mktemp -d)
failed=0
child=
finish() {
    [ -z "$child" ] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP

check() {
    local name=$1
    shift
    if "$@"; then
        echo "ok $name"
    else
        echo "not ok $name"
        failed=1
    fi
}

# run NAME STATUS ARGUMENT...: its output goes to $work/out, and is shown when it ends otherwise.
run() {
    local name=$1 wanted=$2 status=0
    shift 2
    "$chaos" "$@" >"$work/out" 2>&1 &
    child=$!
    wait "$child" || status=$?
    child=
    [ $status -eq "$wanted" ] || cat "$work/out"
    check "$name" test $status -eq "$wanted"
}

"$chaos" --schedule --seed 7 --seconds 60 >"$work/first"
"$chaos" --schedule --seed 7 --seconds 60 >"$work/second"
"$chaos" --schedule --seed 8 --seconds 60 >"$work/other"
check "a schedule has faults" test "$(wc -l <"$work/first")" -gt 100
check "a seed repeats its schedule" cmp -s "$work/first" "$work/second"
check "another seed has another one" bash -c "! cmp -s '$work/first' '$work/other'"

run "nothing is lost and nothing is done twice" 0 --seconds 14 --failover
check "it says so" grep -qx 'violations: 0' "$work/out"
check "the standby took over" grep -q ' 1  failover to the standby' "$work/out"

run "without the fence the checker finds it" 1 --seconds 3 --control
check "by the lease" grep -q '^violation: INV3b' "$work/out"
exit $failed
