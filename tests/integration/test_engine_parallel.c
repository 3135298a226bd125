/*
 * tests/integration/test_engine_parallel.c - parallel steps: they run beside each other and beside
 * children, each once; waits, sleeps, retries, cancels and deadlines hold for them as for a single
 * step; the number of passes does not grow with theirs.
 */
#include "base/clock.h"
#include "lib/fantest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FAN_MAX = 10000 };

/* ---- steps ----------------------------------------------------------------------------------- */

/* The first two attempts fail. */
static int third_time_lucky(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&fantest.tries, 1);
    if (ifp_step_attempt(step) < 3)
        return ifp_step_fail(step, "FLAKY", IFP_RETRY, "not yet");
    return fantest_give_back(step, input, ret);
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static int spawn_number(ifp_run *run, ifp_step_fn *fn, int i, const ifp_step_options *o,
                        ifp_future *future)
{
    const ifp_json *number;

    IFP_TRY(ifp_json_build(run, &number, "i", i));
    return ifp_spawn_with(run, "part", fn, number, future, o);
}

static int sum_of(ifp_run *run, const ifp_future *futures, int n, const ifp_json **ret)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++) {
        const ifp_json *number;

        IFP_TRY(ifp_future_result(run, futures[i], &number));
        sum += ifp_json_int(number, "", -1000000);
    }
    return ifp_json_build(run, ret, "I", sum);
}

static int fan(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static ifp_future futures[FAN_MAX];
    int n = (int)ifp_json_int(input, "/n", 0);
    ifp_step_options o = { .flags = ifp_json_bool(input, "/inline", false) ? IFP_INLINE : 0 };

    atomic_fetch_add(&fantest.passes, 1);
    for (int i = 0; i < n; i++)
        IFP_TRY(spawn_number(run, fantest_give_back, i, &o, &futures[i]));
    IFP_TRY(ifp_await_all(run, futures, (size_t)n));
    return sum_of(run, futures, n, ret);
}

/* Three at the gate at once, whatever their order. */
static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[3];

    (void)input;
    for (int i = 0; i < 3; i++)
        IFP_TRY(spawn_number(run, fantest_pass_gate, i, NULL, &futures[i]));
    IFP_TRY(ifp_await_all(run, futures, 3));
    return sum_of(run, futures, 3, ret);
}

static int first_of_two(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[2];
    size_t first;
    const ifp_json *value;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 10, NULL, &futures[0]));
    IFP_TRY(spawn_number(run, fantest_give_back, 11, NULL, &futures[1]));
    IFP_TRY(ifp_await_any(run, futures, 2, &first));
    IFP_TRY(ifp_future_result(run, futures[first], &value));
    IFP_TRY(ifp_step(run, "after", fantest_give_back, value, &value));
    return ifp_json_build(run, ret, "[i, v]", (int)first, value);
}

static int step_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;
    const ifp_json *one, *two;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 1, NULL, &future));
    IFP_TRY(ifp_step(run, "beside", fantest_give_back, NULL, &one));
    IFP_TRY(ifp_step(run, "and again", fantest_give_back, NULL, &one));
    IFP_TRY(ifp_await(run, future, NULL, &two));
    return ifp_json_build(run, ret, "[v, v]", one, two);
}

static int retries(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[3];
    ifp_step_options o = {
        .attempts = 3, .backoff = IFP_FIXED, .delay_ms = ifp_json_int(input, "", 1), .jitter = -1
    };

    for (int i = 0; i < 3; i++)
        IFP_TRY(spawn_number(run, third_time_lucky, i, &o, &futures[i]));
    IFP_TRY(ifp_await_all(run, futures, 3));
    return sum_of(run, futures, 3, ret);
}

static int sleeps_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;

    IFP_TRY(spawn_number(run, fantest_pass_gate, 4, NULL, &future));
    IFP_TRY(ifp_sleep(run, ifp_json_str(input, "", "1h")));
    IFP_TRY(ifp_step(run, "slept", fantest_give_back, NULL, ret));
    return ifp_await(run, future, NULL, ret);
}

static int receives_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;
    const ifp_json *message, *part;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 5, NULL, &future));
    IFP_TRY(ifp_receive(run, "go", NULL, &message));
    IFP_TRY(ifp_await(run, future, NULL, &part));
    return ifp_json_build(run, ret, "[v, v]", message, part);
}

static int impatient(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;
    int rc;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 6, NULL, &future));
    rc = ifp_await(run, future, "1h", ret);
    if (rc != IFP_ETIMEOUT)
        return rc;
    IFP_TRY(ifp_step(run, "late", fantest_give_back, NULL, ret));
    return ifp_await(run, future, NULL, ret);
}

static int time_limit(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 7,
                         &(ifp_step_options){ .attempts = 1, .timeout_ms = 50 }, &future));
    return ifp_await(run, future, NULL, ret);
}

static int mixed(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[4];

    (void)input;
    IFP_TRY(spawn_number(run, fantest_give_back, 1, NULL, &futures[0]));
    IFP_TRY(ifp_spawn_child(run, "fan", NULL, NULL, &futures[1]));
    IFP_TRY(spawn_number(run, fantest_give_back, 2, NULL, &futures[2]));
    IFP_TRY(ifp_spawn_child(run, "fan", NULL, NULL, &futures[3]));
    IFP_TRY(ifp_await_all(run, futures, 4));
    return sum_of(run, futures, 4, ret);
}

/* The step passes its gate when the child has ended, and the function has gone on from there. */
static int child_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[2];
    const ifp_json *child, *step;

    IFP_TRY(spawn_number(run, fantest_pass_gate, 5, NULL, &futures[0]));
    IFP_TRY(ifp_spawn_child(run, "echo", input, NULL, &futures[1]));
    IFP_TRY(ifp_await(run, futures[1], NULL, &child));
    IFP_TRY(ifp_step(run, "behind the child", fantest_give_back, child, &child));
    IFP_TRY(ifp_await(run, futures[0], NULL, &step));
    return ifp_json_build(run, ret, "[v, v]", child, step);
}

/* The children end one after the other, while the step is under way. */
static int children_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    enum { CHILDREN = 1200 };
    ifp_future futures[CHILDREN + 1];
    const ifp_json *number;

    (void)input;
    IFP_TRY(spawn_number(run, fantest_pass_gate, 0, NULL, &futures[CHILDREN]));
    for (int i = 0; i < CHILDREN; i++) {
        IFP_TRY(ifp_json_build(run, &number, "i", 1));
        IFP_TRY(ifp_spawn_child(run, "echo", number, NULL, &futures[i]));
    }
    IFP_TRY(ifp_await_all(run, futures, CHILDREN));
    IFP_TRY(ifp_step(run, "behind the child", fantest_give_back, NULL, &number));
    IFP_TRY(ifp_await_all(run, futures, CHILDREN + 1));
    return sum_of(run, futures, CHILDREN + 1, ret);
}

static int fragile(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[3];

    (void)input;
    IFP_TRY(spawn_number(run, fantest_give_back, 1, NULL, &futures[0]));
    IFP_TRY(spawn_number(run, fantest_fail_while_broken, 2, NULL, &futures[1]));
    IFP_TRY(spawn_number(run, fantest_give_back, 3, NULL, &futures[2]));
    IFP_TRY(ifp_await_all(run, futures, 3));
    return sum_of(run, futures, 3, ret);
}

/* Returns while its step is under way. */
static int leaves(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;

    IFP_TRY(spawn_number(run, fantest_pass_gate, 1, NULL, &future));
    return ifp_step(run, "only", fantest_give_back, input, ret);
}

static int changes_its_mind(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *name = atomic_fetch_add(&fantest.passes, 1) == 0 ? "first" : "second";
    ifp_future future;

    IFP_TRY(ifp_spawn(run, name, fantest_give_back, input, &future));
    return ifp_await(run, future, NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(echo),          ENGINETEST_WORKFLOW(fan),
    ENGINETEST_WORKFLOW(gated),         ENGINETEST_WORKFLOW(first_of_two),
    ENGINETEST_WORKFLOW(step_beside),   ENGINETEST_WORKFLOW(retries),
    ENGINETEST_WORKFLOW(sleeps_beside), ENGINETEST_WORKFLOW(receives_beside),
    ENGINETEST_WORKFLOW(impatient),     ENGINETEST_WORKFLOW(time_limit),
    ENGINETEST_WORKFLOW(child_beside),  ENGINETEST_WORKFLOW(children_beside),
    ENGINETEST_WORKFLOW(mixed),         ENGINETEST_WORKFLOW(fragile),
    ENGINETEST_WORKFLOW(leaves),        ENGINETEST_WORKFLOW(changes_its_mind),
};

static int setup(void **state)
{
    return fantest_setup(state, workflows, sizeof(workflows) / sizeof(workflows[0]));
}

/* ---- beside each other ----------------------------------------------------------------------- */

static void each_runs_once_and_the_passes_do_not_grow(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "fan", "{\"n\":200}", NULL), "19900");
    assert_int_equal(atomic_load(&fantest.calls), 200);
    assert_int_equal(atomic_load(&fantest.passes), 2);
    enginetest_sql("200", "select count(*) from inferpipe._inferpipe_steps where kind = 7");
}

static void they_may_run_on_the_loop(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "fan", "{\"n\":50,\"inline\":true}", NULL), "1225");
    assert_int_equal(atomic_load(&fantest.passes), 2);
}

static void they_are_under_way_at_once(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "gated", NULL, NULL);
    enginetest_until_count(t, &fantest.gate.came, 3);
    enginetest_gate_let(&fantest.gate, 3);
    enginetest_completes(t, id, "3");
}

static void one_that_ended_is_recorded_while_others_run(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "gated", NULL, NULL);
    enginetest_until_count(t, &fantest.gate.came, 3);
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_steps where kind = 7");
    enginetest_gate_let(&fantest.gate, 2);
    enginetest_completes(t, id, "3");
    assert_int_equal(atomic_load(&fantest.calls), 3);
}

static double fan_seconds(struct enginetest *t, const char *input, const char *sum)
{
    int64_t from = clock_mono_us();

    enginetest_completes(t, enginetest_start(t, "fan", input, NULL), sum);
    return (double)(clock_mono_us() - from) / 1e6;
}

static void their_cost_is_linear(void **state)
{
    struct enginetest *t = *state;
    double small, large;

    enginetest_worker(t, NULL);
    fan_seconds(t, "{\"n\":100}", "4950"); /* warm */
    small = fan_seconds(t, "{\"n\":500}", "124750");
    large = fan_seconds(t, "{\"n\":4000}", "7998000");
    print_message("parallel: 500 steps %.2f s, 4000 steps %.2f s\n", small, large);
    assert_true(large < (small + 0.05) * 8 * 3); /* quadratic would be 64 times */
}

static void the_first_lets_the_function_go_on(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "first_of_two", NULL, NULL);
    enginetest_completes(t, id, "[1,11]");
    enginetest_gate_let(&fantest.gate, 1);
}

static void steps_of_the_function_run_beside_them(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "step_beside", NULL, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps"
                            " where name = 'and again'");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "[null,1]");
}

static void steps_and_children_mix(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "mixed", NULL, NULL), "3");
}

static void the_end_of_a_child_is_heard_beside_a_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "child_beside", "\"c\"", NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps"
                            " where name = 'behind the child'");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_runs where fence = 1");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "[\"c\",5]");
}

static void the_ends_of_many_children_are_heard_beside_a_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "children_beside", NULL, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps"
                            " where name = 'behind the child'");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "1200");
}

static void steps_under_way_are_left_at_the_end(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "leaves", "8", NULL), "8");
}

static void another_parallel_step_is_a_divergence(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "changes_its_mind", NULL, NULL), "NONDETERMINISTIC",
                     "expected parallel step \"first\"");
}

/* ---- time ------------------------------------------------------------------------------------ */

static void short_backoffs_stay_in_memory(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "retries", "1", NULL), "3");
    assert_int_equal(atomic_load(&fantest.tries), 9);
    enginetest_sql("6", "select count(*) from inferpipe._inferpipe_attempts");
}

static void long_backoffs_leave_memory(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "retries", "3600000", NULL);

    for (int i = 1; i <= 2; i++) {
        enginetest_until_sql(t,
                             "select state = 4 and ready_at > inferpipe.clock() + interval '30 min'"
                             " from inferpipe._inferpipe_runs where exec_id = %" PRId64,
                             id);
        enginetest_until_runs(t, w, 0);
        enginetest_db_clock("61 min");
    }
    enginetest_completes(t, id, "3");
    assert_int_equal(atomic_load(&fantest.tries), 9);
}

static void a_sleep_goes_on_beside_them(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "sleeps_beside", "\"100ms\"", NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps where name = 'slept'");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "4");
}

static void a_long_sleep_leaves_memory_when_they_have_ended(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "sleeps_beside", "\"1h\"", NULL);

    enginetest_until_count(t, &fantest.gate.came, 1);
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_until_sql(
        t, "select state = 2 from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
    enginetest_until_runs(t, w, 0);
    enginetest_db_clock("2 h");
    enginetest_completes(t, id, "4");
}

static void a_message_is_received_after_them(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "receives_beside", NULL, NULL);
    enginetest_until_count(t, &fantest.gate.came, 1);
    enginetest_send(t, id, "go", "\"m\"");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "[\"m\",5]");
}

static void a_wait_for_a_step_may_time_out(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "impatient", NULL, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps where name = 'await'");
    enginetest_db_clock("2 h");
    enginetest_clock(INT64_C(7200) * 1000000);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps where name = 'late'");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_completes(t, id, "6");
}

static void the_time_of_an_attempt_has_an_end(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "time_limit", NULL, NULL), "TIMEOUT",
                     "the attempt's time has passed");
}

/* ---- failures and ends ----------------------------------------------------------------------- */

static void a_retried_execution_runs_the_failed_one_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    atomic_store(&fantest.broken, true);
    id = enginetest_start(t, "fragile", NULL, NULL);
    enginetest_fails(t, id, "BROKEN", "it is broken");
    assert_int_equal(atomic_load(&fantest.calls), 2);
    atomic_store(&fantest.broken, false);
    enginetest_retry(t, id);
    enginetest_completes(t, id, "6");
    assert_int_equal(atomic_load(&fantest.calls), 3);
}

static void a_cancel_reaches_all_of_them(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "gated", NULL, NULL);
    enginetest_until_count(t, &fantest.gate.came, 3);
    enginetest_cancel(t, id, false);
    enginetest_wait(t, id, IFP_STATUS_CANCELED);
}

static void a_deadline_leaves_them_behind(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "gated", NULL, &(ifp_start_options){ .deadline_ms = 1000 });
    enginetest_until_count(t, &fantest.gate.came, 3);
    enginetest_fails(t, id, "TIMEOUT", "deadline");
}

static void a_drain_waits_for_them_and_hands_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *first = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "step_beside", NULL, NULL);

    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps"
                            " where name = 'and again'");
    enginetest_gate_let(&fantest.gate, 1);
    enginetest_leave(t, first);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[null,1]");
    assert_int_equal(atomic_load(&fantest.gate.came), 1);
}

static void a_drain_in_the_midst_of_backoffs_hands_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *first = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "retries", "900", NULL);

    enginetest_until_sql(t, "select count(*) = 3 from inferpipe._inferpipe_attempts");
    enginetest_leave(t, first);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "3");
    assert_int_equal(atomic_load(&fantest.tries), 9);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fantest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_runs_once_and_the_passes_do_not_grow),
        TEST(they_may_run_on_the_loop),
        TEST(they_are_under_way_at_once),
        TEST(one_that_ended_is_recorded_while_others_run),
        TEST(their_cost_is_linear),
        TEST(the_first_lets_the_function_go_on),
        TEST(steps_of_the_function_run_beside_them),
        TEST(steps_and_children_mix),
        TEST(the_end_of_a_child_is_heard_beside_a_step),
        TEST(the_ends_of_many_children_are_heard_beside_a_step),
        TEST(steps_under_way_are_left_at_the_end),
        TEST(another_parallel_step_is_a_divergence),
        TEST(short_backoffs_stay_in_memory),
        TEST(long_backoffs_leave_memory),
        TEST(a_sleep_goes_on_beside_them),
        TEST(a_long_sleep_leaves_memory_when_they_have_ended),
        TEST(a_message_is_received_after_them),
        TEST(a_wait_for_a_step_may_time_out),
        TEST(the_time_of_an_attempt_has_an_end),
        TEST(a_retried_execution_runs_the_failed_one_again),
        TEST(a_cancel_reaches_all_of_them),
        TEST(a_deadline_leaves_them_behind),
        TEST(a_drain_waits_for_them_and_hands_back),
        TEST(a_drain_in_the_midst_of_backoffs_hands_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
