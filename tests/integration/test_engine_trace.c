/*
 * tests/integration/test_engine_trace.c - the trace context that workflows and steps hand on to
 * what they call.
 */
#include "base/ids.h"
#include "base/traceparent.h"
#include "lib/enginetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static int give_context(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, ifp_step_traceparent(step), IFP_RETRY, "once more");
    return ifp_json_build(step, ret, "s", ifp_step_traceparent(step));
}

static int contexts(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *step;

    IFP_TRY(ifp_step_with(run, "context", give_context, input, &step,
                          &(ifp_step_options){ .delay_ms = 1 }));
    return ifp_json_build(run, ret, "{s:s, s:s}", "run", ifp_run_traceparent(run), "step",
                          ifp_json_str(step, "", ""));
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(contexts) };

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

/* What the two should be, on any worker. */
static void assert_contexts(struct enginetest *t, int64_t id, const char *stored)
{
    struct traceparent run = traceparent_of(id, stored), step = run;
    char run_text[TRACEPARENT_SIZE], step_text[TRACEPARENT_SIZE], wanted[160];

    run.span = traceparent_execution(id);
    step.span = traceparent_attempt(traceparent_step(id, 0, ids_step_key("context", 7, 1)), 2);
    traceparent_format(&run, run_text);
    traceparent_format(&step, step_text);
    snprintf(wanted, sizeof(wanted), "{\"run\":\"%s\",\"step\":\"%s\"}", run_text, step_text);
    enginetest_completes(t, id, wanted);
    step.span = traceparent_attempt(traceparent_step(id, 0, ids_step_key("context", 7, 1)), 1);
    traceparent_format(&step, step_text);
    enginetest_sql(step_text,
                   "select error_code from inferpipe._inferpipe_attempts where attempt = 1");
}

static void a_context_is_kept_and_handed_on(void **state)
{
    static const char stored[] = "00-" TRACE "-b7ad6b7169203331-01";
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    assert_contexts(
        t, enginetest_start(t, "contexts", NULL, &(ifp_start_options){ .traceparent = stored }),
        stored);
}

static void a_trace_that_is_not_sampled_stays_so(void **state)
{
    static const char stored[] = "00-" TRACE "-b7ad6b7169203331-00";
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    assert_contexts(
        t, enginetest_start(t, "contexts", NULL, &(ifp_start_options){ .traceparent = stored }),
        stored);
}

static void without_a_context_the_execution_has_its_own(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    assert_contexts(t, enginetest_start(t, "contexts", NULL, NULL), NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_context_is_kept_and_handed_on),
        TEST(a_trace_that_is_not_sampled_stays_so),
        TEST(without_a_context_the_execution_has_its_own),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
