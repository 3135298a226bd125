#!/bin/bash
# tests/chaos/http-smoke.sh - make chaos-http in short: no start that was acknowledged is lost, none is
# there twice.  The seed is a new one each time; a failure prints it.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
child=
finish() {
    [ -z "$child" ] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP

"${BUILD:-build}/tests/chaos/http" --seconds 12 >"$work/out" 2>&1 &
child=$!
status=0
wait "$child" || status=$?
child=
[ $status -eq 0 ] || cat "$work/out"
exit $status
