/*
 * app/bench_wait.c - how long and how large: latency, memory, timers, recovery.
 *
 * Low load is timed by our clock: from the answer to a start until a look on another connection no
 * longer finds the execution alive, so the commit of its end is part of it. Looks are 100 us apart:
 * without a pause they would take a core from what they look at.
 *
 * Half load and timers are timed by the database's clock, from the row that says when it was to
 * begin to the moment at which the end was written; its commit follows, and is not part of it.
 *
 * A percentile of few samples is the largest of them: that is what is printed.
 */
#include "app/bench.h"
#include "app/wait.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>

enum {
    LOW_SAMPLES_QUICK = 1000,
    LOW_SAMPLES = 5000,
    LOOK_US = 100,
    WARM_ROUNDS = 20,
    WARM_BATCH = 200,
    WAIT_MS = 60000,
    MILLION = 1000000,
    VICTIMS = 4
};

static const char *const unfinished =
    "select count(*) from (select from inferpipe._inferpipe_runs limit 1) r";

/* ---- latency -------------------------------------------------------------------------------- */

/* Returns when the execution is seen to have left. */
static int until_gone(struct bench *b, int64_t id, struct err *e)
{
    static const struct pgstmt alive = {
        "bench_alive", "select exec_id from inferpipe._inferpipe_runs where exec_id = $1"
    };
    int rows = 1, rc = 0;

    while (rc == 0 && rows > 0) {
        struct pgargs args;
        struct pgres *res;

        wait_us(LOOK_US);
        pgargs_init(&args);
        pgargs_int8(&args, id);
        rc = pgsync_exec(b->db, &alive, &args, &res, e);
        pgargs_release(&args);
        if (rc == 0) {
            rows = pgres_rows(res);
            pgsync_free_result(res);
        }
    }
    return rc;
}

struct low_sample {
    double start_ms, end_ms; /* of the call, and from its answer to the end */
};

static int one_latency(struct bench *b, struct low_sample *ret, struct err *e)
{
    int64_t id, from_us = clock_mono_us(), acked_us;
    bool created;

    IFP_TRY(client_start(&b->client, "bench-1", "12345", 5, &(ifp_start_options){ 0 }, &id,
                         &created, e));
    acked_us = clock_mono_us();
    IFP_TRY(until_gone(b, id, e));
    ret->start_ms = (double)(acked_us - from_us) / 1e3;
    ret->end_ms = (double)(clock_mono_us() - acked_us) / 1e3;
    return 0;
}

static int low_load(struct bench *b, struct err *e)
{
    static double starts[LOW_SAMPLES], ends[LOW_SAMPLES];
    int n = b->quick ? LOW_SAMPLES_QUICK : LOW_SAMPLES;
    struct low_sample sample;

    for (int i = 0; i < WARM_ROUNDS; i++) /* plans and connections */
        IFP_TRY(one_latency(b, &sample, e));
    for (int i = 0; i < n; i++) {
        IFP_TRY(one_latency(b, &sample, e));
        starts[i] = sample.start_ms;
        ends[i] = sample.end_ms;
        wait_ms(1 + i % 3);
    }
    bench_put(b, "start_p50_ms", bench_quantile(starts, n, 0.5));
    bench_put(b, "start_p99_ms", bench_quantile(starts, n, 0.99));
    bench_put(b, "p50_ms", bench_quantile(ends, n, 0.5));
    bench_put(b, "p99_ms", bench_quantile(ends, n, 0.99));
    bench_put(b, "p999_ms", bench_quantile(ends, n, 0.999));
    return 0;
}

/* Work for the worker, so that its connections have planned what the load needs; no result of it
 * stays. */
static int warm_up(struct bench *b, struct err *e)
{
    for (int i = 0; i < WARM_ROUNDS; i++) {
        IFP_TRY(bench_start(b, "bench-1", WARM_BATCH, e));
        wait_ms(5);
    }
    IFP_TRY(bench_until(b, "select count(*) from inferpipe._inferpipe_results",
                        (int64_t)WARM_ROUNDS * WARM_BATCH, WAIT_MS, e));
    return bench_sql(b, "truncate inferpipe._inferpipe_results", e);
}

/* What sleepers have as the time of their start: a day before they are due. */
#define SLEEP_SPAN "interval '24 hours'"
#define NO_SPAN "interval '0'"

/* A percentile of (end - (start + span)) over all results of the section. */
static int ask_quantile(struct bench *b, const char *key, const char *quantile, const char *span,
                        struct err *e)
{
    char sql[400];
    int64_t us;

    snprintf(sql, sizeof(sql),
             "select (percentile_cont(%s) within group (order by"
             " extract(epoch from r.finished_at - x.created_at - %s)) * 1e6)::int8"
             " from inferpipe._inferpipe_executions x"
             " join inferpipe._inferpipe_results r using (exec_id)",
             quantile, span);
    IFP_TRY(bench_ask(b, sql, &us, e));
    bench_put(b, key, (double)us / 1e3);
    return 0;
}

/* Half of what it can: as many starts a second in small batches. */
static int half_load(struct bench *b, struct err *e)
{
    double full = bench_get(b, "wf1_per_s");
    int64_t per_batch, end_us, next_us = clock_mono_us();
    const int64_t every_us = 5000;

    if (isnan(full))
        full = 20000;
    per_batch = (int64_t)MAX(full / 2 * (double)every_us / 1e6, 1);
    end_us = next_us + (b->quick ? 2000 : 5000) * INT64_C(1000);
    while (next_us < end_us) {
        IFP_TRY(bench_start(b, "bench-1", MIN(per_batch, CLIENT_BATCH_MAX), e));
        next_us += every_us;
        if (next_us > clock_mono_us() + 1000)
            wait_ms((next_us - clock_mono_us()) / 1000);
    }
    IFP_TRY(bench_until(b, unfinished, 0, WAIT_MS, e));
    IFP_TRY(ask_quantile(b, "half_p50_ms", "0.5", NO_SPAN, e));
    IFP_TRY(ask_quantile(b, "half_p99_ms", "0.99", NO_SPAN, e));
    return ask_quantile(b, "half_p999_ms", "0.999", NO_SPAN, e);
}

int bench_latency(struct bench *b, struct err *e)
{
    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, NULL, NULL, e));
    IFP_TRY(low_load(b, e));
    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, NULL, NULL, e));
    IFP_TRY(warm_up(b, e));
    return half_load(b, e);
}

/* ---- memory and rest ------------------------------------------------------------------------ */

/* Calls that a worker makes while there is nothing to do, as the server counts them. */
static int idle_rate(struct bench *b, struct err *e)
{
    static const char calls[] =
        "select sum(calls)::int8 from pg_catalog.pg_stat_user_functions where schemaname ="
        " 'inferpipe' and funcname in ('tick', 'claim', 'flush', 'journal', 'lanes', 'owned',"
        " 'maintain', 'reap_mark', 'reap_release')";
    int64_t seconds = b->quick ? 3 : 20, from, to, from_us;

    wait_ms(2000); /* sessions tell their counts once a second */
    from_us = clock_mono_us();
    IFP_TRY(bench_ask(b, calls, &from, e));
    wait_ms(seconds * 1000);
    IFP_TRY(bench_ask(b, calls, &to, e));
    bench_put(b, "idle_statements_per_s",
              (double)(to - from) / ((double)(clock_mono_us() - from_us) / 1e6));
    return 0;
}

static int active_memory(struct bench *b, struct err *e)
{
    static const char *const settings[] = { "slots=10000", "claim-batch=1000", NULL };
    int64_t n = b->quick ? 1000 : 10000, idle_kb;
    struct bench_worker *w;

    char sql[160];

    IFP_TRY(bench_fresh(b, e));
    snprintf(sql, sizeof(sql), "alter database %s set track_functions = 'pl'", b->name);
    IFP_TRY(bench_sql(b, sql, e));
    IFP_TRY(bench_worker(b, settings, &w, e));
    wait_ms(500);
    idle_kb = bench_rss_kb(w->pid);
    bench_put(b, "rss_mb_idle", (double)idle_kb / 1024);
    IFP_TRY(idle_rate(b, e));
    IFP_TRY(bench_fill(b, "bench-hold", n, "600000", e));
    IFP_TRY(bench_until(b, "select count(*) from inferpipe._inferpipe_runs where owner = 0", 0,
                        WAIT_MS, e));
    wait_ms(200); /* the last claim becomes memory */
    bench_put(b, "rss_kb_per_active", (double)(bench_rss_kb(w->pid) - idle_kb) / (double)n);
    return 0;
}

int bench_memory(struct bench *b, struct err *e)
{
    return active_memory(b, e);
}

/* ---- sleepers ------------------------------------------------------------------------------- */

/* Makes the first n sleepers due evenly at `per_s`; created_at tells when. The first is due so far
 * ahead that all of them know their time before it has come. */
static int wake_evenly(struct bench *b, int64_t n, int64_t per_s, int lead_s, struct err *e)
{
    char sql[700];
    int64_t late;

    snprintf(sql, sizeof(sql),
             "with x as materialized (select exec_id, now() + interval '%d s'"
             " + (row_number() over (order by exec_id)) * interval '1 s' / %" PRId64 " as due"
             " from (select exec_id from inferpipe._inferpipe_runs order by exec_id"
             " limit %" PRId64 ") f), u as (update inferpipe._inferpipe_runs r set ready_at = x.due"
             " from x where r.exec_id = x.exec_id) update inferpipe._inferpipe_executions e"
             " set created_at = x.due - " SLEEP_SPAN " from x where e.exec_id = x.exec_id",
             lead_s, per_s, n);
    IFP_TRY(bench_sql(b, sql, e));
    IFP_TRY(bench_ask(b,
                      "select count(*) from (select min(ready_at) as first from"
                      " inferpipe._inferpipe_runs) r where first < clock_timestamp()",
                      &late, e));
    return late ? err_set(e, IFP_ETIMEOUT, "the sleepers were due before they knew it") : 0;
}

/* A claim that looks everywhere and finds nothing. */
static int empty_poll(struct bench *b, struct err *e)
{
    static const char poll[] =
        "select count(*) from inferpipe.claim(1, array_fill((select lane from"
        " inferpipe._inferpipe_runs limit 1), array[40]),"
        " (select array_agg((g % 8)::int2) from generate_series(0, 39) g),"
        " (select array_agg((1 + g / 8)::int2) from generate_series(0, 39) g),"
        " array_fill('-infinity'::timestamptz, array[40]), 500)";
    double samples[50];
    int64_t none;

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        int64_t from_us = clock_mono_us();

        IFP_TRY(bench_ask(b, poll, &none, e));
        samples[i] = (double)(clock_mono_us() - from_us) / 1e3;
    }
    bench_put(b, "idle_poll_ms", bench_quantile(samples, (int)ARRAY_LEN(samples), 0.5));
    return 0;
}

int bench_sleepers(struct bench *b, struct err *e)
{
    int64_t all = b->quick ? 20000 : MILLION, woken = b->quick ? 10000 : 50000, idle_kb;
    struct bench_worker *w;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, NULL, &w, e));
    wait_ms(500);
    idle_kb = bench_rss_kb(w->pid);
    bench_kill(w);
    IFP_TRY(bench_fill(b, "bench-1", all, "12345", e));
    IFP_TRY(bench_sql(
        b, "update inferpipe._inferpipe_runs set ready_at = ready_at + interval '1 day'", e));
    IFP_TRY(bench_sql(b, "vacuum analyze inferpipe._inferpipe_runs", e));
    IFP_TRY(empty_poll(b, e));
    IFP_TRY(bench_worker(b, NULL, &w, e));
    wait_ms(1000);
    bench_put(b, "rss_mb_1m_sleeping", (double)bench_rss_kb(w->pid) / 1024);
    bench_put(b, "rss_kb_growth_1m_sleeping", (double)(bench_rss_kb(w->pid) - idle_kb));
    IFP_TRY(warm_up(b, e));
    IFP_TRY(wake_evenly(b, woken, 10000, b->quick ? 3 : 15, e));
    IFP_TRY(bench_until(b, "select count(*) from inferpipe._inferpipe_results", woken, WAIT_MS, e));
    IFP_TRY(ask_quantile(b, "timer_late_p50_ms", "0.5", SLEEP_SPAN, e));
    return ask_quantile(b, "timer_late_p99_ms", "0.99", SLEEP_SPAN, e);
}

/* ---- recovery ------------------------------------------------------------------------------- */

static const char *const settings_victim[] = { "slots=10", "lease=3s", NULL };
static const char *const settings_heir[] = { "slots=2000", "lease=3s", NULL };

/* A worker whose slots are full of steps that go on for long. */
static int full_victim(struct bench *b, struct bench_worker **ret, int64_t *ret_id, struct err *e)
{
    char sql[200];

    IFP_TRY(bench_worker(b, settings_victim, ret, e));
    snprintf(sql, sizeof(sql),
             "select worker_id from inferpipe._inferpipe_workers where state = 0 and pid = %d",
             (int)(*ret)->pid);
    IFP_TRY(bench_ask(b, sql, ret_id, e));
    IFP_TRY(bench_fill(b, "bench-hold", 10, "600000", e));
    snprintf(sql, sizeof(sql),
             "select count(*) from inferpipe._inferpipe_runs where owner = %" PRId64, *ret_id);
    return bench_until(b, sql, 10, WAIT_MS, e);
}

/* How long until nothing is the victim's and nothing is nobody's any more. */
static int until_taken(struct bench *b, int64_t victim, int64_t from_us, double *ret_ms,
                       struct err *e)
{
    char sql[160];

    snprintf(sql, sizeof(sql),
             "select count(*) from inferpipe._inferpipe_runs where owner in (0, %" PRId64 ")",
             victim);
    IFP_TRY(bench_until(b, sql, 0, WAIT_MS, e));
    *ret_ms = (double)(clock_mono_us() - from_us) / 1e3;
    return 0;
}

/* Victims one after the other, before the heir is there, so that it has no part of their load. */
static int make_victims(struct bench *b, struct bench_worker **victims, int64_t *ids, int n,
                        struct err *e)
{
    IFP_TRY(bench_fresh(b, e));
    for (int i = 0; i < n; i++)
        IFP_TRY(full_victim(b, &victims[i], &ids[i], e));
    IFP_TRY(bench_worker(b, settings_heir, NULL, e));
    wait_ms(4000); /* it has watched the others for longer than a lease */
    return 0;
}

static int after_kill(struct bench *b, struct err *e)
{
    struct bench_worker *victims[VICTIMS];
    int64_t ids[VICTIMS];
    double times[VICTIMS];
    int n = b->quick ? 1 : VICTIMS;

    IFP_TRY(make_victims(b, victims, ids, n, e));
    for (int i = 0; i < n; i++) {
        int64_t from_us = clock_mono_us();

        bench_kill(victims[i]);
        IFP_TRY(until_taken(b, ids[i], from_us, &times[i], e));
    }
    bench_put(b, "recovery_kill_ms_p99", bench_quantile(times, n, 0.99));
    return 0;
}

/* All at once: each waits for its lease. */
static int after_stop(struct bench *b, struct err *e)
{
    struct bench_worker *victims[VICTIMS];
    int64_t ids[VICTIMS], from_us;
    double times[VICTIMS];
    int n = b->quick ? 1 : VICTIMS;

    IFP_TRY(make_victims(b, victims, ids, n, e));
    from_us = clock_mono_us();
    for (int i = 0; i < n; i++)
        kill(victims[i]->pid, SIGSTOP);
    for (int i = 0; i < n; i++)
        IFP_TRY(until_taken(b, ids[i], from_us, &times[i], e));
    bench_put(b, "recovery_stop_ms_p99", bench_quantile(times, n, 0.99));
    bench_put(b, "recovery_stop_lease_ms", 3000);
    return 0;
}

int bench_recovery(struct bench *b, struct err *e)
{
    IFP_TRY(after_kill(b, e));
    return after_stop(b, e);
}
