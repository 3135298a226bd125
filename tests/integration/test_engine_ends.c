/*
 * tests/integration/test_engine_ends.c - cancel and deadline reach an execution in every state,
 * and a retry by hand goes on from the last completed step.
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
    atomic_int first, second, told;
    atomic_bool second_works;
    struct enginetest_gate gate;
} world;

/* ---- step bodies ----------------------------------------------------------------------------- */

static int stay(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    if (!enginetest_gate_pass_or_cancel(&world.gate, step)) {
        atomic_fetch_add(&world.told, 1);
        return ifp_step_fail(step, "STOPPED", IFP_FINAL, "it was told to stop");
    }
    return ifp_json_build(step, ret, "s", "stayed");
}

/* Notices that it is canceled and ends in order all the same. */
static int stay_to_the_end(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    if (!enginetest_gate_pass_or_cancel(&world.gate, step))
        atomic_fetch_add(&world.told, 1);
    return ifp_json_build(step, ret, "s", "done all the same");
}

static int first_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "i", atomic_fetch_add(&world.first, 1) + 1);
}

static int second_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    atomic_fetch_add(&world.second, 1);
    if (!atomic_load(&world.second_works))
        return ifp_step_fail(step, "BROKEN", IFP_RETRY, "attempt %d", ifp_step_attempt(step));
    return ifp_json_build(step, ret, "i", ifp_step_attempt(step));
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int stays(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "stay", stay, input, ret);
}

static int stays_to_the_end(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "stay", stay_to_the_end, input, ret));
    return ifp_step(run, "first", first_step, input, ret);
}

static int sleeps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)ret;
    return ifp_sleep_ms(run, ifp_json_int(input, "", 0));
}

static int receives(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static int two_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    IFP_TRY(ifp_step_with(run, "second", second_step, input, &two,
                          &(ifp_step_options){ .attempts = 2, .delay_ms = 1 }));
    return ifp_json_build(run, ret, "[v, v]", one, two);
}

static int retries_slowly(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "second", second_step, input, ret,
                         &(ifp_step_options){ .delay_ms = ifp_json_int(input, "", 0),
                                              .max_delay_ms = 3600000,
                                              .jitter = -1 });
}

static int waits_or_fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    return ifp_receive(run, "go", "1h", ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(stays),
    ENGINETEST_WORKFLOW(stays_to_the_end),
    ENGINETEST_WORKFLOW(sleeps),
    ENGINETEST_WORKFLOW(receives),
    ENGINETEST_WORKFLOW(two_steps),
    ENGINETEST_WORKFLOW(retries_slowly),
    ENGINETEST_WORKFLOW(waits_or_fails),
    { .name = "limited",
      .version = "1",
      .queue = "default",
      .fn = receives,
      .deadline_ms = 3600000 },
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
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

static void is_canceled(struct enginetest *t, int64_t id)
{
    enginetest_wait(t, id, IFP_STATUS_CANCELED);
    assert_string_equal(t->execution.error_code, "CANCELED");
    assert_null(t->execution.output);
}

static const ifp_start_options hour = { .deadline_ms = 3600000 };

/* ---- cancel ---------------------------------------------------------------------------------- */

static void cancel_before_the_first_claim(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays", NULL, NULL);

    assert_true(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    enginetest_worker(t, NULL);
    assert_int_equal(world.gate.came, 0);
}

static void cancel_of_a_running_step_tells_it(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    assert_false(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    assert_int_equal(world.told, 1);
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_cancels");
}

/* What a step has done is recorded also when the execution ends after it. */
static void cancel_takes_the_result_of_the_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays_to_the_end", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    assert_false(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    assert_int_equal(world.told, 1);
    assert_int_equal(world.first, 0);
    enginetest_sql("stay", "select name from inferpipe._inferpipe_steps");
}

static void cancel_of_a_step_that_waits_for_a_thread(void **state)
{
    struct enginetest *t = *state;
    int64_t running, queued;

    enginetest_worker(t, "threads=1");
    running = enginetest_start(t, "stays", NULL, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    queued = enginetest_start(t, "stays", NULL, NULL);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_runs where state = 1");
    enginetest_cancel(t, queued, false);
    is_canceled(t, queued);
    assert_int_equal(world.gate.came, 1);
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, running, "\"stayed\"");
}

static void cancel_of_a_short_sleep(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "sleeps", "999", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_steps where kind = 2");
    enginetest_cancel(t, id, false);
    is_canceled(t, id);
}

static void cancel_of_what_is_parked(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[] = { enginetest_start(t, "sleeps", "3600000", NULL),
                      enginetest_start(t, "receives", NULL, NULL),
                      enginetest_start(t, "retries_slowly", "3600000", NULL) };

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 3 from inferpipe._inferpipe_runs where state > 1");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_false(enginetest_cancel(t, ids[i], false));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        is_canceled(t, ids[i]);
    assert_int_equal(world.second, 1);
}

static void cancel_of_a_short_backoff(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "retries_slowly", "990", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_attempts");
    enginetest_cancel(t, id, false);
    is_canceled(t, id);
    assert_int_equal(world.second, 1);
}

/* Its worker learns it from the next refusal, and is of use to others. */
static void forced_cancel_ends_at_once(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays_to_the_end", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_count(t, &world.gate.came, 1);
    assert_true(enginetest_cancel(t, id, true));
    is_canceled(t, id);
    enginetest_until_runs(t, w, 0);
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_steps");
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, enginetest_start(t, "stays", NULL, NULL), "\"stayed\"");
}

static void what_has_ended_cannot_be_canceled(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "sleeps", "0", NULL);
    struct err e;
    bool now;

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "null");
    assert_int_equal(client_cancel(&t->client, id, true, &now, &e), IFP_ECONFLICT);
    assert_int_equal(client_retry(&t->client, id, &e), IFP_ECONFLICT);
}

/* ---- deadline -------------------------------------------------------------------------------- */

static void a_deadline_ends_a_running_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays", NULL, &(ifp_start_options){ .deadline_ms = 300 });

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_fails(t, id, "TIMEOUT", "deadline");
    enginetest_until_count(t, &world.told, 1);
}

static void a_deadline_ends_a_short_pause(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "sleeps", "999", &(ifp_start_options){ .deadline_ms = 300 });

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "TIMEOUT", "deadline");
    enginetest_sql("t", "select finished_at - created_at < interval '900 ms'"
                        " from inferpipe._inferpipe_results"
                        " join inferpipe._inferpipe_executions using (exec_id)");
}

static void a_deadline_ends_what_is_parked(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[] = { enginetest_start(t, "sleeps", "7200000", &hour),
                      enginetest_start(t, "receives", NULL, &hour),
                      enginetest_start(t, "limited", NULL, NULL) };

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 3 from inferpipe._inferpipe_runs where state > 1");
    enginetest_db_clock("1 hour");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        enginetest_fails(t, ids[i], "TIMEOUT", "deadline");
}

static void a_deadline_ends_what_nobody_claimed(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "stays", NULL, &hour);

    enginetest_db_clock("2 hours");
    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "TIMEOUT", "deadline");
    assert_int_equal(world.gate.came, 0);
}

static void a_deadline_not_reached_changes_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", NULL, &hour);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_send(t, id, "go", "1");
    enginetest_completes(t, id, "1");
}

/* ---- retry by hand --------------------------------------------------------------------------- */

static void retry_goes_on_from_the_failed_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "two_steps", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "BROKEN", "step \"second\": attempt 2");
    atomic_store(&world.second_works, true);
    enginetest_retry(t, id);
    enginetest_completes(t, id, "[1,1]"); /* attempts count anew */
    assert_int_equal(world.first, 1);
    assert_int_equal(world.second, 3);
}

static void retry_of_a_canceled_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "waits_or_fails", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_cancel(t, id, false);
    is_canceled(t, id);
    enginetest_retry(t, id);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_send(t, id, "go", "\"late\"");
    enginetest_completes(t, id, "\"late\"");
    assert_int_equal(world.first, 1);
}

/* A wait that timed out begins anew; so does the deadline. */
static void retry_of_a_wait_waits_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id =
        enginetest_start(t, "waits_or_fails", NULL, &(ifp_start_options){ .deadline_ms = 7200000 });

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_db_clock("61 min");
    enginetest_fails(t, id, "TIMEOUT", "step \"go\"");
    enginetest_db_clock("2 hours");
    enginetest_retry(t, id);
    enginetest_until_sql(t, "select state = 3 and ready_at > inferpipe.clock() + interval '50 min'"
                            " from inferpipe._inferpipe_runs");
    enginetest_send(t, id, "go", "1");
    enginetest_completes(t, id, "1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cancel_before_the_first_claim),
        TEST(cancel_of_a_running_step_tells_it),
        TEST(cancel_takes_the_result_of_the_step),
        TEST(cancel_of_a_step_that_waits_for_a_thread),
        TEST(cancel_of_a_short_sleep),
        TEST(cancel_of_what_is_parked),
        TEST(cancel_of_a_short_backoff),
        TEST(forced_cancel_ends_at_once),
        TEST(what_has_ended_cannot_be_canceled),
        TEST(a_deadline_ends_a_running_step),
        TEST(a_deadline_ends_a_short_pause),
        TEST(a_deadline_ends_what_is_parked),
        TEST(a_deadline_ends_what_nobody_claimed),
        TEST(a_deadline_not_reached_changes_nothing),
        TEST(retry_goes_on_from_the_failed_step),
        TEST(retry_of_a_canceled_execution),
        TEST(retry_of_a_wait_waits_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
