#!/bin/bash
# tests/cli/examples.sh - the programs in examples/, with workers that are killed.
#
# When and whom the kills hit is random; SEED repeats the choice, not the timing.
. "$(dirname "$0")/lib.bash"
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
words=/usr/share/dict/american-english
total=$(wc -l <$words)

# start_worker PROGRAM WORKFLOW OPTIONS...: sets parent, a supervisor.
start_worker() {
    local program=$build/examples/$1 workflow=$2
    shift 2
    "$program" worker --supervise --tick 100ms "$@" >>"$work/worker.log" 2>&1 &
    parent=$!
    children+=($parent)
    await 20 registered "$workflow" || fail "$workflow" "it is not registered"
}
registered() { "$ip" workflow list | grep -q "^$1 "; }
stop_worker() {
    kill -TERM $parent
    wait $parent || fail "a worker ends in order" "exit code $?"
}
worker_pids() { sql "select pid from inferpipe.workers where state = 'alive' order by pid"; }
start() { "$ip" execution start "$@"; }

# steps ID: name and attempts of each step, in order, on one line.
steps() {
    sql "select string_agg(name || ':' || attempts, ' ' order by seq) from inferpipe.steps
        where id = '$1' and kind in ('step', 'tx')"
}
step_is_there() { sql "select 'yes' from inferpipe.steps where id = '$1' and name = '$2'" | grep -q yes; }
waits_for() { test "$(sql "select waiting_for from inferpipe.executions where id = '$1'")" = "$2"; }
is() { [ "$1" = "$2" ] || { echo "    $1"; return 1; }; }

new_database -T ifp_template

# ---- hello ----
start_worker hello hello
expect "hello greets" 0 '^\{"first":\{"hello":"Ada"\},"then":"goodbye"\}$' \
    "$ip" execution start hello --input '{"name": "Ada"}' --wait --timeout 20s
stop_worker
program=$(sed -n '/^#include/,$p' "$root/examples/hello.c")
check "the README shows the same program" bash -c '[[ $(cat "$1") == *"$2"* ]]' - \
    "$root/README.md" "$program"

# ---- orders ----
start_worker orders process-order --processes 2
id=$(start process-order --input '{"id": "o-1", "declines": 2}')
expect "the approval may come first" 0 '^sent$' \
    "$ip" execution send "$id" manager-approval '{"approved": true}'
expect "an approved order completes" 0 '^completed$' timeout 30 "$ip" execution watch "$id"
check "the card was tried until it worked" is "$(steps "$id")" "fetch:1 charge:3"
expect "the receipt names the key" 0 "\"key\" *: *\"$id-[0-9a-f]{16}\"" \
    "$ip" execution get "$id" --json

expect "nobody approves" 1 'NOT_APPROVED: order o-2: nobody has answered in time' \
    "$ip" execution start process-order --input '{"id": "o-2", "approve_within": "300ms"}' \
    --wait --timeout 20s
check "then the order is canceled" is "$(steps "$(head -n 1 "$work/out")")" "fetch:1 cancel:1"

id=$(start process-order --input '{"id": "o-3"}')
check "an order sleeps" await 10 waits_for "$id" timer
for pid in $(worker_pids); do kill -KILL "$pid"; done
check "all workers dead, it goes on to wait" await 20 waits_for "$id" message
expect "a refusal" 0 '^sent$' \
    "$ip" execution send "$id" manager-approval '{"approved": false, "why": "too dear"}'
expect "ends it" 1 '^failed +REFUSED: order o-3: too dear$' timeout 30 "$ip" execution watch "$id"
check "what was done before the kill was not done again" is "$(steps "$id")" "fetch:1 cancel:1"

expect "an order without an id fails at once" 1 'INVALID_ORDER: step "fetch": order has no /id' \
    "$ip" execution start process-order --wait --timeout 20s
stop_worker

# ---- fanout ----
start_worker fanout report --processes 2
expect "each region is a child, and the report adds them up" 0 '^\{"orders":140,"returns":14\}$' \
    "$ip" execution start report --input '["north","south","east"]' --wait --timeout 20s
check "each child has its two steps" is "$(sql "select string_agg(x.n::text, ' ') from (
    select count(*) as n from inferpipe.steps where name in ('orders', 'returns') group by id) x")" "2 2 2"
stop_worker

# ---- etl ----
start_worker etl import-words --processes 2 --crash-limit 1000
expect "a bad job is refused" 1 'INVALID_JOB' \
    "$ip" execution start import-words --input '{"import": "x"}' --wait --timeout 20s
expect "a missing file is final" 1 'SOURCE: step "plan": /nonexistent: ' "$ip" execution start import-words \
    --input '{"import": "x", "file": "/nonexistent"}' --wait --timeout 20s

ledger=$work/ledger
: >"$ledger"
parts=5 size=$(((total + 4) / 5))
ids=()
for ((part = 0; part < parts; part++)); do
    input="{\"import\": \"words\", \"file\": \"$words\", \"ledger\": \"$ledger\", \"chunk\": 500,"
    input+="\"pace_ms\": 30, \"first_line\": $((part * size + 1)), \"lines\": $size}"
    ids+=("$(start import-words --key "part-$part" --input "$input")")
    check "a repeat is the same execution" is "$(start import-words --key "part-$part" \
        --input "$input")" "${ids[part]}"
done

ended() { test "$(sql "select count(*) from inferpipe.executions
    where workflow = 'import-words' and status = 'completed'")" = $parts; }
grown() { ended || [ "$(wc -l <"$ledger")" -ge "$1" ]; }
kills=0
while [ $kills -lt 8 ] && await 60 grown $((RANDOM % 20 + 4 + $(wc -l <"$ledger"))) && ! ended; do
    mapfile -t pids < <(worker_pids)
    [ ${#pids[@]} -gt 0 ] || continue
    kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null && kills=$((kills + 1))
done
check "workers were killed ($kills)" test $kills -ge 3
check "all parts complete" await 120 ended

check "each line is there exactly once" is "$(sql "select count(*), count(distinct line)
    from etl_words where import = 'words'")" "$total|$total"
check "and is the right one" is "$(sql "select encode(sha256(convert_to(
        string_agg(word || e'\n', '' order by line), 'UTF8')), 'hex')
    from etl_words where import = 'words'")" "$(sha256sum <$words | cut -d ' ' -f 1)"
check "no completed step ran again" is "$(sql "
    create temp table ledger (execution text, key text, attempt int, pid int, began_us int8);
    copy ledger from stdin with (delimiter ' ');
    select count(*) from ledger l
    join inferpipe._inferpipe_steps s
      on l.key = inferpipe.id_text(s.exec_id) || '-' || lpad(to_hex(s.step_key), 16, '0')
    where l.began_us > extract(epoch from s.done_at) * 1000000" <"$ledger")" 0
check "some steps were interrupted" test "$(wc -l <"$ledger")" -gt "$(sql "select count(*)
    from inferpipe.steps where kind in ('step', 'tx') and id = any (string_to_array('${ids[*]}', ' '))")"
expect "doctor finds nothing" 0 '^ok' "$ip" doctor
stop_worker
finish
