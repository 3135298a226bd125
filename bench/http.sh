#!/bin/bash
# bench/http.sh [FOLDER] - the HTTP server beside the floor: wrk with 64 connections against both in
# turns, as a machine's speed drifts; then the medians, and what a request costs each of them in time
# of the processor, which says more where wrk is what limits.  ROUNDS=5, ROUND_SECONDS=2.
set -euo pipefail
programs=${1:-build/bench}
rounds=${ROUNDS:-5} seconds=${ROUND_SECONDS:-2}
command -v wrk >/dev/null || { echo "bench/http.sh: needs wrk (scripts/deps bench)" >&2; exit 2; }
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

# serve NAME: starts a program and leaves its port in $work/NAME.port.
serve() {
    mkfifo "$work/$1.pipe"
    "$programs/$1" >"$work/$1.pipe" &
    pids+=($!)
    read -r port <"$work/$1.pipe"
    echo "$port" >"$work/$1.port"
    echo "${pids[-1]}" >"$work/$1.pid"
}

# Ticks of the processor that a program has used.
ticks() { awk '{ print $14 + $15 }' "/proc/$(cat "$work/$1.pid")/stat"; }

# measure NAME: "requests/s microseconds" of one round, added to $work/NAME.
measure() {
    local before after
    before=$(ticks "$1")
    wrk -t2 -c64 -d"${seconds}s" "http://127.0.0.1:$(cat "$work/$1.port")/health" >"$work/out"
    after=$(ticks "$1")
    awk -v us=$(((after - before) * 1000000 / $(getconf CLK_TCK))) '
        /requests in/ { n = $1 }
        /Requests\/sec/ { rate = $2 }
        /Non-2xx|Socket errors/ { bad = 1 }
        END { if (bad || !n) exit 1; print rate, us / n }' "$work/out" >>"$work/$1"
}

# median NAME COLUMN
median() { sort -n -k"$2" "$work/$1" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'; }

serve http_floor
serve http_server
for ((i = 0; i < rounds; i++)); do
    measure http_floor
    measure http_server
done
printf '%-24s %12s %18s\n' '' requests/s 'us of processor'
for name in http_floor http_server; do
    printf '%-24s %12.0f %18.2f\n' $name "$(median $name 1)" "$(median $name 2)"
done
awk -v a="$(median http_server 1)" -v b="$(median http_floor 1)" -v c="$(median http_floor 2)" \
    -v d="$(median http_server 2)" 'BEGIN { printf "%-24s %12.2f %18.2f\n", "ratio", a / b, c / d }'
