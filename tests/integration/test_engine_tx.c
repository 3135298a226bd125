/*
 * tests/integration/test_engine_tx.c - transactional steps: what they write and that they are
 * done becomes durable together, exactly once, whatever the step, the lease or the connection
 * does.
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

static struct {
    atomic_int bodies, inside, most_inside;
    struct enginetest_gate gate;
} world;

/* ---- step bodies: each sells once ------------------------------------------------------------ */

static ExecStatusType query(struct pg_conn *db, const char *sql)
{
    PGresult *r = PQexec((PGconn *)db, sql);
    ExecStatusType status = PQresultStatus(r);

    PQclear(r);
    return status;
}

static int sell(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    atomic_fetch_add(&world.bodies, 1);
    if (query(db, "insert into sales values (1)") != PGRES_COMMAND_OK)
        return ifp_step_fail(step, "NO_SALE", IFP_RETRY, "%s", PQerrorMessage((PGconn *)db));
    return ifp_json_build(step, ret, "i", ifp_step_attempt(step));
}

static int sell_and_fail_once(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                              const ifp_json **ret)
{
    int rc = sell(step, db, input, ret);

    if (rc == 0 && ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "REGRET", IFP_RETRY, "not this time");
    return rc;
}

static int sell_and_end(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                        const ifp_json **ret)
{
    IFP_TRY(sell(step, db, input, ret));
    query(db, ifp_json_str(input, "", ""));
    return 0;
}

static int sell_at_gate(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                        const ifp_json **ret)
{
    int inside = atomic_fetch_add(&world.inside, 1) + 1;

    if (inside > atomic_load(&world.most_inside))
        atomic_store(&world.most_inside, inside);
    IFP_TRY(sell(step, db, input, ret));
    enginetest_gate_pass(&world.gate);
    atomic_fetch_sub(&world.inside, 1);
    return 0;
}

static int sell_slowly_once(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                            const ifp_json **ret)
{
    IFP_TRY(sell(step, db, input, ret));
    if (ifp_step_attempt(step) == 1 && query(db, "select pg_sleep(60)") != PGRES_TUPLES_OK)
        return ifp_step_fail(step, "SLOW", IFP_RETRY, "%s", PQerrorMessage((PGconn *)db));
    return 0;
}

static int outstay_once(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                        const ifp_json **ret)
{
    IFP_TRY(sell(step, db, input, ret));
    if (ifp_step_attempt(step) == 1)
        enginetest_gate_pass(&world.gate);
    return 0;
}

static int sell_and_tell(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                         const ifp_json **ret)
{
    size_t size = (size_t)ifp_json_int(input, "", 0);
    char *text = ifp_step_alloc(step, size);

    IFP_TRY(sell(step, db, input, ret));
    memset(text, 'x', size);
    text[0] = text[size - 1] = '"';
    return ifp_json_parse(step, text, size, ret);
}

/* ---- workflows ------------------------------------------------------------------------------- */

#define TX_WORKFLOW(name, body)                                                                    \
    static int name(ifp_run *run, const ifp_json *input, const ifp_json **ret)                     \
    {                                                                                              \
        return ifp_step_tx_with(run, "sell", body, input, ret,                                     \
                                &(ifp_step_options){ .delay_ms = 1, .flags = IFP_INLINE });        \
    }

TX_WORKFLOW(sells, sell)
TX_WORKFLOW(regrets, sell_and_fail_once)
TX_WORKFLOW(ends_it, sell_and_end)
TX_WORKFLOW(gated, sell_at_gate)
TX_WORKFLOW(tells, sell_and_tell)

static int twice(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    IFP_TRY(ifp_step_tx(run, "sell", sell, input, &one));
    IFP_TRY(ifp_step_tx(run, "sell", sell, input, &two));
    return ifp_json_build(run, ret, "[v, v]", one, two);
}

static int limited(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_tx_with(run, "sell", sell_slowly_once, input, ret,
                            &(ifp_step_options){ .delay_ms = 1, .timeout_ms = 200 });
}

static int outstays(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_tx_with(run, "sell", outstay_once, input, ret,
                            &(ifp_step_options){ .delay_ms = 1, .timeout_ms = 200 });
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(sells),   ENGINETEST_WORKFLOW(regrets),  ENGINETEST_WORKFLOW(ends_it),
    ENGINETEST_WORKFLOW(gated),   ENGINETEST_WORKFLOW(tells),    ENGINETEST_WORKFLOW(twice),
    ENGINETEST_WORKFLOW(limited), ENGINETEST_WORKFLOW(outstays),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_gate_open(&world.gate);
    testdb_exec("create table if not exists sales(n int); truncate sales");
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    fault_arm(FAULT_REPLY, 0, false);
    fault_arm(FAULT_STATEMENT, 0, false);
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

static void sold(int times)
{
    assert_int_equal(testdb_int8("select count(*) from sales"), times);
}

/* No tick comes in between: the next statements are the step's. */
#define QUIET "lease=600s tick=60s"

/* ---- tests ----------------------------------------------------------------------------------- */

static void writes_and_result_commit_together(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "twice", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1,1]");
    sold(2);
    enginetest_sql("2", "select count(*) from inferpipe._inferpipe_steps s join sales x"
                        " on x.xmin = s.xmin");
}

static void a_failure_rolls_back(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "regrets", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "2");
    assert_int_equal(world.bodies, 2);
    sold(1);
}

static void a_transaction_that_the_step_ends_fails_it(void **state)
{
    struct enginetest *t = *state;
    int64_t commit = enginetest_start(t, "ends_it", "\"commit\"", NULL);
    int64_t rollback = enginetest_start(t, "ends_it", "\"rollback\"", NULL);
    int64_t another = enginetest_start(t, "ends_it", "\"rollback; begin\"", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, commit, "INVALID_INPUT", "ended by the step itself");
    enginetest_fails(t, rollback, "INVALID_INPUT", "ended by the step itself");
    enginetest_fails(t, another, "INVALID_INPUT", "ended by the step itself");
    assert_int_equal(world.bodies, 3); /* nobody can tell what the step did: it is final */
    sold(1);                           /* its own commit is its own affair */
}

static void an_sql_error_that_the_step_hides_is_found(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "ends_it", "\"select 1/0\"", NULL);

    enginetest_worker(t, NULL);
    enginetest_wait(t, id, IFP_FAILED);
    sold(0);
}

static void attempts_wait_for_a_connection(void **state)
{
    struct enginetest *t = *state;

    for (int i = 0; i < 6; i++)
        enginetest_start(t, "gated", NULL, NULL);
    enginetest_worker(t, "tx-connections=2 threads=6");
    enginetest_until_count(t, &world.gate.came, 2);
    enginetest_gate_let(&world.gate, 6);
    enginetest_wait_all(t, 6);
    assert_true(world.most_inside <= 2);
    sold(6);
}

static void an_attempt_that_waits_for_a_connection_can_be_canceled(void **state)
{
    struct enginetest *t = *state;
    int64_t running = enginetest_start(t, "gated", NULL, NULL), waiting;

    enginetest_worker(t, "tx-connections=1");
    enginetest_until_count(t, &world.gate.came, 1);
    waiting = enginetest_start(t, "gated", NULL, NULL);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_runs where state = 1");
    enginetest_cancel(t, waiting, false);
    enginetest_wait(t, waiting, IFP_STATUS_CANCELED);
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, running, "1");
    sold(1);
}

static void the_server_ends_what_takes_too_long(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "limited", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "2");
    sold(1);
    enginetest_sql("SLOW", "select error_code from inferpipe._inferpipe_attempts");
}

/* Time that passes outside the database is noticed before the commit. */
static void what_took_too_long_is_rolled_back(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "outstays", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_clock(300000);
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, id, "2");
    sold(1);
    enginetest_sql("TIMEOUT", "select error_code from inferpipe._inferpipe_attempts");
}

static void payload_limits_hold(void **state)
{
    struct enginetest *t = *state;
    int64_t large = enginetest_start(t, "tells", "2048", NULL);
    int64_t too_large = enginetest_start(t, "tells", "2049", NULL);

    enginetest_worker(t, "payload-inline=100 payload-max=2048");
    enginetest_wait(t, large, IFP_COMPLETED);
    enginetest_fails(t, too_large, "PAYLOAD_TOO_LARGE", "2049 bytes are over the limit of 2048");
    enginetest_sql("1", "select codec from inferpipe._inferpipe_steps where status = 0");
    sold(1);
}

static void a_forced_cancel_leaves_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_cancel(t, id, true);
    enginetest_gate_let(&world.gate, 1);
    enginetest_until_runs(t, w, 0);
    sold(0);
}

/* The worker is declared dead while its step is in the middle of the transaction. */
static void a_lost_lease_leaves_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    testdb_exec("select inferpipe.worker_dead(worker_id, 'test')"
                " from inferpipe._inferpipe_workers;"
                "select inferpipe.reap_release(5::int2, 10)");
    enginetest_until_count(t, &world.gate.came, 2); /* the next incarnation has it */
    enginetest_gate_let(&world.gate, 2);
    enginetest_completes(t, id, "1");
    enginetest_until_sql(t, "select count(*) = 1 from sales");
    enginetest_until_count(t, &world.bodies, 2);
}

/* The answer to COMMIT is lost, but it was carried out: the journal knows it. */
static void a_lost_answer_to_commit_is_looked_up(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_until_quiet(t, w);
    fault_arm(FAULT_REPLY, 2, false); /* the step's row, then COMMIT */
    enginetest_gate_let(&world.gate, 1);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_results");
    enginetest_completes(t, id, "1");
    assert_int_equal(world.bodies, 1);
    sold(1);
}

static void a_commit_that_was_not_sent_is_done_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_until_quiet(t, w);
    fault_arm(FAULT_STATEMENT, 2, false);
    enginetest_gate_let(&world.gate, 2);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_results");
    enginetest_completes(t, id, "1");
    assert_int_equal(world.bodies, 2);
    sold(1);
}

/* The row of the step itself: a known failure, so an attempt like any other. */
static void a_lost_connection_before_commit_is_a_failed_attempt(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_count(t, &world.gate.came, 1);
    enginetest_until_quiet(t, w);
    fault_arm(FAULT_STATEMENT, 1, false);
    enginetest_gate_let(&world.gate, 2);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_results");
    enginetest_completes(t, id, "2");
    sold(1);
}

static void a_connection_lost_while_idle_is_replaced(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "tx-connections=1");
    enginetest_completes(t, enginetest_start(t, "sells", NULL, NULL), "1");
    testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'enginetest' and datname = current_database()");
    enginetest_completes(t, enginetest_start(t, "sells", NULL, NULL), "1");
    sold(2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_and_result_commit_together),
        TEST(a_failure_rolls_back),
        TEST(a_transaction_that_the_step_ends_fails_it),
        TEST(an_sql_error_that_the_step_hides_is_found),
        TEST(attempts_wait_for_a_connection),
        TEST(an_attempt_that_waits_for_a_connection_can_be_canceled),
        TEST(the_server_ends_what_takes_too_long),
        TEST(what_took_too_long_is_rolled_back),
        TEST(payload_limits_hold),
        TEST(a_forced_cancel_leaves_nothing),
        TEST(a_lost_lease_leaves_nothing),
        TEST(a_lost_answer_to_commit_is_looked_up),
        TEST(a_commit_that_was_not_sent_is_done_again),
        TEST(a_lost_connection_before_commit_is_a_failed_attempt),
        TEST(a_connection_lost_while_idle_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
