/*
 * tests/integration/test_plan.c - a plan says of each live execution what a worker would then do
 * with it, in the worker's own words, and leaves no trace.
 */
#include "engine/plan.h"

#include "base/buf.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 10000, STEPS = 40, BUSY = 400, MEGABYTES = 64, LARGE = 100000 };

/* How the code was changed since the journals were written. */
enum change { NO_CHANGE, ADD_STEP, END_EARLY, BAD_CALL };

static struct {
    enum change change;
    int at;           /* before which call of `everything` */
    int place;        /* how many of them the present pass has made */
    atomic_int calls; /* of steps */
    bool forgets;     /* `holiday` does not register its second compensation */
    struct enginetest_gate gate;
} world;

/* ---- steps ----------------------------------------------------------------------------------- */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world.calls, 1);
    *ret = input;
    return 0;
}

static int give_back_tx(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                        const ifp_json **ret)
{
    (void)db;
    return give_back(step, input, ret);
}

static int give_large(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    char text[LARGE];

    (void)input;
    atomic_fetch_add(&world.calls, 1);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    return ifp_json_build(step, ret, "s", text);
}

static int never_works(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    atomic_fetch_add(&world.calls, 1);
    return ifp_step_fail(step, "NOT_YET", IFP_RETRY, "it will take long");
}

static int never_ends(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world.calls, 1);
    enginetest_gate_pass_or_cancel(&world.gate, step);
    *ret = input;
    return 0;
}

/* ---- workflows ------------------------------------------------------------------------------- */

/* In front of each call of `everything`: what the change puts there. */
static int change_here(ifp_run *run)
{
    const ifp_json *out;

    if (++world.place != world.at)
        return 0;
    if (world.change == ADD_STEP)
        return ifp_step(run, "added", give_back, NULL, &out);
    if (world.change == BAD_CALL)
        return ifp_sleep(run, "a while");
    return 0;
}

static bool ends_here(void)
{
    return world.change == END_EARLY && world.place == world.at;
}

#define CALL(call)                                                                                 \
    do {                                                                                           \
        IFP_TRY(change_here(run));                                                                 \
        if (ends_here())                                                                           \
            return 0;                                                                              \
        IFP_TRY(call);                                                                             \
    } while (0)

/* The calls of `everything` in front of the last one: each leaves a row under its number. */
enum { PATCH_CALL = 6, RECORDED = 13 };

static int everything(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *out;
    ifp_future futures[2], child;
    size_t first;

    world.place = 0;
    CALL(ifp_step(run, "step", give_back, input, &out));
    CALL(ifp_step_tx(run, "tx", give_back_tx, input, &out));
    CALL(ifp_now(run) > 0 ? 0 : IFP_SUSPENDED);
    CALL(ifp_sleep_ms(run, 1));
    CALL(ifp_emit(run, "log", input));
    CALL(ifp_patched(run, "patch") ? 0 : ifp_fail(run, "NO_PATCH", "it is new"));
    CALL(ifp_spawn(run, "part", give_back, input, &futures[0]));
    CALL(ifp_spawn(run, "part", give_back, input, &futures[1]));
    IFP_TRY(ifp_await_all(run, futures, 2));
    CALL(ifp_await_any(run, futures, 2, &first));
    CALL(ifp_spawn_child(run, "echo", input, NULL, &child));
    IFP_TRY(ifp_await(run, child, NULL, &out));
    CALL(ifp_receive(run, "early", NULL, &out));
    IFP_TRY(ifp_set_state(run, out));
    CALL(ifp_step(run, "large", give_large, input, &out));
    if (ifp_json_len(out, "") == 0 && strlen(ifp_json_str(out, "", "")) != LARGE - 1)
        return ifp_fail(run, "SHORT", "the large result was cut");
    CALL(ifp_step(run, "step", give_back, input, &out));
    ifp_log(run, "past the journal");
    CALL(ifp_receive(run, "end", NULL, ret)); /* where it waits */
    return 0;
}

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

/* Fails behind two bookings; the first undoing fails for a long time. */
static int holiday(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static const ifp_step_options patient = { .attempts = -1, .delay_ms = 3600 * 1000 };

    IFP_TRY(ifp_step(run, "flight", give_back, input, ret));
    IFP_TRY(ifp_compensate(run, "cancel-flight", give_back, input, NULL));
    IFP_TRY(ifp_step(run, "hotel", give_back, input, ret));
    if (!world.forgets) {
        IFP_TRY(ifp_compensate(run, "cancel-hotel", never_works, input, &patient));
        IFP_TRY(ifp_compensate(run, "tell", give_back, input, NULL));
    }
    return ifp_fail(run, "NO_SUN", "it rains");
}

/* A parallel step is under way while the others have ended. */
static int beside(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future future;
    const ifp_json *out;

    world.place = 0;
    CALL(ifp_spawn(run, "hangs", never_ends, input, &future));
    CALL(ifp_step(run, "meanwhile", give_back, input, &out));
    return ifp_await(run, future, NULL, ret);
}

static int long_one(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    for (int i = 0; i < STEPS; i++)
        IFP_TRY(ifp_step_with(run, "part", give_back, input, ret,
                              &(ifp_step_options){ .flags = IFP_INLINE }));
    if (world.change == ADD_STEP)
        IFP_TRY(ifp_step(run, "added", give_back, input, ret));
    IFP_TRY(ifp_step(run, "last", give_back, input, ret));
    return ifp_receive(run, "end", NULL, ret);
}

/* Waits in its third generation. */
static int again(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int64_t n = ifp_json_int(input, "/n", 0);
    const ifp_json *next;

    if (world.change == ADD_STEP && n == 2)
        IFP_TRY(ifp_step(run, "added", give_back, input, ret));
    IFP_TRY(ifp_step(run, "part", give_back, input, ret));
    if (n == 2)
        return ifp_receive(run, "end", NULL, ret);
    IFP_TRY(ifp_json_build(run, &next, "{s:I}", "n", n + 1));
    return ifp_continue_as_new(run, next);
}

static int waiter(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "end", NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(again),
    ENGINETEST_WORKFLOW(everything),
    ENGINETEST_WORKFLOW(echo),
    ENGINETEST_WORKFLOW(holiday),
    ENGINETEST_WORKFLOW(beside),
    ENGINETEST_WORKFLOW(waiter),
    { .name = "long-one", .version = "1", .queue = "default", .fn = long_one },
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_gate_open(&world.gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    world.change = NO_CHANGE;
    world.forgets = false;
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static struct {
    int count;
    enum ifp_verdict verdict; /* of the last finding */
    char id[IFP_ID_SIZE];
    char workflow[64];
    char message[ERR_TEXT_SIZE];
    int64_t executions;
    int calls, ends; /* ends: what the callback is to return */
} found;

static int on_finding(void *ctx, const ifp_plan_finding *f)
{
    assert_null(ctx);
    found.count++;
    found.verdict = f->verdict;
    found.executions = f->executions;
    found.calls = f->calls;
    snprintf(found.id, sizeof(found.id), "%s", f->id ? f->id : "");
    snprintf(found.workflow, sizeof(found.workflow), "%s/%s", f->workflow, f->version);
    snprintf(found.message, sizeof(found.message), "%s", f->message);
    return found.ends;
}

static int64_t totals[PLAN_VERDICTS];

static int plan_with(struct enginetest *t, const char *settings, struct plan_options o)
{
    const struct plan_line *lines;
    struct config config;
    struct plan *plan;
    struct err e;
    size_t n;
    int rc;

    memset(&found, 0, offsetof(__typeof__(found), ends));
    memset(totals, 0, sizeof(totals));
    assert_int_equal(config_init(&config, &e), 0);
    if (settings)
        assert_int_equal(config_set(&config, CONFIG_JOURNAL_PAGE, settings, CONFIG_FROM_FLAG, &e),
                         0);
    o.config = &config;
    o.client = &t->client;
    o.found = on_finding;
    assert_int_equal(plan_open(&o, &plan, &e), 0);
    rc = plan_run(plan, &e);
    if (rc < 0)
        fail_msg("%s", e.text);
    n = plan_lines(plan, &lines);
    for (size_t i = 0; i < n; i++)
        for (int v = 0; v < PLAN_VERDICTS; v++)
            totals[v] += lines[i].verdicts[v];
    plan_close(plan);
    config_release(&config);
    return rc;
}

static void plan_all(struct enginetest *t)
{
    assert_int_equal(plan_with(t, NULL,
                               (struct plan_options){ .workflows = workflows,
                                                      .workflow_count = ARRAY_LEN(workflows) }),
                     0);
}

static void expect(int64_t continues, int64_t diverges, int64_t fails, int64_t unknown)
{
    if (totals[IFP_CONTINUES] != continues || totals[IFP_DIVERGES] != diverges ||
        totals[IFP_FAILS] != fails || totals[IFP_UNKNOWN] != unknown)
        fail_msg("%" PRId64 " continue, %" PRId64 " diverge, %" PRId64 " fail, %" PRId64
                 " unknown: %s",
                 totals[0], totals[1], totals[2], totals[3], found.message);
    assert_int_equal(found.count, diverges + fails + (unknown > 0));
}

/* All that there is, as one number; a plan must not change it. */
static int64_t fingerprint(void)
{
    return testdb_int8("select hashtextextended(string_agg(x, ' ' order by x), 0) from ("
                       "select r::text from inferpipe._inferpipe_runs r union all "
                       "select s::text from inferpipe._inferpipe_steps s union all "
                       "select e::text from inferpipe._inferpipe_events e union all "
                       "select m::text from inferpipe._inferpipe_messages m union all "
                       "select f::text from inferpipe._inferpipe_results f union all "
                       "select a::text from inferpipe._inferpipe_attempts a) t(x)");
}

static int64_t start_everything(struct enginetest *t)
{
    int64_t id = enginetest_start(t, "everything", "{\"a\": 1}", NULL);

    enginetest_send(t, id, "early", "1");
    enginetest_until_sql(
        t,
        "select count(*) = 1 from inferpipe._inferpipe_runs where exec_id = %" PRId64
        " and state = 3 and owner = 0 and wait_key = inferpipe.name_key('end')",
        id);
    return id;
}

/* Each with an input of so many bytes. */
static void start_many(struct enginetest *t, const char *workflow, int count, size_t size)
{
    static ifp_start_item items[CLIENT_BATCH_MAX];
    static int64_t ids[CLIENT_BATCH_MAX];
    static bool created[CLIENT_BATCH_MAX];
    char *input = malloc(size + 1);
    struct err e;

    assert_non_null(input);
    memset(input, 'x', size);
    input[0] = input[size - 1] = '"';
    input[size] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        items[i] = (ifp_start_item){ .workflow = workflow, .input = input };
    for (int done = 0; done < count; done += CLIENT_BATCH_MAX) {
        size_t n = (size_t)MIN(count - done, CLIENT_BATCH_MAX), bad;

        assert_int_equal(client_check_items(&t->client, items, n, &bad, &e), 0);
        assert_int_equal(client_start_many(&t->client, items, n, ids, created, &e), 0);
    }
    free(input);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void every_kind_of_row_continues(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id, before;
    int calls;

    id = start_everything(t);
    enginetest_leave(t, w);
    enginetest_sql("{1,2,3,4,5,6,7,10,12,13,15}",
                   "select array_agg(distinct kind order by kind)::text"
                   " from inferpipe._inferpipe_steps where kind <> 9 and exec_id = %" PRId64,
                   id);
    before = fingerprint();
    calls = atomic_load(&world.calls);
    plan_all(t);
    expect(1, 0, 0, 0);
    world.change = ADD_STEP; /* behind the last recorded call */
    world.at = RECORDED + 1;
    plan_all(t);
    expect(1, 0, 0, 0);
    assert_int_equal(atomic_load(&world.calls), calls);
    assert_int_equal(fingerprint(), before);
}

/* The finding says where and why: the code has a step more, or ends, in front of call `at`. */
static void expect_place(int at)
{
    char where[32];

    assert_string_equal(found.workflow, "everything/1");
    snprintf(where, sizeof(where), "call %d: ", at);
    assert_int_equal(strncmp(found.message, where, strlen(where)), 0);
    assert_non_null(strstr(found.message, world.change == ADD_STEP
                                              ? "found step \"added\""
                                              : "found the end of the workflow"));
    assert_int_equal(found.calls, world.change == ADD_STEP ? at : at - 1);
}

/* Wherever the new code differs, the plan finds it, and then the worker fails in the same words;
 * or, where it lacks a patch, leaves the execution to others with these words. */
static void a_worker_fails_in_the_words_of_the_plan(void **state)
{
    struct enginetest *t = *state;
    char words[ERR_TEXT_SIZE];
    int64_t id;

    enginetest_worker(t, NULL);
    for (int at = 1; at <= RECORDED; at++) {
        world.change = NO_CHANGE;
        id = start_everything(t);
        world.at = at;
        world.change = at % 2 ? ADD_STEP : END_EARLY;
        plan_all(t);
        expect(0, at != PATCH_CALL, 0, at == PATCH_CALL);
        expect_place(at);
        snprintf(words, sizeof(words), "%s", found.message);
        enginetest_send(t, id, "end", "1");
        if (at != PATCH_CALL) {
            enginetest_fails(t, id, "NONDETERMINISTIC", words);
            continue;
        }
        enginetest_until_sql(t,
                             "select count(*) = 1 from inferpipe._inferpipe_attempts"
                             " where error = '%s'",
                             words);
        (void)enginetest_cancel(t, id, false);
        enginetest_wait(t, id, IFP_STATUS_CANCELED);
    }
}

static void a_call_that_cannot_be_made_fails(void **state)
{
    struct enginetest *t = *state;
    char words[ERR_TEXT_SIZE];
    int64_t id;

    enginetest_worker(t, NULL);
    id = start_everything(t);
    world.change = BAD_CALL;
    world.at = 2;
    plan_all(t);
    expect(0, 0, 1, 0);
    assert_non_null(strstr(found.message, "sleep: "));
    snprintf(words, sizeof(words), "%s", found.message);
    enginetest_send(t, id, "end", "1");
    enginetest_fails(t, id, "INVALID_INPUT", words);
}

static void one_that_is_being_undone_continues(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_start(t, "holiday", NULL, NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_runs"
                            " where state = 4 and owner = 0");
    enginetest_leave(t, w);
    plan_all(t);
    expect(1, 0, 0, 0);
    world.forgets = true;
    plan_all(t);
    expect(0, 1, 0, 0);
    assert_non_null(strstr(found.message, "expected step \"tell\""));
}

/* Its journal begins with the input of the present generation. */
static void a_later_generation_continues(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_start(t, "again", "{\"n\": 0}", NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_runs"
                            " where state = 3 and owner = 0");
    enginetest_leave(t, w);
    enginetest_sql("{1,14}", "select array_agg(kind order by kind)::text"
                             " from inferpipe._inferpipe_steps where kind <> 9");
    plan_all(t);
    expect(1, 0, 0, 0);
    world.change = ADD_STEP;
    plan_all(t);
    expect(0, 1, 0, 0);
    assert_non_null(strstr(found.message, "call 1: expected step \"part\""));
}

static void a_fork_continues(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = start_everything(t), fork;
    bool created;
    struct err e;

    enginetest_leave(t, w);
    assert_int_equal(
        client_fork(&t->client, id, &(ifp_fork_options){ .from = "large" }, &fork, &created, &e),
        0);
    plan_all(t);
    expect(2, 0, 0, 0);
    world.change = ADD_STEP;
    world.at = RECORDED - 1; /* in front of "large", where the fork stands */
    plan_all(t);
    expect(1, 1, 0, 0);
}

static void one_in_the_hands_of_a_worker_is_left_alone(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_start(t, "beside", NULL, NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_steps"
                            " where name = 'meanwhile'");
    plan_all(t);
    expect(1, 0, 0, 0);
    world.change = ADD_STEP; /* where the parallel step has no row yet */
    world.at = 1;
    plan_all(t);
    expect(0, 1, 0, 0);
    assert_string_equal(found.message, "call 1: expected a parallel step or a child, found step"
                                       " \"added\"");
    world.change = NO_CHANGE;
    enginetest_gate_let(&world.gate, 1);
    enginetest_wait_all(t, 1);
    enginetest_sql("1", "select max(fence) from inferpipe._inferpipe_results where status = 1");
    assert_int_equal(atomic_load(&world.calls), 2);
}

/* Journals that grow while they are read are read as they were at one moment. */
static void a_plan_beside_a_busy_worker_finds_nothing_wrong(void **state)
{
    struct enginetest *t = *state;
    int plans = 0;

    enginetest_fork(t, NULL);
    start_many(t, "long-one", BUSY, 2);
    do {
        assert_int_equal(plan_with(t, "5",
                                   (struct plan_options){ .workflows = workflows,
                                                          .workflow_count = ARRAY_LEN(workflows) }),
                         0);
        expect(BUSY, 0, 0, 0);
        plans++;
    } while (testdb_int8("select count(*) from inferpipe._inferpipe_runs where state = 3") < BUSY);
    print_message("%d plans\n", plans);
}

static void one_that_is_to_end_continues(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = start_everything(t);

    enginetest_leave(t, w);
    t->broken = true;
    testdb_forcef("update inferpipe._inferpipe_runs set flags = flags | 1 where exec_id = %" PRId64,
                  id);
    plan_all(t);
    expect(1, 0, 0, 0);
    testdb_forcef("update inferpipe._inferpipe_runs set flags = flags - 1,"
                  " deadline = now() - interval '1 hour' where exec_id = %" PRId64,
                  id);
    plan_all(t);
    expect(1, 0, 0, 0);
}

/* Longer than the first look at a journal, and than a page. */
static void long_journals_are_read_to_their_end(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    struct plan_options o = { .workflows = workflows, .workflow_count = ARRAY_LEN(workflows) };

    for (int i = 0; i < 3; i++)
        enginetest_start(t, "long-one", NULL, NULL);
    enginetest_until_sql(t, "select count(*) = 3 from inferpipe._inferpipe_runs"
                            " where state = 3 and owner = 0");
    enginetest_leave(t, w);
    world.change = ADD_STEP;
    assert_int_equal(plan_with(t, "7", o), 0);
    expect(0, 3, 0, 0);
    assert_non_null(strstr(found.message, "call 41: expected step \"last\""));
    world.change = NO_CHANGE;
    assert_int_equal(plan_with(t, "1", o), 0);
    expect(3, 0, 0, 0);
}

static void what_the_program_lacks_is_unknown(void **state)
{
    struct enginetest *t = *state;
    const struct engine_workflow other[] = {
        { .name = "waiter", .version = "2", .queue = "default", .fn = waiter },
        { .name = "echo", .version = "1", .queue = "default", .fn = echo },
    };
    struct plan_options o = { .workflows = other, .workflow_count = ARRAY_LEN(other) };

    for (int i = 0; i < 3; i++)
        enginetest_start(t, "waiter", NULL, NULL);
    enginetest_start(t, "waiter", NULL, &(ifp_start_options){ .queue = "night" });
    enginetest_start(t, "echo", NULL, NULL);
    assert_int_equal(plan_with(t, NULL, o), 0);
    expect(1, 0, 0, 4);
    assert_string_equal(found.workflow, "waiter/1");
    assert_string_equal(found.id, "");
    assert_int_equal(found.executions, 4);
    o.queue = "night";
    assert_int_equal(plan_with(t, NULL, o), 0);
    expect(0, 0, 0, 1);
    o.queue = NULL;
    o.workflow = "echo";
    assert_int_equal(plan_with(t, NULL, o), 0);
    expect(1, 0, 0, 0);
    found.ends = 7;
    o.workflow = NULL;
    assert_int_equal(plan_with(t, NULL, o), 7);
    found.ends = 0;
}

/* What a program with a command line of its own does. */
static void a_program_may_ask_by_itself(void **state)
{
    struct enginetest *t = *state;
    ifp_app *app = ifp_app_new("planner");
    ifp_plan_totals sums;
    ifp_client *client;

    for (int i = 0; i < 3; i++)
        enginetest_start(t, "waiter", NULL, NULL);
    enginetest_start(t, "echo", NULL, NULL);
    ifp_workflow(app, "waiter", waiter, NULL);
    assert_int_equal(ifp_client_open(t->url, &client), 0);
    found.count = 0;
    assert_int_equal(ifp_plan(client, app, NULL, on_finding, NULL, &sums), 0);
    assert_true(sums.continues == 3 && sums.unknown == 1 && sums.diverges + sums.fails == 0);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.workflow, "echo/1");
    assert_int_equal(ifp_plan(client, app, &(ifp_plan_options){ .limit = 2, .workflow = "waiter" },
                              NULL, NULL, &sums),
                     0);
    assert_true(sums.continues == 2 && sums.unknown == 0);
    assert_int_equal(ifp_plan(client, app, &(ifp_plan_options){ .limit = -1 }, NULL, NULL, &sums),
                     IFP_EINVALID);
    assert_string_equal(ifp_client_error(client), "limit must not be negative");
    assert_int_equal(ifp_plan(client, NULL, NULL, NULL, NULL, &sums), IFP_EINVALID);
    ifp_workflow(app, "No Name", waiter, NULL);
    assert_int_equal(ifp_plan(client, app, NULL, NULL, NULL, &sums), IFP_EINVALID);
    assert_non_null(strstr(ifp_client_error(client), "No Name"));
    ifp_client_close(client);
    ifp_app_free(app);
}

/* The highest that this process needed since reset_peak, in KiB. */
static int64_t peak(void)
{
    FILE *in = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;

    assert_non_null(in);
    while (fgets(line, sizeof(line), in))
        if (sscanf(line, "VmHWM: %lld", &kib) == 1)
            break;
    fclose(in);
    assert_true(kib > 0);
    return kib;
}

static void reset_peak(void)
{
    FILE *out = fopen("/proc/self/clear_refs", "w");

    assert_non_null(out);
    fputs("5", out);
    assert_int_equal(fclose(out), 0);
}

static int64_t plan_peak(struct enginetest *t, int64_t limit, int64_t expected)
{
    struct plan_options o = { .workflows = workflows,
                              .workflow_count = ARRAY_LEN(workflows),
                              .limit = limit };

    reset_peak();
    assert_int_equal(plan_with(t, NULL, o), 0);
    expect(expected, 0, 0, 0);
    return peak();
}

#ifdef __SANITIZE_ADDRESS__
enum { KEPT_FREED = 512 * 1024 }; /* KiB: memory that was freed is kept for a while */
#else
enum { KEPT_FREED = 0 };
#endif

/* Ten times as many live executions need no more memory. */
static void memory_is_that_of_a_page(void **state)
{
    struct enginetest *t = *state;
    int64_t few, many;

    start_many(t, "waiter", MANY, 1000);
    few = plan_peak(t, MANY / 10, MANY / 10);
    many = plan_peak(t, 0, MANY);
    print_message("plan: %" PRId64 " KiB with %d, %" PRId64 " KiB with %d\n", few, MANY / 10, many,
                  MANY);
    assert_true(many < few + 4 * 1024 + KEPT_FREED); /* the inputs alone are 10 MiB */
}

static void large_payloads_make_small_pages(void **state)
{
    struct enginetest *t = *state;
    int64_t one, all;

    for (int i = 0; i < MEGABYTES; i++)
        start_many(t, "waiter", 1, 1 << 20);
    one = plan_peak(t, 1, 1);
    all = plan_peak(t, 0, MEGABYTES);
    print_message("plan: %" PRId64 " KiB with one, %" PRId64 " KiB with all\n", one, all);
    assert_true(all < one + 32 * 1024 + KEPT_FREED); /* a page of them has 64 MiB, and twice */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_that_of_a_page, setup, teardown),
        cmocka_unit_test_setup_teardown(large_payloads_make_small_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_may_ask_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_row_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_fails_in_the_words_of_the_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_that_cannot_be_made_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_being_undone_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_generation_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fork_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(one_in_the_hands_of_a_worker_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_plan_beside_a_busy_worker_finds_nothing_wrong, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_is_to_end_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(long_journals_are_read_to_their_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_program_lacks_is_unknown, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
