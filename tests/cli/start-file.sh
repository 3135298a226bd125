#!/bin/bash
# tests/cli/start-file.sh - execution start --from-file: a line an execution, bad lines by number,
# and the same command again after a failure.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
sql "select inferpipe.workflow_register(1, '{echo}', '{1}', '{default}', '{null}')" >/dev/null
count() { sql "select count(*) from inferpipe._inferpipe_executions"; }

seq 2500 | sed 's/.*/{"id": &}/' >"$work/lines"
expect "a file" 0 '^started 2500$' "$ip" execution start echo --from-file "$work/lines" --key-from /id
check "an id for each line" test "$(sort -u "$work/out" | grep -c '^exe_')" = 2500
cp "$work/out" "$work/ids"
check "as many executions" test "$(count)" = 2500
check "in the order of the lines" test \
    "$(sql "select input->>'id' from inferpipe.executions where id = '$(sed -n 2001p "$work/ids")'")" = 2001
expect "the same again" 0 '^started 0, 2500 had been before$' \
    "$ip" execution start echo --from-file "$work/lines" --key-from /id
check "gives the same ids" cmp -s "$work/out" "$work/ids"
expect "one more line, from stdin, as JSON" 0 '^\{"line":4,"id":"exe_.*","created":true\}$' \
    bash -c "printf '{\"id\": 1}\n\n{\"id\": 2}\n{\"id\": \"x\"}\n' |
        '$ip' execution start echo --from-file - --key-from /id --json"
check "the others were there" test "$(grep -c '"created":false' "$work/out")" = 2
check "only the new one was started" test "$(count)" = 2501

printf '1\n{"a":\n2\n[1,]\n' >"$work/bad"
expect "bad lines" 2 'line 4: input' "$ip" execution start echo --from-file "$work/bad"
check "all of them are named" grep -q '^line 2: input' "$work/err"
check "nothing of the batch has started" test "$(count)" = 2501
(seq 1500; echo x) >"$work/late"
expect "a bad line in a later batch" 2 'line 1501: input' \
    "$ip" execution start echo --from-file "$work/late" --key run-1
check "keeps what is before it" test "$(count)" = 3501
(seq 1500) >"$work/late"
expect "mended and run again" 0 '^started 500, 1000 had been before$' \
    "$ip" execution start echo --from-file "$work/late" --key run-1
expect "no key in a line" 2 'line 1: has nothing at /id' \
    "$ip" execution start echo --from-file "$work/late" --key-from /id
expect "an unknown workflow" 3 'lines 1 to 1000: .*nope is not registered' \
    "$ip" execution start nope --from-file "$work/late"
expect "no such file" 2 'cannot open' "$ip" execution start echo --from-file "$work/none"
expect "not with --input" 2 'goes without' "$ip" execution start echo --from-file - --input 1
expect "an empty file" 0 '^started 0$' "$ip" execution start echo --from-file /dev/null
finish
