/*
 * tests/integration/test_engine_beside.c - parallel steps beat, emit, cost and are unwound like
 * steps that run alone.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CHUNKS = 1500 };

static struct {
    struct enginetest_gate gate;
    atomic_int begun;
} world;

/* ---- steps ----------------------------------------------------------------------------------- */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int pass_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enginetest_gate_pass_or_cancel(&world.gate, step);
    return give_back(step, input, ret);
}

static int until_told(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world.begun, 1);
    while (!ifp_step_canceled(step))
        (void)poll(NULL, 0, 1);
    return give_back(step, input, ret);
}

/* Gives up when it is told to, and would be tried again. */
static int give_up(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)!until_told(step, input, ret);
    return ifp_step_fail(step, "INTERRUPTED", IFP_RETRY, "it was told to stop");
}

/* Its first attempt gives no sign of life. */
static int silent(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_attempt(step) > 1 ? give_back(step, input, ret) : until_told(step, input, ret);
}

/* Works far longer than the time between two beats. */
static int steady(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    for (int i = 0; i < 50; i++) {
        (void)poll(NULL, 0, 20);
        IFP_TRY(ifp_step_heartbeat(step, NULL));
    }
    return give_back(step, input, ret);
}

static int chatter(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *data;

    for (int i = 1; i <= CHUNKS; i++) {
        IFP_TRY(ifp_json_build(step, &data, "i", i));
        IFP_TRY(ifp_step_emit(step, "token", data));
    }
    return give_back(step, input, ret);
}

static int costly(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int n = (int)ifp_json_int(input, "", 0);

    IFP_TRY(ifp_step_cost(step, 100 * ifp_step_attempt(step) + n, 0));
    IFP_TRY(ifp_step_emit(step, "token", input));
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "AGAIN", IFP_RETRY, "once more");
    return give_back(step, input, ret);
}

static int break_down(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    while (atomic_load(&world.begun) < 1) /* the other one is under way */
        (void)poll(NULL, 0, 1);
    return ifp_step_fail(step, "NO_CAR", IFP_FINAL, "all are taken");
}

/* With an input it works at the second attempt. */
static int undo(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = NULL;
    if (ifp_json_typeof(input, "") == IFP_JSON_OBJECT && ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "LATER", IFP_RETRY, "not yet");
    return 0;
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int spawn(ifp_run *run, const char *name, ifp_step_fn *fn, int n, const ifp_step_options *o,
                 ifp_future *future)
{
    const ifp_json *number;

    IFP_TRY(ifp_json_build(run, &number, "i", n));
    return ifp_spawn_with(run, name, fn, number, future, o);
}

static int both(ifp_run *run, const ifp_future *futures, const ifp_json **ret)
{
    const ifp_json *a, *b;

    IFP_TRY(ifp_future_result(run, futures[0], &a));
    IFP_TRY(ifp_future_result(run, futures[1], &b));
    return ifp_json_build(run, ret, "I", ifp_json_int(a, "", 0) + ifp_json_int(b, "", 0));
}

static int beats(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options hasty = { .heartbeat_ms = 40, .delay_ms = 1, .jitter = -1 };
    const ifp_step_options calm = { .heartbeat_ms = 700, .attempts = 1 };
    ifp_future futures[2];

    (void)input;
    IFP_TRY(spawn(run, "silent", silent, 1, &hasty, &futures[0]));
    IFP_TRY(spawn(run, "steady", steady, 2, &calm, &futures[1]));
    return both(run, futures, ret);
}

/* While two chatter, a third one fails and is tried again. */
static int chatters(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options soon = { .delay_ms = 1, .jitter = -1 };
    const ifp_json *out;
    ifp_future futures[2], third;

    IFP_TRY(spawn(run, "left", chatter, 1, NULL, &futures[0]));
    IFP_TRY(spawn(run, "right", chatter, 2, NULL, &futures[1]));
    IFP_TRY(spawn(run, "third", costly, 3, &soon, &third));
    IFP_TRY(ifp_emit(run, "log", input));
    IFP_TRY(ifp_future_result(run, third, &out));
    return both(run, futures, ret);
}

static int costs(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options soon = { .delay_ms = 1, .jitter = -1 };
    ifp_future futures[20], gate;

    (void)input;
    IFP_TRY(spawn(run, "gate", pass_gate, 1, NULL, &gate));
    for (int i = 0; i < 20; i++)
        IFP_TRY(spawn(run, "part", costly, i, &soon, &futures[i]));
    IFP_TRY(ifp_await_all(run, futures, 20));
    return ifp_future_result(run, gate, ret);
}

/* The input says what the two are; each is registered before it begins. */
static int trip(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static const struct {
        const char *name;
        ifp_step_fn *fn;
    } steps[] = { { "told", until_told }, { "gives-up", give_up }, { "breaks", break_down } };
    /* Compensations leave memory between their attempts: the replay begins without branches. */
    const ifp_step_options later = { .delay_ms = 1100, .jitter = -1 };
    const ifp_json *out;
    ifp_future futures[2];

    IFP_TRY(ifp_step(run, "flight", give_back, input, &out));
    IFP_TRY(ifp_compensate(run, "undo-flight", undo, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        const char *name = ifp_json_str(input, i == 0 ? "/a" : "/b", "");
        char undoing[32];

        snprintf(undoing, sizeof(undoing), "undo-%s", name);
        IFP_TRY(ifp_compensate(run, undoing, undo, input, &later));
        for (size_t s = 0; s < ARRAY_LEN(steps); s++)
            if (strcmp(steps[s].name, name) == 0)
                IFP_TRY(spawn(run, name, steps[s].fn, i, &later, &futures[i]));
    }
    IFP_TRY(ifp_compensate(run, "undo-both", undo, NULL, NULL));
    if (ifp_json_bool(input, "/second", false))
        IFP_TRY(ifp_await(run, futures[1], NULL, &out));
    return both(run, futures, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(beats),
    ENGINETEST_WORKFLOW(chatters),
    ENGINETEST_WORKFLOW(costs),
    ENGINETEST_WORKFLOW(trip),
};

static int setup(void **state)
{
    int rc = enginetest_setup(state);

    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    enginetest_gate_open(&world.gate);
    atomic_store(&world.begun, 0);
    return rc;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world.gate);
    return rc;
}

static void journal_is(const char *names)
{
    enginetest_sql(names, "select string_agg(name, ' ' order by seq) from inferpipe.steps");
}

/* ---- signs of life --------------------------------------------------------------------------- */

static void one_that_stops_beating_is_tried_again_beside_one_that_beats(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "beats", NULL, NULL), "3");
    enginetest_sql("silent TIMEOUT no heartbeat came in time",
                   "select s.name || ' ' || a.error_code || ' ' || a.error"
                   " from inferpipe._inferpipe_attempts a"
                   " join inferpipe._inferpipe_steps s using (exec_id, step_key)");
    enginetest_sql("silent2 steady1", "select string_agg(name || attempts, ' ' order by seq)"
                                      " from inferpipe._inferpipe_steps");
}

/* ---- what they say --------------------------------------------------------------------------- */

static void events_keep_the_order_of_each_step_and_have_no_gap(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[3];

    for (int i = 0; i < 3; i++)
        ids[i] = enginetest_start(t, "chatters", "9", NULL);
    enginetest_worker(t, NULL);
    for (int i = 0; i < 3; i++)
        enginetest_completes(t, ids[i], "3");
    enginetest_sql("3",
                   "select count(*) from (select from inferpipe.events group by exec_id"
                   " having count(*) = %d and max(seq) = count(*) and min(seq) = 1) x",
                   2 * CHUNKS + 3);
    enginetest_sql("0", "select count(*) from (select data::text::int as n, row_number() over"
                        " (partition by exec_id, step order by seq) as nth"
                        " from inferpipe.events where step in ('left', 'right')) x where n <> nth");
    enginetest_sql("3", "select count(*) from inferpipe.events where step is null");
}

/* Costs go with the rows of their attempts, also when another step talks at that moment. */
static void costs_come_to_their_attempts(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "costs", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 20 from inferpipe._inferpipe_steps"
                            " where name = 'part'");
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, id, "1");
    enginetest_sql("20 2190", "select count(*) || ' ' || sum(tokens)"
                              " from inferpipe._inferpipe_attempts where tokens >= 100");
    enginetest_sql("20 4190", "select count(*) || ' ' || sum(tokens)"
                              " from inferpipe._inferpipe_steps where tokens >= 200");
    enginetest_sql("40", "select max(seq) from inferpipe.events having count(*) = max(seq)");
}

/* ---- unwinding ------------------------------------------------------------------------------- */

/* They are told; what ends by that counts, what would be tried again does not come back. */
static void a_cancel_ends_them_and_undoes_both(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"a\":\"gives-up\",\"b\":\"told\"}", NULL);
    const ifp_execution *x;

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.begun, 2);
    assert_false(enginetest_cancel(t, id, false));
    x = enginetest_wait(t, id, IFP_STATUS_CANCELED);
    assert_string_equal(x->error_code, "CANCELED");
    assert_int_equal(atomic_load(&world.begun), 2);
    journal_is("flight told canceled undo-both undo-told undo-gives-up undo-flight");
    enginetest_sql("1 2 2 1", "select string_agg(attempts::text, ' ' order by seq)"
                              " from inferpipe._inferpipe_steps where name like 'undo%%'");
}

static void a_deadline_leaves_them_and_undoes_both(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"a\":\"told\",\"b\":\"gives-up\"}",
                                  &(ifp_start_options){ .deadline_ms = 3000 });

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.begun, 2);
    enginetest_fails(t, id, "TIMEOUT", "the execution's deadline has passed");
    assert_int_equal(atomic_load(&world.begun), 2);
    journal_is("flight timeout undo-both undo-gives-up undo-told undo-flight");
}

static void a_failure_leaves_the_other_one_and_undoes_both(void **state)
{
    struct enginetest *t = *state;
    int64_t id =
        enginetest_start(t, "trip", "{\"a\":\"told\",\"b\":\"breaks\",\"second\":true}", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "NO_CAR", "all are taken");
    assert_int_equal(atomic_load(&world.begun), 1);
    journal_is("flight breaks await failed undo-both undo-breaks undo-told undo-flight");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_stops_beating_is_tried_again_beside_one_that_beats),
        TEST(events_keep_the_order_of_each_step_and_have_no_gap),
        TEST(costs_come_to_their_attempts),
        TEST(a_cancel_ends_them_and_undoes_both),
        TEST(a_deadline_leaves_them_and_undoes_both),
        TEST(a_failure_leaves_the_other_one_and_undoes_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
