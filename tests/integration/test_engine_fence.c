/*
 * tests/integration/test_engine_fence.c - a step that writes through a connection of its own and
 * names its lease: what a worker writes after it lost the execution aborts.
 */
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
    const char *url;
    atomic_int refused, sold;
    struct enginetest_gate gate;
    char leases[2][64]; /* of the first attempts */
} world;

static ExecStatusType query(PGconn *db, const char *sql, const char *lease)
{
    PGresult *r = PQexecParams(db, sql, lease ? 1 : 0, NULL, &lease, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);

    if (status == PGRES_FATAL_ERROR)
        assert_string_equal(PQresultErrorField(r, PG_DIAG_SQLSTATE), "IP001");
    PQclear(r);
    return status;
}

/* Writes in a transaction of its own, waits at the gate in the middle of it, and commits under the
 * fence. */
static int sell(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int nth = atomic_load(&world.gate.came);
    PGconn *db = PQconnectdb(world.url);
    bool ours;

    (void)input;
    if (nth < 2)
        snprintf(world.leases[nth], sizeof(world.leases[nth]), "%s", ifp_step_lease(step));
    assert_int_equal(query(db, "begin", NULL), PGRES_COMMAND_OK);
    assert_int_equal(query(db, "insert into sales values ($1)", ifp_step_lease(step)),
                     PGRES_COMMAND_OK);
    enginetest_gate_pass(&world.gate);
    ours = query(db, "select inferpipe.assert_lease($1)", ifp_step_lease(step)) == PGRES_TUPLES_OK;
    query(db, "commit", NULL);
    PQfinish(db);
    atomic_fetch_add(ours ? &world.sold : &world.refused, 1);
    return ours ? ifp_json_build(step, ret, "i", nth) : IFP_ELEASE;
}

static int shop(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "sell", sell, input, ret);
}

static int setup(void **state)
{
    static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(shop) };
    struct enginetest *t;

    enginetest_setup(state);
    t = *state;
    memset(&world, 0, sizeof(world));
    world.url = t->url;
    enginetest_gate_open(&world.gate);
    enginetest_define(t, workflows, 1);
    testdb_exec("create table if not exists sales (lease text); truncate sales");
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world.gate, 10);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

static void a_step_writes_under_its_lease(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "shop", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, id, "0");
    enginetest_sql("1", "select count(*) from sales");
}

/* Two attempts are inside at once: the execution was taken over while the first had its
 * transaction open.  Only the second one's write stays. */
static void what_a_stale_worker_writes_aborts(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "shop", NULL, NULL);

    enginetest_until_count(t, &world.gate.came, 1);
    testdb_execf("select inferpipe.worker_dead(%" PRId64 ", 'test')", enginetest_worker_id(w));
    enginetest_until_count(t, &world.gate.came, 2);
    enginetest_gate_let(&world.gate, 2);
    enginetest_completes(t, id, "1");
    enginetest_until_count(t, &world.refused, 1);
    assert_int_equal(world.sold, 1);
    assert_string_not_equal(world.leases[0], world.leases[1]);
    enginetest_sql(world.leases[1], "select string_agg(lease, ' ') from sales");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_writes_under_its_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_stale_worker_writes_aborts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
