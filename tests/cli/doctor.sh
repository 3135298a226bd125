#!/bin/bash
# tests/cli/doctor.sh - doctor by the command: what it finds, says and mends; who runs what.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
"$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
worker=$!
children+=($worker)
check "the worker says what it runs" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_worker_workflows"

expect "nothing is wrong" 0 '^ok: nothing found$' "$demo" doctor
expect "nothing to mend" 0 '^ok: nothing found$' "$demo" doctor --repair
expect "worker list shows what it runs" 0 'echo/1' "$demo" worker list
expect "and so does workflow list" 0 '^echo +1 .* 1 ' "$demo" workflow list

# Every check has its words, and every word its check.
expect "a check in words" 0 'no living worker runs' "$ip" doctor --explain stranded
expect "as JSON" 0 '"repairable":true' "$ip" doctor --explain waits_with_mail --json
expect "an unknown one" 3 'there is no check "nope"' "$ip" doctor --explain nope
expect "all of them" 0 '^timeline$' "$ip" doctor --explain all
grep -E '^[a-z_]+$' "$work/out" | sort >"$work/words"
sed -nE "s/.*select '([a-z_]+)', *('(error|warning|info)'|case).*/\1/p" "$root"/sql/schema/doctor*.sql |
    sort -u >"$work/checks"
check "the words fit the checks" diff "$work/checks" "$work/words"

# A wake-up that was lost.
id=$("$demo" execution start waiter)
check "it waits" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_runs where state = 3"
sql "insert into inferpipe._inferpipe_messages (exec_id, name_key, created_at, codec, name, payload)
    select exec_id, inferpipe.name_key('go'), now(), 0, 'go', '{\"x\": 1}' from inferpipe._inferpipe_runs"
expect "doctor finds it" 1 "^waits_with_mail +error +$id" "$demo" doctor
expect "it exits with 1 as JSON, too" 1 '"check":"waits_with_mail"' "$demo" doctor --json
check "JSON without a repair" json_is "not j ? 'repairs'" "$(cat "$work/out")"
expect "and mends it" 1 "^waits_with_mail +$id +made due" "$demo" doctor --repair
expect "it goes on" 0 '^completed' "$demo" execution watch "$id"
expect "all is well again" 0 '"findings":\[\],"repairs":\[\]' "$demo" doctor --repair --json

# A worker that is gone with what it had.
id=$("$demo" execution start waiter)
check "it waits, too" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_runs where state = 3"
kill -TERM $worker
wait $worker
expect "nobody runs it" 1 '^stranded +warning +waiter/1' "$demo" doctor
expect "worker list says so" 0 '^waiter +1 +1$' "$demo" worker list
expect "as JSON" 0 '"stranded":\[\{"workflow":"waiter"' "$demo" worker list --json
expect "which cannot be mended" 1 'nothing of this could be mended' "$demo" doctor --repair
sql "alter table inferpipe._inferpipe_runs disable trigger all;
    update inferpipe._inferpipe_runs set owner = 77, state = 1, wait_key = 0;
    insert into inferpipe._inferpipe_workers (worker_id, expires_at, started_at, seen_at, workspace_id)
    select 77, now() - interval '1 hour', now(), now(), 1"
expect "a lease that is over" 1 '^lease_over +warning +worker 77' "$demo" doctor
expect "both are mended" 1 '^owner_not_alive +1 executions' "$demo" doctor --repair
check "it is free" test "$(sql "select owner || ' ' || state from inferpipe._inferpipe_runs")" = "0 0"
check "the repair is idempotent" test "$("$demo" doctor --repair | grep -c released)" = 0
finish
