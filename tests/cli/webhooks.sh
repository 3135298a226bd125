#!/bin/bash
# tests/cli/webhooks.sh - webhooks by the commands alone: endpoints, secrets, deliveries.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
export INFERPIPE_SECRET_KEY=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
id='whk_[0-9a-z]{13}'
url=http://127.0.0.1:1/hook # nobody listens there
expect "without the key of the installation" 1 'INFERPIPE_SECRET_KEY' \
    env -u INFERPIPE_SECRET_KEY "$demo" webhook create --url $url
expect "without a URL" 2 'give --url' "$demo" webhook create
expect "a URL that is none" 2 'http:// or https://' "$demo" webhook create --url file:///etc/passwd
expect "an event that is none" 2 'completed, failed or canceled' \
    "$demo" webhook create --url $url --event started
expect "create" 0 "^whsec_[A-Za-z0-9+/]{44}$" "$demo" webhook create --url $url --event failed \
    --event execution.completed --workflow echo
hook=$(grep -oE "^$id$" "$work/out")
expect "list" 0 "^$hook +$url +completed failed +echo +true" "$demo" webhook list
expect "get" 0 "^events +completed failed$" "$demo" webhook get "$hook"
expect "get as JSON, without a secret" 0 '"url":"http' "$demo" webhook get "$hook" --json
check "it is JSON" json_is "j->>'enabled' = 'true' and not j ? 'secret'" "$(cat "$work/out")"
expect "disable" 0 '^enabled +false$' "$demo" webhook set "$hook" --disable
expect "enable" 0 '^enabled +true$' "$demo" webhook set "$hook" --enable
expect "of all workflows" 0 '^workflow +-$' "$demo" webhook set "$hook" --workflow ''
expect "other events" 0 '^events +canceled$' "$demo" webhook set "$hook" --event canceled
expect "rotate" 0 '^whsec_' "$demo" webhook rotate "$hook" --overlap 1h
expect "while it rotates" 0 '^rotating +true$' "$demo" webhook get "$hook"
expect "an overlap out of range" 2 'at most 30d' "$demo" webhook rotate "$hook" --overlap 31d
expect "the workspace's own" 0 '^whsec_' "$demo" webhook secret
expect "again" 0 '"secret":"whsec_' "$demo" webhook secret --json
expect "it is in no list" 0 "^$hook" "$demo" webhook list
expect "an id that is none" 2 'is not the id of a webhook' "$demo" webhook get 7
expect "an id that is not there" 3 'no such webhook' "$demo" webhook get whk_0000000000001
expect "a test" 0 '^exe_' "$demo" webhook test "$hook"
delivery=$(cat "$work/out")
expect "it waits for a worker" 0 "^$delivery +evt_[^ ]+ +webhook.test +queued +0 " \
    "$demo" webhook deliveries "$hook"

INFERPIPE_EGRESS_ALLOW=127.0.0.1 "$demo" worker --tick 100ms --lease 2s \
    >"$work/worker.out" 2>"$work/worker.err" &
children+=($!)
check "an attempt fails" await 20 sql \
    "select 1 / count(*) from inferpipe._inferpipe_attempts where error_code = 'CONNECT'"
expect "and is shown" 0 "^$delivery .* running +1 +CONNECT" "$demo" webhook deliveries "$hook"
expect "once more" 0 '^exe_' "$demo" webhook redeliver "$hook" "$delivery"
expect "both as JSON" 0 '"next_at"' "$demo" webhook deliveries "$hook" --json
check "with one event" json_is \
    "j->'deliveries'->0->>'event' = j->'deliveries'->1->>'event'" "$(cat "$work/out")"
expect "a page" 0 "^$delivery " "$demo" webhook deliveries "$hook" --limit 1 \
    --cursor "$("$demo" webhook deliveries "$hook" --limit 1 | awk 'NR == 2 { print $1 }')"
expect "deliveries are in no list" 0 '^ID' "$demo" execution list
check "but when they are asked for" grep -q "^$delivery" <("$demo" execution list \
    --workflow inferpipe.webhook)
expect "nor is their workflow" 0 'echo' "$demo" workflow list
check "in the list of workflows" bash -c "! grep -q inferpipe. '$work/out'"
expect "a delivery that is none" 3 'no such delivery' \
    "$demo" webhook redeliver "$hook" exe_0000000000001
expect "delete" 0 '^deleted$' "$demo" webhook delete "$hook"
expect "delete twice" 3 'no such webhook' "$demo" webhook delete "$hook"
finish
