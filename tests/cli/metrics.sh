#!/bin/bash
# tests/cli/metrics.sh - the metrics of a worker on a port of their own.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
# Certificates are the server's affair, not this listener's.
"$demo" worker --tick 100ms --metrics-port 0 --tls-cert /nowhere --tls-key /nowhere 2>"$work/log" &
worker=$!
children+=($worker)
port() { sed -n 's/.*msg="metrics are served".* port=\([0-9]*\).*/\1/p' "$work/log"; }
port_known() { [ -n "$(port)" ]; }
check "it says where" await 15 port_known

# ask METHOD PATH: the answer without its head in $work/body, the head in $work/head.
ask() {
    exec 3<>"/dev/tcp/127.0.0.1/$(port)" || return 1
    printf '%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' "$1" "$2" >&3
    cat <&3 >"$work/answer"
    exec 3>&-
    sed '/^\r$/,$d' "$work/answer" >"$work/head"
    sed '1,/^\r$/d' "$work/answer" >"$work/body"
}
has() { ask GET /metrics && grep -qE "$1" "$work/body"; }

"$demo" execution start echo --input 1 --wait >/dev/null
check "what it did is counted" has '^inferpipe_executions_ended_total\{status="completed"\} 1$'
check "what it runs, too" has '^inferpipe_execution_duration_seconds_count\{workflow="echo"\} 1$'
check "it is Prometheus' text" grep -qi '^content-type: text/plain; version=0.0.4' "$work/head"
check "which promtool likes" promtool check metrics <"$work/body"
check "the database is looked at" await 15 has '^inferpipe_database_up 1$'
check "its workers, too" await 15 has '^inferpipe_workers_alive 1$'
check "and its queues" has '^inferpipe_queue_depth\{queue="default"\} 0$'
ask GET /health
check "it is well" grep -q '"status":"healthy"' "$work/body"
ask GET /v1/executions
check "there is nothing else" grep -q ' 404 ' "$work/head"
ask POST /metrics
check "and nothing to write" grep -q ' 405 ' "$work/head"
expect "a port that is taken is an error that names it" 1 'metrics-port' \
    "$demo" worker --metrics-port "$(port)"

kill -TERM $worker
status=0
wait $worker || status=$?
check "it leaves as ever" test $status = 0
finish
