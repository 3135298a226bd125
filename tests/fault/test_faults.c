/*
 * tests/fault/test_faults.c - an engine in this process, under load, one fault after the other: an
 * allocation fails, a connection breaks before or after a statement, a socket takes no bytes.
 * Whatever fails, every execution completes with the right output and the checker finds nothing.
 *
 * The rounds have an engine of their own each, so that its opening and its end meet the n-th fault
 * as well; the storm keeps one engine busy and arms the next fault as soon as the last was hit.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "engine/engine.h"
#include "lib/crashtest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    EACH_ROUND = 2,
    STORM = 50,
    STORM_STEP = 7,
    STORM_N_MAX = 40,
    ARM_US = 2000,
    PATIENCE = 20,
    LIMIT_S = 30
};

static const char *const kind_names[] = { "alloc", "statement", "reply", "write" };

struct host {
    struct crashtest test;
    struct loop *loop;     /* owned */
    struct engine *engine; /* owned */
    struct config config;
    int log;
    bool stopped;
    int code;
    struct timer rearm;
    int kind; /* of the storm */
    uint64_t n;
    int patience, hits;
};

static void set_option(struct host *h, enum config_id id, const char *text)
{
    struct err e;

    if (config_set(&h->config, id, text, CONFIG_FROM_FLAG, &e) != 0)
        fail_msg("%s", e.text);
}

static void open_host(struct host *h)
{
    struct err e;

    *h = (struct host){ .n = 1 };
    crashtest_open(&h->test);
    h->log = open(h->test.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, h->log);
    assert_int_equal(crashtest_flow_ledger(h->test.ledger), 0);
    assert_int_equal(loop_open(&h->loop, &e), 0);
    assert_int_equal(config_init(&h->config, &e), 0);
    set_option(h, CONFIG_DATABASE_URL, h->test.url);
    set_option(h, CONFIG_LEASE, "2s");
    set_option(h, CONFIG_TICK, "50ms");
    set_option(h, CONFIG_THREADS, "4");
    set_option(h, CONFIG_TX_CONNECTIONS, "2");
    assert_int_equal(config_check(&h->config, &e), 0);
}

static void close_host(struct host *h)
{
    loop_close(h->loop);
    config_release(&h->config);
    crashtest_flow_close();
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    (void)close(h->log);
    crashtest_close(&h->test);
}

static void disarm(void)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        fault_arm((enum fault_kind)kind, 0, false);
}

static int disarm_after(void **state)
{
    disarm();
    return crashtest_cleanup(state);
}

/* ---- the engine ----------------------------------------------------------------------------- */

static void on_stopped(void *ctx, int err, const struct err *e)
{
    struct host *h = ctx;

    (void)e;
    h->stopped = true;
    h->code = err;
}

static bool has_stopped(void *ctx)
{
    return ((struct host *)ctx)->stopped;
}

/* The fault may take the opening: then it says so, leaves nothing, and the next one works. */
static void start_engine(struct host *h)
{
    static const struct engine_workflow workflow = {
        .name = CRASHTEST_WORKFLOW, .version = "1", .queue = "default", .fn = crashtest_flow
    };
    struct engine_options o = { .config = &h->config,
                                .program = "test_faults",
                                .workflows = &workflow,
                                .workflow_count = 1,
                                .stopped = on_stopped,
                                .ctx = h };
    struct err e;
    int rc = engine_open(h->loop, &o, &h->engine, &e);

    h->stopped = false;
    if (rc != 0) {
        assert_int_equal(rc, IFP_ENOMEM);
        rc = engine_open(h->loop, &o, &h->engine, &e);
    }
    assert_int_equal(rc, 0);
}

static void stop_engine(struct host *h)
{
    engine_drain(h->engine);
    if (!crashtest_wait(h->loop, LIMIT_S, has_stopped, h))
        fail_msg("the engine did not stop within %d s", LIMIT_S);
    assert_int_equal(h->code, 0);
    engine_close(h->engine);
    h->engine = NULL;
}

/* ---- the n-th fault ------------------------------------------------------------------------- */

/* True when the fault was reached. */
static bool play_round(struct host *h, enum fault_kind kind, uint64_t n)
{
    uint64_t seen;

    crashtest_start(&h->test, EACH_ROUND, "{\"quick\": true}", true);
    fault_arm(kind, n, false);
    start_engine(h);
    crashtest_finish(&h->test, h->loop);
    stop_engine(h);
    seen = fault_count(kind);
    disarm();
    return seen >= n;
}

static void each_fault(enum fault_kind kind, uint64_t max, uint64_t stride)
{
    struct host h;
    int rounds = 0, reached = 0;

    open_host(&h);
    for (uint64_t n = 1; n <= max; n += stride, rounds++)
        reached += play_round(&h, kind, n);
    print_message("%s: %d of %d faults were reached\n", kind_names[kind], reached, rounds);
    assert_true(reached * 2 > rounds);
    crashtest_check(&h.test, rounds * EACH_ROUND, 0);
    close_host(&h);
}

static void no_allocation_that_fails_loses_anything(void **state)
{
    (void)state;
    each_fault(FAULT_ALLOC, 400, 9);
}

static void no_connection_that_breaks_before_a_statement_loses_anything(void **state)
{
    (void)state;
    each_fault(FAULT_STATEMENT, 40, 2);
}

static void no_answer_that_is_lost_does_anything_twice(void **state)
{
    (void)state;
    each_fault(FAULT_REPLY, 40, 2);
}

static void no_write_that_fails_loses_anything(void **state)
{
    (void)state;
    each_fault(FAULT_WRITE, 40, 2);
}

/* ---- the storm ------------------------------------------------------------------------------ */

static void arm_next(struct host *h)
{
    h->kind = (h->kind + 1) % FAULT_KINDS;
    h->n = (h->n + STORM_STEP) % STORM_N_MAX + 1;
    fault_arm((enum fault_kind)h->kind, h->n, false);
}

/* A fault that is not reached for a while is taken back, so that each kind has its turn. */
static void on_rearm(void *ctx)
{
    struct host *h = ctx;
    bool hit = fault_count((enum fault_kind)h->kind) >= h->n;

    h->hits += hit;
    if (hit || ++h->patience > PATIENCE) {
        h->patience = 0;
        disarm();
        arm_next(h);
    }
    if (timer_start(&h->rearm, ARM_US) != 0)
        (void)!timer_start(&h->rearm, ARM_US); /* the fault was ours */
}

static void a_storm_of_faults_loses_nothing(void **state)
{
    struct host h;

    (void)state;
    open_host(&h);
    crashtest_start(&h.test, STORM / 2, "{}", true);
    crashtest_start(&h.test, STORM - STORM / 2, "{}", false);
    timer_init(&h.rearm, h.loop, on_rearm, &h);
    start_engine(&h);
    assert_int_equal(timer_start(&h.rearm, ARM_US), 0);
    crashtest_finish(&h.test, h.loop);
    timer_stop(&h.rearm);
    disarm();
    print_message("%d faults were hit\n", h.hits);
    assert_true(h.hits > 10);
    stop_engine(&h);
    crashtest_check(&h.test, STORM, 0);
    close_host(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_allocation_that_fails_loses_anything, disarm_after),
        cmocka_unit_test_teardown(no_connection_that_breaks_before_a_statement_loses_anything,
                                  disarm_after),
        cmocka_unit_test_teardown(no_answer_that_is_lost_does_anything_twice, disarm_after),
        cmocka_unit_test_teardown(no_write_that_fails_loses_anything, disarm_after),
        cmocka_unit_test_teardown(a_storm_of_faults_loses_nothing, disarm_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
