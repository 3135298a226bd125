#!/bin/bash
# tests/cli/keys.sh - API keys and workspaces by the commands alone, without a server.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
form='^ifp_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$'
expect "a key" 0 "$form" "$ip" key create --name ci --scope executions:write --scope keys:read \
    --expires 90d --rate 10/s --burst 20
key=$(grep -E "$form" "$work/out")
id=${key:0:16}
check "stdout is the key and nothing else" test "$(wc -l <"$work/out")" = 1
check "stderr tells the rest" grep -q '^scopes *executions:write keys:read$' "$work/err"
check "the database has no secret" test "$(sql "select count(*) from inferpipe._inferpipe_api_keys k
    where to_jsonb(k)::text like '%${key:17}%'")" = 0
check "but its hash" test "$(sql "select hash = sha256('$key') from inferpipe._inferpipe_api_keys")" = t
expect "list" 0 "^$id +ci +active +executions:write keys:read +600 " "$ip" key list
check "no list shows it" bash -c "! grep -q '${key:17}' '$work/out'"
expect "list as JSON" 0 "\"rate_per_minute\":600,\"burst\":20" "$ip" key list --json
check "it is JSON" json_is "j->'keys'->0->>'state' = 'active'" "$(cat "$work/out")"
expect "create as JSON" 0 '"key":"ifp_' "$ip" key create --json
check "all scopes, for ever" json_is "j->>'scopes' = '*' and j->'expires_at' = 'null'::jsonb" \
    "$(cat "$work/out")"
expect "rotate" 0 "$form" "$ip" key rotate "$id" --overlap 1h
next=$(cut -c 1-16 "$work/out")
check "it is another one" test "$next" != "$id"
check "with the same rights" grep -q '^scopes *executions:write keys:read$' "$work/err"
expect "the old one stays good for a while" 0 "^$id +ci +active" "$ip" key list
expect "revoke" 0 '^state *revoked$' "$ip" key revoke "$id"
expect "again" 0 '"state":"revoked"' "$ip" key revoke "$id" --json
expect "what is revoked is not rotated" 4 'no longer valid' "$ip" key rotate "$id"
expect "an unknown scope" 2 'there is no scope "admin"' "$ip" key create --scope admin
expect "a bad rate" 2 '"10/day" is not a rate' "$ip" key create --rate 10/day
expect "a bad lifetime" 2 'expiresInMs' "$ip" key create --expires 1ms
expect "a burst alone" 2 'give --rate' "$ip" key create --burst 3
expect "a key is no id" 2 'must be an id' "$ip" key revoke "$key"
check "and is not repeated" bash -c "! grep -q '${key:17}' '$work/out' '$work/err'"
expect "an unknown key" 3 'there is no key' "$ip" key revoke ifp_000000000000

expect "a workspace" 0 '^created$' "$ip" workspace create staging
expect "once" 0 '^there already$' "$ip" workspace create staging
expect "its keys are its own" 3 'there is no key' "$ip" key revoke "$next" --workspace staging
expect "a key there" 0 "$form" "$ip" key create --workspace staging
expect "workspaces" 0 '^staging +20.* 1$' "$ip" workspace list
expect "a bad name" 2 'workspace: must be' "$ip" workspace create 'Not A Slug'
expect "an unknown workspace" 3 'there is no workspace' "$ip" key list --workspace nope
expect "a secret key" 0 '^[0-9a-f]{64}$' "$ip" secret-key
finish
