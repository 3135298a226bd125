/*
 * tests/integration/test_engine_async.c - asynchronous steps: no thread is held, and in all that
 * may happen to an attempt (failure, cancel, time, silence, drain, kill -9) they are steps like
 * others.  The outside that they wait for is this file: a list of attempts that the tests end.
 */
#include "engine/async.h"

#include "base/log.h"
#include "engine/internal.h"
#include "lib/enginetest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 50 };

static struct world {
    atomic_int begun, stopped, pooled;
    atomic_bool at_once; /* attempts end where they begin */
    atomic_int fail;     /* so many of them fail before */
    bool early_end;      /* who is told to stop gives IFP_ECANCELED, with the next turn */
    bool refuse;         /* begin itself fails, once */
    struct attempt {     /* of this process */
        ifp_step_ctx *step;
        bool told;
    } live[MANY];
    int count;
    struct deferred end_told;
    struct enginetest_gate gate;
} * world;

/* ---- the outside ----------------------------------------------------------------------------- */

static void end_attempt(int i, int rc)
{
    struct attempt a = world->live[i];
    const ifp_json *output = NULL;

    assert_true(i < world->count);
    world->live[i] = world->live[--world->count];
    if (rc == 0)
        assert_int_equal(ifp_json_build(a.step, &output, "i", ifp_step_attempt(a.step)), 0);
    async_done(a.step, rc, output);
}

static void end_told(void *ctx)
{
    (void)ctx;
    for (int i = world->count - 1; i >= 0; i--)
        if (world->live[i].told)
            end_attempt(i, IFP_ECANCELED);
}

static void on_stop(void *ctx)
{
    atomic_fetch_add(&world->stopped, 1);
    for (int i = 0; i < world->count; i++)
        if (world->live[i].step == ctx)
            world->live[i].told = true;
    if (world->early_end)
        deferred_call(&world->end_told);
}

static int begin(ifp_step_ctx *step, const ifp_json *input)
{
    (void)input;
    assert_ptr_equal(async_ctx(step), &world);
    atomic_fetch_add(&world->begun, 1);
    if (world->refuse) {
        world->refuse = false;
        return ifp_step_fail(step, "NOT_NOW", IFP_RETRY, "refused at once");
    }
    assert_true(world->count < MANY);
    world->live[world->count++] = (struct attempt){ .step = step };
    async_on_stop(step, on_stop, step);
    if (atomic_load(&world->fail) > 0) {
        atomic_fetch_sub(&world->fail, 1);
        end_attempt(world->count - 1, ifp_step_fail(step, "E_OUTSIDE", IFP_RETRY, "status 500"));
    } else if (atomic_load(&world->at_once)) {
        end_attempt(world->count - 1, 0);
    }
    return 0;
}

/* ---- workflows ------------------------------------------------------------------------------- */

static const ifp_step_options quick = { .attempts = 3, .delay_ms = 1, .jitter = -1 };

static int calls(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return async_step(run, "call", begin, input, ret, &quick);
}

static int calls_in_time(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return async_step(run, "call", begin, input, ret,
                      &(ifp_step_options){ .attempts = 2, .delay_ms = 1, .timeout_ms = 1000 });
}

static int calls_and_beats(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return async_step(run, "call", begin, input, ret,
                      &(ifp_step_options){ .attempts = 2, .delay_ms = 1, .heartbeat_ms = 1000 });
}

static int on_pool(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    enginetest_gate_pass(&world->gate);
    atomic_fetch_add(&world->pooled, 1);
    *ret = input;
    return 0;
}

static int calls_beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *other;
    ifp_future f;

    IFP_TRY(ifp_spawn(run, "pooled", on_pool, input, &f));
    IFP_TRY(async_step(run, "call", begin, input, ret, &quick));
    return ifp_await(run, f, NULL, &other);
}

static struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(calls),
    ENGINETEST_WORKFLOW(calls_in_time),
    ENGINETEST_WORKFLOW(calls_and_beats),
    ENGINETEST_WORKFLOW(calls_beside),
};

static int setup(void **state)
{
    struct enginetest *t;
    int rc = enginetest_setup(state);

    t = *state;
    *world = (struct world){ 0 };
    enginetest_gate_open(&world->gate);
    deferred_init(&world->end_told, t->loop, end_told, NULL);
    for (size_t i = 0; i < ARRAY_LEN(workflows); i++)
        workflows[i].ctx = &world;
    enginetest_define(t, workflows, ARRAY_LEN(workflows));
    return rc;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world->gate);
    return rc;
}

static bool nothing_is_under_way(void *ctx)
{
    (void)ctx;
    return world->count == 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void many_wait_without_a_thread(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[MANY];

    enginetest_worker(t, "threads=1");
    for (int i = 0; i < MANY; i++)
        ids[i] = enginetest_start(t, "calls", "{\"n\":1.0}", NULL);
    enginetest_until_count(t, &world->begun, MANY);
    assert_int_equal(world->count, MANY);
    while (world->count > 0)
        end_attempt(world->count - 1, 0);
    for (int i = 0; i < MANY; i++)
        enginetest_completes(t, ids[i], "1");
    enginetest_sql("50", "select count(*) from inferpipe._inferpipe_steps where kind = 1 "
                         "and name = 'call' and took_us >= 0");
}

static void failed_attempts_are_recorded_and_followed_by_others(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    atomic_store(&world->at_once, true);
    atomic_store(&world->fail, 1);
    world->refuse = true;
    enginetest_worker(t, NULL);
    id = enginetest_start(t, "calls", NULL, NULL);
    enginetest_completes(t, id, "3");
    enginetest_sql("NOT_NOW refused at once, E_OUTSIDE status 500",
                   "select string_agg(error_code || ' ' || error, ', ' order by attempt) "
                   "from inferpipe._inferpipe_attempts");
    atomic_store(&world->fail, 3);
    id = enginetest_start(t, "calls", NULL, NULL);
    enginetest_fails(t, id, "E_OUTSIDE", "status 500");
}

static void a_cancel_tells_the_attempt(void **state)
{
    struct enginetest *t = *state;
    int64_t first, second;

    world->early_end = true;
    enginetest_worker(t, NULL);
    first = enginetest_start(t, "calls", NULL, NULL);
    enginetest_until_count(t, &world->begun, 1);
    assert_false(enginetest_cancel(t, first, false));
    enginetest_wait(t, first, IFP_STATUS_CANCELED);
    assert_int_equal(atomic_load(&world->stopped), 1);
    /* What it gives all the same still counts. */
    world->early_end = false;
    second = enginetest_start(t, "calls", NULL, NULL);
    enginetest_until_count(t, &world->begun, 2);
    assert_false(enginetest_cancel(t, second, false));
    enginetest_until_count(t, &world->stopped, 2);
    end_attempt(0, 0);
    enginetest_wait(t, second, IFP_STATUS_CANCELED);
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_steps where name = 'call' "
                        "and status = 0");
}

/* The late end of the first attempt is dropped, and the second one counts. */
static void time_over(struct enginetest *t, const char *workflow, const char *text)
{
    int64_t id = enginetest_start(t, workflow, NULL, NULL);

    enginetest_until_count(t, &world->begun, 2);
    assert_int_equal(atomic_load(&world->stopped), 1);
    assert_int_equal(world->count, 2);
    assert_true(world->live[0].told);
    end_attempt(1, 0);
    end_attempt(0, 0);
    enginetest_completes(t, id, "2");
    enginetest_sql(text, "select error from inferpipe._inferpipe_attempts");
}

static void an_attempt_whose_time_is_over_is_left_behind(void **state)
{
    enginetest_worker(*state, NULL);
    time_over(*state, "calls_in_time", "the attempt's time has passed");
}

static void an_attempt_that_does_not_beat_is_left_behind(void **state)
{
    enginetest_worker(*state, NULL);
    time_over(*state, "calls_and_beats", "no heartbeat came in time");
}

static void it_runs_beside_a_parallel_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    atomic_store(&world->fail, 1);
    enginetest_worker(t, NULL);
    id = enginetest_start(t, "calls_beside", "7", NULL);
    enginetest_until_count(t, &world->begun, 2);
    end_attempt(0, 0);
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, id, "2");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_attempts "
                        "where error_code = 'E_OUTSIDE'");
}

static void a_drain_waits_for_it(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, "drain=60s");
    int64_t id = enginetest_start(t, "calls", NULL, NULL);

    enginetest_until_count(t, &world->begun, 1);
    engine_drain(w->engine);
    enginetest_until_sql(t, "select true");
    assert_false(w->stopped);
    assert_int_equal(atomic_load(&world->stopped), 0);
    end_attempt(0, 0);
    enginetest_leave(t, w);
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_steps where name = 'call'");
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    assert_int_equal(atomic_load(&world->begun), 1);
}

static bool has_left(void *ctx)
{
    const struct enginetest_worker *w = ctx;

    return w->stopped;
}

/* Its execution goes to others at once; the engine says that it has stopped when it is over. */
static void a_drain_that_is_over_hands_it_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, "drain=0s");
    int64_t id = enginetest_start(t, "calls", NULL, NULL);

    enginetest_until_count(t, &world->begun, 1);
    engine_drain(w->engine);
    enginetest_until_count(t, &world->stopped, 1);
    enginetest_until_sql(t,
                         "select count(*) = 0 from inferpipe._inferpipe_workers where state = 0");
    assert_false(w->stopped);
    end_attempt(0, 0);
    enginetest_until(t, has_left, w);
    enginetest_close(w);
    atomic_store(&world->at_once, true);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    assert_int_equal(atomic_load(&world->begun), 2);
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_attempts");
}

static void a_lost_lease_tells_it(void **state)
{
    struct enginetest *t = *state;
    int64_t id;

    world->early_end = true;
    enginetest_worker(t, NULL);
    id = enginetest_start(t, "calls", NULL, NULL);
    enginetest_until_count(t, &world->begun, 1);
    testdb_exec("select inferpipe.worker_dead(worker_id, 'test') "
                "from inferpipe._inferpipe_workers");
    enginetest_until_count(t, &world->stopped, 1);
    enginetest_until(t, nothing_is_under_way, NULL);
    world->early_end = false;
    enginetest_until_count(t, &world->begun, 2);
    end_attempt(0, 0);
    enginetest_completes(t, id, "1");
}

static void it_runs_again_after_kill_9(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *child = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "calls", NULL, NULL);

    enginetest_until_count(t, &world->begun, 1);
    enginetest_signal(child, SIGKILL);
    world->count = 0; /* the child's list is shared with us */
    atomic_store(&world->at_once, true);
    enginetest_worker(t, "lease=1s");
    enginetest_completes(t, id, "1");
    assert_true(atomic_load(&world->begun) >= 2); /* more when the machine stalls for a lease */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_wait_without_a_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_attempts_are_recorded_and_followed_by_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cancel_tells_the_attempt, setup, teardown),
        cmocka_unit_test_setup_teardown(an_attempt_whose_time_is_over_is_left_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_attempt_that_does_not_beat_is_left_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_runs_beside_a_parallel_step, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain_waits_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain_that_is_over_hands_it_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_lease_tells_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_runs_again_after_kill_9, setup, teardown),
    };

    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, 2);
    world = enginetest_shared(sizeof(*world));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
