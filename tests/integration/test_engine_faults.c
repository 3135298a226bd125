/*
 * tests/integration/test_engine_faults.c - the n-th statement, answer, write or allocation of a
 * worker fails, for n = 1, 2, 3 ... until the execution gets through without meeting the fault.
 * Whatever fails, each step's result is recorded once and the execution ends as it would have.
 *
 * The test itself looks on through libpq alone, which knows nothing of faults.
 */
#include "base/fault.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FAULTS_MAX = 400 };

static atomic_int calls;

/* ---- one execution that does a bit of everything --------------------------------------------- */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&calls, 1);
    *ret = input;
    return 0;
}

static int fail_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "NOT_YET", IFP_RETRY, "the first attempt");
    return give_back(step, input, ret);
}

static int sell(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input, const ifp_json **ret)
{
    PGresult *r = PQexec((PGconn *)db, "insert into sales values (1)");
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

    PQclear(r);
    *ret = input;
    return ok ? 0 : ifp_step_fail(step, "NO_SALE", IFP_RETRY, "the insert failed");
}

/* Failures of the surroundings may cost attempts: they are without end here. */
static int everything(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static const ifp_step_options patient = { .attempts = -1, .delay_ms = 1, .max_delay_ms = 5 };
    const ifp_json *one, *two, *three, *message;
    int64_t now = ifp_now(run);

    IFP_TRY(ifp_step_with(run, "one", give_back, input, &one, &patient));
    if (!ifp_json_get(input, "/again")) {
        IFP_TRY(ifp_json_build(run, &two, "{s:i, s:b}", "n", 1, "again", 1));
        return ifp_continue_as_new(run, two);
    }
    IFP_TRY(ifp_sleep_ms(run, 1));
    IFP_TRY(ifp_step_with(run, "two", fail_once, one, &two, &patient));
    IFP_TRY(ifp_receive(run, "go", NULL, &message));
    IFP_TRY(ifp_step_tx_with(run, "three", sell, two, &three, &patient));
    if (now == 0)
        return ifp_fail(run, "NO_TIME", "the time is not there");
    return ifp_json_build(run, ret, "[v, v]", three, message);
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(everything) };

static int setup(void **state)
{
    enginetest_setup(state);
    testdb_exec("create table if not exists sales(n int); truncate sales");
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        fault_arm((enum fault_kind)kind, 0, false);
    return enginetest_teardown(state);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static int64_t start_one(void)
{
    int64_t id;

    testdb_exec("select inferpipe.start('everything', '{\"n\":1}')");
    id = testdb_int8("select max(exec_id) from inferpipe._inferpipe_executions");
    testdb_execf("select inferpipe.send(inferpipe.id_text(%" PRId64 "), 'go', '2')", id);
    return id;
}

static void ended_as_it_should(int64_t id)
{
    enginetest_sql("1 [{\"n\":1,\"again\":true},2]",
                   "select status || ' ' || coalesce(convert_from(output, 'UTF8'), error)"
                   " from inferpipe._inferpipe_results where exec_id = %" PRId64,
                   id);
    enginetest_sql("1",
                   "select name from inferpipe._inferpipe_steps"
                   " where kind = 14 and exec_id = %" PRId64,
                   id);
    enginetest_sql("now one sleep two go three",
                   "select string_agg(name, ' ' order by seq) from inferpipe._inferpipe_steps"
                   " where kind not in (9, 14) and exec_id = %" PRId64,
                   id);
}

static void get_through(struct enginetest *t, enum fault_kind kind)
{
    int sales = 0;

    for (uint64_t n = 1; n <= FAULTS_MAX; n++) {
        int64_t id;
        bool met;

        fault_arm(kind, n, false);
        id = start_one();
        enginetest_until_sql(t,
                             "select count(*) from inferpipe._inferpipe_results"
                             " where exec_id = %" PRId64,
                             id);
        met = fault_count(kind) >= n;
        fault_arm(kind, 0, false);
        ended_as_it_should(id);
        assert_int_equal(testdb_int8("select count(*) from sales"), ++sales);
        if (!met)
            return;
    }
    fail_msg("the execution never got through without the fault");
}

/* ---- tests ----------------------------------------------------------------------------------- */

#define QUIET "lease=600s tick=60s"

static void a_statement_that_cannot_be_sent(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, QUIET);
    get_through(t, FAULT_STATEMENT);
}

static void an_answer_that_is_lost(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, QUIET);
    get_through(t, FAULT_REPLY);
}

static void a_socket_that_fails(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, QUIET);
    get_through(t, FAULT_WRITE);
}

static void memory_that_is_out(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    get_through(t, FAULT_ALLOC);
}

/* All connections of two workers are cut again and again while they work. */
static void connections_that_are_cut(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_worker(t, NULL);
    for (int i = 0; i < 40; i++)
        start_one();
    for (int i = 1; i <= 5; i++) {
        enginetest_until_sql(t, "select count(*) >= %d from inferpipe._inferpipe_results", i * 5);
        testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and application_name = 'enginetest'");
    }
    enginetest_wait_all(t, 40);
    enginetest_sql("40", "select count(*) from inferpipe._inferpipe_results where status = 1");
    enginetest_sql("40", "select count(*) from sales");
    enginetest_sql("240",
                   "select count(*) from inferpipe._inferpipe_steps where kind not in (9, 14)");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_statement_that_cannot_be_sent),
        TEST(an_answer_that_is_lost),
        TEST(a_socket_that_fails),
        TEST(memory_that_is_out),
        TEST(connections_that_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
