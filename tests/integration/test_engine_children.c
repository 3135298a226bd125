/*
 * tests/integration/test_engine_children.c - children: their outcome comes back to the parent byte
 * for byte, whoever ends them and however; a wait costs one pass, whatever it waits for; the end of
 * a parent ends its children; what is retried meets again.
 */
#include "base/clock.h"
#include "lib/fantest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FAN_MAX = 10000 };

/* ---- steps and small workflows --------------------------------------------------------------- */

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static int work(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "work", fantest_give_back, input, ret);
}

static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "gated", fantest_pass_gate, input, ret);
}

static int fragile(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "fragile", fantest_fail_while_broken, input, ret);
}

static int waits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static int fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)ret;
    return ifp_fail(run, "NO_STOCK", "only %d left", (int)ifp_json_int(input, "", 0));
}

/* ---- parents --------------------------------------------------------------------------------- */

/* The input names the child's workflow and its input. */
static int one_child(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_child(run, ifp_json_str(input, "/workflow", "echo"), ifp_json_get(input, "/input"),
                     ret);
}

static int catches(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_error_info *info;
    int rc =
        ifp_child_with(run, ifp_json_str(input, "/workflow", "echo"), ifp_json_get(input, "/input"),
                       ret, &(ifp_child_options){ .name = "the child" });

    if (rc != IFP_ESTEP_FAILED)
        return rc;
    info = ifp_error(run);
    return ifp_json_build(run, ret, "{s:s, s:s, s:s}", "code", info->code, "message", info->message,
                          "step", info->step);
}

/* Starts as many as the input says, waits for all, adds them up. */
static int fan_out(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static ifp_future futures[FAN_MAX];
    size_t n = (size_t)ifp_json_int(input, "", 0);
    int64_t sum = 0;

    atomic_fetch_add(&fantest.passes, 1);
    for (size_t i = 0; i < n; i++) {
        const ifp_json *number;

        IFP_TRY(ifp_json_build(run, &number, "i", (int)i));
        IFP_TRY(ifp_spawn_child(run, "echo", number, NULL, &futures[i]));
    }
    IFP_TRY(ifp_await_all(run, futures, n));
    for (size_t i = 0; i < n; i++) {
        const ifp_json *number;

        IFP_TRY(ifp_future_result(run, futures[i], &number));
        sum += ifp_json_int(number, "", -1000000);
    }
    return ifp_json_build(run, ret, "I", sum);
}

/* Two that wait for a message; the first to end wins, the other one is left behind. */
static int race(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[2];
    size_t first, second;
    const ifp_json *value;

    (void)input;
    atomic_fetch_add(&fantest.passes, 1);
    for (int i = 0; i < 2; i++)
        IFP_TRY(ifp_spawn_child(run, "waits", NULL, NULL, &futures[i]));
    IFP_TRY(ifp_await_any(run, futures, 2, &first));
    IFP_TRY(ifp_future_result(run, futures[first], &value));
    IFP_TRY(ifp_step(run, "won", fantest_give_back, value, &value));
    second = 1 - first;
    IFP_TRY(ifp_await(run, futures[second], NULL, &value));
    return ifp_json_build(run, ret, "[i, v]", (int)first, value);
}

static int impatient(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;
    int rc;

    IFP_TRY(ifp_spawn_child(run, "waits", NULL, NULL, &future));
    rc = ifp_await(run, future, ifp_json_str(input, "/timeout", "1h"), ret);
    if (rc != IFP_ETIMEOUT)
        return rc;
    IFP_TRY(ifp_step(run, "late", fantest_give_back, NULL, ret));
    return ifp_await(run, future, NULL, ret);
}

static int leaves_two(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future canceled, left;

    (void)ret;
    IFP_TRY(ifp_spawn_child(run, "waits", NULL, NULL, &canceled));
    IFP_TRY(ifp_spawn_child(run, "waits", NULL,
                            &(ifp_child_options){ .on_parent_end = IFP_CHILD_LEAVE }, &left));
    IFP_TRY(ifp_sleep_ms(run, ifp_json_int(input, "", 0)));
    return 0;
}

static int optioned(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_child_with(run, "echo", NULL, ret,
                          &(ifp_child_options){ .name = "with options",
                                                .version = "1",
                                                .queue = "other",
                                                .queue_key = "k",
                                                .priority = 5,
                                                .delay_ms = 50,
                                                .deadline_ms = 3600000,
                                                .metadata = "{\"a\": 1}" });
}

static int bad_option(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_child_options o = { .priority = (int)ifp_json_int(input, "/priority", 0),
                            .queue = ifp_json_str(input, "/queue", NULL),
                            .delay_ms = ifp_json_int(input, "/delay", 0),
                            .metadata = ifp_json_str(input, "/metadata", NULL) };

    return ifp_child_with(run, ifp_json_str(input, "/workflow", "echo"), NULL, ret, &o);
}

static int no_future(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_await(run, (ifp_future){ (int)ifp_json_int(input, "", 0) }, NULL, ret);
}

/* Another child than the one recorded, once the first attempt of the gate has passed. */
static int changes_its_mind(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *name = atomic_fetch_add(&fantest.passes, 1) == 0 ? "first" : "second";

    (void)input;
    return ifp_child_with(run, "echo", NULL, ret, &(ifp_child_options){ .name = name });
}

static int grandparent(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *wanted;

    (void)input;
    IFP_TRY(ifp_json_parse(run, "{\"workflow\":\"waits\"}", 20, &wanted));
    return ifp_child(run, "one_child", wanted, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(echo),        ENGINETEST_WORKFLOW(work),
    ENGINETEST_WORKFLOW(gated),       ENGINETEST_WORKFLOW(fragile),
    ENGINETEST_WORKFLOW(waits),       ENGINETEST_WORKFLOW(fails),
    ENGINETEST_WORKFLOW(one_child),   ENGINETEST_WORKFLOW(catches),
    ENGINETEST_WORKFLOW(fan_out),     ENGINETEST_WORKFLOW(race),
    ENGINETEST_WORKFLOW(impatient),   ENGINETEST_WORKFLOW(leaves_two),
    ENGINETEST_WORKFLOW(optioned),    ENGINETEST_WORKFLOW(bad_option),
    ENGINETEST_WORKFLOW(no_future),   ENGINETEST_WORKFLOW(changes_its_mind),
    ENGINETEST_WORKFLOW(grandparent),
};

static int setup(void **state)
{
    return fantest_setup(state, workflows, sizeof(workflows) / sizeof(workflows[0]));
}

/* The id of a parent's child, by the order of their starts. */
static int64_t child_of(struct enginetest *t, int64_t parent, int nth)
{
    int64_t id;

    enginetest_until_sql(t,
                         "select count(*) > %d from inferpipe._inferpipe_executions"
                         " where parent_id = %" PRId64,
                         nth, parent);
    id = testdb_int8f("select exec_id from inferpipe._inferpipe_executions"
                      " where parent_id = %" PRId64 " order by exec_id limit 1 offset %d",
                      parent, nth);
    assert_true(id > 0);
    return id;
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void a_child_gives_its_output(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id =
        enginetest_start(t, "one_child", "{\"workflow\": \"work\", \"input\": {\"x\":1.50}}", NULL);
    enginetest_completes(t, id, "{\"x\":1.50}");
    enginetest_sql("work completed",
                   "select workflow || ' ' || status from inferpipe.executions"
                   " where parent = inferpipe.id_text(%" PRId64 ")",
                   id);
    enginetest_sql("child ok, child end ok",
                   "select string_agg(kind || ' ' || status, ', ' order by"
                   " kind) from inferpipe.steps where exec_id = %" PRId64,
                   id);
}

static void a_large_output_comes_back_whole(void **state)
{
    struct enginetest *t = *state;
    enum { SIZE = 100000 };
    char *input = calloc(1, SIZE + 64);
    char *text = calloc(1, SIZE + 3);

    enginetest_worker(t, NULL);
    text[0] = text[SIZE + 1] = '"';
    memset(text + 1, 'y', SIZE);
    snprintf(input, SIZE + 64, "{\"workflow\":\"echo\",\"input\":%s}", text);
    enginetest_completes(t, enginetest_start(t, "one_child", input, NULL), text);
    free(text);
    free(input);
}

static void a_failed_child_fails_its_parent(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t,
                     enginetest_start(t, "one_child", "{\"workflow\":\"fails\",\"input\":3}", NULL),
                     "NO_STOCK", "only 3 left");
}

static void a_parent_may_handle_a_failed_child(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(
        t, enginetest_start(t, "catches", "{\"workflow\":\"fails\",\"input\":3}", NULL),
        "{\"code\":\"NO_STOCK\",\"message\":\"only 3 left\",\"step\":\"the child\"}");
}

static void a_workflow_that_nobody_knows_is_not_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(
        t, enginetest_start(t, "catches", "{\"workflow\":\"ghost\"}", NULL),
        "{\"code\":\"NOT_FOUND\",\"message\":\"workflow: ghost is not registered\","
        "\"step\":\"the child\"}");
}

static void a_canceled_child_is_a_failure(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "catches", "{\"workflow\":\"waits\"}", NULL);
    enginetest_until_sql(t,
                         "select state = 3 from inferpipe._inferpipe_runs where exec_id = %" PRId64,
                         child_of(t, id, 0));
    enginetest_cancel(t, child_of(t, id, 0), false);
    enginetest_completes(
        t, id, "{\"code\":\"CANCELED\",\"message\":\"it was canceled\",\"step\":\"the child\"}");
}

static void a_child_that_is_canceled_by_force_is_told_too(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "one_child", "{\"workflow\":\"waits\"}", NULL);
    enginetest_until_sql(
        t, "select state = 6 from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
    assert_true(enginetest_cancel(t, child_of(t, id, 0), true));
    enginetest_fails(t, id, "CANCELED", "it was canceled");
}

static void options_reach_the_child(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "optioned", NULL, NULL);
    enginetest_completes(t, id, "null");
    enginetest_sql(
        "other 5 {\"a\": 1} k t",
        "select format('%%s %%s %%s %%s %%s', e.queue, e.priority, e.metadata, x.queue_key,"
        " e.deadline - e.created_at = interval '1 hour')"
        " from inferpipe.executions e join inferpipe._inferpipe_executions x using (exec_id)"
        " where x.parent_id = %" PRId64,
        id);
    enginetest_sql("with options", "select min(name) from inferpipe.steps where exec_id = %" PRId64,
                   id);
}

static void a_bad_option_names_field_and_rule(void **state)
{
    struct enginetest *t = *state;
    static const char *const cases[][2] = {
        { "{\"priority\": 6}", "priority: must be 1 (first) to 5" },
        { "{\"queue\": \"No!\"}", "queue: must be" },
        { "{\"delay\": -1}", "delay: must be 0 to 100 years" },
        { "{\"metadata\": \"[]\"}", "metadata: must be a JSON object" },
        { "{\"workflow\": \"\"}", "workflow: must be" },
    };

    enginetest_worker(t, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        enginetest_fails(t, enginetest_start(t, "bad_option", cases[i][0], NULL), "INVALID_INPUT",
                         cases[i][1]);
    enginetest_fails(t, enginetest_start(t, "no_future", "0", NULL), "INVALID_INPUT",
                     "0 is no future");
    enginetest_fails(t, enginetest_start(t, "no_future", "7", NULL), "INVALID_INPUT",
                     "7 is no future");
}

static void another_child_than_the_recorded_one_is_a_divergence(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "changes_its_mind", NULL, NULL), "NONDETERMINISTIC",
                     "expected child \"first\" (recorded as call 1), found child \"second\"");
}

/* ---- waits ----------------------------------------------------------------------------------- */

static void a_fan_out_takes_a_pass_to_start_and_one_to_end(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "fan_out", "100", NULL), "4950");
    assert_int_equal(atomic_load(&fantest.passes), 2);
}

static void a_long_fan_out_starts_in_several_commits(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "spawn-batch=10");
    enginetest_completes(t, enginetest_start(t, "fan_out", "35", NULL), "595");
    assert_int_equal(atomic_load(&fantest.passes), 5); /* 10, 20, 30, 35 and the end */
    enginetest_sql("4", "select count(distinct done_at) from inferpipe._inferpipe_steps"
                        " where kind = 4");
}

static double fan_out_seconds(struct enginetest *t, const char *n, const char *sum)
{
    int64_t from = clock_mono_us();

    enginetest_completes(t, enginetest_start(t, "fan_out", n, NULL), sum);
    return (double)(clock_mono_us() - from) / 1e6;
}

static void the_cost_of_a_fan_out_is_linear(void **state)
{
    struct enginetest *t = *state;
    double small, large;

    enginetest_worker(t, NULL);
    fan_out_seconds(t, "100", "4950"); /* warm */
    small = fan_out_seconds(t, "500", "124750");
    large = fan_out_seconds(t, "4000", "7998000");
    print_message("fan-out: 500 children %.2f s, 4000 children %.2f s\n", small, large);
    assert_true(large < small * 8 * 3); /* quadratic would be 64 times */
}

static void the_first_to_end_is_recorded(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "race", NULL, NULL);
    enginetest_until_sql(t,
                         "select state = 6 and wait_left = 1 from inferpipe._inferpipe_runs"
                         " where exec_id = %" PRId64,
                         id);
    enginetest_send(t, child_of(t, id, 1), "go", "\"b\"");
    enginetest_until_sql(t,
                         "select count(*) from inferpipe._inferpipe_steps where exec_id = %" PRId64
                         " and name = 'won'",
                         id);
    enginetest_send(t, child_of(t, id, 0), "go", "\"a\"");
    enginetest_completes(t, id, "[1,\"a\"]");
    enginetest_sql("1", "select result::text from inferpipe.steps where kind = 'await'");
}

static void a_wait_may_time_out_and_come_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "impatient", "{\"timeout\":\"1h\"}", NULL);
    enginetest_until_sql(
        t, "select state = 6 from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
    enginetest_db_clock("2 hours");
    enginetest_until_sql(t,
                         "select state = 6 and exists (select from inferpipe._inferpipe_steps s"
                         " where s.exec_id = r.exec_id and s.name = 'late')"
                         " from inferpipe._inferpipe_runs r where exec_id = %" PRId64,
                         id);
    enginetest_sql(
        "timed_out",
        "select status from inferpipe.steps where exec_id = %" PRId64 " and kind = 'await'", id);
    enginetest_send(t, child_of(t, id, 0), "go", "5");
    enginetest_completes(t, id, "5");
}

static void a_child_in_time_beats_the_timeout(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "impatient", NULL, NULL);
    enginetest_send(t, child_of(t, id, 0), "go", "6");
    enginetest_completes(t, id, "6");
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_steps where name = 'late'");
}

/* ---- ends of parents ------------------------------------------------------------------------ */

static void the_end_of_a_parent_cancels_its_children(void **state)
{
    struct enginetest *t = *state;
    int64_t id, left;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "leaves_two", "1500", NULL);
    left = child_of(t, id, 1);
    enginetest_completes(t, id, "null");
    enginetest_wait(t, child_of(t, id, 0), IFP_STATUS_CANCELED);
    enginetest_send(t, left, "go", "1");
    enginetest_completes(t, left, "1");
}

static void children_that_have_not_begun_end_with_their_parent(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "leaves_two", "0", NULL);
    enginetest_completes(t, id, "null");
    enginetest_wait(t, child_of(t, id, 0), IFP_STATUS_CANCELED);
    enginetest_cancel(t, child_of(t, id, 1), true);
}

static void a_cancel_goes_down_the_family(void **state)
{
    struct enginetest *t = *state;
    int64_t id, child, grandchild;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "grandparent", NULL, NULL);
    child = child_of(t, id, 0);
    grandchild = child_of(t, child, 0);
    enginetest_until_sql(
        t, "select state = 3 from inferpipe._inferpipe_runs where exec_id = %" PRId64, grandchild);
    enginetest_cancel(t, id, false);
    enginetest_wait(t, id, IFP_STATUS_CANCELED);
    enginetest_wait(t, child, IFP_STATUS_CANCELED);
    enginetest_wait(t, grandchild, IFP_STATUS_CANCELED);
    enginetest_until_sql(t, "select count(*) = 0 from inferpipe._inferpipe_orphans");
}

static void a_deadline_of_the_parent_ends_its_children(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "one_child", "{\"workflow\":\"gated\"}",
                          &(ifp_start_options){ .deadline_ms = 3600000 });
    enginetest_until_count(t, &fantest.gate.came, 1);
    enginetest_db_clock("2 hours");
    enginetest_fails(t, id, "TIMEOUT", "deadline");
    enginetest_wait(t, child_of(t, id, 0), IFP_STATUS_CANCELED);
}

/* ---- retries by hand ------------------------------------------------------------------------ */

static void a_retried_parent_retries_the_child_it_failed_with(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    atomic_store(&fantest.broken, true);
    id = enginetest_start(t, "one_child", "{\"workflow\":\"fragile\",\"input\":7}", NULL);
    enginetest_fails(t, id, "BROKEN", "it is broken");
    atomic_store(&fantest.broken, false);
    enginetest_retry(t, id);
    enginetest_completes(t, id, "7");
    enginetest_sql(
        "1", "select count(*) from inferpipe._inferpipe_executions where parent_id = %" PRId64, id);
}

static void a_retried_parent_takes_its_canceled_children_along(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    enginetest_worker(t, NULL);
    id = enginetest_start(t, "one_child", "{\"workflow\":\"waits\"}", NULL);
    enginetest_until_sql(
        t, "select state = 6 from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
    enginetest_cancel(t, id, false);
    enginetest_wait(t, child_of(t, id, 0), IFP_STATUS_CANCELED);
    enginetest_retry(t, id);
    enginetest_send(t, child_of(t, id, 0), "go", "8");
    enginetest_completes(t, id, "8");
}

static void a_retried_child_does_not_change_what_its_parent_was_told(void **state)
{
    struct enginetest *t = *state;
    int64_t id, child;

    enginetest_worker(t, NULL);
    atomic_store(&fantest.broken, true);
    id = enginetest_start(t, "catches", "{\"workflow\":\"fragile\",\"input\":7}", NULL);
    enginetest_wait(t, id, IFP_COMPLETED);
    child = child_of(t, id, 0);
    atomic_store(&fantest.broken, false);
    enginetest_retry(t, child);
    enginetest_completes(t, child, "7");
    enginetest_sql("failed",
                   "select status from inferpipe.steps where exec_id = %" PRId64
                   " and kind = 'child end'",
                   id);
}

static void a_family_moves_between_workers(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *first = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "one_child", "{\"workflow\":\"waits\"}", NULL);

    enginetest_until_sql(
        t, "select state = 6 from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
    enginetest_leave(t, first);
    enginetest_worker(t, NULL);
    enginetest_send(t, child_of(t, id, 0), "go", "9");
    enginetest_completes(t, id, "9");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fantest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_gives_its_output),
        TEST(a_large_output_comes_back_whole),
        TEST(a_failed_child_fails_its_parent),
        TEST(a_parent_may_handle_a_failed_child),
        TEST(a_workflow_that_nobody_knows_is_not_found),
        TEST(a_canceled_child_is_a_failure),
        TEST(a_child_that_is_canceled_by_force_is_told_too),
        TEST(options_reach_the_child),
        TEST(a_bad_option_names_field_and_rule),
        TEST(another_child_than_the_recorded_one_is_a_divergence),
        TEST(a_fan_out_takes_a_pass_to_start_and_one_to_end),
        TEST(a_long_fan_out_starts_in_several_commits),
        TEST(the_cost_of_a_fan_out_is_linear),
        TEST(the_first_to_end_is_recorded),
        TEST(a_wait_may_time_out_and_come_again),
        TEST(a_child_in_time_beats_the_timeout),
        TEST(the_end_of_a_parent_cancels_its_children),
        TEST(children_that_have_not_begun_end_with_their_parent),
        TEST(a_cancel_goes_down_the_family),
        TEST(a_deadline_of_the_parent_ends_its_children),
        TEST(a_retried_parent_retries_the_child_it_failed_with),
        TEST(a_retried_parent_takes_its_canceled_children_along),
        TEST(a_retried_child_does_not_change_what_its_parent_was_told),
        TEST(a_family_moves_between_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
