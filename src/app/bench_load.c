/*
 * app/bench_load.c - how much: PostgreSQL's limit, the floor of our schema, and the engine, each in
 * turn on one machine in one run, so that their ratios mean something.
 *
 * A load is N executions started in batches by this process while the workers run them; it lasts
 * from the first start to the last end.  What is repeated is given as its median.
 */
#include "app/bench.h"
#include "app/pgbin.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 500, WARM = 6, LOAD_MS = 120000, REPEATS_MAX = 5, MILLION = 1000000 };

/* ---- one load ------------------------------------------------------------------------------- */

static int start_workers(struct bench *b, int n, struct err *e)
{
    for (int i = 0; i < n; i++)
        IFP_TRY(bench_worker(b, NULL, NULL, e));
    return 0;
}

/* Waits until the executions after `first` up to `last`, n of them, have ended.  The last one is a
 * cheap look; then they are counted where nothing dies: while a snapshot is held, a look for live
 * ones would walk over all that have ended. */
static int until_ended(struct bench *b, int64_t first, int64_t last, int64_t n, struct err *e)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
             "select count(*) from inferpipe._inferpipe_runs where exec_id = %" PRId64, last);
    IFP_TRY(bench_until(b, sql, 0, LOAD_MS, e));
    snprintf(sql, sizeof(sql),
             "select count(*) from inferpipe._inferpipe_results where exec_id > %" PRId64, first);
    return bench_until(b, sql, n, LOAD_MS, e);
}

/* Starts n executions in batches and waits for their end. */
static int load(struct bench *b, const char *flow, int64_t n, double *ret_per_s, struct err *e)
{
    static const char newest[] = "select max(exec_id) from inferpipe._inferpipe_executions";
    int64_t from_us, first, last;

    assert(n % BATCH == 0);
    IFP_TRY(bench_ask(b, newest, &first, e));
    from_us = clock_mono_us();
    for (int64_t i = 0; i < n; i += BATCH)
        IFP_TRY(bench_start(b, flow, BATCH, e));
    IFP_TRY(bench_ask(b, newest, &last, e));
    IFP_TRY(until_ended(b, first, last, n, e));
    *ret_per_s = (double)n / ((double)(clock_mono_us() - from_us) / 1e6);
    return 0;
}

/* A load that fills the plans of all connections and the pages, then one that counts. */
static int warm_load(struct bench *b, const char *flow, int64_t n, double *ret_per_s, struct err *e)
{
    IFP_TRY(load(b, flow, WARM * BATCH, ret_per_s, e));
    return load(b, flow, n, ret_per_s, e);
}

/* ---- PostgreSQL's limit --------------------------------------------------------------------- */

/* "tps = 123.4" of pgbench's report. */
static int pgbench(struct bench *b, const char *script, const char *clients, double *ret_tps,
                   struct err *e)
{
    char bin[PLACE_SIZE], program[PLACE_SIZE + 16], file[BENCH_PATH_SIZE + 64];
    char *argv[] = { program,      (char *)"-n",
                     (char *)"-M", (char *)"prepared",
                     (char *)"-c", (char *)clients,
                     (char *)"-j", (char *)"2",
                     (char *)"-T", b->quick ? (char *)"1" : (char *)"5",
                     (char *)"-f", file,
                     NULL };
    char *output;
    const char *at;

    IFP_TRY(pgbin_find(0, bin, e));
    snprintf(program, sizeof(program), "%s/pgbench", bin);
    snprintf(file, sizeof(file), "%s/%s.sql", cli_value(b->cli, "limit"), script);
    IFP_TRY(bench_program(b, argv, &output, e));
    at = strstr(output, "tps = ");
    *ret_tps = at ? strtod(at + 6, NULL) : 0;
    mem_free(output);
    return at ? 0 : err_set(e, IFP_ESERVER, "pgbench told no rate for %s", script);
}

static int limit_schema(struct bench *b, struct err *e)
{
    char path[BENCH_PATH_SIZE + 64], sql[4096];
    FILE *in;
    size_t n;

    snprintf(path, sizeof(path), "%s/schema.sql", cli_value(b->cli, "limit"));
    in = fopen(path, "re");
    if (!in)
        return err_set(e, IFP_ENOTFOUND, "--limit: no %s", path);
    n = fread(sql, 1, sizeof(sql) - 1, in);
    (void)fclose(in);
    sql[n] = '\0';
    return bench_sql(b, sql, e);
}

#define LIMIT_FILL                                                                                 \
    "insert into lim_wf (id, input) select nextval('lim_seq'), '{\"x\":1}'"                        \
    " from generate_series(1, "

int bench_limit(struct bench *b, struct err *e)
{
    /* A claim must find something, whatever the others hold. */
    static const char fill_some[] = LIMIT_FILL "2000)", fill[] = LIMIT_FILL "400000)";
    double tps;

    if (!cli_value(b->cli, "limit"))
        return 0;
    IFP_TRY(limit_schema(b, e));
    IFP_TRY(bench_sql(b, fill_some, e));
    IFP_TRY(pgbench(b, "insert", "32", &tps, e));
    bench_put(b, "limit_commit_per_s", tps);
    IFP_TRY(pgbench(b, "c_life1", "16", &tps, e));
    bench_put(b, "limit_wf1_single_per_s", tps);
    IFP_TRY(pgbench(b, "c_life10", "16", &tps, e));
    bench_put(b, "limit_wf10_single_per_s", tps);
    IFP_TRY(bench_sql(b, "truncate lim_wf, lim_step", e));
    IFP_TRY(bench_sql(b, fill, e));
    IFP_TRY(bench_sql(b, "vacuum analyze lim_wf", e));
    IFP_TRY(pgbench(b, "d_wf1_b100", "4", &tps, e));
    bench_put(b, "limit_wf1_batched_per_s", tps * 100);
    IFP_TRY(pgbench(b, "d_wf10_b100", "4", &tps, e));
    bench_put(b, "limit_wf10_batched_per_s", tps * 100);
    return 0;
}

/* ---- the floor ------------------------------------------------------------------------------ */

/* The best of what few connections reach, as the engine uses few. */
static int floor_rate(struct bench *b, const char *steps, const char *local, double *ret_per_s,
                      struct err *e)
{
    static const char *const connections[] = { "2", "4" };

    *ret_per_s = 0;
    for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
        char *argv[] = { (char *)cli_value(b->cli, "floor"),
                         (char *)"--steps",
                         (char *)steps,
                         (char *)"--connections",
                         (char *)connections[i],
                         (char *)"--batch",
                         (char *)"500",
                         (char *)"--seconds",
                         b->quick ? (char *)"1" : (char *)"3",
                         (char *)local,
                         NULL };
        char *output;
        const char *at;

        IFP_TRY(bench_program(b, argv, &output, e));
        at = strchr(output, ':');
        *ret_per_s = MAX(*ret_per_s, at ? strtod(at + 1, NULL) : 0);
        mem_free(output);
    }
    return *ret_per_s > 0 ? 0 : err_set(e, IFP_ESERVER, "the floor told no rate");
}

/* ---- the engine ----------------------------------------------------------------------------- */

struct cost {
    int64_t commits, wal, worker_us, server_us;
};

/* Where the numbers of one execution go. */
struct cost_keys {
    const char *commits, *wal, *worker, *server;
};

/* Records written so far, without full-page images: those come with checkpoints, not with work. */
static int read_cost(struct bench *b, struct cost *ret, struct err *e)
{
    IFP_TRY(bench_sql(b, "select pg_stat_force_next_flush()", e));
    IFP_TRY(bench_ask(b,
                      "select xact_commit from pg_catalog.pg_stat_database"
                      " where datname = pg_catalog.current_database()",
                      &ret->commits, e));
    IFP_TRY(bench_ask(b, "select (pg_catalog.pg_current_wal_insert_lsn() - '0/0')::int8", &ret->wal,
                      e));
    IFP_TRY(bench_server_cpu_us(b, &ret->server_us, e));
    ret->worker_us = 0;
    for (int i = 0; i < BENCH_WORKERS_MAX; i++)
        ret->worker_us += b->workers[i].pid ? bench_cpu_us(b->workers[i].pid) : 0;
    return 0;
}

/* Commits reach the statistics within a second. */
static int costs(struct bench *b, const char *flow, int64_t n, const struct cost_keys *keys,
                 struct err *e)
{
    struct cost from, to;
    double rate;

    IFP_TRY(bench_sql(b, "checkpoint", e));
    IFP_TRY(load(b, flow, n, &rate, e)); /* touches the pages that it will go on with */
    IFP_TRY(read_cost(b, &from, e));
    IFP_TRY(load(b, flow, n, &rate, e));
    IFP_TRY(read_cost(b, &to, e));
    bench_put(b, keys->commits, (double)(to.commits - from.commits) / (double)n);
    bench_put(b, keys->wal, (double)(to.wal - from.wal) / (double)n);
    bench_put(b, keys->worker, (double)(to.worker_us - from.worker_us) / (double)n);
    if (from.server_us >= 0 && to.server_us >= 0)
        bench_put(b, keys->server, (double)(to.server_us - from.server_us) / (double)n);
    return 0;
}

struct rates {
    double floor1[REPEATS_MAX], floor10[REPEATS_MAX], local[REPEATS_MAX];
    double wf1[REPEATS_MAX], wf10[REPEATS_MAX], empty[REPEATS_MAX], self[REPEATS_MAX];
};

/* A worker that starts its executions itself. The first fifth fills its plans, as a load before the
 * one that counts does elsewhere; timed is from the next start to the last end. */
static int self_rate(struct bench *b, double *ret_per_s, struct err *e)
{
    int64_t n = b->quick ? 20000 : 100000, warm = n / 5, us;
    char option[32], sql[300];
    const char *settings[] = { option, NULL };

    snprintf(option, sizeof(option), "self=%" PRId64, n);
    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, settings, NULL, e));
    /* Cheap until all are there: a count of what has ended takes longer and longer. */
    IFP_TRY(
        bench_until(b, "select last_value + 1 from inferpipe._inferpipe_id_seq", n, LOAD_MS, e));
    IFP_TRY(bench_until(b, "select count(*) from inferpipe._inferpipe_results", n, LOAD_MS, e));
    snprintf(sql, sizeof(sql),
             "select (extract(epoch from (select max(finished_at) from"
             " inferpipe._inferpipe_results) - (select created_at from"
             " inferpipe._inferpipe_executions order by exec_id offset %" PRId64
             " limit 1)) * 1e6)::int8",
             warm);
    IFP_TRY(bench_ask(b, sql, &us, e));
    *ret_per_s = (double)(n - warm) / ((double)MAX(us, 1) / 1e6);
    return 0;
}

/* Also in a quick run long enough that the first batches and the last ones, during which nobody is
 * busy, weigh little. */
static int measure_rates(struct bench *b, struct rates *r, int i, struct err *e)
{
    int64_t n = b->quick ? 16000 : 60000;

    if (cli_value(b->cli, "floor")) {
        IFP_TRY(bench_fresh(b, e));
        IFP_TRY(floor_rate(b, "1", NULL, &r->floor1[i], e));
        IFP_TRY(floor_rate(b, "10", NULL, &r->floor10[i], e));
        IFP_TRY(floor_rate(b, "1", "--local", &r->local[i], e));
    }
    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(start_workers(b, 1, e));
    IFP_TRY(warm_load(b, "bench-1", n, &r->wf1[i], e));
    IFP_TRY(warm_load(b, "bench-10", n / 4, &r->wf10[i], e));
    IFP_TRY(warm_load(b, "bench-empty", n, &r->empty[i], e));
    return self_rate(b, &r->self[i], e);
}

int bench_throughput(struct bench *b, struct err *e)
{
    static const struct cost_keys wf1 = { "commits_per_wf1", "wal_bytes_per_wf1",
                                          "worker_us_per_wf1", "server_us_per_wf1" };
    static const struct cost_keys wf10 = { "commits_per_wf10", "wal_bytes_per_wf10",
                                           "worker_us_per_wf10", "server_us_per_wf10" };
    struct rates r;
    int n = b->quick ? 1 : 3;
    int64_t runs = b->quick ? 8000 : 40000;

    for (int i = 0; i < n; i++)
        IFP_TRY(measure_rates(b, &r, i, e));
    bench_put(b, "wf1_per_s", bench_quantile(r.wf1, n, 0.5));
    bench_put(b, "wf10_steps_per_s", 10 * bench_quantile(r.wf10, n, 0.5));
    bench_put(b, "start_local_per_s", bench_quantile(r.self, n, 0.5));
    bench_put(b, "empty_per_s", bench_quantile(r.empty, n, 0.5));
    if (cli_value(b->cli, "floor")) {
        bench_put(b, "floor_wf1_per_s", bench_quantile(r.floor1, n, 0.5));
        bench_put(b, "floor_wf10_steps_per_s", 10 * bench_quantile(r.floor10, n, 0.5));
        bench_put(b, "floor_local_per_s", bench_quantile(r.local, n, 0.5));
    }
    IFP_TRY(costs(b, "bench-1", runs, &wf1, e));
    return costs(b, "bench-10", runs / 4, &wf10, e);
}

/* ---- under circumstances -------------------------------------------------------------------- */

/* How many leave while as many come: the rate with that many waiting. */
static int rate_with(struct bench *b, int64_t waiting, double *ret_per_s, struct err *e)
{
    int64_t n = b->quick ? 2000 : 60000, before, after, from_us;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_fill(b, "bench-1", waiting, "12345", e));
    IFP_TRY(bench_sql(b, "vacuum analyze inferpipe._inferpipe_runs", e));
    IFP_TRY(bench_sql(b, "checkpoint", e));
    IFP_TRY(start_workers(b, 1, e));
    IFP_TRY(bench_until(b,
                        "select count(*) from (select from inferpipe._inferpipe_results limit 1)"
                        " r",
                        1, LOAD_MS, e));
    IFP_TRY(bench_ask(b, "select count(*) from inferpipe._inferpipe_results", &before, e));
    from_us = clock_mono_us();
    for (int64_t i = 0; i < n; i += BATCH)
        IFP_TRY(bench_start(b, "bench-1", BATCH, e));
    IFP_TRY(bench_ask(b, "select count(*) from inferpipe._inferpipe_results", &after, e));
    *ret_per_s = (double)(after - before) / ((double)(clock_mono_us() - from_us) / 1e6);
    return 0;
}

int bench_backlog(struct bench *b, struct err *e)
{
    double few, many;

    IFP_TRY(rate_with(b, 1000, &few, e));
    IFP_TRY(rate_with(b, b->quick ? 20000 : MILLION, &many, e));
    bench_put(b, "wf1_1k_waiting_per_s", few);
    bench_put(b, "wf1_1m_waiting_per_s", many);
    bench_ratio(b, "wf1_1m_vs_1k_waiting", "wf1_1m_waiting_per_s", "wf1_1k_waiting_per_s");
    return 0;
}

int bench_scaling(struct bench *b, struct err *e)
{
    static const struct {
        int workers;
        const char *key;
    } rounds[] = { { 1, "wf1_1_process_per_s" },
                   { 2, "wf1_2_processes_per_s" },
                   { 4, "wf1_4_processes_per_s" },
                   { 8, "wf1_8_processes_per_s" } };

    for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
        double rate;

        IFP_TRY(bench_fresh(b, e));
        IFP_TRY(start_workers(b, rounds[i].workers, e));
        IFP_TRY(warm_load(b, "bench-1", b->quick ? 2000 : 40000, &rate, e));
        bench_put(b, rounds[i].key, rate);
    }
    return 0;
}

/* Loads one after the other, at least `rounds`, until the time is over; the rate of the last. */
static int load_for(struct bench *b, int64_t n, int rounds, int64_t ms, double *ret_per_s,
                    struct err *e)
{
    int64_t end_us = clock_mono_us() + ms * 1000;

    for (int i = 0; i < rounds || clock_mono_us() < end_us; i++)
        IFP_TRY(load(b, "bench-1", n, ret_per_s, e));
    return 0;
}

/* Another session keeps a snapshot: nothing that ends meanwhile can be cleaned away. */
int bench_held(struct bench *b, struct err *e)
{
    int64_t n = b->quick ? 2000 : 40000, from_us;
    double before, after = 0;
    struct pgsync *holder;
    int rc;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(start_workers(b, 1, e));
    IFP_TRY(load_for(b, n, 3, 0, &before, e));
    IFP_TRY(pgsync_open(&(struct pgsync_options){ .conninfo = b->url,
                                                  .application = "inferpipe bench holder",
                                                  .connect_timeout_ms = 10000 },
                        &holder, e));
    from_us = clock_mono_us();
    rc = pgsync_script(holder,
                       "set idle_in_transaction_session_timeout = 0;"
                       " begin isolation level repeatable read;"
                       " select count(*) from inferpipe._inferpipe_runs",
                       e);
    if (rc == 0)
        rc = load_for(b, n, 1, b->held_ms, &after, e);
    bench_put(b, "held_s", (double)(clock_mono_us() - from_us) / 1e6);
    pgsync_close(holder);
    if (rc != 0)
        return rc;
    bench_put(b, "wf1_held_per_s", after);
    bench_put(b, "wf1_held_vs_free", after / before);
    return 0;
}
