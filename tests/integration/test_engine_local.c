/*
 * tests/integration/test_engine_local.c - executions that a worker's process starts for itself:
 * they run here, without the queue, and a fault costs none of them.
 */
#include "base/fault.h"
#include "engine/internal.h"
#include "lib/enginetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What such a worker does within a test, no tick has told it. */
#define QUIET "lease=600s tick=60s"

static const struct slice seven = { "7", 1 };
static struct {
    struct enginetest_gate gate;
} world;

static int wait_at_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    enginetest_gate_pass(&world.gate);
    *ret = input;
    return 0;
}

static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "gated", wait_at_gate, input, ret);
}

static int gives_back(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(gated),
    ENGINETEST_WORKFLOW(gives_back),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_gate_open(&world.gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    fault_arm(FAULT_REPLY, 0, false);
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

/* A worker that knows that it has its lease. */
static struct enginetest_worker *ready_worker(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = enginetest_worker(t, settings);

    enginetest_until_quiet(t, w);
    return w;
}

static void they_run_here_and_nobody_claims_them(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = ready_worker(t, QUIET);

    assert_int_equal(local_start(w->engine, "gives_back", seven, 3), 3);
    enginetest_wait_all(t, 3);
    enginetest_sql("3", "select count(*) from inferpipe._inferpipe_results"
                        " where status = 1 and output = '7' and fence = 1");
    enginetest_sql("3", "select count(*) from inferpipe_test.audit"
                        " where old_state = -1 and new_state = 1");
}

static void no_more_than_there_are_free_slots(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = ready_worker(t, QUIET " slots=2");

    assert_int_equal(local_start(w->engine, "gated", seven, 5), 2);
    assert_int_equal(local_start(w->engine, "gated", seven, 5), 0); /* one is under way */
    enginetest_until_count(t, &world.gate.came, 2);
    assert_int_equal(local_start(w->engine, "gated", seven, 5), 0); /* the slots are full */
    enginetest_gate_let(&world.gate, 2);
    enginetest_wait_all(t, 2);
    enginetest_sql("2", "select count(*) from inferpipe._inferpipe_executions");
}

static void a_lost_answer_loses_none(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = ready_worker(t, QUIET);

    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(local_start(w->engine, "gives_back", seven, 4), 4);
    enginetest_until_sql(t, "select count(*) = 4 from inferpipe._inferpipe_results");
    enginetest_sql("4", "select count(*) from inferpipe._inferpipe_executions");
}

static void a_paused_queue_takes_none(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = ready_worker(t, QUIET);

    assert_int_equal(local_start(w->engine, "gives_back", seven, 1), 1); /* makes the queue */
    enginetest_wait_all(t, 1);
    enginetest_sql("t", "update inferpipe._inferpipe_queues set paused = true returning paused");
    assert_int_equal(local_start(w->engine, "gives_back", seven, 1), 1);
    enginetest_until_quiet(t, w);
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

static void a_worker_that_leaves_starts_none(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = ready_worker(t, QUIET);

    engine_drain(w->engine);
    assert_int_equal(local_start(w->engine, "gives_back", seven, 1), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_run_here_and_nobody_claims_them),
        TEST(no_more_than_there_are_free_slots),
        TEST(a_lost_answer_loses_none),
        TEST(a_paused_queue_takes_none),
        TEST(a_worker_that_leaves_starts_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
