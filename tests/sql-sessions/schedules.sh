#!/usr/bin/env bash
# tests/sql-sessions/schedules.sh - two workers fire the same tick, and what the look at 100,000
# schedules costs.
# Needs DATABASE_URL of a superuser; the exit code counts.
source "$(dirname "$0")/lib/session.sh"

once "select inferpipe_test.setup()" >/dev/null
t="'2026-01-01 00:00Z'::timestamptz"
job=$(once "select inferpipe_test.schedule('a', $t)")
session a
session b
fire="select inferpipe_test.fire($job, $t, $t + interval '60 s', array[$t])"

# -- one fires and has not committed: the other neither waits nor fires ---
ask a begin >/dev/null
is "$(ask a "$fire")" "1 1" "the first fires"
is "$(ask b "$fire")" "0 0" "the second leaves it alone at once"
ask a rollback >/dev/null
is "$(ask b "$fire")" "1 1" "the first died: the second fires"
is "$(ask a "$fire")" "0 0" "what the first sends late does nothing"
is "$(once "select count(*) from inferpipe._inferpipe_runs")" 1 "one execution"

# -- a tick that waits is started by one of two ---
once "update inferpipe._inferpipe_cron_jobs set overlap = 1" >/dev/null
next="$t + interval '60 s'"
once "select inferpipe_test.fire($job, $next, $t + interval '120 s', array[$next]);
    select inferpipe.execution_cancel(1, exec_id, true) from inferpipe._inferpipe_runs" >/dev/null
ask a begin >/dev/null
is "$(ask a "select inferpipe.cron_release(1, 10)")" 1 "the first starts it"
is "$(ask b "select inferpipe.cron_release(1, 10)")" 0 "the second leaves it alone at once"
ask a commit >/dev/null
is "$(ask b "select inferpipe.cron_release(1, 10)")" 0 "and later as well"

# -- a pause waits for a tick that is being fired, and holds from then on ---
ask a begin >/dev/null
ask a "select inferpipe_test.fire($job, $t + interval '120 s', $t + interval '180 s', '{}')" >/dev/null
tell b "select inferpipe.cron_pause(1, 'a', true, '* * * * *', 'UTC', null)"
wait_blocked b
ask a commit >/dev/null
is "$(answer b)" t "the pause comes after it"
is "$(once "select inferpipe_test.fire($job, $t + interval '180 s', $t + interval '240 s', '{}')")" "0 0" \
    "then nothing fires"

# -- two take the lock ---
once "select inferpipe_test.worker(1), inferpipe_test.worker(2)" >/dev/null
ask a begin >/dev/null
is "$(ask a "select inferpipe.cron_lock('x', 1, 30000)")" 1 "one takes the lock"
tell b "select coalesce(inferpipe.cron_lock('x', 2, 30000), 0)"
wait_blocked b
ask a commit >/dev/null
is "$(answer b)" 0 "the other waits for the outcome and does not have it"

# -- 100,000 schedules: what is read depends on what is due ---
once "insert into inferpipe._inferpipe_cron_jobs (next_at, created_at, changed_at, jitter_ms, workspace_id,
        catchup_max, prio, overlap, catchup, paused, declared, name, schedule, timezone, workflow, input)
    select now() + interval '1 h' + n * interval '1 s', now(), now(), 0, 1, 100, 3, 2, 0, false, false, 'j' || n, '@daily', 'UTC',
        'order', 'null' from generate_series(1, 100000) n;
    analyze inferpipe._inferpipe_cron_jobs" >/dev/null
settings="set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off; set jit = off"
ask a "$settings" >/dev/null
pages() {
    ask a "$1" >/dev/null
    ask a "explain (analyze, buffers, costs off, timing off, summary off) $1" |
        sed -nE 's/.*Buffers: shared hit=([0-9]+).*/\1/p' | head -1
}
few() { awk -v n="$1" -v most="$2" 'BEGIN { print (n != "" && n <= most) ? "few" : n " pages" }'; }
is "$(few "$(pages "select * from inferpipe.cron_look(1)")" 40)" few "the tick's look reads a few pages"
is "$(few "$(pages "select * from inferpipe.cron_due(1, '{}', 500)")" 40)" few "so does asking for due ones"
once "update inferpipe._inferpipe_cron_jobs set next_at = now() - interval '1 s' where name in ('j500', 'j600')" >/dev/null
is "$(ask a "select count(*) from inferpipe.cron_due(1, '{}', 500)")" 2 "two are due"
is "$(few "$(pages "select * from inferpipe.cron_due(1, '{}', 500)")" 60)" few "and little more is read"
closing
