/*
 * tests/integration/test_engine_retention.c - workers carry the retention policy out by themselves,
 * without being in the way of what runs.
 */
#include "lib/enginetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int done(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static int fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_fail(run, "NO", "no");
}

static int setup(void **state)
{
    static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(done),
                                                        ENGINETEST_WORKFLOW(fails) };

    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

#define CALM "lease=10m tick=1200ms"

/* An hour of the database's and of the worker's time passes, while it waits for no answer: that one
 * would be an hour late. */
static void an_hour_later(struct enginetest *t, const struct enginetest_worker *w)
{
    enginetest_until_quiet(t, w);
    enginetest_db_clock("1 hour");
    enginetest_clock(INT64_C(3600000000));
}

static void a_worker_removes_what_is_too_old(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w;
    int64_t kept;

    testdb_exec("select inferpipe.retention_set('completed', '30 minutes')");
    w = enginetest_worker(t, CALM);
    for (int i = 0; i < 20; i++)
        enginetest_start(t, "done", "1", NULL);
    kept = enginetest_start(t, "fails", NULL, NULL);
    enginetest_wait_all(t, 21);
    an_hour_later(t, w);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_executions");
    enginetest_fails(t, kept, "NO", "no");
    enginetest_completes(t, enginetest_start(t, "done", "2", NULL), "2");
}

static int64_t weeks_that_are_over(void)
{
    return testdb_int8("select count(*) from inferpipe.history_weeks()"
                       " where week_end < inferpipe.clock() - interval '2 days'");
}

/* A reader holds the history for as long as it likes: work goes on, retention comes later. */
static void a_held_transaction_stops_retention_alone(void **state)
{
    struct enginetest *t = *state;
    struct testdb_session *reader = testdb_session_open();
    struct enginetest_worker *w;

    testdb_exec("select inferpipe.retention_set('completed', '30 minutes')");
    testdb_session_exec(reader, "begin; select count(*) from inferpipe._inferpipe_steps");
    enginetest_db_clock("10 days"); /* weeks without a row are over: their partitions would go */
    w = enginetest_worker(t, CALM);
    an_hour_later(t, w);
    enginetest_until_sql(t, "select count(*) > 0 from inferpipe._inferpipe_retention"
                            " where look_at > inferpipe.clock()");
    for (int i = 0; i < 20; i++)
        enginetest_start(t, "done", "1", NULL);
    enginetest_wait_all(t, 20);
    testdb_session_exec(reader, "commit");
    for (int i = 0; i < 30 && weeks_that_are_over() > 0; i++) /* 100 ms may be too short again */
        an_hour_later(t, w);
    assert_int_equal(weeks_that_are_over(), 0);
    testdb_session_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_removes_what_is_too_old, setup,
                                        enginetest_teardown),
        cmocka_unit_test_setup_teardown(a_held_transaction_stops_retention_alone, setup,
                                        enginetest_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
