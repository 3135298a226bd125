#!/bin/bash
# tests/cli/http-docs.sh - the examples of docs/http.md work, in their order, against a real server.
. "$(dirname "$0")/lib.bash"
new_database -T ifp_template
samples=$build/examples/samples

"$samples" serve --ready-file "$work/ready" >"$work/serve.out" 2>"$work/serve.err" &
children+=($!)
check "the server comes up" await 30 test -s "$work/ready"
INFERPIPE_BASE_URL=$(cat "$work/ready")
INFERPIPE_API_KEY=$("$ip" key create --name docs --json | sed 's/.*"key":"\([^"]*\)".*/\1/')
export INFERPIPE_BASE_URL INFERPIPE_API_KEY
check "a key has the form that the page says" grep -qE '^ifp_[a-z0-9]{12}_' <<<"$INFERPIPE_API_KEY"

# Each block, with the lines before it that set variables; curl fails for statuses over 399.
{
    echo 'set -euo pipefail'
    echo 'curl() { command curl --fail-with-body -m 30 "$@"; echo; }'
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$root/docs/http.md"
} >"$work/examples.sh"
check "there are examples" test "$(grep -c 'curl -' "$work/examples.sh")" -ge 15
expect "the examples run" 0 '"status":"completed"' bash "$work/examples.sh"
check "a stream ends with done" grep -q '^event: done' "$work/out"
check "an execution can be waited for" grep -q '"metadata":{"customer": "cus_123"}' "$work/out"
check "a schedule shows its history" grep -q '"manual":true' "$work/out"
check "a queue shows its limits" grep -q '"concurrency":5' "$work/out"
check "the server lives" grep -q '"status":"healthy"' "$work/out"

# Each route of the tables is one that the server has.
curl -sS -m 10 -H "authorization: Bearer $INFERPIPE_API_KEY" "$INFERPIPE_BASE_URL/openapi.json" >"$work/openapi"
grep -oE '`(GET|POST|PUT|PATCH|DELETE) /[^`]*`' "$root/docs/http.md" | tr -d '`' | sort -u |
    while read -r method path; do
        json_is "j->'paths'->'$path'->'${method,,}' is not null" "$(cat "$work/openapi")" ||
            echo "$method $path"
    done >"$work/unknown"
check "the routes of the page are there" test ! -s "$work/unknown" || cat "$work/unknown"
finish
