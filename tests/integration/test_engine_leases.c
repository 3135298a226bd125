/*
 * tests/integration/test_engine_leases.c - workers that die, fall silent or come back: others
 * take over from the last completed step, and who lost his lease writes nothing more.
 *
 * The victims are processes of their own.  What they share with the test lies in `world`.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

static struct world {
    atomic_int firsts, seconds;
    atomic_bool deadly;
    struct enginetest_gate gate;
} * world;

/* ---- step bodies ----------------------------------------------------------------------------- */

static int first(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "i", atomic_fetch_add(&world->firsts, 1) + 1);
}

static int second(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    enginetest_gate_pass(&world->gate);
    return ifp_json_build(step, ret, "i", atomic_fetch_add(&world->seconds, 1) + 1);
}

static int kill_worker(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world->firsts, 1);
    if (atomic_load(&world->deadly))
        kill(getpid(), SIGKILL);
    *ret = input;
    return ifp_step_canceled(step) ? IFP_ECANCELED : 0;
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int two_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    /* Inline, so that it never queues behind the others' second steps. */
    IFP_TRY(ifp_step_with(run, "first", first, input, &one,
                          &(ifp_step_options){ .flags = IFP_INLINE }));
    IFP_TRY(ifp_step(run, "second", second, input, &two));
    return ifp_json_build(run, ret, "v", one);
}

static int kills(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "kill", kill_worker, input, ret);
}

static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "gated", second, input, ret));
    return ifp_step(run, "first", first, input, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(two_steps),
    ENGINETEST_WORKFLOW(kills),
    ENGINETEST_WORKFLOW(gated),
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

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

/* Lets so much time pass on this process's clock that its worker has looked on for longer than a
 * lease of 10 seconds; in strides that are no sleep of the watcher, each with a few looks. */
static void look_on_for_a_lease(struct enginetest *t, const struct enginetest_worker *w)
{
    for (int stride = 0; stride < 3; stride++) {
        int64_t beats = testdb_int8f("select beats from inferpipe._inferpipe_workers"
                                     " where worker_id = %" PRId64,
                                     enginetest_worker_id(w));

        enginetest_until_sql(t,
                             "select beats > %" PRId64 " + 2 from inferpipe._inferpipe_workers"
                             " where worker_id = %" PRId64,
                             beats, enginetest_worker_id(w));
        enginetest_clock(4 * SECOND_US);
    }
}

/* ---- death ----------------------------------------------------------------------------------- */

static void a_killed_worker_is_noticed_within_seconds(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim = enginetest_fork(t, NULL), *heir;
    int64_t id = enginetest_start(t, "two_steps", NULL, NULL), from;

    enginetest_until_count(t, &world->gate.came, 1);
    heir = enginetest_worker(t, "tick=200ms");
    look_on_for_a_lease(t, heir);
    enginetest_signal(victim, SIGKILL);
    from = monotonic_us();
    enginetest_until_count(t, &world->gate.came, 2);
    assert_true(monotonic_us() - from < 4 * SECOND_US); /* about one; the lease is ten */
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
    assert_int_equal(world->firsts, 1);
    enginetest_sql("its connection is gone",
                   "select died_of from inferpipe._inferpipe_workers where state = 2");
}

/* A worker that only just came does not trust the hint: it waits for the lease. */
static void a_new_worker_waits_for_the_lease(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "two_steps", NULL, NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_signal(victim, SIGKILL);
    enginetest_worker(t, "lease=1s");
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
    enginetest_sql("silent for a lease",
                   "select died_of from inferpipe._inferpipe_workers where state = 2");
}

static void many_executions_are_taken_over(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim = enginetest_fork(t, "lease=1s");

    for (int i = 0; i < 20; i++)
        enginetest_start(t, "two_steps", NULL, NULL);
    enginetest_until_count(t, &world->gate.came, 8); /* as many as it has threads */
    enginetest_until_sql(t, "select count(*) = 20 from inferpipe._inferpipe_steps");
    enginetest_signal(victim, SIGKILL);
    enginetest_worker(t, "lease=1s");
    enginetest_gate_let(&world->gate, 20);
    enginetest_wait_all(t, 20);
    assert_int_equal(world->firsts, 20);
    assert_int_equal(world->seconds, 20);
}

/* ---- silence --------------------------------------------------------------------------------- */

/* Stopped in the middle of a step, taken over from, and continued: what it then wants to write is
 * refused, and it goes on under a new name. */
static void a_stopped_worker_writes_nothing_when_it_comes_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "two_steps", NULL, NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_signal(victim, SIGSTOP);
    enginetest_worker(t, "lease=1s");
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "1");
    enginetest_signal(victim, SIGCONT);
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->seconds, 2); /* it did run to its end ... */
    enginetest_until_sql(t,
                         "select count(*) = 2 from inferpipe._inferpipe_workers"
                         " where pid = %d",
                         (int)victim->child);
    enginetest_sql("1 2", "select string_agg(fence::text, ' ' order by seq)" /* ... for nothing */
                          " from inferpipe._inferpipe_steps");
    enginetest_sql("1",
                   "select count(*) from inferpipe._inferpipe_workers where state = 0"
                   " and pid = %d",
                   (int)victim->child);
}

/* The first of two, long before its lease could have ended: as an operator's mistake would do. */
static void a_worker_declared_dead_starts_over(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "two_steps", NULL, NULL), before;

    enginetest_until_count(t, &world->gate.came, 1);
    before = enginetest_worker_id(w);
    testdb_execf("select inferpipe.worker_dead(%" PRId64 ", 'test')", before);
    enginetest_until_count(t, &world->gate.came, 2);
    assert_true(enginetest_worker_id(w) != before);
    enginetest_gate_let(&world->gate, 2);
    enginetest_completes(t, id, "1");
    assert_int_equal(world->firsts, 1);
    enginetest_until_count(t, &world->seconds, 2);
}

/* Without an answer for most of a lease no step is started: others may have the execution. */
static void a_worker_that_hears_nothing_starts_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "gated", NULL, NULL);
    struct testdb_session *lock = testdb_session_open();

    enginetest_worker(t, "lease=240s");
    enginetest_until_count(t, &world->gate.came, 1);
    testdb_session_exec(lock, "begin; select * from inferpipe._inferpipe_workers for update");
    enginetest_clock(200 * SECOND_US);
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_sql(t, "select count(*) > 0 from pg_stat_activity"
                            " where datname = current_database() and wait_event_type = 'Lock'");
    enginetest_until_count(t, &world->seconds, 1);
    assert_int_equal(world->firsts, 0);
    testdb_session_exec(lock, "rollback");
    enginetest_completes(t, id, "1");
    testdb_session_close(lock);
}

/* A step that waits for a thread is not started either, when its turn comes too late. */
static void a_step_whose_turn_comes_too_late_waits(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[2] = { enginetest_start(t, "gated", NULL, NULL),
                       enginetest_start(t, "gated", NULL, NULL) };
    struct testdb_session *lock = testdb_session_open();

    enginetest_worker(t, "lease=240s threads=1");
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_runs where owner <> 0");
    testdb_session_exec(lock, "begin; select * from inferpipe._inferpipe_workers for update");
    enginetest_clock(200 * SECOND_US);
    enginetest_gate_let(&world->gate, 2);
    enginetest_until_count(t, &world->seconds, 1);
    enginetest_until_sql(t, "select count(*) > 0 from pg_stat_activity"
                            " where datname = current_database() and wait_event_type = 'Lock'");
    assert_int_equal(world->gate.came, 1);
    testdb_session_exec(lock, "rollback");
    enginetest_wait(t, ids[0], IFP_COMPLETED);
    enginetest_wait(t, ids[1], IFP_COMPLETED);
    assert_int_equal(world->seconds, 2);
    testdb_session_close(lock);
}

/* ---- executions that take their workers down ------------------------------------------------- */

/* Lets a new worker process take what is due and die of it; then buries it, as its parent would. */
static void sacrifice_one(struct enginetest *t, const char *settings)
{
    struct enginetest_worker *w = enginetest_fork(t, settings);
    pid_t pid = w->child;

    assert_true(WIFSIGNALED(enginetest_reap(t, w)));
    testdb_execf("select inferpipe.worker_dead(worker_id, 'killed')"
                 " from inferpipe._inferpipe_workers where pid = %d",
                 (int)pid);
}

static void what_kills_its_workers_ends(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "kills", "7", NULL);

    atomic_store(&world->deadly, true);
    for (int i = 0; i < 3; i++)
        sacrifice_one(t, "crash-limit=2");
    assert_int_equal(world->firsts, 3);
    enginetest_worker(t, "crash-limit=2");
    enginetest_fails(t, id, "WORKER_CRASHED", "repeatedly");
    assert_int_equal(world->firsts, 3);
    atomic_store(&world->deadly, false);
    enginetest_retry(t, id);
    enginetest_completes(t, id, "7");
}

/* The second worker dies of it while it runs alone at the latest: nobody else is with it then. */
static void others_live_on_beside_what_kills(void **state)
{
    struct enginetest *t = *state;
    int64_t poison = enginetest_start(t, "kills", "7", NULL);

    atomic_store(&world->deadly, true);
    sacrifice_one(t, "crash-limit=1");
    for (int i = 0; i < 5; i++)
        enginetest_start(t, "gated", NULL, NULL);
    enginetest_gate_let(&world->gate, 100);
    sacrifice_one(t, "crash-limit=1");
    enginetest_worker(t, "crash-limit=1");
    enginetest_fails(t, poison, "WORKER_CRASHED", "repeatedly");
    enginetest_wait_all(t, 6);
    enginetest_sql("5", "select count(*) from inferpipe._inferpipe_results where status = 1");
}

/* An execution that must run alone waits for what is under way, and nothing starts beside it. */
static void alone_means_alone(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t before = enginetest_start(t, "gated", "1", NULL), lonely, after;

    enginetest_until_count(t, &world->gate.came, 1);
    testdb_exec("begin; select inferpipe.start('gated', '2');"
                "update inferpipe._inferpipe_runs set flags = 2 where state = 0; commit");
    lonely = testdb_int8("select exec_id from inferpipe._inferpipe_runs where flags = 2");
    enginetest_until_runs(t, w, 2);
    after = enginetest_start(t, "gated", "3", NULL);
    assert_int_equal(world->gate.came, 1); /* held while the first is there */
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_until_runs(t, w, 1);
    enginetest_sql("2", "select count(*) from inferpipe._inferpipe_runs where owner = 0");
    enginetest_gate_let(&world->gate, 2);
    enginetest_wait(t, lonely, IFP_COMPLETED);
    enginetest_wait(t, before, IFP_COMPLETED);
    enginetest_wait(t, after, IFP_COMPLETED);
    enginetest_sql("1",
                   "select count(*) from inferpipe._inferpipe_results f"
                   " where f.exec_id = %" PRId64 " and f.finished_at ="
                   " (select min(finished_at) from inferpipe._inferpipe_results)",
                   lonely);
}

static bool someone_is_held(void *ctx)
{
    const struct enginetest_worker *w = ctx;

    return w->engine->alone && sm_is(&w->engine->alone->sm, RUN_HELD);
}

/* Forgetting the others wakes the one that waits to run alone: it has to be forgotten as well. */
static void a_lease_lost_while_one_waits_to_run_alone(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t lonely;

    enginetest_start(t, "gated", "1", NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    lonely = enginetest_start(t, "gated", "2", &(ifp_start_options){ .delay_ms = 400 });
    testdb_execf("update inferpipe._inferpipe_runs set flags = 2 where exec_id = %" PRId64, lonely);
    enginetest_until(t, someone_is_held, w);
    testdb_exec("update inferpipe._inferpipe_workers set state = 1");
    enginetest_until_runs(t, w, 0);
    enginetest_gate_let(&world->gate, 100);
    enginetest_wait_all(t, 2);
}

/* Anybody may notify a worker that has not come to register yet. */
static void a_notification_before_registration_does_no_harm(void **state)
{
    struct enginetest *t = *state;
    struct testdb_session *lock = testdb_session_open();
    int64_t id;

    testdb_session_exec(lock, "begin; lock table inferpipe._inferpipe_workflows"
                              " in access exclusive mode");
    (void)enginetest_open(t, "statement-timeout=150ms tick=300ms");
    enginetest_until_sql(t, "select exists(select from pg_stat_activity"
                            " where wait_event_type = 'Lock')");
    for (int i = 0; i < 10; i++) {
        testdb_exec("notify inferpipe_wake, '77'");
        enginetest_until_sql(t, "select pg_sleep(0.05) is not null");
    }
    testdb_session_exec(lock, "rollback");
    testdb_session_close(lock);
    enginetest_gate_let(&world->gate, 100);
    enginetest_until_sql(t,
                         "select count(*) = 1 from inferpipe._inferpipe_workers where state = 0");
    id = enginetest_start(t, "two_steps", "1", NULL);
    enginetest_wait(t, id, IFP_COMPLETED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_worker_is_noticed_within_seconds),
        TEST(a_new_worker_waits_for_the_lease),
        TEST(many_executions_are_taken_over),
        TEST(a_stopped_worker_writes_nothing_when_it_comes_back),
        TEST(a_worker_declared_dead_starts_over),
        TEST(a_worker_that_hears_nothing_starts_nothing),
        TEST(a_step_whose_turn_comes_too_late_waits),
        TEST(what_kills_its_workers_ends),
        TEST(others_live_on_beside_what_kills),
        TEST(alone_means_alone),
        TEST(a_lease_lost_while_one_waits_to_run_alone),
        TEST(a_notification_before_registration_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
