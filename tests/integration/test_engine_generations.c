/*
 * tests/integration/test_engine_generations.c - continue as new: the journal begins anew and stays
 * small, everything else of the execution goes on, and it happens once whoever dies.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOOPS = 20, GENERATIONS = 100 };

static struct world { /* shared with forked workers */
    struct enginetest_gate gate;
    atomic_int bodies;
    atomic_bool mended, drifted;
} * world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int add_one(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world->bodies, 1);
    return ifp_json_build(step, ret, "I", ifp_json_int(input, "/sum", 0) + 1);
}

/* {"n": how often it continues, "sum": what was counted} */
static int counts(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options here = { .flags = IFP_INLINE };
    int64_t n = ifp_json_int(input, "/n", 0);
    const ifp_json *sum, *next;

    IFP_TRY(ifp_step_with(run, "add", add_one, input, &sum, &here));
    IFP_TRY(ifp_json_build(run, &next, "{s:I, s:v}", "n", n - 1, "sum", sum));
    if (n > 0)
        return ifp_continue_as_new(run, next);
    *ret = next;
    return 0;
}

/* All the messages that come, one a generation, until "stop". */
static int collects(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *message, *all;

    IFP_TRY(ifp_receive(run, "item", NULL, &message));
    *ret = input;
    if (strcmp(ifp_json_str(message, "", ""), "stop") == 0)
        return 0;
    IFP_TRY(ifp_json_build(run, &all, "[v, v]", input, message));
    return ifp_continue_as_new(run, all);
}

static int give_key(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "s", ifp_step_key(step));
}

/* Three generations, each with a step key, an id and a random number of its own. */
static int draws(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *before = ifp_uuid(run);
    const ifp_json *key, *all;

    IFP_TRY(ifp_step(run, "key", give_key, input, &key));
    IFP_TRY(ifp_json_build(run, &all, "{s:i, s:v, s:v, s:s, s:f}", "n",
                           (int)ifp_json_int(input, "/n", 0) + 1, "before", input, "key", key, "id",
                           before, "random", (double)(ifp_random(run) >> 11)));
    if (ifp_json_int(all, "/n", 0) < 3)
        return ifp_continue_as_new(run, all);
    *ret = all;
    return 0;
}

static int say(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    IFP_TRY(ifp_step_heartbeat(step, input));
    if (ifp_step_attempt(step) == 1) {
        IFP_TRY(ifp_step_cost(step, 1, 0.25));
        return ifp_step_fail(step, "AGAIN", IFP_RETRY, "the first attempt fails");
    }
    return ifp_step_cost(step, 10, 0.5);
}

static int say_tx(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                  const ifp_json **ret)
{
    (void)db;
    *ret = input;
    return ifp_step_cost(step, 100, 0);
}

/* Costs, emits and shows something in each of three generations. */
static int tells(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options soon = { .delay_ms = 1, .jitter = -1 };
    int64_t n = ifp_json_int(input, "", 0);
    const ifp_json *next;

    IFP_TRY(ifp_emit(run, "log", input));
    IFP_TRY(ifp_set_state(run, input));
    IFP_TRY(ifp_step_with(run, "say", say, input, ret, &soon));
    IFP_TRY(ifp_step_tx(run, "say-tx", say_tx, input, ret));
    IFP_TRY(ifp_emit(run, "data", input));
    IFP_TRY(ifp_json_build(run, &next, "I", n + 1));
    return n < 2 ? ifp_continue_as_new(run, next) : 0;
}

static int waits_at_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    (void)enginetest_gate_pass_or_cancel(&world->gate, step);
    return 0;
}

/* Meets the gate in each generation, {"n": ...} of them, then waits for ever. */
static int meets(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int64_t n = ifp_json_int(input, "/n", 0);
    const ifp_json *next;

    IFP_TRY(ifp_step(run, "gate", waits_at_gate, input, ret));
    IFP_TRY(ifp_json_build(run, &next, "{s:I}", "n", n - 1));
    if (n > 0)
        return ifp_continue_as_new(run, next);
    return ifp_receive(run, "go", NULL, ret);
}

static int parent(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_child(run, "counts", input, ret);
}

/* Continues although something is open. */
static int forgets(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *what = ifp_json_str(input, "", "");
    ifp_future future;

    *ret = input;
    if (strcmp(what, "child") == 0)
        IFP_TRY(ifp_spawn_child(run, "collects", NULL, NULL, &future));
    else if (strcmp(what, "step") == 0)
        IFP_TRY(ifp_spawn(run, "gate", waits_at_gate, input, &future));
    else if (strcmp(what, "undo") == 0)
        IFP_TRY(ifp_compensate(run, "undo", add_one, input, NULL));
    return ifp_continue_as_new(run, NULL);
}

static int break_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    if (atomic_load(&world->mended))
        return 0;
    return ifp_step_fail(step, "BROKEN", IFP_FINAL, "not mended yet");
}

static int breaks(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *next;

    IFP_TRY(ifp_step(run, "first", add_one, input, ret));
    IFP_TRY(ifp_json_build(run, &next, "{s:s}", "of", "the second"));
    if (!ifp_json_get(input, "/of"))
        return ifp_continue_as_new(run, next);
    IFP_TRY(ifp_step(run, "break", break_once, input, ret));
    return 0;
}

/* What is given once is handed on as it is. */
static int hands_on(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *next;
    char *text = NULL;
    size_t size = (size_t)ifp_json_int(input, "/size", 0);
    int rc;

    *ret = input;
    if (size == 0)
        return 0;
    text = malloc(size + 1);
    assert_non_null(text);
    memset(text, '"', size);
    memset(text + 1, 'x', size - 2);
    rc = ifp_json_parse(run, text, size, &next);
    free(text);
    return rc == 0 ? ifp_continue_as_new(run, next) : rc;
}

static int overflows(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options here = { .flags = IFP_INLINE };

    for (int i = 0; i < 11; i++)
        IFP_TRY(ifp_step_with(run, "add", add_one, input, ret, &here));
    return 0;
}

/* Another program continues where this one has a step. */
static int drifts(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    if (atomic_load(&world->drifted))
        return ifp_continue_as_new(run, input);
    IFP_TRY(ifp_step(run, "first", add_one, input, ret));
    return ifp_receive(run, "go", NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(counts),  ENGINETEST_WORKFLOW(collects),  ENGINETEST_WORKFLOW(draws),
    ENGINETEST_WORKFLOW(tells),   ENGINETEST_WORKFLOW(meets),     ENGINETEST_WORKFLOW(parent),
    ENGINETEST_WORKFLOW(forgets), ENGINETEST_WORKFLOW(breaks),    ENGINETEST_WORKFLOW(hands_on),
    ENGINETEST_WORKFLOW(drifts),  ENGINETEST_WORKFLOW(overflows),
};

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    if (!world)
        world = enginetest_shared(sizeof(*world));
    enginetest_gate_open(&world->gate);
    atomic_store(&world->bodies, 0);
    atomic_store(&world->mended, false);
    atomic_store(&world->drifted, false);
    return 0;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world->gate);
    return rc;
}

static void journal_is(const char *rows)
{
    enginetest_sql(rows, "select string_agg(seq || ' ' || kind || ' ' || name, ', ' order by seq)"
                         " from inferpipe.steps");
}

/* ---- what it is for -------------------------------------------------------------------------- */

/* Without an end to speak of, in the memory and with the rows of one generation. */
static void thousands_of_generations_leave_the_rows_of_one(void **state)
{
    struct enginetest *t = *state;
    char input[32];

    enginetest_worker(t, "run-memory=64KiB");
    (void)snprintf(input, sizeof(input), "{\"n\":%d}", GENERATIONS - 1);
    for (int i = 0; i < LOOPS; i++)
        (void)enginetest_start(t, "counts", input, NULL);
    enginetest_until_sql(t, "select max(name::int) >= 50 from inferpipe._inferpipe_steps"
                            " where kind = 14");
    enginetest_sql("t", "select count(*) <= %d from inferpipe._inferpipe_steps", 2 * LOOPS);
    enginetest_wait_all(t, LOOPS);
    enginetest_sql("20", "select count(*) from inferpipe._inferpipe_results f"
                         " join inferpipe._inferpipe_steps s on s.exec_id = f.exec_id"
                         " where s.kind = 14 and s.name = '99'"
                         " and convert_from(f.output, 'UTF8')::json->>'sum' = '100'");
    assert_int_equal(atomic_load(&world->bodies), LOOPS * GENERATIONS);
}

static void a_client_sees_one_execution_and_how_often(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "counts", "{\"n\":2}", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "{\"n\":-1,\"sum\":3}");
    assert_int_equal(enginetest_get(t, id)->continued, 2);
    journal_is("0 continued 2, 1 step add");
    enginetest_sql("{\"n\":2} {\"n\":0,\"sum\":2}",
                   "select convert_from(e.input, 'UTF8') || ' ' || convert_from(s.result, 'UTF8')"
                   " from inferpipe._inferpipe_executions e, inferpipe._inferpipe_steps s"
                   " where s.kind = 14");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

static void messages_wait_for_the_generation_that_takes_them(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "collects", "0", NULL);

    for (int i = 1; i <= 3; i++)
        enginetest_send(t, id, "item", (const char *[]){ "", "1", "2", "3" }[i]);
    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs"); /* it took them */
    enginetest_send(t, id, "item", "4");
    enginetest_send(t, id, "item", "\"stop\"");
    enginetest_completes(t, id, "[[[[0,1],2],3],4]");
    assert_int_equal(enginetest_get(t, id)->continued, 4);
}

static void each_generation_has_keys_and_random_numbers_of_its_own(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "draws", "{}", NULL);

    enginetest_worker(t, NULL);
    (void)enginetest_wait(t, id, IFP_COMPLETED);
    for (int i = 0; i < 3; i++) {
        static const char *const what[] = { "key", "id", "random" };

        enginetest_sql("3",
                       "select count(distinct v) from inferpipe.executions,"
                       " unnest(array[output->>'%s', output->'before'->>'%s',"
                       " output->'before'->'before'->>'%s']) v",
                       what[i], what[i], what[i]);
    }
}

static void costs_events_and_state_go_on(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "tells", "0", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "2");
    enginetest_sql("333 2.25 2",
                   "select tokens || ' ' || usd || ' ' || state from inferpipe.executions");
    enginetest_sql("1 log 0, 2 data 0, 3 log 1, 4 data 1, 5 log 2, 6 data 2",
                   "select string_agg(seq || ' ' || kind || ' ' || data, ', ' order by seq)"
                   " from inferpipe.events");
}

static void a_parent_awaits_the_last_generation_of_its_child(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "parent", "{\"n\":3}", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "{\"n\":-1,\"sum\":4}");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void a_large_input_is_kept_once_and_read_again(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, "payload-inline=1KiB");
    int64_t id;

    id = enginetest_start(t, "collects", NULL, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    for (int i = 0; i < 2; i++) {
        char message[3000];

        memset(message, 'a' + i, sizeof(message));
        message[0] = message[sizeof(message) - 2] = '"';
        message[sizeof(message) - 1] = '\0';
        enginetest_send(t, id, "item", message);
        enginetest_until_sql(t,
                             "select state = 3 from inferpipe._inferpipe_runs r"
                             " join inferpipe._inferpipe_steps s on s.exec_id = r.exec_id"
                             " where s.kind = 14 and s.name = '%d'",
                             i + 1);
        enginetest_until_runs(t, w, 0); /* it is read again from the journal */
    }
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_payloads");
    enginetest_send(t, id, "item", "\"stop\"");
    (void)enginetest_wait(t, id, IFP_COMPLETED);
    enginetest_sql("6008", "select length(output::text) from inferpipe.executions");
}

static void an_input_at_the_limit_passes_and_over_it_fails(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "payload-inline=1KiB payload-max=2KiB");
    (void)enginetest_wait(t, enginetest_start(t, "hands_on", "{\"size\":2048}", NULL),
                          IFP_COMPLETED);
    enginetest_fails(t, enginetest_start(t, "hands_on", "{\"size\":2049}", NULL),
                     "PAYLOAD_TOO_LARGE",
                     "continue as new: the input's 2049 bytes are over the limit of 2048"
                     " (payload-max)");
}

static void a_full_journal_names_the_remedy(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "journal-max=10");
    /* Ten rows are room for a loop of any length. */
    enginetest_completes(t, enginetest_start(t, "counts", "{\"n\":30}", NULL),
                         "{\"n\":-1,\"sum\":31}");
    enginetest_fails(t, enginetest_start(t, "overflows", NULL, NULL), "PAYLOAD_TOO_LARGE",
                     "ifp_continue_as_new");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void what_is_open_is_not_forgotten(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "forgets", "\"child\"", NULL), "CONFLICT",
                     "child \"collects\" (call 1) has not ended: await it first");
    enginetest_fails(t, enginetest_start(t, "forgets", "\"step\"", NULL), "CONFLICT",
                     "a parallel step has not ended: await it first");
    enginetest_fails(t, enginetest_start(t, "forgets", "\"undo\"", NULL), "CONFLICT",
                     "compensation \"undo\" is registered and would be lost");
    assert_int_equal(atomic_load(&world->bodies), 1); /* it was not: it ran */
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_steps where kind = 14");
}

static void another_program_that_continues_here_has_diverged(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "drifts", "1", NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_until_runs(t, w, 0);
    atomic_store(&world->drifted, true);
    enginetest_send(t, id, "go", "1");
    enginetest_fails(t, id, "NONDETERMINISTIC",
                     "call 1: expected step \"first\" (recorded as call 1), found continue as new");
    journal_is("1 step first");
}

/* ---- cancel, deadline, death ----------------------------------------------------------------- */

static void a_cancel_is_met_in_whichever_generation(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "meets", "{\"n\":1}", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->gate.came, 2); /* of the second generation */
    assert_false(enginetest_cancel(t, id, false));
    (void)enginetest_wait(t, id, IFP_STATUS_CANCELED);
    journal_is("0 continued 1, 1 step gate");
}

static void a_canceled_execution_does_not_continue(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "meets", "{\"n\":1}", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    assert_false(enginetest_cancel(t, id, false));
    (void)enginetest_wait(t, id, IFP_STATUS_CANCELED);
    journal_is("1 step gate");
}

static void the_deadline_is_the_execution_s(void **state)
{
    struct enginetest *t = *state;
    int64_t id =
        enginetest_start(t, "collects", "0", &(ifp_start_options){ .deadline_ms = 3600 * 1000 });
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_send(t, id, "item", "1");
    enginetest_until_sql(t, "select state = 3 and fence > 1 from inferpipe._inferpipe_runs");
    enginetest_until_runs(t, w, 0);
    enginetest_db_clock("1 hour");
    enginetest_fails(t, id, "TIMEOUT", "the execution's deadline has passed");
}

static void a_worker_that_dies_is_followed_in_the_same_generation(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "meets", "{\"n\":2}", NULL);

    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_gate_let(&world->gate, 1);
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_signal(w, SIGKILL);
    enginetest_worker(t, "lease=1s");
    enginetest_until_count(t, &world->gate.came, 3); /* the interrupted one again */
    enginetest_sql("1 {\"n\":1}", "select name || ' ' || result from inferpipe.steps"
                                  " where kind = 'continued'");
    enginetest_gate_let(&world->gate, 3);
    enginetest_send(t, id, "go", "\"done\"");
    enginetest_completes(t, id, "\"done\"");
    assert_int_equal(enginetest_get(t, id)->continued, 2);
}

static void draining_hands_the_generation_on(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "counts", "{\"n\":60}", NULL);

    enginetest_until_sql(t, "select name::int > 3 from inferpipe._inferpipe_steps where kind = 14");
    enginetest_leave(t, w);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "{\"n\":-1,\"sum\":61}");
}

/* ---- retry and fork -------------------------------------------------------------------------- */

static int64_t fork_of(struct enginetest *t, int64_t id, const char *from, const char *input)
{
    const ifp_fork_options o = { .from = from, .input = input };
    int64_t made = 0;
    bool fresh;
    struct err e;

    if (client_fork(&t->client, id, &o, &made, &fresh, &e) != 0)
        fail_msg("%s", e.text);
    return made;
}

static void retry_and_fork_keep_the_input_of_the_generation(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "breaks", "{}", NULL);

    enginetest_worker(t, NULL);
    enginetest_fails(t, id, "BROKEN", "not mended yet");
    atomic_store(&world->mended, true);
    enginetest_completes(t, fork_of(t, id, "break", NULL), "{\"of\":\"the second\"}");
    enginetest_completes(t, fork_of(t, id, "first", NULL), "{\"of\":\"the second\"}");
    enginetest_completes(t, fork_of(t, id, "break", "{\"of\":\"mine\"}"), "{\"of\":\"mine\"}");
    enginetest_sql("1 1 1 1", "select string_agg(name, ' ') from inferpipe._inferpipe_steps"
                              " where kind = 14");
    enginetest_retry(t, id);
    enginetest_completes(t, id, "{\"of\":\"the second\"}");
    assert_int_equal(enginetest_get(t, id)->continued, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(thousands_of_generations_leave_the_rows_of_one),
        TEST(a_client_sees_one_execution_and_how_often),
        TEST(messages_wait_for_the_generation_that_takes_them),
        TEST(each_generation_has_keys_and_random_numbers_of_its_own),
        TEST(costs_events_and_state_go_on),
        TEST(a_parent_awaits_the_last_generation_of_its_child),
        TEST(a_large_input_is_kept_once_and_read_again),
        TEST(an_input_at_the_limit_passes_and_over_it_fails),
        TEST(a_full_journal_names_the_remedy),
        TEST(what_is_open_is_not_forgotten),
        TEST(another_program_that_continues_here_has_diverged),
        TEST(a_cancel_is_met_in_whichever_generation),
        TEST(a_canceled_execution_does_not_continue),
        TEST(the_deadline_is_the_execution_s),
        TEST(a_worker_that_dies_is_followed_in_the_same_generation),
        TEST(draining_hands_the_generation_on),
        TEST(retry_and_fork_keep_the_input_of_the_generation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
