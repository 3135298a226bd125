/*
 * tests/lib/enginetest.c - workers are ordinary engines: same code, same statements, same loop
 * as in the program; only the command line around them is missing.
 *
 * A worker in a process of its own is forked, not executed, so that it runs the test's workflow
 * functions.  It ends with the test's process (PR_SET_PDEATHSIG) and never runs the test's exit
 * handlers.
 */
#include "lib/enginetest.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/internal.h"
#include "lib/looptest.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_SIZE = 2048, PATIENCE_MS = 5, LOOK_US = 2000, LIMIT_US = 20 * 1000 * 1000 };

static int64_t clock_ahead_us;

/* ---- one test -------------------------------------------------------------------------------- */

int enginetest_setup(void **state)
{
    static struct enginetest t;
    struct client_limits limits = { .payload_max = 4 << 20,
                                    .payload_inline = 32 << 10,
                                    .idempotency_ttl_ms = 86400000 };
    struct err e;

    t = (struct enginetest){ 0 };
    log_open(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    testdb_create(&t.url);
    t.loop = looptest_open();
    if (client_open(&t.client, t.url, "default", &limits, &e) != 0)
        fail_msg("%s", e.text);
    *state = &t;
    return 0;
}

static void check_database(void)
{
    const char *trouble = testdb_text(
        "select check_name || ' ' || coalesce(subject, '') || ': ' || coalesce(detail, '')"
        " from inferpipe.doctor(null, null) where severity = 'error' limit 1");

    if (trouble)
        fail_msg("doctor: %s", trouble);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_results f"
                                 " join inferpipe._inferpipe_runs r using (exec_id)"),
                     0);
}

int enginetest_teardown(void **state)
{
    struct enginetest *t = *state;

    for (int i = 0; i < t->worker_count; i++)
        enginetest_leave(t, &t->workers[i]);
    if (!t->broken)
        check_database();
    ifp_execution_release(&t->execution);
    client_release(&t->client);
    looptest_close(t->loop);
    testdb_give_back(t->url);
    clock_replace(NULL, NULL, NULL);
    clock_ahead_us = 0;
    return 0;
}

void enginetest_define(struct enginetest *t, const struct engine_workflow *w, size_t n)
{
    t->workflows = w;
    t->workflow_count = n;
    for (size_t i = 0; i < n; i++)
        testdb_execf("select inferpipe.workflow_register(1, array['%s'], array['%s'], array['%s'],"
                     " array[nullif(%" PRId64 "::int8, 0)])",
                     w[i].name, w[i].version, w[i].queue, w[i].deadline_ms);
}

/* ---- workers --------------------------------------------------------------------------------- */

static void set(struct config *c, const char *name, const char *value)
{
    struct err e;
    int id = config_find(name);

    if (id < 0)
        fail_msg("there is no option %s", name);
    if (config_set(c, (enum config_id)id, value, CONFIG_FROM_FLAG, &e) != 0)
        fail_msg("%s", e.text);
}

static void configure(struct config *c, const char *url, const char *settings)
{
    char word[128], *value;
    struct err e;

    assert_int_equal(config_init(c, &e), 0);
    set(c, "database-url", url);
    set(c, "tick", "50ms");
    set(c, "threads", "8");
    for (const char *at = settings ? settings : ""; *at;) {
        size_t len = strcspn(at, " ");

        assert_true(len > 0 && len < sizeof(word));
        memcpy(word, at, len);
        word[len] = '\0';
        value = strchr(word, '=');
        assert_non_null(value);
        *value = '\0';
        set(c, word, value + 1);
        at += len + (at[len] == ' ');
    }
    if (config_check(c, &e) != 0)
        fail_msg("%s", e.text);
}

static void on_stopped(void *ctx, int err, const struct err *e)
{
    struct enginetest_worker *w = ctx;

    assert_false(w->stopped);
    w->stopped = true;
    w->stop_code = err;
    w->stop_error = *e;
    if (w->child == getpid())
        loop_stop(w->loop);
}

static struct enginetest_worker *next_worker(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = &t->workers[t->worker_count++];

    assert_true(t->worker_count <= ENGINETEST_WORKERS_MAX);
    *w = (struct enginetest_worker){ .loop = t->loop };
    configure(&w->config, t->url, settings);
    return w;
}

static int start_engine(struct enginetest *t, struct enginetest_worker *w, struct err *e)
{
    struct engine_options o = {
        .config = &w->config,
        .program = "enginetest",
        .workflows = t->workflows,
        .workflow_count = t->workflow_count,
        .stopped = on_stopped,
        .ctx = w,
    };

    if (t->schedules) {
        struct ticker_options ticker = { w->loop, &w->config, "enginetest", t->schedules,
                                         t->schedule_count };

        if (ticker_open(&ticker, &w->ticker, e) != 0)
            return e->code;
        o.looked = ticker_looked;
        o.look_ctx = w->ticker;
    }
    return engine_open(w->loop, &o, &w->engine, e);
}

struct enginetest_worker *enginetest_open(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = next_worker(t, settings);
    struct err e;

    if (start_engine(t, w, &e) != 0)
        fail_msg("%s", e.text);
    return w;
}

struct enginetest_worker *enginetest_worker(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = enginetest_open(t, settings);

    enginetest_until_sql(t,
                         "select count(*) from inferpipe._inferpipe_workers where state = 0"
                         " and worker_id = %" PRId64,
                         enginetest_worker_id(w));
    return w;
}

static void on_term(void *ctx)
{
    engine_drain(ctx);
}

/* The life of a worker process: until a drain, or a signal that nobody survives. */
static void child_main(struct enginetest *t, struct enginetest_worker *w)
{
    struct err e;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    w->child = getpid();
    if (loop_open(&w->loop, &e) != 0 || start_engine(t, w, &e) != 0 ||
        loop_on_signal(w->loop, SIGTERM, on_term, w->engine, &e) != 0) {
        dprintf(STDERR_FILENO, "worker process: %s\n", e.text);
        _exit(1);
    }
    loop_run(w->loop);
    _exit(w->stop_code == 0 ? 0 : 1);
}

struct enginetest_worker *enginetest_fork(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = next_worker(t, settings);

    w->child = fork();
    assert_true(w->child >= 0);
    if (w->child == 0)
        child_main(t, w);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_workers where pid = %d",
                         (int)w->child);
    return w;
}

void enginetest_signal(struct enginetest_worker *w, int signum)
{
    assert_true(w->child > 0);
    assert_int_equal(kill(w->child, signum), 0);
    if (signum != SIGKILL)
        return;
    assert_int_equal(waitpid(w->child, NULL, 0), w->child);
    w->child = 0;
    w->stopped = true;
}

struct reaping {
    pid_t child;
    int status;
};

static bool reaped(void *ctx)
{
    struct reaping *r = ctx;

    return waitpid(r->child, &r->status, WNOHANG) == r->child;
}

int enginetest_reap(struct enginetest *t, struct enginetest_worker *w)
{
    struct reaping r = { .child = w->child };

    assert_true(w->child > 0);
    enginetest_until(t, reaped, &r);
    w->child = 0;
    w->stopped = true;
    return r.status;
}

static bool has_stopped(void *ctx)
{
    return ((struct enginetest_worker *)ctx)->stopped;
}

static bool has_no_jobs(void *ctx)
{
    return list_empty(&((struct enginetest_worker *)ctx)->engine->jobs.live);
}

void enginetest_close(struct enginetest_worker *w)
{
    assert_true(w->stopped);
    ticker_close(w->ticker);
    engine_close(w->engine);
    w->engine = NULL;
    config_release(&w->config);
}

void enginetest_leave(struct enginetest *t, struct enginetest_worker *w)
{
    if (w->child > 0) {
        enginetest_signal(w, SIGCONT);
        enginetest_signal(w, SIGTERM);
        assert_int_equal(enginetest_reap(t, w), 0);
    }
    if (w->engine) {
        engine_drain(w->engine);
        enginetest_until(t, has_stopped, w);
        enginetest_until(t, has_no_jobs, w); /* this process goes on: no thread is left behind */
    }
    if (w->stopped)
        enginetest_close(w);
}

int64_t enginetest_worker_id(const struct enginetest_worker *w)
{
    return w->engine->lease.worker_id;
}

/* ---- callers --------------------------------------------------------------------------------- */

int64_t enginetest_start(struct enginetest *t, const char *workflow, const char *input,
                         const ifp_start_options *options)
{
    struct err e;
    int64_t id = 0;
    bool created;

    if (client_start(&t->client, workflow, input, input ? strlen(input) : 0, options, &id, &created,
                     &e) != 0)
        fail_msg("start %s: %s", workflow, e.text);
    return id;
}

void enginetest_send(struct enginetest *t, int64_t id, const char *name, const char *message)
{
    struct err e;
    bool is_new;

    if (client_send(&t->client, id, name, message, strlen(message), NULL, &is_new, &e) != 0)
        fail_msg("send %s: %s", name, e.text);
}

bool enginetest_cancel(struct enginetest *t, int64_t id, bool force)
{
    struct err e;
    bool now;

    if (client_cancel(&t->client, id, force, &now, &e) != 0)
        fail_msg("cancel: %s", e.text);
    return now;
}

void enginetest_retry(struct enginetest *t, int64_t id)
{
    struct err e;

    if (client_retry(&t->client, id, &e) != 0)
        fail_msg("retry: %s", e.text);
}

const ifp_execution *enginetest_get(struct enginetest *t, int64_t id)
{
    struct err e;

    ifp_execution_release(&t->execution);
    t->execution = (ifp_execution){ 0 };
    if (client_get(&t->client, id, &t->execution, NULL, &e) != 0)
        fail_msg("get: %s", e.text);
    return &t->execution;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Looked at between turns of the loop, by the real clock: the test may have moved the other one. */
struct look {
    struct timer timer;
    struct loop *loop;
    bool (*done)(void *ctx);
    void *ctx;
    int64_t limit_us;
    bool ok;
};

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void on_look(void *ctx)
{
    struct look *k = ctx;

    k->ok = k->done(k->ctx);
    if (k->ok || read_us(CLOCK_MONOTONIC) > k->limit_us || timer_start(&k->timer, LOOK_US) != 0)
        loop_stop(k->loop);
}

void enginetest_until(struct enginetest *t, bool (*done)(void *ctx), void *ctx)
{
    struct look k = {
        .loop = t->loop, .done = done, .ctx = ctx, .limit_us = read_us(CLOCK_MONOTONIC) + LIMIT_US
    };

    timer_init(&k.timer, t->loop, on_look, &k);
    assert_int_equal(timer_start(&k.timer, 0), 0);
    loop_run(t->loop);
    timer_stop(&k.timer);
    if (!k.ok)
        fail_msg("the condition did not come true within 20 seconds");
}

static bool query_says_yes(void *ctx)
{
    const char *answer = testdb_text(ctx);

    return answer && strcmp(answer, "0") != 0 && strcmp(answer, "f") != 0;
}

void enginetest_until_sql(struct enginetest *t, const char *format, ...)
{
    char sql[SQL_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    enginetest_until(t, query_says_yes, sql);
}

struct counted {
    const atomic_int *count;
    int wanted;
};

static bool has_counted(void *ctx)
{
    struct counted *c = ctx;

    return atomic_load(c->count) >= c->wanted;
}

void enginetest_until_count(struct enginetest *t, const atomic_int *count, int wanted)
{
    enginetest_until(t, has_counted, &(struct counted){ count, wanted });
}

struct emptied {
    const struct enginetest_worker *worker;
    size_t wanted;
};

static bool has_runs(void *ctx)
{
    struct emptied *e = ctx;

    return e->worker->engine->runs.count == e->wanted;
}

void enginetest_until_runs(struct enginetest *t, const struct enginetest_worker *w, size_t wanted)
{
    enginetest_until(t, has_runs, &(struct emptied){ w, wanted });
}

/* Nothing comes of it soon. */
static bool is_far(const struct timer *t)
{
    return !timer_armed(t) || t->due_us > clock_mono_us() + 500 * 1000;
}

static bool is_at_rest(const struct enginetest_worker *w)
{
    const struct engine *e = w->engine;
    const struct store_op *const ops[] = {
        &e->claim.op,     &e->claim.load,  &e->claim.owned,   &e->claim.lanes_op,
        &e->lease.tick,   &e->lease.other, &e->lease.release, &e->lease.mark,
        &e->lease.retain, &e->quotas.op,   &e->quotas.tell,
    };

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (store_op_busy(ops[i]))
            return false;
    return !e->batches.lanes[0].busy && !e->batches.lanes[1].busy && list_empty(&e->dirty) &&
           timer_armed(&e->lease.timer) && is_far(&e->lease.timer) && is_far(&e->claim.wake) &&
           is_far(&e->claim.adopt) && is_far(&e->quotas.timer);
}

struct rest {
    const struct enginetest_worker *w;
    int64_t since_us; /* 0: not at rest */
};

/* For a while: between two statements there may be a turn of the loop with none under way. */
static bool is_quiet(void *ctx)
{
    const int64_t rest_us = 150 * 1000;
    struct rest *r = ctx;

    if (!is_at_rest(r->w))
        r->since_us = 0;
    else if (r->since_us == 0)
        r->since_us = clock_mono_us();
    return r->since_us != 0 && clock_mono_us() - r->since_us >= rest_us;
}

void enginetest_until_quiet(struct enginetest *t, const struct enginetest_worker *w)
{
    struct rest r = { w, 0 };

    enginetest_until(t, is_quiet, &r);
}

struct awaited {
    struct enginetest *t;
    int64_t id;
    enum ifp_status status;
};

static bool has_status(void *ctx)
{
    struct awaited *a = ctx;

    return enginetest_get(a->t, a->id)->status == a->status;
}

static bool has_ended(void *ctx)
{
    struct awaited *a = ctx;

    return enginetest_get(a->t, a->id)->status >= IFP_COMPLETED;
}

const ifp_execution *enginetest_wait(struct enginetest *t, int64_t id, enum ifp_status status)
{
    enginetest_until(t, has_status, &(struct awaited){ t, id, status });
    return &t->execution;
}

void enginetest_wait_all(struct enginetest *t, int count)
{
    enginetest_until_sql(t, "select count(*) >= %d from inferpipe._inferpipe_results", count);
}

void enginetest_completes(struct enginetest *t, int64_t id, const char *output)
{
    enginetest_until(t, has_ended, &(struct awaited){ .t = t, .id = id });
    if (t->execution.status != IFP_COMPLETED)
        fail_msg("failed with %s: %s", t->execution.error_code, t->execution.error);
    assert_string_equal(t->execution.output ? t->execution.output : "null", output);
}

void enginetest_fails(struct enginetest *t, int64_t id, const char *code, const char *part)
{
    enginetest_until(t, has_ended, &(struct awaited){ .t = t, .id = id });
    if (t->execution.status != IFP_FAILED)
        fail_msg("status %d, output %s", (int)t->execution.status, t->execution.output);
    assert_string_equal(t->execution.error_code, code);
    if (!strstr(t->execution.error, part))
        fail_msg("\"%s\" does not have \"%s\"", t->execution.error, part);
}

void enginetest_sql(const char *expected, const char *format, ...)
{
    char sql[SQL_SIZE];
    const char *text;
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    text = testdb_text(sql);
    if (!expected)
        assert_null(text);
    else if (!text)
        fail_msg("%s: nothing instead of %s", sql, expected);
    else
        assert_string_equal(text, expected);
}

/* ---- time ------------------------------------------------------------------------------------ */

void enginetest_db_clock(const char *interval)
{
    testdb_execf("update inferpipe_test.clock set shift = shift + interval '%s'", interval);
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_BOOTTIME) + clock_ahead_us;
}

static int64_t real(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_REALTIME) + clock_ahead_us;
}

void enginetest_clock(int64_t us)
{
    clock_ahead_us += us;
    clock_replace(mono, real, NULL);
}

/* ---- shared with step bodies ----------------------------------------------------------------- */

void *enginetest_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

void enginetest_gate_open(struct enginetest_gate *g)
{
    atomic_store(&g->came, 0);
    assert_int_equal(pipe(g->pipe), 0);
}

void enginetest_gate_close(struct enginetest_gate *g)
{
    close(g->pipe[0]);
    close(g->pipe[1]);
}

void enginetest_gate_pass(struct enginetest_gate *g)
{
    char byte;

    atomic_fetch_add(&g->came, 1);
    while (read(g->pipe[0], &byte, 1) < 0)
        ;
}

/* The token may go to another thread between poll and read: this one then waits for the next. */
bool enginetest_gate_pass_or_cancel(struct enginetest_gate *g, const ifp_step_ctx *step)
{
    struct pollfd ready = { .fd = g->pipe[0], .events = POLLIN };
    char byte;

    atomic_fetch_add(&g->came, 1);
    while (!ifp_step_canceled(step))
        if (poll(&ready, 1, PATIENCE_MS) == 1)
            return read(g->pipe[0], &byte, 1) == 1;
    return false;
}

void enginetest_gate_let(struct enginetest_gate *g, int count)
{
    static const char token = 'x';

    for (int i = 0; i < count; i++)
        assert_int_equal(write(g->pipe[1], &token, 1), 1);
}
