/*
 * tests/fault/test_plan_fault.c - fails the n-th allocation, statement, answer and write of a plan,
 * for n = 1, 2, ... until one goes through: it says that it failed, or it says what is true.  Want
 * of memory in the middle of a pass must not look like a function that left its journal.
 */
#include "base/fault.h"
#include "engine/plan.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROUNDS_MAX = 2000, STEPS = 24, EXECUTIONS = 3 };

static bool longer; /* the code was changed: a step more in front of the wait */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int work(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future part;

    for (int i = 0; i < STEPS; i++)
        IFP_TRY(ifp_step_with(run, "step", give_back, input, ret,
                              &(ifp_step_options){ .flags = IFP_INLINE }));
    IFP_TRY(ifp_spawn(run, "part", give_back, input, &part));
    IFP_TRY(ifp_await(run, part, NULL, ret));
    if (longer)
        IFP_TRY(ifp_step(run, "more", give_back, input, ret));
    if (ifp_now(run) == 0)
        return ifp_fail(run, "NO_TIME", "this is no clock");
    IFP_TRY(ifp_receive(run, "end", NULL, ret));
    return ifp_json_build(run, ret, "{s:s}", "done", ifp_uuid(run));
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(work) };

static int count_finding(void *ctx, const ifp_plan_finding *f)
{
    if (f->verdict != IFP_DIVERGES)
        fail_msg("verdict %d: %s", f->verdict, f->message);
    ++*(int *)ctx;
    return 0;
}

/* 0 and *ret_diverged, or an error that a fault may cause. */
static int make_plan(struct enginetest *t, const struct config *config, int *ret_diverged)
{
    const struct plan_options o = { .config = config,
                                    .client = &t->client,
                                    .workflows = workflows,
                                    .workflow_count = ARRAY_LEN(workflows),
                                    .found = count_finding,
                                    .ctx = ret_diverged };
    const struct plan_line *lines;
    struct plan *plan;
    struct err e;
    int rc;

    *ret_diverged = 0;
    err_clear(&e);
    rc = plan_open(&o, &plan, &e);
    if (rc == 0) {
        rc = plan_run(plan, &e);
        if (rc == 0) {
            assert_int_equal(plan_lines(plan, &lines), 1);
            assert_int_equal(lines[0].verdicts[IFP_CONTINUES], EXECUTIONS - *ret_diverged);
            assert_int_equal(lines[0].verdicts[IFP_DIVERGES], *ret_diverged);
        }
        plan_close(plan);
    }
    if (rc != 0 && rc != IFP_ENOMEM && rc != IFP_EUNAVAILABLE)
        fail_msg("a fault led to %s: %s", ifp_error_name(rc), e.text);
    assert_true(rc == 0 || rc == e.code);
    return rc;
}

static void each_fault(struct enginetest *t, const struct config *config, int diverged)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        uint64_t n = 0, seen;
        int count, rc;

        do {
            n++;
            assert_true(n < ROUNDS_MAX);
            fault_arm((enum fault_kind)kind, n, false);
            rc = make_plan(t, config, &count);
            seen = fault_count((enum fault_kind)kind);
            fault_arm((enum fault_kind)kind, 0, false);
            if (rc == 0)
                assert_int_equal(count, diverged);
        } while (seen >= n);
        assert_int_equal(rc, 0);
    }
}

static void a_plan_fails_or_is_right(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    struct config config;
    struct err e;

    for (int i = 0; i < EXECUTIONS; i++)
        enginetest_start(t, "work", "{\"a\": 1}", NULL);
    enginetest_until_sql(t,
                         "select count(*) = %d from inferpipe._inferpipe_runs"
                         " where state = 3 and owner = 0",
                         EXECUTIONS);
    enginetest_leave(t, w);
    assert_int_equal(config_init(&config, &e), 0);
    each_fault(t, &config, 0);
    longer = true;
    each_fault(t, &config, EXECUTIONS);
    longer = false;
    config_release(&config);
}

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_fails_or_is_right, setup, enginetest_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
