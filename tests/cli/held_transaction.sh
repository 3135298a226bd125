#!/bin/bash
# tests/cli/held_transaction.sh - work goes on at its pace while another session keeps a transaction
# open: a short run of bench/held-transaction, with a bound that only a collapse misses.
. "$(dirname "$0")/lib.bash"

new_database
expect "three phases" 0 '"ratio":' "$root/bench/held-transaction" 3
ratio=$(sed -n 's/.*"ratio":\([0-9.]*\).*/\1/p' "$work/out")
check "it does not collapse ($(cat "$work/out"))" awk -v r="${ratio:-0}" 'BEGIN { exit !(r > 0.3) }'
check "and something was done" grep -qvE '"(free|held)_per_s":0[,}]' "$work/out"
finish
