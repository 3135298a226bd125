#!/bin/bash
# tests/cli/bench.sh - the benchmark in small: every number is there, and none is absurd. How fast is
# not the question here: the bounds hold on a busy machine.
. "$(dirname "$0")/lib.bash"

expect "an unknown section is a usage error" 2 'no section "speed"' "$ip" bench --only limit,speed
sections=limit,throughput,shapes,enqueue,latency,memory,recovery # the others take longer
bash "$root/bench/limit/gen.sh" "$work/limit"
timeout -k 5 280 "$ip" bench --quick --json --only "$sections" --floor "$build/bench/floor" --limit "$work/limit" \
    >"$work/json" 2>"$work/err" || fail "bench ends" "$(tail -n 3 "$work/err")"

# value KEY: its number, or nothing.
value() { grep -oE "\"$1\": *-?[0-9.]+(e[-+]?[0-9]+)?" "$work/json" | sed 's/.*: *//'; }

# between KEY LOW HIGH
between() {
    local n
    n=$(value "$1")
    check "$1 is between $2 and $3: ${n:-missing}" \
        awk -v n="${n:-nan}" -v low="$2" -v high="$3" 'BEGIN { exit !(n + 0 == n && n >= low && n <= high) }'
}

for key in wf1_per_s wf10_steps_per_s enqueue_per_s start_local_per_s limit_wf1_batched_per_s \
    limit_commit_per_s floor_wf1_per_s floor_wf10_steps_per_s delayed_per_s fanout_children_per_s \
    enqueue_sql_per_s enqueue_file_per_s; do
    between $key 50 10000000
done
between p50_ms 0.1 1000
between p99_ms "$(value p50_ms)" 5000
between commits_per_wf1 0.0001 1
between wal_bytes_per_wf1 500 10000
between server_us_per_wf1 1 10000
between server_us_per_wf10 "$(value server_us_per_wf1)" 100000
between rss_kb_per_active 0.1 20
between rss_mb_idle 2 50
between idle_statements_per_s 0.1 10
between recovery_kill_ms_p99 1 20000
between recovery_stop_ms_p99 1000 30000
between wf1_vs_floor 0.05 3
between wf10_vs_floor 0.05 3
between wf1_vs_limit 0.02 10
check "its databases are gone" test -z \
    "$(sql "select datname from pg_database where datname like 'inferpipe_bench%'")"
finish
