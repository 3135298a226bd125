#!/bin/bash
# tests/chaos/cron.sh - schedules under fire: INSTANCES workers with wrong clocks, CRON_JOBS schedules, and for
# SECONDS_OF_CHAOS a random one is killed, stopped for a while, ended in order, has its clock moved, or
# connections are cut.  Then each instant of each schedule must have started exactly one execution, and each
# of those have ended well.
#
# Prints the lateness of all ticks.  SEED repeats the choices (not their timing).  Clocks are shifted by
# libfaketime (Debian: faketime), by up to two days, and jump while the workers run.
#
# `make cron-chaos` runs it large, tests/cli/cron-chaos.sh small in `make test`.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/../cli/lib.bash"

instances=${INSTANCES:-10} schedules=${CRON_JOBS:-1000} seconds=${SECONDS_OF_CHAOS:-120} seed=${SEED:-$RANDOM}
periods=${PERIODS:-5, 10, 15, 20, 30} # seconds that divide a minute
RANDOM=$seed
echo "cron-chaos: $instances instances, $schedules schedules, $seconds s, seed $seed"
shopt -s nullglob
faketime=(/usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1)
[ ${#faketime[@]} -gt 0 ] || { fail "set-up" "no libfaketime here; try scripts/deps test"; finish; }

declare -A pid stopped
kills=0 stops=0 ends=0 jumps=0 cuts=0
pause() { read -rt "$1" <> <(:); }

# A clock that is wrong by up to two days, either way.
set_clock() { echo "$((RANDOM % 2 ? 1 : -1))$((RANDOM * 5 % 172800))s" | sed 's/^1/+/; s/^-1/-/' >"$work/clock$1"; }

begin() {
    set_clock "$1"
    FAKETIME_TIMESTAMP_FILE=$work/clock$1 FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
        LD_PRELOAD=${faketime[0]} "$demo" worker --lease 2s --tick 200ms --cron-grace 10m \
        --slots 200 --threads 2 --connections 2 >>"$work/worker$1" 2>&1 &
    pid[$1]=$!
    children+=("${pid[$1]}")
}

end() {
    [ -z "${stopped[$1]:-}" ] || { kill -CONT "${pid[$1]}" && stopped[$1]=; }
    kill "-$2" "${pid[$1]}" 2>/dev/null
    wait "${pid[$1]}" 2>/dev/null
}

# One blow against a random instance.
strike() {
    local i=$((RANDOM % instances))
    if [ -n "${stopped[$i]:-}" ]; then
        kill -CONT "${pid[$i]}"
        stopped[$i]=
        return
    fi
    case $((RANDOM % 7)) in
    0 | 1)
        end $i KILL
        begin $i
        kills=$((kills + 1))
        ;;
    2 | 3)
        kill -STOP "${pid[$i]}"
        stopped[$i]=1
        stops=$((stops + 1))
        ;;
    4)
        end $i TERM
        begin $i
        ends=$((ends + 1))
        ;;
    5)
        set_clock $i
        jumps=$((jumps + 1))
        ;;
    6)
        sql "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
            order by random() limit 4) x" >/dev/null
        cuts=$((cuts + 1))
        ;;
    esac
}

new_database -T ifp_template
for ((i = 0; i < instances; i++)); do begin $i; done
check "the workers come up" await 30 sql "select 1 / (count(*) = $instances)::int
    from inferpipe._inferpipe_workers where state = 0"
sql "select count(inferpipe.cron_put(1, 'j' || n, format('*/%s * * * * *', p), 'UTC',
        to_timestamp((extract(epoch from now())::int8 / p + 1) * p), 'echo', null, null, 3::int2, 'null', 2::int2,
        0::int2, 100, 0, false, null, false))
    from generate_series(1, $schedules) n,
        lateral (select p from unnest(array[$periods]) with ordinality x(p, nth)
            where nth = n % cardinality(array[$periods]) + 1) x" >/dev/null

over=$((SECONDS + seconds))
while [ $SECONDS -lt $over ]; do
    strike
    pause "0.$((RANDOM % 8 + 1))"
done
for ((i = 0; i < instances; i++)); do
    [ -z "${stopped[$i]:-}" ] || kill -CONT "${pid[$i]}"
done
sql "update inferpipe._inferpipe_cron_jobs set paused = true where name like 'j%'"
check "all executions end" await 120 sql "select 1 / (count(*) = 0)::int from inferpipe._inferpipe_runs"

# The schedules' own arithmetic, not ours: instants are the multiples of the period from the first one on.
sql "create table ticks as
    select j.name, j.next_at, e.*, substring(j.schedule from '/([0-9]+)')::int as p
    from inferpipe._inferpipe_cron_jobs j join inferpipe._inferpipe_cron_executions e using (job_id)
    where j.name like 'j%'"
none() { [ "$(sql "select count(*) from ($1) x")" = 0 ] || { sql "select * from ($1) x limit 5"; return 1; }; }
check "every schedule fired" test "$(sql "select count(distinct name) from ticks")" = "$schedules"
check "no instant was left out, none came twice" none "select name, count(*), min(scheduled_time), max(scheduled_time)
    from ticks group by name, next_at, p
    having count(*) * p <> extract(epoch from next_at - min(scheduled_time))
        or count(distinct scheduled_time) <> count(*)"
check "only instants of the schedule" none "select * from ticks where extract(epoch from scheduled_time) % p <> 0"
check "each started one execution" none "select * from ticks where outcome <> 0 or exec_id is null"
check "and nothing else did" test "$(sql "select count(*) from inferpipe._inferpipe_executions")" = \
    "$(sql "select count(distinct exec_id) from ticks")"
check "each completed, with its own tick" none "select t.name from ticks t
    left join inferpipe._inferpipe_results r on r.exec_id = t.exec_id and r.status = 1
    where convert_from(r.output, 'UTF8')::json->>'scheduledTime' is distinct from
            to_char(t.scheduled_time at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
        or convert_from(r.output, 'UTF8')::json->>'job' is distinct from t.name"
# The wrong clocks are ours, and are to be found.
check "doctor finds nothing but clocks" test "$("$ip" doctor |
    grep -Evc '^(CHECK|clock_skew|ok: nothing found)')" = 0
for ((i = 0; i < instances; i++)); do end $i TERM; done

echo "cron-chaos: $kills kills, $stops stops, $ends orderly ends, $jumps clock jumps, $cuts cuts"
sql "select format('cron-chaos: %s ticks, lateness in ms: p50 %s, p99 %s, p99.9 %s, max %s', count(*),
        (percentile_disc(0.5) within group (order by l))::int, (percentile_disc(0.99) within group (order by l))::int,
        (percentile_disc(0.999) within group (order by l))::int, max(l)::int)
    from (select extract(epoch from fired_at - scheduled_time) * 1000 as l from ticks) x"
finish
