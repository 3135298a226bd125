/*
 * bench/floor.c - what the schema can do at best: a loop over libpq that calls the functions of
 * the hot path in the batches of the engine, with no runtime around it.
 *
 *   floor [--steps N] [--connections N] [--batch N] [--seconds N] [--local]
 *
 * Each connection is a thread and a worker of its own. It starts a batch of executions, claims as
 * many, commits step after step for all of them, the last one together with the end, and begins
 * again: one statement, one commit each.  With --local the batch is born owned: no claim.  The
 * database is that of the PG* environment; it is migrated and has nothing else to do.
 *
 * Prints one line of JSON.  Any error ends the program with status 1: a benchmark that goes on
 * after one measures nothing.
 */
#include "base/clock.h"
#include "base/ids.h"
#include "pg/pgargs.h"
#include "store/statements.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 16, BATCH_MAX = 5000, SHARDS = 8, PARAMS_MAX = 64, FLUSH_PARAMS = 40 };
enum { END = 2, LOCKED = 1 }; /* of flush: a move, a verdict */

#define START_LOCAL                                                                                \
    "select exec_id from inferpipe.start_local($1::int8, 1, 'floor', '1', 3::int2, $3::bytea[])"   \
    " where $2::int4 > 0"
#define START_QUEUED                                                                               \
    "select count(*) from inferpipe.execution_start_many(1, '{floor}', '{1}', '{null}',"           \
    " array_fill(1, array[cardinality($3::bytea[])]),"                                             \
    " array_fill(3::int2, array[cardinality($3::bytea[])]), '{}', '{}', '{}', 0, $3::bytea[],"     \
    " '{}', '{}', '{}') where $1::int8 >= 0 and $2::int4 > 0"

static struct {
    int steps, connections, batch;
    int64_t seconds;
    bool local;
} options = { .steps = 1, .connections = 2, .batch = 100, .seconds = 3 };

static int64_t stop_us;
static int32_t lane;
static atomic_llong finished;

struct set {
    int count;
    int64_t exec[BATCH_MAX];
    int32_t fence[BATCH_MAX];
};

struct worker {
    PGconn *pg;
    int64_t id;
    int number;
    struct set runs; /* of the present batch */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

/* ---- libpq ---------------------------------------------------------------------------------- */

static PGresult *judge(PGconn *pg, PGresult *res, const char *what)
{
    ExecStatusType status = PQresultStatus(res);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die(what, PQerrorMessage(pg));
    return res;
}

static void script(PGconn *pg, const char *sql)
{
    PQclear(judge(pg, PQexec(pg, sql), sql));
}

static void prepare(PGconn *pg, const char *name, const char *sql)
{
    PQclear(judge(pg, PQprepare(pg, name, sql, 0, NULL), name));
}

static PGresult *run(PGconn *pg, const char *name, struct pgargs *args)
{
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    PGresult *res;

    if (buf_broken(&args->data))
        die(name, "out of memory");
    for (int i = 0; i < args->count; i++) {
        values[i] = args->items[i].len < 0 ? NULL : args->data.data + args->items[i].offset;
        lengths[i] = args->items[i].len;
        formats[i] = 1;
    }
    res = PQexecPrepared(pg, name, args->count, values, lengths, formats, 1);
    pgargs_release(args);
    return judge(pg, res, name);
}

static int64_t int_at(const PGresult *res, int row, int col)
{
    const unsigned char *p = (const unsigned char *)PQgetvalue(res, row, col);
    uint64_t v = 0;

    for (int i = 0; i < PQgetlength(res, row, col); i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

/* ---- one connection ------------------------------------------------------------------------- */

/* The planner settings of a worker (sql/README.md). */
static PGconn *open_connection(void)
{
    PGconn *pg = PQconnectdb("");

    if (PQstatus(pg) != CONNECTION_OK)
        die("connect", PQerrorMessage(pg));
    script(pg, "set plan_cache_mode = force_generic_plan; set enable_seqscan = off;"
               "set enable_hashjoin = off; set enable_mergejoin = off; set jit = off;"
               "set client_min_messages = warning");
    return pg;
}

/* With the parameters that this loop fills in; those after them have defaults. */
static void prepare_flush(struct worker *w)
{
    char sql[1024] = "select exec_id, verdict from inferpipe.flush(";
    size_t len = strlen(sql);

    for (int i = 1; i <= FLUSH_PARAMS; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "$%d%s", i,
                                i < FLUSH_PARAMS ? ", " : ")");
    prepare(w->pg, "flush", sql);
}

static void make_worker(struct worker *w)
{
    struct pgargs args;

    w->pg = open_connection();
    if (ids_worker(&w->id) != 0)
        die("worker", "no random numbers");
    pgargs_init(&args);
    pgargs_int8(&args, w->id);
    prepare(w->pg, "beat",
            "select inferpipe.worker_beat($1::int8, 1, 3600000, false, 'floor', 1,"
            " 'floor', '1')");
    PQclear(run(w->pg, "beat", &args));
    prepare(w->pg, "start", options.local ? START_LOCAL : START_QUEUED);
    prepare(w->pg, "claim", statements_get(STATEMENT_CLAIM)->sql);
    prepare_flush(w);
}

static void note(struct worker *w, PGresult *res, int fence_column)
{
    w->runs.count = PQntuples(res);
    for (int i = 0; i < w->runs.count; i++) {
        w->runs.exec[i] = int_at(res, i, 0);
        w->runs.fence[i] = fence_column < 0 ? 1 : (int32_t)int_at(res, i, fence_column);
    }
    PQclear(res);
}

static void start(struct worker *w)
{
    struct pgargs args;
    struct pgarray inputs;
    PGresult *res;

    pgargs_init(&args);
    pgarray_init(&inputs, PGTYPE_BYTEA);
    for (int i = 0; i < options.batch; i++)
        pgarray_bytes(&inputs, "{\"n\":12345}", 11);
    pgargs_int8(&args, options.local ? w->id : 0);
    pgargs_int4(&args, lane);
    pgargs_array(&args, &inputs);
    pgarray_release(&inputs);
    res = run(w->pg, "start", &args);
    if (options.local)
        note(w, res, -1);
    else
        PQclear(res);
}

/* From a shard of its own on, through all: as the engine looks after a hint. */
static void claim(struct worker *w)
{
    struct pgarray columns[4];
    const enum pgtype types[] = { PGTYPE_INT4, PGTYPE_INT2, PGTYPE_INT2, PGTYPE_TIMESTAMPTZ };
    struct pgargs args;

    for (int i = 0; i < 4; i++)
        pgarray_init(&columns[i], types[i]);
    for (int i = 0; i < SHARDS; i++) {
        pgarray_int4(&columns[0], lane);
        pgarray_int2(&columns[1], (int16_t)((w->number + i) % SHARDS));
        pgarray_int2(&columns[2], 3);
        pgarray_timestamptz(&columns[3], clock_real_us() - 200000);
    }
    pgargs_init(&args);
    pgargs_int8(&args, w->id);
    for (int i = 0; i < 4; i++) {
        pgargs_array(&args, &columns[i]);
        pgarray_release(&columns[i]);
    }
    pgargs_int4(&args, options.batch);
    note(w, run(w->pg, "claim", &args), 1);
}

/* Columns of flush that this loop leaves empty for all of its rows. */
static void nulls(struct pgargs *args, enum pgtype type, int n)
{
    struct pgarray column;

    pgarray_init(&column, type);
    for (int i = 0; i < n; i++)
        pgarray_null(&column);
    pgargs_array(args, &column);
    pgarray_release(&column);
}

static void int8s(struct pgargs *args, const int64_t *values, int n)
{
    struct pgarray column;

    pgarray_init(&column, PGTYPE_INT8);
    for (int i = 0; i < n; i++)
        pgarray_int8(&column, values[i]);
    pgargs_array(args, &column);
    pgarray_release(&column);
}

static void int4s(struct pgargs *args, const int32_t *values, int32_t fixed, int n)
{
    struct pgarray column;

    pgarray_init(&column, PGTYPE_INT4);
    for (int i = 0; i < n; i++)
        pgarray_int4(&column, values ? values[i] : fixed);
    pgargs_array(args, &column);
    pgarray_release(&column);
}

static void int2s(struct pgargs *args, int16_t value, int n)
{
    struct pgarray column;

    pgarray_init(&column, PGTYPE_INT2);
    for (int i = 0; i < n; i++)
        pgarray_int2(&column, value);
    pgargs_array(args, &column);
    pgarray_release(&column);
}

static void texts(struct pgargs *args, enum pgtype type, const char *value, int n)
{
    struct pgarray column;

    pgarray_init(&column, type);
    for (int i = 0; i < n; i++)
        pgarray_bytes(&column, value, strlen(value));
    pgargs_array(args, &column);
    pgarray_release(&column);
}

static void add_runs(struct pgargs *args, const struct set *s, bool last)
{
    int n = s->count;

    int8s(args, s->exec, n);
    int4s(args, s->fence, 0, n);
    int2s(args, last ? END : 0, n);
    int2s(args, 0, n);
    int2s(args, last ? 1 : 0, n);
    nulls(args, PGTYPE_TIMESTAMPTZ, n);
    nulls(args, PGTYPE_INT8, n);
    int2s(args, 0, n);
    if (last)
        texts(args, PGTYPE_BYTEA, "{\"ok\":true}", n);
    else
        nulls(args, PGTYPE_BYTEA, n);
    nulls(args, PGTYPE_TEXT, n);
    nulls(args, PGTYPE_TEXT, n);
    nulls(args, PGTYPE_INT8, n);
    nulls(args, PGTYPE_INT8, n);
    nulls(args, PGTYPE_INT4, n);
    nulls(args, PGTYPE_TEXT, n);
    nulls(args, PGTYPE_INT8, n);
}

static void add_rows(struct pgargs *args, const struct set *s, int step)
{
    int64_t keys[BATCH_MAX], took[BATCH_MAX];
    int n = s->count;

    for (int i = 0; i < n; i++) {
        keys[i] = ids_step_key("step", 4, (uint32_t)step);
        took[i] = 1;
    }
    int8s(args, s->exec, n);
    int8s(args, keys, n);
    int4s(args, NULL, step, n);
    int2s(args, 1, n);
    int2s(args, 0, n);
    int2s(args, 1, n);
    texts(args, PGTYPE_TEXT, "step", n);
    int2s(args, 0, n);
    texts(args, PGTYPE_BYTEA, "{\"ok\":true}", n);
    nulls(args, PGTYPE_TEXT, n);
    nulls(args, PGTYPE_TEXT, n);
    int8s(args, took, n);
    nulls(args, PGTYPE_INT8, n);
}

/* No failed attempts and no large payloads. */
static void add_nothing(struct pgargs *args)
{
    static const enum pgtype types[] = { PGTYPE_INT8,  PGTYPE_INT8, PGTYPE_INT4, PGTYPE_INT2,
                                         PGTYPE_TEXT,  PGTYPE_TEXT, PGTYPE_INT8, PGTYPE_INT8,
                                         PGTYPE_BYTEA, PGTYPE_BYTEA };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        nulls(args, types[i], 0);
}

/* Sends a step of these executions; those that another transaction held stay in the set. */
static void flush_once(struct worker *w, struct set *s, int step)
{
    struct pgargs args;
    PGresult *res;
    int left = 0;

    pgargs_init(&args);
    pgargs_int8(&args, w->id);
    add_runs(&args, s, step == options.steps);
    add_rows(&args, s, step);
    add_nothing(&args);
    res = run(w->pg, "flush", &args);
    for (int i = 0; i < PQntuples(res); i++) {
        int64_t verdict = int_at(res, i, 1);

        if (verdict > LOCKED)
            die("flush", "an execution is not ours");
        s->exec[left] = s->exec[i];
        s->fence[left] = s->fence[i];
        left += verdict == LOCKED;
    }
    s->count = left;
    PQclear(res);
}

static void flush(struct worker *w, int step)
{
    struct set todo = w->runs;

    while (todo.count > 0)
        flush_once(w, &todo, step);
}

static void *work(void *ctx)
{
    struct worker *w = ctx;

    while (clock_mono_us() < stop_us) {
        start(w);
        if (!options.local)
            claim(w);
        for (int step = 1; step <= options.steps; step++)
            flush(w, step);
        atomic_fetch_add(&finished, w->runs.count);
    }
    PQfinish(w->pg);
    return NULL;
}

/* ---- the program ---------------------------------------------------------------------------- */

static int number(const char *name, const char *text, int max)
{
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    if (!text || *end || n < 1 || n > max)
        die(name, "not a number in range");
    return (int)n;
}

static void read_options(char **argv)
{
    for (char **a = argv + 1; *a; a++) {
        if (strcmp(*a, "--local") == 0)
            options.local = true;
        else if (strcmp(*a, "--steps") == 0)
            options.steps = number(*a, a[1], 1000), a++;
        else if (strcmp(*a, "--connections") == 0)
            options.connections = number(*a, a[1], CONNECTIONS_MAX), a++;
        else if (strcmp(*a, "--batch") == 0)
            options.batch = number(*a, a[1], BATCH_MAX), a++;
        else if (strcmp(*a, "--seconds") == 0)
            options.seconds = number(*a, a[1], 3600), a++;
        else
            die(*a, "unknown option");
    }
}

static void make_lane(void)
{
    PGconn *pg = open_connection();
    PGresult *res;

    script(pg, "select inferpipe.workflow_register(1, '{floor}', '{1}', '{default}', '{null}')");
    prepare(pg, "lane", "select inferpipe.lane_intern(1, 'default', 'floor', '1')");
    res = judge(pg, PQexecPrepared(pg, "lane", 0, NULL, NULL, NULL, 1), "lane");
    lane = (int32_t)int_at(res, 0, 0);
    PQclear(res);
    PQfinish(pg);
}

int main(int argc, char **argv)
{
    static struct worker workers[CONNECTIONS_MAX];
    pthread_t threads[CONNECTIONS_MAX];
    int64_t from_us;
    double seconds, per_s;

    (void)argc;
    read_options(argv);
    make_lane();
    for (int i = 0; i < options.connections; i++) {
        workers[i].number = i * SHARDS / options.connections;
        make_worker(&workers[i]);
    }
    from_us = clock_mono_us();
    stop_us = from_us + options.seconds * 1000000;
    for (int i = 0; i < options.connections; i++)
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            die("thread", "cannot be started");
    for (int i = 0; i < options.connections; i++)
        pthread_join(threads[i], NULL);
    seconds = (double)(clock_mono_us() - from_us) / 1e6;
    per_s = (double)atomic_load(&finished) / seconds;
    printf("{\"executions_per_s\": %.0f, \"steps_per_s\": %.0f}\n", per_s, per_s * options.steps);
    return 0;
}
