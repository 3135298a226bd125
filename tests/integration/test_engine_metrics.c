/*
 * tests/integration/test_engine_metrics.c - what workers count: executions, attempts, commits,
 * take-overs, connections.
 */
#include "lib/enginetest.h"

#include "base/metrics.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct world {
    struct enginetest_gate gate;
} * world;

/* The present value of each, to be compared with later. */
static int64_t before[METRICS];

static void remember(enum metric m, const char *value)
{
    before[m] = metrics_get(m, value);
}

#define ASSERT_GREW(m, value, by) assert_int_equal(metrics_get(m, value), before[m] + (by))

/* ---- steps and workflows --------------------------------------------------------------------- */

static int succeed(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "i", 1);
}

static int fail_twice(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step_attempt(step) < 3)
        return ifp_step_fail(step, "NOT_YET", IFP_RETRY, "not yet");
    return succeed(step, input, ret);
}

static int refuse(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "NO_STOCK", IFP_FINAL, "no stock");
}

static int outstay(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enginetest_gate_pass(&world->gate);
    return succeed(step, input, ret);
}

static const ifp_step_options quick = { .attempts = 5, .backoff = IFP_FIXED, .delay_ms = 1 };

static int good(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *ignored;

    IFP_TRY(ifp_step(run, "one", succeed, input, &ignored));
    return ifp_step_with(run, "two", fail_twice, input, ret, &quick);
}

static int bad(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "refuse", refuse, input, ret, &quick);
}

static int late(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "outstay", outstay, input, ret,
                         &(ifp_step_options){ .attempts = 1, .timeout_ms = 20 });
}

static int beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future parts[2];

    (void)ret;
    IFP_TRY(ifp_spawn(run, "a", succeed, input, &parts[0]));
    IFP_TRY(ifp_spawn(run, "b", refuse, input, &parts[1]));
    return ifp_await_all(run, parts, 2);
}

static int wait_at_gate(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "outstay", outstay, input, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(good), ENGINETEST_WORKFLOW(bad), ENGINETEST_WORKFLOW(late),
    ENGINETEST_WORKFLOW(beside), ENGINETEST_WORKFLOW(wait_at_gate)
};

static int setup(void **state)
{
    enginetest_setup(state);
    atomic_store(&world->gate.came, 0);
    enginetest_gate_open(&world->gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world->gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world->gate);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void an_execution_is_counted_from_claim_to_end(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[3];

    remember(METRIC_CLAIMED, NULL);
    remember(METRIC_START_LAG, NULL);
    remember(METRIC_ENDED, "completed");
    remember(METRIC_STEPS, "completed");
    remember(METRIC_ATTEMPTS, "completed");
    remember(METRIC_EXECUTION_SECONDS, "good");
    remember(METRIC_STEP_SECONDS, "good");
    remember(METRIC_HELD, NULL);
    for (int i = 0; i < 3; i++)
        ids[i] = enginetest_start(t, "good", NULL, NULL);
    enginetest_worker(t, NULL);
    for (int i = 0; i < 3; i++)
        enginetest_completes(t, ids[i], "1");
    enginetest_leave(t, &t->workers[0]);
    ASSERT_GREW(METRIC_CLAIMED, NULL, 3);
    ASSERT_GREW(METRIC_START_LAG, NULL, 3);
    ASSERT_GREW(METRIC_ENDED, "completed", 3);
    ASSERT_GREW(METRIC_STEPS, "completed", 6);
    ASSERT_GREW(METRIC_ATTEMPTS, "completed", 6);
    ASSERT_GREW(METRIC_STEP_SECONDS, "good", 12); /* with the attempts that failed */
    ASSERT_GREW(METRIC_EXECUTION_SECONDS, "good", 3);
    ASSERT_GREW(METRIC_HELD, NULL, 0);
}

static void attempts_and_steps_are_counted_by_outcome(void **state)
{
    struct enginetest *t = *state;

    remember(METRIC_ATTEMPTS, "failed");
    remember(METRIC_STEPS, "failed");
    remember(METRIC_ENDED, "failed");
    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "bad", NULL, NULL), "NO_STOCK", "no stock");
    enginetest_completes(t, enginetest_start(t, "good", NULL, NULL), "1");
    ASSERT_GREW(METRIC_ATTEMPTS, "failed", 3);
    ASSERT_GREW(METRIC_STEPS, "failed", 1);
    ASSERT_GREW(METRIC_ENDED, "failed", 1);
}

static void parallel_steps_are_counted_alike(void **state)
{
    struct enginetest *t = *state;

    remember(METRIC_ATTEMPTS, "failed");
    remember(METRIC_STEPS, "completed");
    enginetest_worker(t, NULL);
    (void)enginetest_wait(t, enginetest_start(t, "beside", NULL, NULL), IFP_FAILED);
    ASSERT_GREW(METRIC_ATTEMPTS, "failed", 1);
    ASSERT_GREW(METRIC_STEPS, "completed", 1);
}

static void an_attempt_that_is_left_behind_has_timed_out(void **state)
{
    struct enginetest *t = *state;

    remember(METRIC_ATTEMPTS, "timed_out");
    remember(METRIC_STEP_SECONDS, "late");
    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "late", NULL, NULL), "TIMEOUT", "");
    ASSERT_GREW(METRIC_ATTEMPTS, "timed_out", 1);
    ASSERT_GREW(METRIC_STEP_SECONDS, "late", 1);
}

static void a_worker_counts_whom_it_takes_over(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *dies;
    int64_t id;

    remember(METRIC_TAKEOVERS, NULL);
    remember(METRIC_TAKEN_OVER, NULL);
    dies = enginetest_fork(t, "lease=1s");
    id = enginetest_start(t, "wait_at_gate", NULL, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_worker(t, "lease=1s");
    enginetest_signal(dies, SIGKILL);
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
    ASSERT_GREW(METRIC_TAKEOVERS, NULL, 1);
    ASSERT_GREW(METRIC_TAKEN_OVER, NULL, 1);
}

static void commits_claims_and_connections_are_measured(void **state)
{
    struct enginetest *t = *state;

    remember(METRIC_FLUSH_SECONDS, NULL);
    remember(METRIC_CLAIM_SIZE, NULL);
    remember(METRIC_DB_STATEMENTS, NULL);
    remember(METRIC_DB_CONNECTIONS, NULL);
    remember(METRIC_DB_LOST, NULL);
    remember(METRIC_SLOTS, NULL);
    remember(METRIC_LOOP_LAG, NULL);
    enginetest_worker(t, "slots=17");
    ASSERT_GREW(METRIC_SLOTS, NULL, 17);
    enginetest_completes(t, enginetest_start(t, "good", NULL, NULL), "1");
    assert_true(metrics_get(METRIC_FLUSH_SECONDS, NULL) > before[METRIC_FLUSH_SECONDS]);
    assert_true(metrics_get(METRIC_CLAIM_SIZE, NULL) > before[METRIC_CLAIM_SIZE]);
    assert_true(metrics_get(METRIC_DB_STATEMENTS, NULL) > before[METRIC_DB_STATEMENTS] + 4);
    assert_true(metrics_get(METRIC_DB_CONNECTIONS, NULL) > before[METRIC_DB_CONNECTIONS]);
    assert_true(metrics_get(METRIC_LOOP_LAG, NULL) > before[METRIC_LOOP_LAG]);
    testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name = 'enginetest'");
    enginetest_completes(t, enginetest_start(t, "good", NULL, NULL), "1");
    assert_true(metrics_get(METRIC_DB_LOST, NULL) > before[METRIC_DB_LOST]);
    enginetest_leave(t, &t->workers[0]);
    ASSERT_GREW(METRIC_DB_CONNECTIONS, NULL, 0);
    ASSERT_GREW(METRIC_SLOTS, NULL, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_execution_is_counted_from_claim_to_end),
        TEST(attempts_and_steps_are_counted_by_outcome),
        TEST(parallel_steps_are_counted_alike),
        TEST(an_attempt_that_is_left_behind_has_timed_out),
        TEST(a_worker_counts_whom_it_takes_over),
        TEST(commits_claims_and_connections_are_measured),
    };
#undef TEST

    world = enginetest_shared(sizeof(*world));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
