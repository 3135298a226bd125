#!/bin/bash
# tests/cli/operations.sh - what docs/operations.md tells an operator to do: roles, backup and
# restore, take the schema away.
. "$(dirname "$0")/lib.bash"
bin=$INFERPIPE_TEST_PGBIN

# Until it has ended, by another worker: what a backup held goes on from there.
start_worker() {
    "$demo" worker --tick 100ms --lease 2s >"$work/worker.out" 2>"$work/worker.err" &
    worker=$!
    children+=($worker)
}
stop_worker() {
    kill -TERM "$worker"
    wait "$worker"
}

new_database
expect "install" 0 '^schema version ([0-9]+) of \1$' "$demo" migrate
start_worker
check "the worker is up" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_workflows"
expect "one has ended" 0 '^completed' "$demo" execution start echo --input '[1.50]' --wait --timeout 20s
ended=$(head -n 1 "$work/out")
waiting=$("$demo" execution start waiter)
check "one waits" await 10 sql "select 1 / count(*) from inferpipe._inferpipe_runs where state = 3"

# -- backup and restore, while a worker runs ---
check "backup" "$bin/pg_dump" -Fc -f "$work/backup" "$DATABASE_URL"
first=$DATABASE_URL
new_database
check "restore" "$bin/pg_restore" --exit-on-error -d "$DATABASE_URL" "$work/backup"
expect "the copy fits" 0 '^schema version' "$demo" migrate
expect "its history is there" 0 '1\.50' "$demo" execution get "$ended"
copy=$DATABASE_URL
start_worker
expect "a message for the copy" 0 '^sent$' "$demo" execution send "$waiting" go '"copy"'
expect "what waited goes on in the copy" 0 '^completed' "$demo" execution watch "$waiting"
stop_worker
export DATABASE_URL=$first
expect "and waits in the original" 0 'running' "$demo" execution get "$waiting"

# -- roles ---
sql "create role ops_runner_$$ login in role inferpipe_worker;
    create role ops_analyst_$$ login in role inferpipe_reader;
    insert into inferpipe._inferpipe_readers
    select 'ops_analyst_$$', workspace_id from inferpipe._inferpipe_workspaces where slug = 'default'"
expect "a worker's role starts" 0 '^exe_' env PGUSER="ops_runner_$$" DATABASE_URL="${first%&user=*}&user=ops_runner_$$" \
    "$demo" execution start echo
expect "a reader reads" 0 '^completed$' "$bin/psql" -XAtq "${first%&user=*}&user=ops_analyst_$$" -c \
    "select status from inferpipe.executions where id = '$ended'"
expect "and does no more" 1 'permission denied' "$bin/psql" -XAtq -v ON_ERROR_STOP=1 \
    "${first%&user=*}&user=ops_analyst_$$" -c "select inferpipe.start('echo')"

# -- uninstall ---
expect "not beside a worker" 4 'workers are alive' "$demo" migrate --uninstall --force
for pid in "${children[@]}"; do kill -TERM "$pid" 2>/dev/null && wait "$pid"; done
expect "not with live executions" 4 'executions live' "$demo" migrate --uninstall
expect "force alone" 2 '--force goes with' "$demo" migrate --force
sql "create table mine (x int)"
expect "by force" 0 '^the schema was dropped$' "$demo" migrate --uninstall --force
check "nothing is left of it" test -z "$(sql "select nspname from pg_namespace where nspname = 'inferpipe'")"
check "what is not ours stays" sql "select * from mine"
expect "again" 0 '"dropped":false' "$demo" migrate --uninstall --json
expect "it can be installed again" 0 '^applied' "$demo" migrate
check "the test's roles go" sql "drop owned by ops_runner_$$, ops_analyst_$$; drop role ops_runner_$$, ops_analyst_$$"
: "$copy"
finish
