#!/bin/bash
# tests/cli/cron.sh - schedules by the commands alone.
. "$(dirname "$0")/lib.bash"

# No database, no configuration.
next=(env -u DATABASE_URL -u PGHOST "$ip" cron next)
expect "next shows the gap of daylight saving" 0 '^2026-03-08T07:00:00.000Z +2026-03-08 03:00:00 -04:00$' \
    "${next[@]}" '30 2 * * *' --zone America/New_York -n 2 --from 2026-03-07T12:00:00Z
check "as many as asked for" test "$(wc -l <"$work/out")" = 3
expect "next as JSON" 0 '' "${next[@]}" '@every 90s' --json --count 3 --from 2026-01-01T00:00:00Z
check "it names instants" json_is "j->'times'->2->>'at' = '2026-01-01T00:04:30.000Z'" "$(cat "$work/out")"
expect "next takes now when not told" 0 '^20[0-9]{2}-.*T00:00:00.000Z' "${next[@]}" @daily
expect "a mistake is named with its place" 2 'hour, position 3: 24 is not within 0 to 23' "${next[@]}" '0 24 * * *'
expect "what never fires is refused" 2 'it never fires' "${next[@]}" '0 0 30 2 *'
expect "an unknown zone" 2 'there is no time zone Mars/Crater' "${next[@]}" @daily --zone Mars/Crater
expect "a bad time" 2 '^inferpipe: cron next: --from: ' "${next[@]}" @daily --from tomorrow
expect "too many" 2 '' "${next[@]}" @daily --count 1001
finish
