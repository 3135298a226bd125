/*
 * tests/integration/test_fork.c - forks: what the source has done is not done again, what is
 * replaced shows, live sources go on undisturbed.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    atomic_int first, second;
    atomic_bool second_works;
} world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int first_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "i", atomic_fetch_add(&world.first, 1) + 1);
}

static int second_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world.second, 1);
    if (!atomic_load(&world.second_works))
        return ifp_step_fail(step, "BROKEN", IFP_FINAL, "it does not work yet");
    *ret = input;
    return 0;
}

static int two_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two, *drawn;

    IFP_TRY(ifp_json_build(run, &drawn, "s", ifp_uuid(run)));
    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    IFP_TRY(ifp_step(run, "second", second_step, one, &two));
    return ifp_json_build(run, ret, "[v, v, v]", input, two, drawn);
}

/* The same with a third step: what a new version of the program looks like. */
static int three_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    IFP_TRY(ifp_step(run, "second", second_step, one, &two));
    return ifp_step(run, "third", second_step, two, ret);
}

static int waits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    IFP_TRY(ifp_sleep_ms(run, ifp_json_int(input, "", 0)));
    return ifp_receive(run, "go", NULL, ret);
}

static int child(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "second", second_step, input, ret);
}

static int parent(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    IFP_TRY(ifp_child(run, "child", one, &two));
    IFP_TRY(ifp_step(run, "last", first_step, input, &one));
    return ifp_json_build(run, ret, "[v, v]", two, one);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(child),
    ENGINETEST_WORKFLOW(parent),
    ENGINETEST_WORKFLOW(two_steps),
    ENGINETEST_WORKFLOW(waits),
    { .name = "two_steps", .version = "2", .queue = "default", .fn = three_steps },
};

static int setup(void **state)
{
    int rc = enginetest_setup(state);

    memset(&world, 0, sizeof(world));
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return rc;
}

static int64_t forked(struct enginetest *t, int64_t id, const ifp_fork_options *o)
{
    bool created = false;
    int64_t fork = 0;
    struct err e;

    if (client_fork(&t->client, id, o, &fork, &created, &e) != 0)
        fail_msg("%s", e.text);
    assert_true(created && fork != id);
    return fork;
}

static int64_t started(struct enginetest *t, const char *workflow, const char *input)
{
    return enginetest_start(t, workflow, input, &(ifp_start_options){ .version = "1" });
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_fork_of_a_failed_one_goes_on_from_the_failure(void **state)
{
    struct enginetest *t = *state;
    int64_t id = started(t, "two_steps", "0"), fork;

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "BROKEN", "it does not work yet");
    atomic_store(&world.second_works, true);
    fork = forked(t, id, NULL);
    enginetest_wait(t, fork, IFP_COMPLETED);
    enginetest_sql("1", "select output->1 from inferpipe.executions where exec_id = %" PRId64,
                   fork);
    assert_int_equal(world.first, 1);
    assert_int_equal(world.second, 2);
    enginetest_fails(t, id, "BROKEN", "it does not work yet");
}

static void random_numbers_are_those_of_the_source(void **state)
{
    struct enginetest *t = *state;
    int64_t id, fork;

    atomic_store(&world.second_works, true);
    id = started(t, "two_steps", "0");
    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_COMPLETED);
    fork = forked(t, id, &(ifp_fork_options){ .from = "second" });
    enginetest_wait(t, fork, IFP_COMPLETED);
    enginetest_sql("1",
                   "select count(distinct output->>2) from inferpipe.executions"
                   " where exec_id in (%" PRId64 ", %" PRId64 ")",
                   id, fork);
    assert_int_equal(world.first, 1);
    assert_int_equal(world.second, 2);
}

static void input_and_results_can_be_replaced(void **state)
{
    struct enginetest *t = *state;
    const ifp_fork_result set = { "first", "{\"replaced\": 1.50}" };
    int64_t id = started(t, "two_steps", "0"), fork;

    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_FAILED);
    atomic_store(&world.second_works, true);
    fork = forked(t, id, &(ifp_fork_options){ .input = "[7]", .set = &set, .set_count = 1 });
    enginetest_wait(t, fork, IFP_COMPLETED);
    enginetest_sql("[7] {\"replaced\": 1.50}",
                   "select (output->>0) || ' ' || (output->>1) from inferpipe.executions"
                   " where exec_id = %" PRId64,
                   fork);
    assert_int_equal(world.first, 1);
}

static void a_fork_may_move_to_another_version(void **state)
{
    struct enginetest *t = *state;
    int64_t id = started(t, "two_steps", "0"), fork;

    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_FAILED);
    atomic_store(&world.second_works, true);
    fork = forked(t, id, &(ifp_fork_options){ .from = "second", .version = "2" });
    enginetest_completes(t, fork, "1");
    assert_int_equal(world.first, 1);
    assert_int_equal(world.second, 3);
}

static void a_sleeping_source_sleeps_on_and_the_fork_with_it(void **state)
{
    struct enginetest *t = *state;
    int64_t id = started(t, "waits", "3600000"), fork;

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 2 from inferpipe._inferpipe_runs");
    fork = forked(t, id, NULL);
    enginetest_until_sql(t, "select count(*) = 2 and count(distinct ready_at) = 1"
                            " from inferpipe._inferpipe_runs where state = 2");
    enginetest_db_clock("61 min");
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_runs where state = 3");
    enginetest_send(t, fork, "go", "\"fork\"");
    enginetest_completes(t, fork, "\"fork\"");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_runs where exec_id = %" PRId64,
                   id);
    enginetest_send(t, id, "go", "\"source\"");
    enginetest_completes(t, id, "\"source\"");
    assert_int_equal(world.first, 1);
}

static void forks_of_a_running_one_are_whole(void **state)
{
    enum { FORKS = 20 };
    struct enginetest *t = *state;
    int64_t id;

    atomic_store(&world.second_works, true);
    id = started(t, "two_steps", "0");
    enginetest_worker(t, NULL);
    for (int i = 0; i < FORKS; i++)
        forked(t, id, NULL);
    enginetest_wait_all(t, 1 + FORKS);
    enginetest_sql("0", "select count(*) from inferpipe.executions where status <> 'completed'");
}

static void a_child_is_not_started_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id, fork;

    atomic_store(&world.second_works, true);
    id = started(t, "parent", "0");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1,2]");
    fork = forked(t, id, &(ifp_fork_options){ .from = "last" });
    enginetest_completes(t, fork, "[1,3]");
    enginetest_sql("1", "select count(*) from inferpipe.executions where workflow = 'child'");
    fork = forked(t, id, &(ifp_fork_options){ .from = "child" });
    enginetest_completes(t, fork, "[1,4]");
    enginetest_sql("2", "select count(*) from inferpipe.executions where workflow = 'child'");
}

/* A fork from the failure starts a child of its own; the one that failed stays the source's. */
static void a_failed_child_is_started_anew(void **state)
{
    struct enginetest *t = *state;
    int64_t id = started(t, "parent", "0"), fork;

    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_FAILED);
    atomic_store(&world.second_works, true);
    fork = forked(t, id, NULL);
    enginetest_completes(t, fork, "[1,2]");
    enginetest_sql("completed,failed", "select string_agg(status, ',' order by status)"
                                       " from inferpipe.executions where workflow = 'child'");
}

static void refused(struct enginetest *t, int64_t id, const ifp_fork_options *o, int code,
                    const char *part)
{
    bool created;
    int64_t fork;
    struct err e;

    assert_int_equal(client_fork(&t->client, id, o, &fork, &created, &e), code);
    if (!strstr(e.text, part))
        fail_msg("expected \"%s\" in \"%s\"", part, e.text);
}

static void bad_input_is_named(void **state)
{
    enum { SET_MAX = 100, LABEL_MAX = 255 };
    struct enginetest *t = *state;
    ifp_fork_result set[SET_MAX + 1];
    char label[LABEL_MAX + 2];
    int64_t id = started(t, "two_steps", "0");

    for (int i = 0; i <= SET_MAX; i++)
        set[i] = (ifp_fork_result){ "first", "1" };
    refused(t, id, &(ifp_fork_options){ .set = set, .set_count = SET_MAX + 1 }, IFP_EINVALID,
            "set: 101 results, at most 100 are allowed");
    refused(t, id, &(ifp_fork_options){ .set = set, .set_count = SET_MAX }, IFP_EINVALID,
            "set: first is not one step or message before");
    set[0].result = "{";
    refused(t, id, &(ifp_fork_options){ .set = set, .set_count = 1 }, IFP_EINVALID, "first: ");
    set[0] = (ifp_fork_result){ "", "1" };
    refused(t, id, &(ifp_fork_options){ .set = set, .set_count = 1 }, IFP_EINVALID, "set: ");
    memset(label, 'x', sizeof(label));
    label[LABEL_MAX + 1] = '\0';
    refused(t, id, &(ifp_fork_options){ .from = label }, IFP_EINVALID,
            "from: must be a step, 1 to 255 bytes");
    label[LABEL_MAX] = '\0';
    refused(t, id, &(ifp_fork_options){ .from = label }, IFP_ENOTFOUND, "has no step x");
    refused(t, id, &(ifp_fork_options){ .input = "{" }, IFP_EINVALID, "input: ");
    refused(t, id, &(ifp_fork_options){ .version = "9" }, IFP_ENOTFOUND, "two_steps version 9");
    refused(t, id, &(ifp_fork_options){ .key = "" }, IFP_EINVALID, "key: ");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fork_of_a_failed_one_goes_on_from_the_failure),
        TEST(random_numbers_are_those_of_the_source),
        TEST(input_and_results_can_be_replaced),
        TEST(a_fork_may_move_to_another_version),
        TEST(a_sleeping_source_sleeps_on_and_the_fork_with_it),
        TEST(forks_of_a_running_one_are_whole),
        TEST(a_child_is_not_started_again),
        TEST(a_failed_child_is_started_anew),
        TEST(bad_input_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
