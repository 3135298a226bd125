/*
 * tests/integration/test_engine_drain.c - a worker leaves in order: what runs may finish, the
 * rest is free for others at once, and none of it counts as a crash.
 */
#include "engine/internal.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world {
    atomic_int firsts, lasts;
    struct enginetest_gate gate;
} * world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int first(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    enginetest_gate_pass(&world->gate);
    return ifp_json_build(step, ret, "i", atomic_fetch_add(&world->firsts, 1) + 1);
}

static int last(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world->lasts, 1);
    *ret = input;
    return 0;
}

static int fail_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "NOT_YET", IFP_RETRY, "the first attempt");
    return last(step, input, ret);
}

static int two_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "first", first, input, ret));
    return ifp_step(run, "last", last, input, ret);
}

static int naps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_sleep_ms(run, 999));
    return ifp_step(run, "last", last, input, ret);
}

static int backs_off(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "last", fail_once, input, ret,
                         &(ifp_step_options){ .delay_ms = 999, .jitter = -1 });
}

static int receives(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(two_steps),
    ENGINETEST_WORKFLOW(naps),
    ENGINETEST_WORKFLOW(backs_off),
    ENGINETEST_WORKFLOW(receives),
};

static int setup(void **state)
{
    enginetest_setup(state);
    if (!world)
        world = enginetest_shared(sizeof(*world));
    memset(world, 0, sizeof(*world));
    enginetest_gate_open(&world->gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world->gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world->gate);
    return 0;
}

static void is_gone(void)
{
    enginetest_sql("2", "select min(state) from inferpipe._inferpipe_workers");
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_runs where owner <> 0");
    enginetest_sql("0", "select coalesce(max(crashes), 0) from inferpipe._inferpipe_runs");
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void an_idle_worker_leaves_at_once(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_leave(t, w);
    assert_int_equal(w->stop_code, 0);
    is_gone();
}

static void a_worker_that_never_came_up_leaves_at_once(void **state)
{
    struct enginetest *t = *state;
    const char *url = t->url;
    struct enginetest_worker *w;

    t->url = "host=/nonexistent dbname=none";
    w = enginetest_open(t, NULL);
    t->url = url;
    enginetest_leave(t, w);
    assert_int_equal(w->stop_code, 0);
}

/* The drain comes while the first heartbeat is under way: what that registers is released too. */
static void a_worker_that_is_coming_up_releases_its_lease(void **state)
{
    struct enginetest *t = *state;
    struct testdb_session *lock = testdb_session_open();
    struct enginetest_worker *w;

    testdb_session_exec(lock, "begin; lock table inferpipe._inferpipe_workers in exclusive mode");
    w = enginetest_open(t, NULL);
    enginetest_until_sql(t, "select count(*) > 0 from pg_stat_activity"
                            " where datname = current_database() and wait_event_type = 'Lock'");
    engine_drain(w->engine);
    testdb_session_exec(lock, "rollback");
    testdb_session_close(lock);
    enginetest_leave(t, w);
    is_gone();
}

/* Its result is kept; the step after it is another worker's. */
static void a_running_step_may_finish(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "two_steps", "5", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    engine_drain(w->engine);
    engine_drain(w->engine); /* twice is fine */
    enginetest_gate_let(&world->gate, 1);
    enginetest_leave(t, w);
    is_gone();
    assert_int_equal(world->lasts, 0);
    enginetest_sql("first", "select name from inferpipe._inferpipe_steps");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "5");
    assert_int_equal(world->firsts, 1);
}

static bool claims_nothing(void *ctx)
{
    const struct engine *e = ((struct enginetest_worker *)ctx)->engine;

    return !store_op_busy(&e->claim.op) && !store_op_busy(&e->claim.owned);
}

/* A worker that leaves takes nothing new, also while it waits for its last step. */
static void nothing_new_is_claimed(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id;

    enginetest_start(t, "two_steps", "5", NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_until(t, claims_nothing, w); /* what is under way may still bring one */
    engine_drain(w->engine);
    id = enginetest_start(t, "two_steps", "6", NULL);
    enginetest_gate_let(&world->gate, 1);
    enginetest_leave(t, w);
    enginetest_sql("0", "select fence from inferpipe._inferpipe_runs where exec_id = %" PRId64, id);
}

/* What waits in memory becomes a row that carries the rest of the wait. */
static void short_waits_are_parked(void **state)
{
    struct enginetest *t = *state;
    int64_t nap = enginetest_start(t, "naps", "1", NULL);
    int64_t backoff = enginetest_start(t, "backs_off", "2", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select (select count(*) from inferpipe._inferpipe_steps) +"
                            " (select count(*) from inferpipe._inferpipe_attempts) = 2");
    enginetest_leave(t, w);
    is_gone();
    enginetest_sql("2 4", "select string_agg(state::text, ' ' order by exec_id)"
                          " from inferpipe._inferpipe_runs");
    enginetest_worker(t, NULL);
    enginetest_completes(t, nap, "1");
    enginetest_completes(t, backoff, "2");
    assert_int_equal(world->lasts, 2);
}

/* A sleep and a failed attempt that come while the worker leaves go straight to the database. */
static void waits_that_begin_while_leaving_are_parked(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "two_steps", "1", NULL);

    enginetest_start(t, "receives", NULL, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_runs where state = 3");
    enginetest_start(t, "naps", "1", NULL);
    enginetest_start(t, "backs_off", "1", NULL);
    enginetest_until_runs(t, w, 3);
    engine_drain(w->engine);
    enginetest_gate_let(&world->gate, 1);
    enginetest_leave(t, w);
    is_gone();
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    enginetest_wait_all(t, 3);
}

static void the_next_worker_gets_it_without_a_tick(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *leaving = enginetest_worker(t, "threads=1"), *staying;
    int64_t ids[3];

    for (int i = 0; i < 3; i++)
        ids[i] = enginetest_start(t, "two_steps", "1", NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_until_runs(t, leaving, 3);
    staying = enginetest_worker(t, "lease=600s tick=60s");
    enginetest_until_quiet(t, staying);
    engine_drain(leaving->engine);
    enginetest_gate_let(&world->gate, 3);
    for (int i = 0; i < 3; i++)
        enginetest_completes(t, ids[i], "1");
    assert_int_equal(world->firsts, 3);
}

/* User code that does not return is left behind with its process. */
static void a_stuck_step_does_not_hold_up_the_worker(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_fork(t, "drain=200ms threads=1");
    int64_t stuck = enginetest_start(t, "two_steps", "1", NULL);
    int64_t behind = enginetest_start(t, "two_steps", "2", NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_runs where owner <> 0");
    enginetest_leave(t, w);
    is_gone();
    enginetest_worker(t, NULL);
    enginetest_gate_let(&world->gate, 2);
    enginetest_completes(t, stuck, "1");
    enginetest_completes(t, behind, "2");
}

/* The step ends after the time but before the engine is closed: its result is dropped. */
static void a_step_that_ends_too_late_is_not_recorded(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, "drain=50ms");
    int64_t id = enginetest_start(t, "two_steps", "1", NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    engine_drain(w->engine);
    enginetest_until_sql(t, "select owner = 0 from inferpipe._inferpipe_runs");
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->firsts, 1);
    enginetest_leave(t, w);
    is_gone();
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_steps");
    enginetest_worker(t, NULL);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
    assert_int_equal(world->firsts, 2);
}

static void a_lease_lost_while_leaving_ends_it(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "two_steps", "1", NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    engine_drain(w->engine);
    testdb_execf("select inferpipe.worker_dead(%" PRId64 ", 'test')", enginetest_worker_id(w));
    enginetest_until_runs(t, w, 0);
    enginetest_gate_let(&world->gate, 1);
    enginetest_leave(t, w);
    assert_int_equal(w->stop_code, 0);
    enginetest_worker(t, NULL);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
}

static bool is_late(void *ctx)
{
    return ((struct enginetest_worker *)ctx)->engine->leave_late;
}

/* The row of one execution is locked by somebody: the worker leaves, others free it later. */
static void a_locked_execution_is_left_to_others(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, "drain=50ms");
    int64_t id = enginetest_start(t, "two_steps", "1", NULL);
    struct testdb_session *lock = testdb_session_open();

    enginetest_until_count(t, &world->gate.came, 1);
    testdb_session_exec(lock, "begin; select * from inferpipe._inferpipe_runs for update");
    engine_drain(w->engine);
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->firsts, 1);
    enginetest_until(t, is_late, w);
    enginetest_clock(6 * 1000 * 1000); /* more than it grants itself for the last statements */
    enginetest_leave(t, w);
    testdb_session_exec(lock, "rollback");
    testdb_session_close(lock);
    testdb_exec("select inferpipe.worker_dead(worker_id, 'test')"
                " from inferpipe._inferpipe_workers where state = 0");
    enginetest_worker(t, NULL);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_worker_leaves_at_once),
        TEST(a_worker_that_never_came_up_leaves_at_once),
        TEST(a_worker_that_is_coming_up_releases_its_lease),
        TEST(a_running_step_may_finish),
        TEST(nothing_new_is_claimed),
        TEST(short_waits_are_parked),
        TEST(waits_that_begin_while_leaving_are_parked),
        TEST(the_next_worker_gets_it_without_a_tick),
        TEST(a_stuck_step_does_not_hold_up_the_worker),
        TEST(a_step_that_ends_too_late_is_not_recorded),
        TEST(a_lease_lost_while_leaving_ends_it),
        TEST(a_locked_execution_is_left_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
