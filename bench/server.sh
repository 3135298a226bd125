#!/bin/bash
# bench/server.sh - the speed of `serve`, each figure beside its yardstick in the same run.
#
#   health   GET /health with the whole chain of interceptors, beside libuv and llhttp alone
#            (bench/http_floor.c); by turns, medians of ROUNDS (5)
#   starts   POST .../executions: async (202 once it is durable) and sync (200 with the result of a
#            workflow of one step); wrk, server, engine and PostgreSQL share the machine
#   crowd    10,000 executions that are under way, ten times what must be possible; meanwhile how
#            long a look at one takes, a synchronous start, and the wait for its first step
#
# Runs beside scripts/testdb.  ROUND_SECONDS (5) is the length of one measurement; with a file named
# by WRITE the figures also go there, as a table.
set -euo pipefail
build=${BUILD:-build} seconds=${ROUND_SECONDS:-5} rounds=${ROUNDS:-5} crowd=10000
work=$(mktemp -d)
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null && wait "${pids[@]}" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "bench/server.sh: $*" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# until_file FILE: waits until it has content.
until_file() {
    for _ in $(seq 300); do
        [ -s "$1" ] && return 0
        sleep 0.1
    done
    fail "$1 did not come"
}

# load ARGS...: wrk, which prints requests a second; an answer that is not 2xx fails.
load() {
    wrk -t1 --latency "$@" >"$work/wrk" 2>&1 || fail "wrk: $(cat "$work/wrk")"
    ! grep 'Non-2xx\|Socket errors' "$work/wrk" >&2 || fail "not every request was answered well"
    awk '/^Requests\/sec/ { printf "%.0f\n", $2 }' "$work/wrk"
}

# latency PERCENT: of the last load, in milliseconds.
latency() {
    awk -v want="$1%" '$1 == want {
        n = $2 + 0
        if ($2 ~ /us$/) n /= 1000
        else if ($2 !~ /ms$/) n *= 1000
        printf "%.1f\n", n }' "$work/wrk"
}

# script NAME METHOD BODY: what wrk sends; it then also says the 95th percentile.
script() {
    cat >"$work/$1.lua" <<END
wrk.method = "$2"
wrk.body = '$3'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer $key"
done = function(summary, latency)
    io.write(string.format("     95%%   %.2fms\n", latency:percentile(95) / 1000))
end
END
}

sql() { psql -qAtX -d "$DATABASE_URL" -c "$1"; }
until_sql() {
    until [ "$(sql "$1")" = "$2" ]; do sleep 0.2; done
}

report() {
    printf '%-44s %14s  %s\n' "$1" "$2" "$3"
    echo "| $1 | $2 | $3 |" >>"$work/table"
}

# What was reported, as a page.
page() {
    cat <<END
# Benchmarks of the server

Measured by \`make bench-server WRITE=docs/benchmarks-server.md\` on $(date -u +%F): $(nproc) CPUs that wrk, the server with
its engine and PostgreSQL share, on loopback. One run: the ratios mean more than the numbers.
\`bench/server.sh\` says what each line does, \`docs/benchmarks.md\` has the engine alone.

| | | |
|---|---:|---|
END
    cat "$work/table"
}

start() {
    "$build/inferpipe" migrate >"$work/migrate.log" 2>&1 || fail "no schema"
    key=$("$build/inferpipe" key create --name bench --json | sed 's/.*"key":"\([^"]*\)".*/\1/')
    mkfifo "$work/floor.pipe"
    "$build/bench/http_floor" >"$work/floor.pipe" &
    pids+=($!)
    read -r port <"$work/floor.pipe"
    floor=http://127.0.0.1:$port
    "$build/examples/samples" serve --port 0 --ready-file "$work/url" --log-level warn \
        >"$work/serve.out" 2>"$work/serve.log" &
    server=$!
    pids+=("$server")
    until_file "$work/url"
    url=$(cat "$work/url")
    route=$url/v1/workflows/test-echo/executions
}

median() { sort -n "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

health() {
    local ours bare
    load -c64 -d1 "$url/health" >"$work/warm"
    for _ in $(seq "$rounds"); do
        load -c64 -d"$seconds" "$floor/health" >>"$work/bare"
        load -c64 -d"$seconds" "$url/health" >>"$work/ours"
    done
    ours=$(median "$work/ours") bare=$(median "$work/bare")
    report "GET /health" "$ours/s" "$(awk -v a="$ours" -v b="$bare" \
        'BEGIN { printf "%.2f of libuv and llhttp alone (%d/s)", a / b, b }')"
}

starts() {
    local rate
    script async POST '{"input":{"message":"hello"},"mode":"async"}'
    script sync POST '{"input":{"message":"hello"},"mode":"sync"}'
    load -c64 -d1 -s "$work/async.lua" "$route" >"$work/warm"
    rate=$(load -c256 -d"$seconds" -s "$work/async.lua" "$route")
    report "POST executions, async" "$rate/s" "p50 $(latency 50) ms, p99 $(latency 99) ms"
    until_sql "select count(*) from inferpipe._inferpipe_runs" 0
    load -c64 -d1 -s "$work/sync.lua" "$route" >"$work/warm"
    rate=$(load -c512 -d"$seconds" -s "$work/sync.lua" "$route")
    report "POST executions, sync, one step" "$rate/s" "p50 $(latency 50) ms, p99 $(latency 99) ms"
}

# Executions that emit a word every ten seconds, begun by bulk starts of 1,000.
gather() {
    awk -v n=1000 'BEGIN {
        printf "["
        for (i = 0; i < n; i++)
            printf "%s{\"workflowId\":\"chat-assist\",\"input\":{\"prompt\":\"x\",\"paceMs\":10000}}", (i ? "," : "")
        print "]" }' >"$work/bulk.json"
    for _ in $(seq $((crowd / 1000))); do
        curl -sS -o "$work/bulk" -w '%{http_code}\n' "$url/v1/executions" -H "Authorization: Bearer $key" \
            -H 'content-type: application/json' --data-binary @"$work/bulk.json" >"$work/status"
        grep -q 200 "$work/status" || fail "bulk start: $(head -c 300 "$work/bulk")"
    done
    until_sql "select count(*) from inferpipe._inferpipe_runs where state in (0, 1) and fence = 0" 0
}

crowd() {
    local one lag before alive rate
    gather
    one=$(sql "select inferpipe.id_text(min(exec_id)) from inferpipe._inferpipe_runs")
    script look GET ''
    rate=$(load -c8 -d"$seconds" -s "$work/look.lua" "$url/v1/executions/$one")
    report "beside $crowd executions: GET one of them" "$rate/s" "p95 $(latency 95) ms"
    before=$(sql "select clock_timestamp()")
    rate=$(load -c8 -d"$seconds" -s "$work/sync.lua" "$route")
    report "beside $crowd executions: POST, sync" "$rate/s" "p95 $(latency 95) ms"
    lag=$(sql "select round((1000 * max(extract(epoch from f.started_at - e.created_at)))::numeric, 1)
        from inferpipe._inferpipe_executions e join inferpipe._inferpipe_results f using (exec_id)
        where e.created_at > '$before'")
    alive=$(sql "select count(*) from inferpipe._inferpipe_runs")
    report "longest wait for a first step" "$lag ms" "$alive executions under way at the end"
}

start
health
starts
crowd
report "memory of the server" "$(awk '/VmRSS/ { printf "%.1f MB", $2 / 1024 }' "/proc/$server/status")" \
    "resident, its engine included, at the end"
[ -z "${WRITE:-}" ] || page >"$WRITE"
