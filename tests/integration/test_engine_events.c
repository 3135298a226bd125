/*
 * tests/integration/test_engine_events.c - the stream of an execution, and steps that beat: events
 * are numbered without a gap, each of the workflow's comes once, those of steps leave at once.
 */
#include "base/ids.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CHUNKS = 2000 };

static struct world { /* shared with forked workers */
    struct enginetest_gate gate;
    int refused;
} * world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int emit(ifp_run *run, const char *kind, int n)
{
    const ifp_json *data;

    IFP_TRY(ifp_json_build(run, &data, "i", n));
    return ifp_emit(run, kind, data);
}

static int step_emit(ifp_step_ctx *step, const char *kind, int n)
{
    const ifp_json *data;

    IFP_TRY(ifp_json_build(step, &data, "i", n));
    return ifp_step_emit(step, kind, data);
}

static int waits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    IFP_TRY(emit(run, "log", 1));
    IFP_TRY(emit(run, "log", 2));
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    IFP_TRY(emit(run, "my.kind", 3));
    IFP_TRY(ifp_sleep_ms(run, 1));
    return emit(run, "data", 4);
}

static int talk(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    IFP_TRY(step_emit(step, "token", ifp_step_attempt(step) * 10));
    enginetest_gate_pass(&world->gate);
    IFP_TRY(step_emit(step, "token", ifp_step_attempt(step) * 10 + 1));
    return ifp_step_attempt(step) == 1 ? ifp_step_fail(step, "AGAIN", IFP_RETRY, "once more") : 0;
}

static int talks(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(emit(run, "log", 1));
    return ifp_step_with(run, "talk", talk, input, ret,
                         &(ifp_step_options){ .delay_ms = 1, .jitter = -1 });
}

static int chatter(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    for (int i = 1; i <= CHUNKS; i++)
        IFP_TRY(step_emit(step, "token", i));
    return 0;
}

static int chatters(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "chatter", chatter, input, ret);
}

/* The input says which limit is tried: the size, the kind, or how many. */
static int over_in_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = NULL;
    if (ifp_json_typeof(input, "") == IFP_JSON_STRING)
        return ifp_step_emit(step, "log", input);
    IFP_TRY(ifp_step_emit(step, "log", input));
    IFP_TRY(ifp_step_emit(step, "log", input));
    world->refused = ifp_step_emit(step, "Not A Slug", input);
    return ifp_step_emit(step, "log", input);
}

static int over(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_json_bool(input, "/step", false))
        return ifp_step(run, "over", over_in_step, ifp_json_get(input, "/data"), ret);
    for (int i = 0; i < 3; i++)
        IFP_TRY(ifp_emit(run, ifp_json_str(input, "/kind", "log"), ifp_json_get(input, "/data")));
    return 0;
}

static int silent(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    if (ifp_step_attempt(step) > 1)
        return 0;
    while (!ifp_step_canceled(step))
        (void)poll(NULL, 0, 1);
    return 0;
}

static int silents(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "silent", silent, input, ret,
                         &(ifp_step_options){ .heartbeat_ms = 40, .delay_ms = 1, .jitter = -1 });
}

/* Works far longer than the time between two beats. */
static int steady(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    for (int i = 0; i < 50; i++) {
        (void)poll(NULL, 0, 20);
        IFP_TRY(ifp_step_heartbeat(step, NULL));
    }
    return 0;
}

static int steadies(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "steady", steady, input, ret,
                         &(ifp_step_options){ .heartbeat_ms = 700, .attempts = 1 });
}

/* Each attempt goes on from the progress of the one before. */
static int climb(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int64_t at = ifp_json_int(ifp_step_progress(step), "/at", 0);
    const ifp_json *progress;

    (void)input;
    if (at >= 3)
        return ifp_json_build(step, ret, "I", at);
    IFP_TRY(ifp_json_build(step, &progress, "{s:I}", "at", at + 1));
    IFP_TRY(ifp_step_heartbeat(step, progress));
    if (at == 2)
        enginetest_gate_pass(&world->gate);
    return ifp_step_fail(step, "TIRED", IFP_RETRY, "it rests");
}

static int climbs(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "climb", climb, input, ret,
                         &(ifp_step_options){ .attempts = -1, .delay_ms = 1, .jitter = -1 });
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(waits),  ENGINETEST_WORKFLOW(talks),   ENGINETEST_WORKFLOW(chatters),
    ENGINETEST_WORKFLOW(over),   ENGINETEST_WORKFLOW(silents), ENGINETEST_WORKFLOW(steadies),
    ENGINETEST_WORKFLOW(climbs),
};

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    if (!world)
        world = enginetest_shared(sizeof(*world));
    enginetest_gate_open(&world->gate);
    world->refused = 0;
    return 0;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world->gate);
    return rc;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void an_event_comes_once_over_all_replays(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "waits", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    enginetest_sql("1log1 2log2", "select string_agg(seq || kind || data, ' ' order by seq)"
                                  " from inferpipe.events");
    enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "7");
    enginetest_completes(t, id, "7");
    enginetest_sql(
        "1log1 2log2 3my.kind3 4data4",
        "select string_agg(seq || kind || data, ' ' order by seq) from inferpipe.events");
    enginetest_sql("4", "select count(*) from inferpipe.events where step is null and attempt = 0");
}

static void what_a_step_emits_is_there_before_it_is_done(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "talks", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_events");
    assert_int_equal(atomic_load(&world->gate.came), 1);
    enginetest_gate_let(&world->gate, 2);
    enginetest_completes(t, id, "1");
    enginetest_sql("1:0:1 2:1:10 3:1:11 4:2:20 5:2:21",
                   "select string_agg(seq || ':' || attempt || ':' || data, ' ' order by seq)"
                   " from inferpipe.events");
    enginetest_sql("4", "select count(*) from inferpipe.events where step = 'talk'");
}

static void quick_chunks_leave_together_in_order_without_a_gap(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[4];

    for (int i = 0; i < 4; i++)
        ids[i] = enginetest_start(t, "chatters", "1", NULL);
    enginetest_worker(t, NULL);
    for (int i = 0; i < 4; i++)
        enginetest_completes(t, ids[i], "1");
    enginetest_sql("4",
                   "select count(*) from (select from inferpipe.events group by exec_id"
                   " having count(*) = %d and max(seq) = %d) x",
                   CHUNKS, CHUNKS);
    enginetest_sql("0", "select count(*) from inferpipe.events where seq <> data::text::int");
    enginetest_sql("t", "select count(distinct at) < 2000 from inferpipe.events");
}

static void over_a_limit_there_is_a_clear_error(void **state)
{
    static const struct {
        const char *input, *code, *part;
    } cases[] = {
        { "{\"data\":1}", "PAYLOAD_TOO_LARGE", "emit: the execution has 2 events already" },
        { "{\"step\":true,\"data\":1}", "PAYLOAD_TOO_LARGE", "has 2 events already (events-max)" },
        { "{\"kind\":\"Not A Slug\",\"data\":1}", "INVALID_INPUT", "emit: kind" },
    };
    struct enginetest *t = *state;
    char large[160], text[70];

    enginetest_worker(t, "event-max=64 events-max=2");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        enginetest_fails(t, enginetest_start(t, "over", cases[i].input, NULL), cases[i].code,
                         cases[i].part);
    assert_int_equal(world->refused, IFP_EINVALID);
    memset(text, 'x', 63);
    text[63] = '\0';
    snprintf(large, sizeof(large), "{\"data\":\"%s\"}", text);
    enginetest_fails(t, enginetest_start(t, "over", large, NULL), "PAYLOAD_TOO_LARGE",
                     "emit: 65 bytes are over the limit of 64 (event-max)");
    snprintf(large, sizeof(large), "{\"step\":true,\"data\":\"%s\"}", text);
    enginetest_fails(t, enginetest_start(t, "over", large, NULL), "PAYLOAD_TOO_LARGE",
                     "emit: 65 bytes are over the limit of 64 (event-max)");
    text[62] = '\0';
    snprintf(large, sizeof(large), "{\"step\":true,\"data\":\"%s\"}", text);
    enginetest_completes(t, enginetest_start(t, "over", large, NULL), "null");
}

struct follower {
    int64_t last;
    int given, stop_at;
};

static int follow(void *ctx, const ifp_event *event)
{
    struct follower *f = ctx;

    assert_int_equal(event->number, f->last + 1);
    f->last = event->number;
    return ++f->given == f->stop_at ? 99 : 0;
}

static void a_client_resumes_by_number(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "chatters", "1", NULL);
    struct follower f = { .stop_at = 700 };
    char text[IFP_ID_SIZE];
    ifp_client *client;

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    ids_execution_format(id, text);
    assert_int_equal(ifp_client_open(t->url, &client), 0);
    assert_int_equal(ifp_client_events(client, text, 0, -1, follow, &f), 99);
    assert_int_equal(f.last, 700);
    assert_int_equal(ifp_client_events(client, text, f.last, -1, follow, &f), 0);
    assert_int_equal(f.last, CHUNKS);
    assert_int_equal(ifp_client_events(client, text, f.last, 0, follow, &f), 0);
    assert_int_equal(f.given, CHUNKS);
    assert_int_equal(ifp_client_events(client, "exe_0000000000001", 0, 0, follow, &f),
                     IFP_ENOTFOUND);
    assert_int_equal(ifp_client_events(client, text, -1, 0, follow, &f), IFP_EINVALID);
    ifp_client_close(client);
}

static void following_a_quiet_one_times_out(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "waits", NULL, NULL);
    struct follower f = { .stop_at = -1 };
    char text[IFP_ID_SIZE];
    ifp_client *client;

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    ids_execution_format(id, text);
    assert_int_equal(ifp_client_open(t->url, &client), 0);
    assert_int_equal(ifp_client_events(client, text, 0, 0, follow, &f), 0);
    assert_int_equal(ifp_client_events(client, text, f.last, 20, follow, &f), IFP_ETIMEOUT);
    assert_int_equal(f.given, 2);
    ifp_client_close(client);
    enginetest_send(t, id, "go", "1");
    enginetest_completes(t, id, "1");
}

/* ---- beats ----------------------------------------------------------------------------------- */

static void a_step_that_stops_beating_is_tried_again(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "silents", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    enginetest_sql("TIMEOUT no heartbeat came in time",
                   "select error_code || ' ' || error from inferpipe._inferpipe_attempts");
    enginetest_sql("2", "select attempts from inferpipe._inferpipe_steps");
}

static void a_step_that_beats_may_take_its_time(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "steadies", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "1");
    enginetest_sql("1", "select attempts from inferpipe._inferpipe_steps");
}

static void the_next_attempt_goes_on_from_the_progress(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "climbs", NULL, NULL);

    enginetest_gate_let(&world->gate, 1);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "3");
    enginetest_sql("4", "select attempts from inferpipe._inferpipe_steps");
}

static void progress_survives_its_worker(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "climbs", NULL, NULL);

    enginetest_until_sql(t, "select progress->>'at' = '3' from inferpipe.steps"
                            " where status = 'running' and name = 'climb'");
    enginetest_signal(w, SIGKILL);
    enginetest_worker(t, "lease=1s");
    enginetest_completes(t, id, "3");
    enginetest_sql("t", "select fence > 1 and attempts = 3 from inferpipe._inferpipe_steps");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_comes_once_over_all_replays),
        TEST(what_a_step_emits_is_there_before_it_is_done),
        TEST(quick_chunks_leave_together_in_order_without_a_gap),
        TEST(over_a_limit_there_is_a_clear_error),
        TEST(a_client_resumes_by_number),
        TEST(following_a_quiet_one_times_out),
        TEST(a_step_that_stops_beating_is_tried_again),
        TEST(a_step_that_beats_may_take_its_time),
        TEST(the_next_attempt_goes_on_from_the_progress),
        TEST(progress_survives_its_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
