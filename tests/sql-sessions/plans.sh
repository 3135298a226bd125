#!/usr/bin/env bash
# tests/sql-sessions/plans.sh - the plan of every hot statement, beside a million sleeping executions
# and 200,000 finished ones: indexes are used, no large table is read from end to end.
#
# Three sessions run with the planner settings of the runtime: one is new; one has cached its plans
# while the tables were new; one while the tables were empty and the statistics said so, which is
# how every quiet database looks.  auto_explain tells the plan of each statement inside the functions.
# Needs DATABASE_URL of a superuser; the exit code counts.
source "$(dirname "$0")/lib/session.sh"

settings="set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off; set jit = off"
explain="load 'auto_explain'; set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on; set client_min_messages = log"

# The hot functions, one statement each.  \$lane and \$id are put in.
declare -A hot=(
    [start]="select * from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0, null, 'k',
        60000, '1', null, null, null)"
    [send]="select inferpipe.execution_send(1, \$id, 'm', '1', null, 'd')"
    [claim]="select count(*) from inferpipe.claim(99, array[\$lane], array[(\$id % 8)::int2], array[3::int2],
        array['-infinity']::timestamptz[], 50)"
    [journal]="select count(*) from inferpipe.journal(array[\$id], array[null]::int8[], 100)"
    [keep]="select verdict from inferpipe_test.flush(\$id, 1, 0, p_step => 'a', p_large => '\"x\"')"
    [attempt]="select verdict from inferpipe_test.flush(\$id, 1, 0, p_step => 'b', p_attempt => 1)"
    [nap]="select verdict from inferpipe_test.flush(\$id, 1, 0, p_step => 'n', p_kind => 2, p_seq => 2,
        p_step_wake_ms => 5)"
    [receive]="select verdict from inferpipe_test.flush(\$id, 1, 3, p_wait => 'm', p_wait_seq => 3)"
    [tx]="select inferpipe.step_tx_commit(99, \$id, 1, 5, 4, 'tx', 1::int2, 1, 0::int2, '1', null,
        pg_current_xact_id()::text)"
    [park]="select verdict from inferpipe_test.flush(\$id, 1, 1, p_state => 2, p_wake_ms => 5)"
    [end]="select verdict from inferpipe_test.flush(\$id, 1, 2, p_output => '1')"
    [cancel]="select inferpipe.execution_cancel(1, \$id, false)"
    [tick]="select count(*) from inferpipe.tick(99, 1, 10000, false, 'h', 1, 'p', 'v', array[\$lane], true)"
    [children]="select count(*), count(r.owner), count(f.status) from inferpipe._inferpipe_executions x
        left join lateral (select y.owner, y.fence from inferpipe._inferpipe_runs y
            where y.exec_id = x.exec_id limit 1) r on true
        left join lateral (select y.status from inferpipe._inferpipe_results y
            where y.exec_id = x.exec_id limit 1) f on true
        where x.parent_id = \$id and x.exec_id > \$id"
    [get]="select status from inferpipe.executions where exec_id = \$id and workspace = 'default'"
)
order=(start claim send keep attempt nap receive tx journal children get park tick cancel end)

# The whole text of what auto_explain says.
verbose() { ask "$1" "$explain" >/dev/null; printf '\\set VERBOSITY default\n' >&"${in[$1]}"; }

# Runs all of them in one transaction that is rolled back, and prints what auto_explain said.
run_hot() {
    local name sql id lane
    lane=$(once "select inferpipe_test.lane()")
    ask "$1" "begin" >/dev/null
    id=$(ask "$1" "select inferpipe_test.start()" | grep -E '^[0-9]+$')
    for name in "${order[@]}"; do
        sql=${hot[$name]//\$id/$id}
        ask "$1" "savepoint s" >/dev/null
        printf "\n=== %s\n" "$name"
        ask "$1" "${sql//\$lane/$lane}"
        [[ $name == park || $name == end ]] && ask "$1" "rollback to s" >/dev/null
    done
    ask "$1" "rollback" >/dev/null
}

big='_inferpipe_(runs|executions|results|steps|attempts|messages|payloads|idempotency)[a-z0-9_]*'

# check_plans FILE WHO: no plan in it reads a large table whole; every statement ran.
check_plans() {
    local name
    is "$(grep -cE 'ERROR|FATAL' "$1" || true)" 0 "$2: every statement ran"
    for name in "${order[@]}"; do
        awk -v want="=== $name" '/^===/ { on = $0 == want } on' "$1" >"$1.one"
        is "$(grep -c 'Query Text' "$1.one" | awk '{ print ($1 > 0) }')" 1 "$2: $name has plans"
        is "$(grep -oE "Seq Scan on $big" \
            "$1.one" | sort -u | head -3 || true)" "" "$2: $name reads no large table whole"
        is "$(awk -v big="$big" '
                scan && !/Index Cond/ { print scan }
                { scan = "" }
                /Index (Only )?Scan/ && $0 ~ big { scan = $0; sub(/ *[(]cost.*/, "", scan) }
                END { if (scan) print scan }' "$1.one" | head -3)" "" \
            "$2: $name walks no index of a large table whole"
        is "$(grep -oE '(Hash Join|Merge Join)' "$1.one" | sort -u || true)" "" "$2: $name joins by index"
    done
    for name in claim tick; do
        awk -v want="=== $name" '/^===/ { on = $0 == want } on' "$1" >"$1.one"
        like "$(cat "$1.one")" "using _inferpipe_runs_due" "$2: $name walks the due index"
    done
}

plans=$(mktemp)
# All that would make sessions plan anew comes first.
once "select inferpipe_test.setup();
    alter table inferpipe._inferpipe_runs set (autovacuum_enabled = off);
    select inferpipe.partitions_make(
        date_trunc('week', now() at time zone 'UTC') - n * interval '7 days')
    from generate_series(2, 5) n" >/dev/null
session old
ask old "$settings" >/dev/null
run_hot old >/dev/null 2>&1
once "select inferpipe_test.start() from generate_series(1, 3000);
    set session_replication_role = replica;
    delete from inferpipe._inferpipe_runs; delete from inferpipe._inferpipe_executions" >/dev/null
once "vacuum (analyze, truncate false)" >/dev/null # pages without rows
session quiet
ask quiet "$settings" >/dev/null
run_hot quiet >/dev/null 2>&1

lane=$(once "select inferpipe_test.lane()")
once "set session_replication_role = replica; -- no audit
    set synchronous_commit = off;
    create function pg_temp.past(p_n int8, p_of int8) returns int8 language sql immutable
    as \$\$ select inferpipe.id_floor(date_trunc('week', now()) - interval '28 days'
        + p_n * interval '21 days' / p_of) | (p_n % 1048576) \$\$;
    insert into inferpipe._inferpipe_runs (exec_id, ready_at, fence, workspace_id, lane, shard, state)
    select pg_temp.past(n, 1000000), now() + interval '1 day' + n * interval '1 ms', 1, 1, $lane,
        n % 8, 2
    from generate_series(1, 1000000) n;
    insert into inferpipe._inferpipe_executions
        (exec_id, created_at, seed, workspace_id, lane, prio, codec, input)
    select pg_temp.past(n, 200000), now(), n, 1, 1, 3, 0, '1' from generate_series(1, 200000) n;
    insert into inferpipe._inferpipe_results (exec_id, finished_at, workspace_id, fence, status, output)
    select pg_temp.past(n, 200000), now(), 1, 1, 1, '1' from generate_series(1, 200000) n;
    insert into inferpipe._inferpipe_steps (exec_id, step_key, done_at, fence, seq, kind, status, codec,
        attempts, name, result)
    select pg_temp.past(n, 200000), n, now(), 1, 1, 1, 0, 0, 1, 's', '1' from generate_series(1, 200000) n" >/dev/null

verbose old
run_hot old >"$plans" 2>&1
check_plans "$plans" "plans cached while new"
verbose quiet
run_hot quiet >"$plans" 2>&1
check_plans "$plans" "plans cached while empty"

once "analyze" >/dev/null
session new
ask new "$settings" >/dev/null
verbose new
run_hot new >"$plans" 2>&1
check_plans "$plans" "new plans"

# A claim among a million sleepers looks at a handful of pages, whether something is due or not.
pages() {
    once "$settings; begin; explain (analyze, buffers, costs off, timing off, summary off)
        select count(*) from inferpipe_test.claim(p_limit => 50)" |
        sed -nE 's/.*Buffers: shared hit=([0-9]+).*/\1/p' | head -1
}
pages >/dev/null
is "$(awk -v n="$(pages)" 'BEGIN { print (n != "" && n < 2000) ? "few" : n " pages" }')" few \
    "an empty claim of all 40 spots reads few pages"
rm -f "$plans" "$plans.one"
closing
