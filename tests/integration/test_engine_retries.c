/*
 * tests/integration/test_engine_retries.c - failed attempts: how often, after how long, what is
 * recorded of them, and that another worker goes on counting where the last one stopped.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct {
    atomic_int attempts, late;
    int fail_below; /* attempts under this number fail */
    struct enginetest_gate gate;
} world;

/* ---- step bodies ----------------------------------------------------------------------------- */

static int flaky(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    atomic_fetch_add(&world.attempts, 1);
    if (ifp_step_attempt(step) < world.fail_below)
        return ifp_step_fail(step, "NOT_YET", IFP_RETRY, "attempt %d", ifp_step_attempt(step));
    return ifp_json_build(step, ret, "i", ifp_step_attempt(step));
}

static int hopeless(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    atomic_fetch_add(&world.attempts, 1);
    return ifp_step_fail(step, "NO_STOCK", IFP_FINAL, "only %d left", 3);
}

static int give_number(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    (void)ret;
    atomic_fetch_add(&world.attempts, 1);
    return (int)ifp_json_int(input, "", 0);
}

static int badly_encoded(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "\xff\xfe", IFP_FINAL, "bytes \xc3\x28 and a long tail");
}

/* The first attempt outstays its time and returns only when the test lets it. */
static int slow_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    atomic_fetch_add(&world.attempts, 1);
    if (ifp_step_attempt(step) > 1)
        return ifp_json_build(step, ret, "s", "in time");
    enginetest_gate_pass(&world.gate);
    atomic_fetch_add(&world.late, 1);
    return ifp_json_build(step, ret, "s", "too late");
}

static int queued_behind(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "i", ifp_step_attempt(step));
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int run_flaky(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_step_options o = {
        .attempts = (int)ifp_json_int(input, "/attempts", 0),
        .backoff = ifp_json_bool(input, "/fixed", false) ? IFP_FIXED : IFP_EXPONENTIAL,
        .delay_ms = ifp_json_int(input, "/delay", 1),
        .max_delay_ms = ifp_json_int(input, "/max", 0),
        .jitter = -1,
    };

    return ifp_step_with(run, "flaky", flaky, input, ret, &o);
}

static int run_hopeless(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "buy", hopeless, input, ret);
}

static int run_number(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "number", give_number, input, ret,
                         &(ifp_step_options){ .attempts = 2, .delay_ms = 1 });
}

static int run_badly_encoded(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "bytes", badly_encoded, input, ret);
}

static int run_bad_options(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "bad", flaky, input, ret, &(ifp_step_options){ .attempts = -2 });
}

/* Handles a failure and goes on; parks in between, so that the failure is also replayed. */
static int catches(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *out, *code;
    int rc = ifp_step(run, "buy", hopeless, input, &out);

    if (rc != IFP_ESTEP_FAILED)
        return rc;
    IFP_TRY(ifp_json_build(run, &code, "{s:s, s:s, s:s, s:i}", "code", ifp_error(run)->code, "text",
                           ifp_error(run)->message, "step", ifp_error(run)->step, "attempts",
                           ifp_error(run)->attempts));
    IFP_TRY(ifp_receive(run, "go", NULL, &out));
    *ret = code;
    return 0;
}

static int with_time_limit(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(
        run, "slow", slow_once, input, ret,
        &(ifp_step_options){ .timeout_ms = 50, .delay_ms = 1, .attempts = 2, .jitter = -1 });
}

static int behind(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "behind", queued_behind, input, ret,
                         &(ifp_step_options){ .timeout_ms = 50, .delay_ms = 1, .attempts = -1 });
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(run_flaky),       ENGINETEST_WORKFLOW(run_hopeless),
    ENGINETEST_WORKFLOW(run_number),      ENGINETEST_WORKFLOW(run_badly_encoded),
    ENGINETEST_WORKFLOW(run_bad_options), ENGINETEST_WORKFLOW(catches),
    ENGINETEST_WORKFLOW(with_time_limit), ENGINETEST_WORKFLOW(behind),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    world.fail_below = 1000;
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

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_failed_attempt_is_followed_by_another(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{}", NULL);

    world.fail_below = 3;
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "3");
    enginetest_sql("1 NOT_YET attempt 1, 2 NOT_YET attempt 2",
                   "select string_agg(format('%%s %%s %%s', attempt, error_code, error), ', '"
                   " order by attempt) from inferpipe._inferpipe_attempts");
    enginetest_sql("3", "select attempts from inferpipe._inferpipe_steps");
}

static void attempts_are_three_by_default(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{}", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "NOT_YET", "step \"flaky\": attempt 3");
    assert_int_equal(world.attempts, 3);
    enginetest_sql("1 3 NOT_YET", "select format('%%s %%s %%s', status, attempts, error_code)"
                                  " from inferpipe._inferpipe_steps");
}

static void attempts_may_be_without_end(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{\"attempts\": -1, \"fixed\": true}", NULL);

    world.fail_below = 40;
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "40");
}

static void a_final_failure_is_not_tried_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_hopeless", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "NO_STOCK", "only 3 left");
    assert_int_equal(world.attempts, 1);
}

static void a_returned_number_decides_about_the_next_attempt(void **state)
{
    static const struct {
        const char *number, *code;
        int attempts;
    } cases[] = {
        { "-1", "INVALID_INPUT", 1 }, { "-10", "UNAVAILABLE", 2 }, { "-14", "STEP_FAILED", 2 },
        { "7", "INVALID_INPUT", 1 },  { "-17", "LEASE_LOST", 2 },
    };
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t id = enginetest_start(t, "run_number", cases[i].number, NULL);

        atomic_store(&world.attempts, 0);
        enginetest_fails(t, id, cases[i].code, "step \"number\"");
        assert_int_equal(world.attempts, cases[i].attempts);
    }
}

static void texts_that_are_no_utf8_are_mended(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_badly_encoded", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_FAILED);
    assert_non_null(strstr(t->execution.error, "and a long tail"));
}

static void bad_options_end_the_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_bad_options", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "INVALID_INPUT", "attempts: -2");
    assert_int_equal(world.attempts, 0);
}

/* The delays as they were recorded: of fixed ones each is the same, of others twice the last. */
static void delays_are_fixed_or_double(void **state)
{
    static const char *const delays =
        "select string_agg(round(extract(epoch from next_at - failed_at)"
        " * 1000)::int::text, ' ' order by attempt)"
        " from inferpipe._inferpipe_attempts where exec_id = %" PRId64;
    struct enginetest *t = *state;
    int64_t fixed =
        enginetest_start(t, "run_flaky", "{\"attempts\": 4, \"fixed\": true, \"delay\": 20}", NULL);
    int64_t doubled =
        enginetest_start(t, "run_flaky", "{\"attempts\": 5, \"delay\": 20, \"max\": 50}", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, fixed, "NOT_YET", "attempt 4");
    enginetest_fails(t, doubled, "NOT_YET", "attempt 5");
    enginetest_sql("20 20 20", delays, fixed);
    enginetest_sql("20 40 50 50", delays, doubled);
}

static void a_long_backoff_leaves_memory(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{\"delay\": 3600000, \"max\": 3600000}", NULL);
    struct enginetest_worker *w;

    world.fail_below = 2;
    w = enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 4 and owner = 0 from inferpipe._inferpipe_runs");
    enginetest_until_runs(t, w, 0);
    assert_string_equal(enginetest_get(t, id)->waiting_for, "retry");
    enginetest_db_clock("1 hour");
    enginetest_completes(t, id, "2");
}

static void another_worker_goes_on_counting(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{\"delay\": 3600000, \"max\": 3600000}", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 4 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    enginetest_db_clock("1 hour");
    w = enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_attempts");
    enginetest_leave(t, w);
    enginetest_db_clock("1 hour");
    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "NOT_YET", "attempt 3");
    assert_int_equal(world.attempts, 3);
}

/* A backoff that was not over is not cut short by the change of workers. */
static void another_worker_waits_for_the_rest_of_the_backoff(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "run_flaky", "{\"delay\": 3600000, \"max\": 3600000}", NULL);
    struct enginetest_worker *w;

    world.fail_below = 2;
    w = enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 4 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    testdb_exec("begin; set local session_replication_role = replica;" /* no audit */
                "update inferpipe._inferpipe_runs set ready_at = now(); commit");
    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select fence = 2 and state = 4 and owner = 0"
                            " and ready_at > now() + interval '50 min'"
                            " from inferpipe._inferpipe_runs");
    assert_int_equal(world.attempts, 1);
    enginetest_db_clock("1 hour");
    enginetest_completes(t, id, "2");
}

static void a_failure_that_was_handled_replays_the_same(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "catches", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    enginetest_send(t, id, "go", "1");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id,
                         "{\"code\":\"NO_STOCK\",\"text\":\"only 3 left\",\"step\":\"buy\","
                         "\"attempts\":1}");
    assert_int_equal(world.attempts, 1);
}

static void a_result_after_its_time_is_dropped(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "with_time_limit", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "\"in time\"");
    enginetest_sql("TIMEOUT", "select error_code from inferpipe._inferpipe_attempts");
    enginetest_gate_let(&world.gate, 1);
    enginetest_until_count(t, &world.late, 1);
    enginetest_sql("1 \"in time\"", "select count(*) || ' ' || min(convert_from(result, 'UTF8'))"
                                    " from inferpipe._inferpipe_steps");
}

/* The time runs from the start of the attempt also when no thread has it yet. */
static void an_attempt_that_finds_no_thread_times_out(void **state)
{
    struct enginetest *t = *state;
    int64_t slow = enginetest_start(t, "with_time_limit", NULL, NULL), id;

    enginetest_worker(t, "threads=1");
    enginetest_until_count(t, &world.gate.came, 1);
    id = enginetest_start(t, "behind", NULL, NULL);
    enginetest_until_sql(t,
                         "select count(*) > 0 from inferpipe._inferpipe_attempts"
                         " where exec_id = %" PRId64,
                         id);
    enginetest_gate_let(&world.gate, 1);
    enginetest_wait(t, id, IFP_COMPLETED);
    enginetest_wait_all(t, 2);
    assert_true(slow != id);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_attempt_is_followed_by_another),
        TEST(attempts_are_three_by_default),
        TEST(attempts_may_be_without_end),
        TEST(a_final_failure_is_not_tried_again),
        TEST(a_returned_number_decides_about_the_next_attempt),
        TEST(texts_that_are_no_utf8_are_mended),
        TEST(bad_options_end_the_execution),
        TEST(delays_are_fixed_or_double),
        TEST(a_long_backoff_leaves_memory),
        TEST(another_worker_goes_on_counting),
        TEST(another_worker_waits_for_the_rest_of_the_backoff),
        TEST(a_failure_that_was_handled_replays_the_same),
        TEST(a_result_after_its_time_is_dropped),
        TEST(an_attempt_that_finds_no_thread_times_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
