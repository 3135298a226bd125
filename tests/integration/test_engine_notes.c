/*
 * tests/integration/test_engine_notes.c - what executions tell beside their journal: costs, live
 * state, messages to each other; and changes of a workflow that those under way do not take.
 */
#include "base/ids.h"
#include "base/mem.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct enginetest_gate gate;
    bool patched; /* the code of `changing` is the new one */
    int refused;  /* what ifp_step_cost said to bad amounts */
} world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int spend(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int rc = ifp_step_cost(step, 10, 0.5);

    if (rc == 0)
        rc = ifp_step_cost(step, 5, 0.000000001);
    if (rc != 0)
        return rc;
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "AGAIN", IFP_RETRY, "the first attempt fails");
    *ret = input;
    return 0;
}

static int spend_tx(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                    const ifp_json **ret)
{
    (void)db;
    *ret = input;
    return ifp_step_cost(step, 100, 0);
}

static int overspend(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    world.refused = (ifp_step_cost(step, -1, 0) == IFP_EINVALID) +
                    (ifp_step_cost(step, 0, -0.1) == IFP_EINVALID) +
                    (ifp_step_cost(step, INT64_MAX, 0) == IFP_EINVALID) +
                    (ifp_step_cost(step, 0, 2e9) == IFP_EINVALID);
    return 0;
}

static int hang_dearly(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    if (ifp_step_attempt(step) > 1)
        return 0;
    IFP_TRY(ifp_step_cost(step, 7, 0));
    while (!ifp_step_canceled(step))
        (void)poll(NULL, 0, 1);
    return 0;
}

static int pass_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    enginetest_gate_pass(&world.gate);
    *ret = input;
    return 0;
}

static int spends(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options soon = { .delay_ms = 1, .jitter = -1 };

    IFP_TRY(ifp_step_with(run, "spend", spend, input, ret, &soon));
    IFP_TRY(ifp_step_tx(run, "spend-tx", spend_tx, input, ret));
    return ifp_step(run, "overspend", overspend, input, ret);
}

static int hangs_dearly(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "hang", hang_dearly, input, ret,
                         &(ifp_step_options){ .timeout_ms = 50, .delay_ms = 1 });
}

static int set_state(ifp_run *run, const char *phase)
{
    const ifp_json *state;

    IFP_TRY(ifp_json_build(run, &state, "{s:s}", "phase", phase));
    return ifp_set_state(run, state);
}

static int shows(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(set_state(run, "begin"));
    IFP_TRY(set_state(run, "gate"));
    IFP_TRY(ifp_step(run, "gate", pass_gate, input, ret));
    IFP_TRY(set_state(run, "message"));
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    return set_state(run, "end");
}

static int shows_too_much(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    return ifp_set_state(run, input);
}

static int sends(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int rc = ifp_send(run, ifp_json_str(input, "/to", ""), "go", ifp_json_get(input, "/message"));

    if (rc == IFP_ESTEP_FAILED)
        return ifp_json_build(run, ret, "{s:s}", "code", ifp_error(run)->code);
    return rc;
}

/* Sends to the other one and waits for its message. */
static int greets(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *other;

    (void)input;
    IFP_TRY(ifp_receive(run, "other", NULL, &other));
    IFP_TRY(ifp_send(run, ifp_json_str(other, "", ""), "hello", other));
    return ifp_receive(run, "hello", NULL, ret);
}

static int receives(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static int note(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int step(ifp_run *run, const char *name)
{
    const ifp_json *out;

    return ifp_step_with(run, name, note, NULL, &out, &(ifp_step_options){ .flags = IFP_INLINE });
}

/* The change adds a step in the middle, in a loop, and one behind the wait. */
static int changing(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    for (int i = 0; i < 2; i++) {
        IFP_TRY(step(run, "one"));
        if (world.patched && ifp_patched(run, "check"))
            IFP_TRY(step(run, "check"));
    }
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    if (world.patched && ifp_patched(run, "late"))
        IFP_TRY(step(run, "late"));
    return 0;
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(spends),   ENGINETEST_WORKFLOW(hangs_dearly),
    ENGINETEST_WORKFLOW(shows),    ENGINETEST_WORKFLOW(shows_too_much),
    ENGINETEST_WORKFLOW(sends),    ENGINETEST_WORKFLOW(greets),
    ENGINETEST_WORKFLOW(receives), ENGINETEST_WORKFLOW(changing),
};

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    enginetest_gate_open(&world.gate);
    world.patched = false;
    return 0;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world.gate);
    return rc;
}

/* ---- costs ----------------------------------------------------------------------------------- */

static void a_cost_counts_by_attempt_step_and_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "spends", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    enginetest_sql("15 0.500000001",
                   "select tokens || ' ' || usd from inferpipe._inferpipe_attempts");
    enginetest_sql("15 0.500000001", "select tokens || ' ' || usd from inferpipe._inferpipe_steps"
                                     " where name = 'spend'");
    enginetest_sql("30 1.000000002", "select tokens || ' ' || usd from inferpipe.steps"
                                     " where name = 'spend'");
    enginetest_sql("100", "select tokens from inferpipe.steps where name = 'spend-tx'");
    enginetest_sql(NULL, "select tokens from inferpipe.steps where name = 'overspend'");
    enginetest_sql("130 1.000000002", "select tokens || ' ' || usd from inferpipe.executions");
    assert_int_equal(enginetest_get(t, id)->tokens, 130);
    assert_true(t->execution.usd > 1.0 && t->execution.usd < 1.00000001);
    assert_int_equal(world.refused, 4);
}

static void an_attempt_that_is_left_behind_has_cost_too(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "hangs_dearly", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    enginetest_sql("7", "select tokens from inferpipe.executions");
    enginetest_sql("7", "select tokens from inferpipe._inferpipe_attempts");
}

/* ---- live state ------------------------------------------------------------------------------ */

static void until_state(struct enginetest *t, const char *phase)
{
    enginetest_until_sql(t, "select state->>'phase' = '%s' from inferpipe.executions", phase);
}

static void the_state_is_durable_before_the_next_step_begins(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "shows", "1", NULL);
    char *text = NULL;
    struct err e;

    assert_int_equal(client_state(&t->client, id, &text, &e), 0);
    assert_null(text);
    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    assert_int_equal(client_state(&t->client, id, &text, &e), 0);
    assert_string_equal(text, "{\"phase\":\"gate\"}");
    mem_free(text);
    enginetest_gate_let(&world.gate, 1);
    until_state(t, "message");
    enginetest_send(t, id, "go", "2");
    enginetest_completes(t, id, "2");
    until_state(t, "end");
    assert_int_equal(client_state(&t->client, id + 1, &text, &e), IFP_ENOTFOUND);
}

/* A replay says the old states again: they must not come back. */
static void a_replay_does_not_bring_an_old_state_back(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "shows", "1", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_gate_let(&world.gate, 1);
    until_state(t, "message");
    enginetest_leave(t, w);
    testdb_exec("update inferpipe._inferpipe_states set data = '{\"phase\": \"mark\"}'");
    enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "3");
    enginetest_completes(t, id, "3");
    enginetest_sql("2", "select fence from inferpipe._inferpipe_states");
    until_state(t, "end");
}

static void a_state_over_the_limit_fails_the_execution(void **state)
{
    struct enginetest *t = *state;
    char fits[65], over[66];

    memset(fits, '1', 64);
    fits[64] = '\0';
    memset(over, '1', 65);
    over[65] = '\0';
    enginetest_worker(t, "state-max=64");
    enginetest_completes(t, enginetest_start(t, "shows_too_much", fits, NULL), fits);
    enginetest_fails(t, enginetest_start(t, "shows_too_much", over, NULL), "PAYLOAD_TOO_LARGE",
                     "65 bytes are over the limit of 64 (state-max)");
}

/* ---- messages to other executions ------------------------------------------------------------ */

static int64_t start_sender(struct enginetest *t, int64_t to, const char *message)
{
    char id[IFP_ID_SIZE], input[128];

    ids_execution_format(to, id);
    snprintf(input, sizeof(input), "{\"to\":\"%s\",\"message\":%s}", id, message);
    return enginetest_start(t, "sends", input, NULL);
}

static void an_execution_sends_to_another(void **state)
{
    struct enginetest *t = *state;
    int64_t to = enginetest_start(t, "receives", NULL, NULL);
    int64_t from = start_sender(t, to, "{\"n\":1.0}");

    enginetest_worker(t, NULL);
    enginetest_completes(t, from, "null");
    enginetest_completes(t, to, "{\"n\":1.0}");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_steps where kind = 6");
}

static void a_send_that_cannot_be_fails_for_good(void **state)
{
    struct enginetest *t = *state;
    int64_t ended = enginetest_start(t, "receives", NULL, NULL), id;

    enginetest_worker(t, NULL);
    enginetest_send(t, ended, "go", "0");
    enginetest_completes(t, ended, "0");
    enginetest_completes(t, start_sender(t, ended, "1"), "{\"code\":\"CONFLICT\"}");
    enginetest_completes(t, start_sender(t, ended + 1, "1"), "{\"code\":\"NOT_FOUND\"}");
    id = enginetest_start(t, "sends", "{\"to\":\"nobody\",\"message\":1}", NULL);
    enginetest_completes(t, id, "{\"code\":\"INVALID_INPUT\"}");
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_attempts");
}

/* Each pair sends to each other at once: locks are taken in one order, nobody waits in a ring. */
static void executions_may_send_to_each_other(void **state)
{
    enum { PAIRS = 20 };
    struct enginetest *t = *state;
    int64_t ids[2 * PAIRS];
    char id[IFP_ID_SIZE], text[32];

    for (int i = 0; i < 2 * PAIRS; i++)
        ids[i] = enginetest_start(t, "greets", NULL, NULL);
    for (int i = 0; i < 2 * PAIRS; i++) {
        ids_execution_format(ids[i ^ 1], id);
        snprintf(text, sizeof(text), "\"%s\"", id);
        enginetest_send(t, ids[i], "other", text);
    }
    enginetest_worker(t, NULL);
    for (int i = 0; i < 2 * PAIRS; i++) {
        ids_execution_format(ids[i], id);
        snprintf(text, sizeof(text), "\"%s\"", id);
        enginetest_completes(t, ids[i], text);
    }
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_attempts");
    enginetest_sql("0", "select deadlocks from pg_stat_database"
                        " where datname = current_database()");
}

/* ---- patches --------------------------------------------------------------------------------- */

static const char *const names_of =
    "select string_agg(name, ',' order by seq) from inferpipe.steps where exec_id = %" PRId64;

static void an_execution_under_way_does_not_take_a_patch_behind_it(void **state)
{
    struct enginetest *t = *state;
    int64_t old = enginetest_start(t, "changing", NULL, NULL), young;
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    world.patched = true;
    enginetest_worker(t, NULL);
    young = enginetest_start(t, "changing", NULL, NULL);
    enginetest_send(t, old, "go", "1");
    enginetest_send(t, young, "go", "2");
    enginetest_completes(t, old, "1");
    enginetest_completes(t, young, "2");
    enginetest_sql("one,one,go,late,late", names_of, old);
    enginetest_sql("one,check,check,one,check,go,late,late", names_of, young);
    enginetest_sql(
        "t", "select fence > 1 from inferpipe._inferpipe_results where exec_id = %" PRId64, old);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cost_counts_by_attempt_step_and_execution),
        TEST(an_attempt_that_is_left_behind_has_cost_too),
        TEST(the_state_is_durable_before_the_next_step_begins),
        TEST(a_replay_does_not_bring_an_old_state_back),
        TEST(a_state_over_the_limit_fails_the_execution),
        TEST(an_execution_sends_to_another),
        TEST(a_send_that_cannot_be_fails_for_good),
        TEST(executions_may_send_to_each_other),
        TEST(an_execution_under_way_does_not_take_a_patch_behind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
