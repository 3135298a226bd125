/*
 * tests/integration/test_engine_waits.c - sleeps and messages: short waits stay in memory, long
 * ones are rows, and neither is lost or begun again when the worker changes.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- workflows ------------------------------------------------------------------------------- */

static int sleeps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_sleep(run, ifp_json_str(input, "", NULL)));
    *ret = input;
    return 0;
}

static int naps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    for (int i = 0; i < 5; i++)
        IFP_TRY(ifp_sleep_ms(run, ifp_json_int(input, "", 0)));
    *ret = input;
    return 0;
}

static int receives(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int rc = ifp_receive(run, "go", ifp_json_str(input, "", NULL), ret);

    if (rc == IFP_ETIMEOUT)
        return ifp_json_build(run, ret, "{s:s, s:s}", "timeout", ifp_error(run)->code, "step",
                              ifp_error(run)->step);
    return rc;
}

static int receives_two(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *first, *second;

    (void)input;
    IFP_TRY(ifp_receive(run, "go", NULL, &first));
    IFP_TRY(ifp_receive(run, "go", NULL, &second));
    return ifp_json_build(run, ret, "[v, v]", first, second);
}

static int receives_by_name(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *b, *a;

    (void)input;
    IFP_TRY(ifp_receive(run, "b", NULL, &b));
    IFP_TRY(ifp_receive(run, "a", NULL, &a));
    return ifp_json_build(run, ret, "[v, v]", b, a);
}

static int receives_or_fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_receive(run, "go", ifp_json_str(input, "", NULL), ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(sleeps),           ENGINETEST_WORKFLOW(naps),
    ENGINETEST_WORKFLOW(receives),         ENGINETEST_WORKFLOW(receives_two),
    ENGINETEST_WORKFLOW(receives_by_name), ENGINETEST_WORKFLOW(receives_or_fails),
};

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

/* Waits until the only execution is parked in this state and out of memory. */
static void until_parked(struct enginetest *t, const struct enginetest_worker *w, int state)
{
    enginetest_until_sql(t, "select owner = 0 and state = %d from inferpipe._inferpipe_runs",
                         state);
    enginetest_until_runs(t, w, 0);
}

/* ---- sleeps ---------------------------------------------------------------------------------- */

static void a_short_sleep_stays_in_memory(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "naps", "20", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "20");
    enginetest_sql("1", "select count(*) from inferpipe_test.audit where new_state = 1 and"
                        " old_state = 0");
    enginetest_sql("0", "select count(*) from inferpipe_test.audit where new_state = 2");
    enginetest_sql("t", "select finished_at - created_at >= interval '100 ms'"
                        " from inferpipe._inferpipe_results"
                        " join inferpipe._inferpipe_executions using (exec_id)");
}

static void a_sleep_of_nothing_is_recorded_too(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "naps", "0", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "0");
    enginetest_sql("5", "select count(*) from inferpipe._inferpipe_steps where kind = 2");
}

static void a_long_sleep_is_a_row(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "sleeps", "\"30d\"", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w, 2);
    assert_string_equal(enginetest_get(t, id)->waiting_for, "timer");
    enginetest_sql("t", "select ready_at - now() between interval '29 d 23 h' and interval '30 d'"
                        " from inferpipe._inferpipe_runs");
    enginetest_db_clock("30 days");
    enginetest_completes(t, id, "\"30d\"");
}

/* The second worker neither sleeps again nor wakes early. */
static void a_sleep_survives_its_worker(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "sleeps", "\"1h\"", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w, 2);
    enginetest_leave(t, w);
    enginetest_db_clock("59 min");
    w = enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select hungry from inferpipe._inferpipe_workers where state = 0");
    enginetest_sql("1", "select fence from inferpipe._inferpipe_runs");
    enginetest_db_clock("61 s");
    enginetest_completes(t, id, "\"1h\"");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_steps");
}

/* A second is short enough to see that nobody but the timer wakes it: no clock is moved here. */
static void a_sleep_over_a_second_wakes_by_itself(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "naps", "0", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_completes(t, id, "0");
    id = enginetest_start(t, "sleeps", "\"1s\"", NULL);
    until_parked(t, w, 2);
    enginetest_completes(t, id, "\"1s\"");
}

static void a_bad_duration_ends_the_execution(void **state)
{
    static const char *const bad[] = { "\"soon\"", "\"101y\"", "\"40000w\"", "null" };
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        enginetest_fails(t, enginetest_start(t, "sleeps", bad[i], NULL), "INVALID_INPUT",
                         "sleep: ");
    enginetest_fails(t, enginetest_start(t, "naps", "-1", NULL), "INVALID_INPUT", "-1 ms");
    enginetest_fails(t, enginetest_start(t, "receives", "\"x\"", NULL), "INVALID_INPUT",
                     "receive: ");
}

/* ---- messages -------------------------------------------------------------------------------- */

static void a_message_may_come_first(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", NULL, NULL);

    enginetest_send(t, id, "go", "{\"n\":1}");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "{\"n\":1}");
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_messages");
}

static void a_message_wakes_a_parked_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w, 3);
    assert_string_equal(enginetest_get(t, id)->waiting_for, "message");
    enginetest_send(t, id, "other", "0");
    enginetest_sql("3", "select state from inferpipe._inferpipe_runs");
    enginetest_send(t, id, "go", "2");
    enginetest_completes(t, id, "2");
}

static void the_oldest_message_comes_first(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives_two", NULL, NULL);

    enginetest_send(t, id, "go", "1");
    enginetest_send(t, id, "go", "2");
    enginetest_send(t, id, "go", "3");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1,2]");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_messages");
}

static void names_have_mailboxes_of_their_own(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives_by_name", NULL, NULL);

    enginetest_send(t, id, "a", "1");
    enginetest_send(t, id, "b", "2");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[2,1]");
}

static void a_message_is_received_once(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives_two", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_send(t, id, "go", "1");
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_steps where kind = 3");
    until_parked(t, w, 3);
    enginetest_leave(t, w);
    enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "2");
    enginetest_completes(t, id, "[1,2]");
}

static void a_repeated_send_is_dropped(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives_two", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    struct err e;
    bool is_new = false;

    assert_int_equal(client_send(&t->client, id, "go", "1", 1, "a", &is_new, &e), 0);
    assert_true(is_new);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_steps where kind = 3");
    until_parked(t, w, 3);
    assert_int_equal(client_send(&t->client, id, "go", "1", 1, "a", &is_new, &e), 0);
    assert_false(is_new);
    enginetest_sql("3", "select state from inferpipe._inferpipe_runs");
    assert_int_equal(client_send(&t->client, id, "go", "2", 1, "b", &is_new, &e), 0);
    enginetest_completes(t, id, "[1,2]");
    assert_int_equal(client_send(&t->client, id, "go", "3", 1, "c", &is_new, &e), IFP_ECONFLICT);
}

static void a_wait_times_out(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", "\"1h\"", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w, 3);
    enginetest_db_clock("1 hour");
    enginetest_completes(t, id, "{\"timeout\":\"TIMEOUT\",\"step\":\"go\"}");
}

static void a_wait_of_no_time_looks_once(void **state)
{
    struct enginetest *t = *state;
    int64_t without = enginetest_start(t, "receives", "\"0s\"", NULL);
    int64_t with = enginetest_start(t, "receives", "\"0s\"", NULL);

    enginetest_send(t, with, "go", "7");
    enginetest_worker(t, NULL);
    enginetest_completes(t, without, "{\"timeout\":\"TIMEOUT\",\"step\":\"go\"}");
    enginetest_completes(t, with, "7");
}

/* The time of a wait is not begun again by the next worker. */
static void a_wait_keeps_its_end_across_workers(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", "\"1h\"", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w, 3);
    enginetest_leave(t, w);
    enginetest_db_clock("59 min");
    enginetest_send(t, id, "other", "0");
    testdb_exec("begin; set local session_replication_role = replica;" /* no audit */
                "update inferpipe._inferpipe_runs set ready_at = now(); commit");
    w = enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select fence = 2 from inferpipe._inferpipe_runs");
    until_parked(t, w, 3);
    enginetest_db_clock("61 s");
    enginetest_completes(t, id, "{\"timeout\":\"TIMEOUT\",\"step\":\"go\"}");
}

static void a_timeout_that_is_not_handled_fails_the_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives_or_fails", "\"0s\"", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "TIMEOUT", "step \"go\"");
}

static void many_wait_and_each_gets_its_own(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[30];
    char text[16];

    for (int i = 0; i < 30; i++)
        ids[i] = enginetest_start(t, "receives", NULL, NULL);
    enginetest_worker(t, "slots=4");
    enginetest_until_sql(t, "select count(*) = 30 from inferpipe._inferpipe_runs where state = 3");
    for (int i = 29; i >= 0; i--) {
        snprintf(text, sizeof(text), "%d", i);
        enginetest_send(t, ids[i], "go", text);
    }
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "%d", i);
        enginetest_completes(t, ids[i], text);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_short_sleep_stays_in_memory),
        TEST(a_sleep_of_nothing_is_recorded_too),
        TEST(a_long_sleep_is_a_row),
        TEST(a_sleep_survives_its_worker),
        TEST(a_sleep_over_a_second_wakes_by_itself),
        TEST(a_bad_duration_ends_the_execution),
        TEST(a_message_may_come_first),
        TEST(a_message_wakes_a_parked_execution),
        TEST(the_oldest_message_comes_first),
        TEST(names_have_mailboxes_of_their_own),
        TEST(a_message_is_received_once),
        TEST(a_repeated_send_is_dropped),
        TEST(a_wait_times_out),
        TEST(a_wait_of_no_time_looks_once),
        TEST(a_wait_keeps_its_end_across_workers),
        TEST(a_timeout_that_is_not_handled_fails_the_execution),
        TEST(many_wait_and_each_gets_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
