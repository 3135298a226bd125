/*
 * tests/integration/test_engine_replay.c - the workflow function runs again from its top:
 * recorded and derived values come back the same, and a function that left its journal is found
 * out.
 *
 * Each test of the second kind lets a first worker record some calls and park; then the "code"
 * is changed (world.code) and a second worker replays.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum code {
    ORIGINAL,
    OTHER_NAME,
    OTHER_KIND,
    ADDED_CALL,
    REMOVED_CALL,
    SWAPPED_CALLS,
    EARLY_RETURN,
    EARLY_FAILURE
};

static struct {
    enum code code;
    int calls;
} world;

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    world.calls++;
    *ret = input;
    return 0;
}

static int step(ifp_run *run, const char *name)
{
    const ifp_json *out;

    return ifp_step_with(run, name, give_back, NULL, &out,
                         &(ifp_step_options){ .flags = IFP_INLINE });
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int values(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    char random[32];
    int64_t now = ifp_now(run), later;
    const ifp_json *message, *first;
    const char *id = ifp_uuid(run);

    snprintf(random, sizeof(random), "%016" PRIx64, ifp_random(run));
    IFP_TRY(ifp_json_build(run, &first, "[I, s, s]", now, id, random));
    IFP_TRY(ifp_step_with(run, "first", give_back, first, &message,
                          &(ifp_step_options){ .flags = IFP_INLINE }));
    (void)input;
    IFP_TRY(ifp_receive(run, "go", NULL, &message));
    later = ifp_now(run);
    IFP_TRY(ifp_sleep_ms(run, 1));
    if (later < now)
        return ifp_fail(run, "BACKWARDS", "time went back");
    return ifp_json_build(run, ret, "[I, s, s]", now, id, random);
}

static int two_ids(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *one = ifp_uuid(run), *two = ifp_uuid(run);

    (void)input;
    return ifp_json_build(run, ret, "[s, s]", one, two);
}

static int changing(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *message;

    (void)input;
    (void)ret;
    if (world.code == ADDED_CALL)
        IFP_TRY(step(run, "new"));
    if (world.code == SWAPPED_CALLS)
        IFP_TRY(step(run, "two"));
    if (world.code == OTHER_KIND)
        IFP_TRY(ifp_receive(run, "one", NULL, &message));
    else
        IFP_TRY(step(run, world.code == OTHER_NAME ? "uno" : "one"));
    if (world.code == EARLY_RETURN)
        return 0;
    if (world.code == EARLY_FAILURE)
        return ifp_fail(run, "EARLY", "it gave up");
    if (world.code != REMOVED_CALL && world.code != SWAPPED_CALLS)
        IFP_TRY(step(run, "two"));
    IFP_TRY(step(run, "three"));
    return ifp_receive(run, "go", NULL, &message);
}

static int ignores_suspension(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)!ifp_step(run, "one", give_back, input, ret);
    return 0;
}

static int fails_after_suspension(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step(run, "one", give_back, input, ret) == IFP_SUSPENDED)
        return ifp_fail(run, "IMPATIENT", "did not wait");
    return 0;
}

static int goes_on_after_suspension(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int first = ifp_step(run, "one", give_back, input, ret);
    int second = ifp_step(run, "two", give_back, input, ret);

    /* Until the first is done every later call says the same and does nothing. */
    if (first == IFP_SUSPENDED &&
        (second != IFP_SUSPENDED || ifp_now(run) != 0 || ifp_sleep(run, "1s") != IFP_SUSPENDED ||
         ifp_receive(run, "x", NULL, ret) != IFP_SUSPENDED))
        return IFP_ESERVER;
    return first == 0 ? second : first;
}

static int suspends_without_a_call(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    (void)input;
    (void)ret;
    return IFP_SUSPENDED;
}

static int fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)ret;
    return ifp_fail(run, ifp_json_str(input, "", NULL), "item %d: \"%s\"", 4,
                    "\xff"
                    "bad");
}

static int returns_number(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    (void)ret;
    return (int)ifp_json_int(input, "", 0);
}

static int bad_name(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static char long_name[202];
    const char *name = ifp_json_str(input, "", NULL);

    (void)ret;
    memset(long_name, 'n', 201);
    return step(run, name && strcmp(name, "long") == 0 ? long_name : name);
}

/* What a fatal call says cannot be mended by what the function does after it. */
static int hides_a_fatal_error(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)!step(run, "");
    if (step(run, "fine") != IFP_EINVALID)
        return IFP_ESERVER;
    *ret = input;
    return 0;
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(values),
    ENGINETEST_WORKFLOW(two_ids),
    ENGINETEST_WORKFLOW(changing),
    ENGINETEST_WORKFLOW(ignores_suspension),
    ENGINETEST_WORKFLOW(fails_after_suspension),
    ENGINETEST_WORKFLOW(goes_on_after_suspension),
    ENGINETEST_WORKFLOW(suspends_without_a_call),
    ENGINETEST_WORKFLOW(fails),
    ENGINETEST_WORKFLOW(returns_number),
    ENGINETEST_WORKFLOW(bad_name),
    ENGINETEST_WORKFLOW(hides_a_fatal_error),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

/* ---- recorded and derived values ------------------------------------------------------------- */

static void values_are_the_same_on_each_pass(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "values", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    char *recorded;

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    recorded = strdup(testdb_text("select convert_from(result, 'UTF8')"
                                  " from inferpipe._inferpipe_steps where name = 'first'"));
    enginetest_db_clock("1 hour");
    enginetest_send(t, id, "go", "1");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, recorded);
    free(recorded);
    enginetest_sql("t", "select max(v) - min(v) >= 3600000 from (select"
                        " convert_from(result, 'UTF8')::int8 from inferpipe._inferpipe_steps"
                        " where kind = 5) t(v)");
}

static void ids_differ_between_calls_and_executions(void **state)
{
    struct enginetest *t = *state;
    int64_t one = enginetest_start(t, "two_ids", NULL, NULL);
    int64_t two = enginetest_start(t, "two_ids", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_wait(t, one, IFP_COMPLETED);
    enginetest_wait(t, two, IFP_COMPLETED);
    enginetest_sql("4", "select count(distinct v::uuid) from inferpipe._inferpipe_results f,"
                        " json_array_elements_text(convert_from(f.output, 'UTF8')::json) v");
}

/* ---- changed code ---------------------------------------------------------------------------- */

/* Records three calls with the original code, then replays with `code`; gives the execution. */
static int64_t replay_with(struct enginetest *t, enum code code)
{
    int64_t id = enginetest_start(t, "changing", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    assert_int_equal(world.calls, 3);
    world.code = code;
    enginetest_send(t, id, "go", "1");
    enginetest_worker(t, NULL);
    return id;
}

static void unchanged_code_completes(void **state)
{
    struct enginetest *t = *state;

    enginetest_completes(t, replay_with(t, ORIGINAL), "null");
    assert_int_equal(world.calls, 3);
}

static void a_changed_name_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, OTHER_NAME), "NONDETERMINISTIC",
                     "call 1: expected step \"one\" (recorded as call 1), found step \"uno\"");
}

static void a_changed_kind_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, OTHER_KIND), "NONDETERMINISTIC", "found receive \"one\"");
}

static void an_added_call_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, ADDED_CALL), "NONDETERMINISTIC",
                     "expected step \"one\" (recorded as call 1), found step \"new\"");
    assert_int_equal(world.calls, 3);
}

static void a_removed_call_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, REMOVED_CALL), "NONDETERMINISTIC",
                     "call 2: expected step \"two\" (recorded as call 2), found step \"three\"");
}

static void swapped_calls_are_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, SWAPPED_CALLS), "NONDETERMINISTIC",
                     "call 1: expected step \"one\" (recorded as call 1), found step \"two\"");
}

static void an_early_return_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, EARLY_RETURN), "NONDETERMINISTIC",
                     "expected step \"two\", found the end of the workflow");
}

static void an_early_failure_is_found(void **state)
{
    struct enginetest *t = *state;

    enginetest_fails(t, replay_with(t, EARLY_FAILURE), "NONDETERMINISTIC",
                     "expected step \"two\", found the end of the workflow");
}

/* Mended code and a retry by hand: the recorded calls answer again. */
static void mended_code_goes_on_after_a_retry(void **state)
{
    struct enginetest *t = *state;
    int64_t id = replay_with(t, OTHER_NAME);

    enginetest_wait(t, id, IFP_FAILED);
    world.code = ORIGINAL;
    enginetest_retry(t, id);
    enginetest_completes(t, id, "null");
    assert_int_equal(world.calls, 3);
}

/* ---- what a workflow returns ----------------------------------------------------------------- */

static void a_suspension_must_be_returned(void **state)
{
    struct enginetest *t = *state;
    int64_t success = enginetest_start(t, "ignores_suspension", "1", NULL);
    int64_t failure = enginetest_start(t, "fails_after_suspension", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, success, "INVALID_INPUT",
                     "the workflow returned 0 after a call gave IFP_SUSPENDED");
    enginetest_completes(t, failure, "1"); /* to fail while a step is under way means nothing */
    assert_int_equal(world.calls, 1);
}

static void calls_after_a_suspension_do_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "goes_on_after_suspension", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    assert_int_equal(world.calls, 2);
}

static void a_suspension_needs_a_call(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "suspends_without_a_call", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "INVALID_INPUT", "no call was waiting");
}

static void a_failure_has_a_code_and_a_text(void **state)
{
    struct enginetest *t = *state;
    int64_t with_code = enginetest_start(t, "fails", "\"NO_STOCK\"", NULL);
    int64_t without = enginetest_start(t, "fails", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, with_code, "NO_STOCK", "item 4: \"");
    enginetest_fails(t, without, "FAILED", "bad\"");
}

static void a_returned_error_is_the_failure(void **state)
{
    struct enginetest *t = *state;
    int64_t conflict = enginetest_start(t, "returns_number", "-5", NULL);
    int64_t unknown = enginetest_start(t, "returns_number", "-1000", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, conflict, "CONFLICT", "");
    enginetest_wait(t, unknown, IFP_FAILED);
}

static void a_bad_name_ends_the_execution(void **state)
{
    static const char *const bad[] = { "null", "\"\"", "\"a\\nb\"", "\"\\u007f\"", "\"long\"" };
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        enginetest_fails(t, enginetest_start(t, "bad_name", bad[i], NULL), "INVALID_INPUT",
                         "call 1: name: not 1 to 200 bytes");
    enginetest_fails(t, enginetest_start(t, "hides_a_fatal_error", NULL, NULL), "INVALID_INPUT",
                     "call 1: name");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_the_same_on_each_pass),
        TEST(ids_differ_between_calls_and_executions),
        TEST(unchanged_code_completes),
        TEST(a_changed_name_is_found),
        TEST(a_changed_kind_is_found),
        TEST(an_added_call_is_found),
        TEST(a_removed_call_is_found),
        TEST(swapped_calls_are_found),
        TEST(an_early_return_is_found),
        TEST(an_early_failure_is_found),
        TEST(mended_code_goes_on_after_a_retry),
        TEST(a_suspension_must_be_returned),
        TEST(calls_after_a_suspension_do_nothing),
        TEST(a_suspension_needs_a_call),
        TEST(a_failure_has_a_code_and_a_text),
        TEST(a_returned_error_is_the_failure),
        TEST(a_bad_name_ends_the_execution),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
