#!/bin/bash
# tests/cli/observability.sh - the dashboard and the alert rules as those read them who use them.
. "$(dirname "$0")/lib.bash"

docs=$root/docs/observability
check "the rules are rules" promtool check rules "$docs/alerts.yml"
check "they fire when they should" promtool test rules "$docs/tests.yml"
board=$(<"$docs/grafana-dashboard.json")
check "the dashboard is JSON, each panel has a place and something to show" json_is "
    (select count(*) > 20 and bool_and(p ? 'gridPos' and (p->>'type' = 'row'
        or jsonb_array_length(p->'targets') > 0))
     from jsonb_array_elements(j->'panels') p)" "$board"
check "no two of them have one id" json_is "
    (select count(*) = count(distinct p->>'id') from jsonb_array_elements(j->'panels') p)" "$board"

# Every expression is one that Prometheus reads.
expressions() {
    echo 'groups: [{name: x, rules: ['
    grep -oE '"expr": ".*"' "$docs/grafana-dashboard.json" | sed 's/"expr": //; s/,$//' |
        sed 's/\$__rate_interval/5m/g; s/\$job/.*/g' | awk '{ print "{record: \"x:y" NR "\", expr: " $0 "}," }'
    echo ']}]'
}
expressions >"$work/panels.yml"
check "its expressions are PromQL" promtool check rules "$work/panels.yml"
check "all of them" test "$(grep -c record "$work/panels.yml")" -gt 30
finish
