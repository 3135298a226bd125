/*
 * tests/integration/test_api_executions.c - the routes of executions over HTTP, two servers on one
 * database, and the engine in a process of its own: the three ways to start, replays, waits,
 * streams that go on elsewhere, bulk starts, what is refused and how.
 */
#include "base/clock.h"
#include "base/ids.h"
#include "lib/apiserver.h"
#include "lib/enginetest.h"
#include "lib/looptest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START(workflow) "/v1/workflows/" workflow "/executions"
#define JSON "content-type: application/json\r\n"
#define SECOND INT64_C(1000000)

static struct fixture {
    struct enginetest *t;
    struct apiserver one, two;
    struct httptest_answer a;
    char id[64], path[256];
} f;

/* ---- workflows ------------------------------------------------------------------------------ */

static int pass(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step_cost(step, 7, 0.25));
    *ret = input;
    return 0;
}

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "pass", pass, input, ret);
}

static int waits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static int fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_fail(run, "NO_STOCK", "nothing is left");
}

static int talks(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *got;

    IFP_TRY(ifp_emit(run, "log", input));
    IFP_TRY(ifp_emit(run, "token", input));
    IFP_TRY(ifp_receive(run, "go", NULL, &got));
    IFP_TRY(ifp_emit(run, "my.kind", got));
    if (ifp_json_bool(got, "", false))
        return ifp_fail(run, "NO_STOCK", "nothing is left");
    *ret = got;
    return 0;
}

static int refuse(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "AGAIN", IFP_RETRY, "once more");
}

static int tries(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "refuse", refuse, input, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(echo),  ENGINETEST_WORKFLOW(waits), ENGINETEST_WORKFLOW(fails),
    ENGINETEST_WORKFLOW(talks), ENGINETEST_WORKFLOW(tries),
};

/* ---- shared --------------------------------------------------------------------------------- */

static int setup(void **state)
{
    memset(&f, 0, sizeof(f));
    assert_int_equal(enginetest_setup(state), 0);
    f.t = *state;
    enginetest_define(f.t, workflows, ARRAY_LEN(workflows));
    apiserver_start(&f.one, f.t->url, NULL, 0);
    apiserver_start(&f.two, f.t->url, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    httptest_release(&f.a);
    apiserver_stop(&f.one);
    apiserver_stop(&f.two);
    return enginetest_teardown(state);
}

static void ask(const struct apiserver *s, const char *method, const char *path,
                const char *headers, const char *body)
{
    httptest_release(&f.a);
    apiserver_ask(s, method, path, headers, body, &f.a);
}

static void post(const char *path, const char *body)
{
    ask(&f.one, "POST", path, JSON, body);
}

/* Without its quotes. */
static const char *text_at(const char *pointer)
{
    static char text[256];
    const char *json = httptest_json(&f.a, pointer);

    assert_non_null(json);
    snprintf(text, sizeof(text), "%.*s", (int)strlen(json) - 2, json + 1);
    return text;
}

/* The path of the execution that the last answer names. */
static const char *one(const char *rest)
{
    snprintf(f.path, sizeof(f.path), "/v1/executions/%s%s", f.id, rest);
    return f.path;
}

static void keep_id(void)
{
    snprintf(f.id, sizeof(f.id), "%s", text_at("/id"));
}

static int64_t id_number(void)
{
    int64_t id;

    assert_int_equal(ids_execution_parse(f.id, &id), 0);
    return id;
}

/* ---- starting ------------------------------------------------------------------------------- */

static void an_asynchronous_start_gives_an_id_at_once(void **state)
{
    (void)state;
    post(START("waits"), "{\"input\":{\"n\":1e400},\"metadata\":{\"a\":1},\"priority\":2,"
                         "\"trace\":{\"parentId\":\"0123456789abcdef0123456789abcdef\","
                         "\"tags\":{\"team\":\"x\"}}}");
    httptest_expect(&f.a, 202, "/status", "\"queued\"");
    httptest_expect(&f.a, 202, "/workflowId", "\"waits\"");
    keep_id();
    assert_string_equal(httptest_header(&f.a, "location"), one(""));
    assert_string_equal(httptest_header(&f.a, "x-inferpipe-trace"),
                        "0123456789abcdef0123456789abcdef");
    ask(&f.two, "GET", one(""), NULL, NULL);
    httptest_expect(&f.a, 200, "/status", "\"queued\"");
    httptest_expect(&f.a, 200, "/input", "{\"n\":1e400}");
    httptest_expect(&f.a, 200, "/priority", "2");
    httptest_expect(&f.a, 200, "/trace/tags/team", "\"x\"");
    httptest_expect(&f.a, 200, "/metadata/a", "1");
    assert_null(httptest_json(&f.a, "/startedAt"));
}

static void a_synchronous_start_gives_the_result(void **state)
{
    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("echo"), "{\"input\":{\"message\":\"hello \\u00e9\"},\"mode\":\"sync\"}");
    httptest_expect(&f.a, 200, "/data", "{\"message\":\"hello \\u00e9\"}");
    httptest_expect(&f.a, 200, "/status", "\"completed\"");
    httptest_expect(&f.a, 200, "/cost/tokens", "7");
    httptest_expect(&f.a, 200, "/cost/usd", "0.25");
    assert_non_null(httptest_json(&f.a, "/durationMs"));
    assert_non_null(httptest_json(&f.a, "/trace/id"));
    keep_id();
    ask(&f.two, "GET", one(""), NULL, NULL);
    httptest_expect(&f.a, 200, "/data", "{\"message\":\"hello \\u00e9\"}");
    assert_non_null(httptest_json(&f.a, "/startedAt"));
    ask(&f.two, "GET", one("/steps"), NULL, NULL);
    httptest_expect(&f.a, 200, "/data/0/name", "\"pass\"");
    httptest_expect(&f.a, 200, "/data/0/key", "\"pass\"");
    httptest_expect(&f.a, 200, "/nextCursor", "null");
}

static void a_synchronous_start_that_fails_is_an_error_with_its_code(void **state)
{
    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("fails"), "{\"mode\":\"sync\"}");
    httptest_expect(&f.a, 500, "/code", "\"NO_STOCK\"");
    httptest_expect(&f.a, 500, "/message", "\"nothing is left\"");
    assert_non_null(httptest_json(&f.a, "/executionId"));
}

static void a_wait_that_is_over_first_gives_the_id(void **state)
{
    (void)state;
    post(START("waits"), "{\"mode\":\"sync\",\"timeoutMs\":50}");
    httptest_expect(&f.a, 202, "/workflowId", "\"waits\"");
    httptest_expect(&f.a, 202, "/status", "\"queued\"");
    keep_id();
    post(one("/cancel"), "");
    httptest_expect(&f.a, 202, "/status", "\"canceled\"");
    ask(&f.two, "GET", one("?wait=20s"), NULL, NULL);
    httptest_expect(&f.a, 200, "/status", "\"canceled\"");
    httptest_expect(&f.a, 200, "/error/code", "\"CANCELED\"");
}

static void a_wait_that_is_over_says_what_became_of_it(void **state)
{
    bool running = false;

    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("waits"), "{\"idempotencyKey\":\"slow\"}");
    keep_id();
    while (!running) {
        ask(&f.one, "GET", one(""), NULL, NULL);
        running = strcmp(httptest_json(&f.a, "/status"), "\"running\"") == 0;
        httptest_pause();
    }
    post(START("waits"), "{\"mode\":\"sync\",\"timeoutMs\":1,\"idempotencyKey\":\"slow\"}");
    httptest_expect(&f.a, 202, "/status", "\"running\"");
}

static void retry_options_are_those_of_the_steps(void **state)
{
    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("tries"), "{\"mode\":\"sync\",\"retry\":{\"attempts\":2,\"backoff\":\"fixed\","
                         "\"maxDelayMs\":1}}");
    httptest_expect(&f.a, 500, "/code", "\"AGAIN\"");
    enginetest_sql("2", "select attempts from inferpipe._inferpipe_steps");
    post(START("tries"), "{\"mode\":\"sync\",\"retry\":{\"attempts\":0}}");
    httptest_expect(&f.a, 500, "/code", "\"AGAIN\"");
    enginetest_sql("1", "select attempts from inferpipe._inferpipe_steps order by exec_id desc"
                        " limit 1");
}

/* ---- idempotency ---------------------------------------------------------------------------- */

static void a_key_gives_the_same_answer_on_every_server(void **state)
{
    const char *key = JSON "idempotency-key: k1\r\n";
    char first[1024];

    (void)state;
    ask(&f.one, "POST", START("waits"), key, "{\"input\":1,\"metadata\":{\"a\":1}}");
    httptest_expect(&f.a, 202, "/status", "\"queued\"");
    assert_null(httptest_header(&f.a, "idempotency-replayed"));
    snprintf(first, sizeof(first), "%s", f.a.body);
    ask(&f.two, "POST", START("waits"), key, "{\"input\":1,\"metadata\":{\"a\":1}}");
    assert_string_equal(f.a.body, first);
    assert_string_equal(httptest_header(&f.a, "idempotency-replayed"), "true");
    ask(&f.two, "POST", START("waits"), JSON,
        "{\"input\":1,\"metadata\":{\"a\":1},\"idempotencyKey\":\"k1\"}");
    assert_string_equal(f.a.body, first);
    ask(&f.two, "POST", START("waits"), key, "{\"input\":2,\"metadata\":{\"a\":1}}");
    httptest_expect(&f.a, 422, "/code", "\"IDEMPOTENCY_MISMATCH\"");
    ask(&f.two, "POST", START("waits"), key, "{\"input\":1,\"metadata\":{\"a\":2}}");
    httptest_expect(&f.a, 422, "/code", "\"IDEMPOTENCY_MISMATCH\"");
    ask(&f.two, "POST", START("waits"), key, "{\"input\":1,\"idempotencyKey\":\"k2\"}");
    httptest_expect(&f.a, 400, "/errors/0/pointer", "\"/idempotencyKey\"");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

static void equal_starts_at_once_on_two_servers_make_one(void **state)
{
    enum { CLIENTS = 16 };
    static const char request[] =
        "POST " START("waits") " HTTP/1.1\r\nhost: x\r\n" JSON
                               "idempotency-key: same\r\ncontent-length: 11\r\n\r\n{\"input\":7}";
    struct httptest_conn c[CLIENTS];

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        assert_true(httptest_connect(&c[i], i % 2 ? f.one.port : f.two.port));
    for (int i = 0; i < CLIENTS; i++)
        assert_true(httptest_send(&c[i], request, sizeof(request) - 1));
    for (int i = 0; i < CLIENTS; i++) {
        httptest_release(&f.a);
        assert_true(httptest_receive(&c[i], &f.a));
        httptest_disconnect(&c[i]);
        assert_int_equal(f.a.status, 202);
        if (i > 0)
            assert_string_equal(text_at("/id"), f.id);
        keep_id();
    }
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

static void a_server_that_dies_with_the_answer_loses_nothing(void **state)
{
    static const char request[] =
        "POST " START("echo") " HTTP/1.1\r\nhost: x\r\n" JSON
                              "idempotency-key: once\r\ncontent-length: 28\r\n\r\n"
                              "{\"input\":7,\"mode\":\"sync\"   }";
    struct httptest_conn c;

    (void)state;
    assert_true(httptest_connect(&c, f.one.port));
    assert_true(httptest_send(&c, request, sizeof(request) - 1));
    enginetest_until_sql(f.t, "select count(*) = 1 from inferpipe._inferpipe_runs");
    apiserver_kill(&f.one);
    assert_false(httptest_receive(&c, &f.a));
    httptest_disconnect(&c);
    (void)enginetest_fork(f.t, NULL);
    ask(&f.two, "POST", START("echo"), JSON "idempotency-key: once\r\n",
        "{\"input\":7,\"mode\":\"sync\"}");
    httptest_expect(&f.a, 200, "/data", "7");
    assert_string_equal(httptest_header(&f.a, "idempotency-replayed"), "true");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_executions");
}

static void postgres_connections_that_die_cost_no_answer(void **state)
{
    (void)state;
    (void)enginetest_fork(f.t, NULL);
    for (int i = 0; i < 5; i++) {
        post(START("echo"), "{\"input\":1,\"mode\":\"sync\"}");
        httptest_expect(&f.a, 200, "/data", "1");
        testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity where"
                    " datname = current_database() and application_name = 'inferpipe serve'");
        post(START("echo"), "{\"input\":2,\"mode\":\"sync\"}");
        httptest_expect(&f.a, 200, "/data", "2");
    }
    enginetest_sql("10", "select count(*) from inferpipe._inferpipe_executions");
}

/* ---- how many may wait ---------------------------------------------------------------------- */

/* Until one more wait gets this status. */
static void until_one_more(const struct apiserver *s, int status)
{
    int64_t give_up = clock_mono_us() + 60 * SECOND;

    for (ask(s, "GET", one("?wait=1ms"), NULL, NULL); f.a.status != status;
         ask(s, "GET", one("?wait=1ms"), NULL, NULL)) {
        if (clock_mono_us() > give_up)
            fail_msg("never %d, last: %s%s", status, f.a.head, f.a.body);
        httptest_pause();
    }
}

static void send_request(struct httptest_conn *c, const struct apiserver *s, const char *method,
                         const char *path, const char *body)
{
    char request[512];

    assert_true(httptest_connect(c, s->port));
    snprintf(request, sizeof(request),
             "%s %s HTTP/1.1\r\nhost: x\r\n" JSON "content-length: %zu\r\n\r\n%s", method, path,
             strlen(body), body);
    assert_true(httptest_send(c, request, strlen(request)));
}

static void expect_full(void)
{
    httptest_expect(&f.a, 503, "/code", "\"UNAVAILABLE\"");
    assert_non_null(strstr(text_at("/message"), "waits-max"));
    assert_string_equal(httptest_header(&f.a, "retry-after"), "1");
}

static void one_wait_too_many_is_refused_until_another_is_over(void **state)
{
    static const struct apiserver_option two[] = { { CONFIG_WAITS_MAX, "2" } };
    struct httptest_conn shown, started;
    struct apiserver s;

    (void)state;
    apiserver_start(&s, f.t->url, two, ARRAY_LEN(two));
    (void)enginetest_fork(f.t, NULL);
    post(START("waits"), "{}");
    keep_id();
    enginetest_until_sql(f.t, "select state = 3 from inferpipe._inferpipe_runs");
    send_request(&shown, &s, "GET", one("?wait=50s"), "");
    send_request(&started, &s, "POST", START("waits"), "{\"mode\":\"sync\",\"timeoutMs\":50000}");
    /* both were let in: from here on it does not matter when one more asks */
    enginetest_until_sql(f.t, "select count(*) = 2 from inferpipe._inferpipe_runs"
                              " where flags & 64 <> 0");
    until_one_more(&s, 503);
    expect_full();
    ask(&s, "POST", START("waits"), JSON, "{\"mode\":\"sync\"}");
    expect_full();
    ask(&s, "POST", START("waits"), JSON, "{\"mode\":\"stream\"}");
    expect_full();
    ask(&s, "GET", one("/events"), "accept: text/event-stream\r\n", NULL);
    expect_full();
    enginetest_sql("2", "select count(*) from inferpipe._inferpipe_executions"); /* not started */
    ask(&s, "GET", one(""), NULL, NULL); /* who only looks is not refused */
    httptest_expect(&f.a, 200, "/workflowId", "\"waits\"");
    httptest_disconnect(&started);
    until_one_more(&s, 200);
    ask(&s, "POST", one("/messages/go"), JSON, "7");
    httptest_release(&f.a);
    assert_true(httptest_receive(&shown, &f.a));
    httptest_expect(&f.a, 200, "/data", "7");
    httptest_disconnect(&shown);
    apiserver_stop(&s);
}

/* ---- bulk ----------------------------------------------------------------------------------- */

static void many_start_with_an_outcome_each(void **state)
{
    (void)state;
    post("/v1/executions",
         "[{\"workflowId\":\"waits\",\"input\":1,\"idempotencyKey\":\"a\"},"
         "{\"workflowId\":\"nope\"},"
         "{\"workflowId\":\"waits\",\"input\":2,\"idempotencyKey\":\"a\"},"
         "{\"workflowId\":\"waits\",\"priority\":9},"
         "{\"workflowId\":\"waits\",\"input\":1,\"idempotencyKey\":\"a\"},"
         "7,"
         "{\"workflowId\":\"waits\",\"message\":{\"name\":\"go\",\"payload\":\"now\"}}]");
    assert_int_equal(f.a.status, 200);
    httptest_expect(&f.a, 200, "/data/0/status", "\"queued\"");
    httptest_expect(&f.a, 200, "/data/1/error/code", "\"NOT_FOUND\"");
    httptest_expect(&f.a, 200, "/data/2/error/code", "\"IDEMPOTENCY_MISMATCH\"");
    httptest_expect(&f.a, 200, "/data/3/error/errors/0/pointer", "\"/3/priority\"");
    httptest_expect(&f.a, 200, "/data/4/replayed", "true");
    httptest_expect(&f.a, 200, "/data/5/error/code", "\"INVALID_INPUT\"");
    snprintf(f.id, sizeof(f.id), "%s", text_at("/data/6/id"));
    (void)enginetest_fork(f.t, NULL);
    ask(&f.two, "GET", one("?wait=20s"), NULL, NULL);
    httptest_expect(&f.a, 200, "/data", "\"now\"");
    post("/v1/executions", "[]");
    httptest_expect(&f.a, 400, "/message", "\"must have 1 to 1000 elements\"");
    post("/v1/executions", "{}");
    assert_int_equal(f.a.status, 400);
}

static void the_thousand_and_first_is_too_many(void **state)
{
    char *body = malloc(64 * 1024);
    size_t len = 1;

    (void)state;
    assert_non_null(body);
    body[0] = '[';
    for (int i = 0; i < 1001; i++)
        len +=
            (size_t)snprintf(body + len, 64, "{\"workflowId\":\"waits\"}%s", i < 1000 ? "," : "]");
    post("/v1/executions", body);
    assert_int_equal(f.a.status, 400);
    memcpy(body + strlen(body) - 24, "]", 2); /* one less */
    post("/v1/executions", body);
    assert_int_equal(f.a.status, 200);
    enginetest_sql("1000", "select count(*) from inferpipe._inferpipe_runs");
    ask(&f.one, "GET", "/v1/executions?limit=1000&status=queued", NULL, NULL);
    assert_non_null(httptest_json(&f.a, "/data/999/id"));
    free(body);
}

/* ---- streams -------------------------------------------------------------------------------- */

static void expect_event(struct httptest_conn *c, const char *id, const char *name,
                         const char *part)
{
    struct httptest_event e;

    assert_true(httptest_event(c, &e));
    assert_string_equal(e.id, id);
    assert_string_equal(e.name, name);
    if (!strstr(e.data, part))
        fail_msg("%s is not in %s", part, e.data);
}

static void a_stream_goes_on_at_another_server(void **state)
{
    struct httptest_conn c;

    (void)state;
    (void)enginetest_fork(f.t, NULL);
    assert_true(httptest_connect(&c, f.one.port));
    assert_int_equal(httptest_follow(&c, "POST", START("talks"), JSON,
                                     "{\"mode\":\"stream\",\"input\":{\"a\":\n1}}"),
                     200);
    expect_event(&c, "1", "log", "\"payload\":{\"a\": 1}}");
    expect_event(&c, "2", "token", "\"type\":\"token\"");
    apiserver_kill(&f.one);
    httptest_disconnect(&c);
    ask(&f.two, "GET", "/v1/executions?workflow=talks", NULL, NULL);
    snprintf(f.id, sizeof(f.id), "%s", text_at("/data/0/id"));
    assert_true(httptest_connect(&c, f.two.port));
    assert_int_equal(httptest_follow(&c, "GET", one("/events"),
                                     "accept: text/event-stream\r\nlast-event-id: 1\r\n", NULL),
                     200);
    expect_event(&c, "2", "token", "\"type\":\"token\"");
    ask(&f.two, "POST", one("/messages/go"), JSON, "5");
    httptest_expect(&f.a, 202, "/accepted", "true");
    expect_event(&c, "3", "data", "{\"kind\":\"my.kind\",\"data\":5}");
    expect_event(&c, "4", "done", "\"status\":\"completed\",\"data\":5");
    assert_false(httptest_event(&c, &(struct httptest_event){ 0 }));
    httptest_disconnect(&c);
}

static void a_failure_is_an_event_before_done(void **state)
{
    struct httptest_conn c;
    static const char *const headers[] = {
        "accept: text/event-stream\r\n",
        "accept: text/event-stream\r\nlast-event-id: 4\r\n",
        "accept: text/event-stream\r\nlast-event-id: 5\r\n",
    };

    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("talks"), "{\"message\":{\"name\":\"go\",\"payload\":true}}");
    keep_id();
    for (int i = 0; i < 3; i++) {
        assert_true(httptest_connect(&c, f.two.port));
        assert_int_equal(httptest_follow(&c, "GET", one("/events"), headers[i], NULL), 200);
        if (i == 0) {
            expect_event(&c, "1", "log", "null");
            expect_event(&c, "2", "token", "null");
            expect_event(&c, "3", "data", "true");
            expect_event(&c, "4", "error",
                         "{\"code\":\"NO_STOCK\",\"message\":\"nothing is left\"}");
        }
        if (i < 2)
            expect_event(&c, "5", "done", "\"status\":\"failed\"");
        assert_false(httptest_event(&c, &(struct httptest_event){ 0 }));
        httptest_disconnect(&c);
    }
    ask(&f.one, "GET", one("/events?limit=2"), NULL, NULL);
    httptest_expect(&f.a, 200, "/ended", "false");
    httptest_expect(&f.a, 200, "/nextCursor", "\"2\"");
    ask(&f.one, "GET", one("/events?limit=2&cursor=2"), NULL, NULL);
    httptest_expect(&f.a, 200, "/data/0/payload/kind", "\"my.kind\"");
    httptest_expect(&f.a, 200, "/ended", "true");
}

static void draining_ends_streams_and_finishes_requests(void **state)
{
    struct httptest_conn c;

    (void)state;
    assert_true(httptest_connect(&c, f.one.port));
    assert_int_equal(httptest_follow(&c, "POST", START("waits"), JSON, "{\"mode\":\"stream\"}"),
                     200);
    apiserver_stop(&f.one);
    assert_false(httptest_event(&c, &(struct httptest_event){ 0 }));
    httptest_disconnect(&c);
}

/* ---- steering ------------------------------------------------------------------------------- */

static void an_execution_is_retried_forked_and_deleted(void **state)
{
    char source[64];

    (void)state;
    (void)enginetest_fork(f.t, NULL);
    post(START("fails"), "{\"mode\":\"sync\"}");
    snprintf(f.id, sizeof(f.id), "%s", text_at("/executionId"));
    post(one("/retry"), NULL);
    httptest_expect(&f.a, 202, "/workflowId", "\"fails\"");
    ask(&f.two, "GET", one("?wait=20s"), NULL, NULL);
    httptest_expect(&f.a, 200, "/status", "\"failed\"");
    ask(&f.one, "POST", one("/fork"), JSON "idempotency-key: f\r\n", "{\"input\":{\"b\":2}}");
    httptest_expect(&f.a, 202, "/forkedFrom", httptest_json(&f.a, "/forkedFrom"));
    snprintf(source, sizeof(source), "%s", text_at("/id"));
    ask(&f.two, "POST", one("/fork"), JSON "idempotency-key: f\r\n", "{\"input\":{\"b\":2}}");
    assert_string_equal(text_at("/id"), source);
    assert_string_equal(httptest_header(&f.a, "idempotency-replayed"), "true");
    ask(&f.two, "POST", one("/fork"), JSON "idempotency-key: f\r\n", "{\"input\":3}");
    httptest_expect(&f.a, 422, "/code", "\"IDEMPOTENCY_MISMATCH\"");
    ask(&f.one, "DELETE", one(""), NULL, NULL);
    assert_int_equal(f.a.status, 204);
    ask(&f.one, "GET", one(""), NULL, NULL);
    httptest_expect(&f.a, 404, "/code", "\"NOT_FOUND\"");
    ask(&f.one, "DELETE", one(""), NULL, NULL);
    assert_int_equal(f.a.status, 404);
}

static void a_body_that_nobody_wants_is_read_past(void **state)
{
    struct httptest_conn c;
    char request[512];

    (void)state;
    post(START("waits"), "{}");
    keep_id();
    snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n{",
             one("/retry"));
    assert_true(httptest_connect(&c, f.one.port));
    for (int i = 0; i < 3; i++) {
        httptest_release(&f.a);
        assert_true(httptest_send(&c, request, strlen(request)));
        assert_true(httptest_receive(&c, &f.a)); /* before the rest of it */
        httptest_expect(&f.a, 409, "/code", "\"CONFLICT\"");
        post(START("waits"), "{}"); /* takes what memory is free */
        assert_true(httptest_send(&c, "1 }", 3));
    }
    httptest_disconnect(&c);
}

static void a_message_with_a_key_is_taken_once(void **state)
{
    (void)state;
    post(START("waits"), "{}");
    keep_id();
    ask(&f.one, "POST", one("/messages/other"), JSON "idempotency-key: m\r\n", "{\"a\":1.50}");
    httptest_expect(&f.a, 202, "/duplicate", "false");
    ask(&f.two, "POST", one("/messages/other"), JSON "idempotency-key: m\r\n", "{\"a\":1.50}");
    httptest_expect(&f.a, 202, "/duplicate", "true");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_messages where exec_id = %lld",
                   (long long)id_number());
    post(one("/messages/other"), "not json");
    assert_int_equal(f.a.status, 400);
    post(one("/cancel"), "{\"force\":1}");
    httptest_expect(&f.a, 400, "/errors/0/pointer", "\"/force\"");
    ask(&f.one, "DELETE", one(""), NULL, NULL);
    httptest_expect(&f.a, 409, "/code", "\"CONFLICT\"");
    ask(&f.one, "DELETE", one("?force=true"), NULL, NULL);
    assert_int_equal(f.a.status, 204);
}

/* ---- lists and refusals --------------------------------------------------------------------- */

static void lists_have_pages_and_filters(void **state)
{
    char cursor[64];

    (void)state;
    for (int i = 0; i < 5; i++)
        post(START("waits"), i % 2 ? "{\"queue\":\"night\"}" : "{}");
    ask(&f.one, "GET", "/v1/executions?limit=2", NULL, NULL);
    assert_non_null(httptest_json(&f.a, "/data/1/id"));
    assert_null(httptest_json(&f.a, "/data/2/id"));
    snprintf(cursor, sizeof(cursor), "/v1/executions?limit=4&cursor=%s", text_at("/nextCursor"));
    ask(&f.two, "GET", cursor, NULL, NULL);
    assert_non_null(httptest_json(&f.a, "/data/2/id"));
    httptest_expect(&f.a, 200, "/nextCursor", "null");
    ask(&f.one, "GET", "/v1/executions?queue=night&status=queued&workflow=waits", NULL, NULL);
    assert_non_null(httptest_json(&f.a, "/data/1/id"));
    assert_null(httptest_json(&f.a, "/data/2/id"));
    ask(&f.one, "GET", "/v1/executions?status=done", NULL, NULL);
    assert_int_equal(f.a.status, 400);
    ask(&f.one, "GET", "/v1/executions?cursor=7", NULL, NULL);
    assert_int_equal(f.a.status, 400);
    ask(&f.one, "GET", "/v1/executions?limit=1001", NULL, NULL);
    assert_int_equal(f.a.status, 400);
    ask(&f.one, "GET", "/v1/executions?status=completed&queue=night", NULL, NULL);
    httptest_expect(&f.a, 200, "/data", "[]");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        { "{\"inputs\":1}", "\"/inputs\"" },
        { "{\"mode\":\"fast\"}", "\"/mode\"" },
        { "{\"priority\":0}", "\"/priority\"" },
        { "{\"priority\":6}", "\"/priority\"" },
        { "{\"timeoutMs\":600001}", "\"/timeoutMs\"" },
        { "{\"runAt\":\"soon\"}", "\"/runAt\"" },
        { "{\"runAt\":\"2030-01-01T00:00:00Z\",\"delayMs\":5}", "\"/runAt\"" },
        { "{\"retry\":{\"attempts\":-1}}", "\"/retry/attempts\"" },
        { "{\"trace\":{\"parentId\":\"xyz\"}}", "\"/trace/parentId\"" },
        { "{\"trace\":{\"tags\":{\"a\":1}}}", "\"/trace/tags\"" },
        { "{\"webhookUrl\":\"ftp://x\"}", "\"/webhookUrl\"" },
        { "{\"message\":{}}", "\"/message/name\"" },
        { "{\"metadata\":[]}", "\"/metadata\"" },
        { "{", "\"\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        post(START("waits"), bad[i].body);
        httptest_expect(&f.a, 400, "/errors/0/pointer", bad[i].pointer);
    }
    post(START("nope"), "{}");
    httptest_expect(&f.a, 404, "/code", "\"NOT_FOUND\"");
    post(START("waits"), "{\"version\":\"99\"}");
    httptest_expect(&f.a, 404, "/code", "\"NOT_FOUND\"");
    ask(&f.one, "GET", "/v1/executions/exe_0000000000001", NULL, NULL);
    httptest_expect(&f.a, 404, "/code", "\"NOT_FOUND\"");
    ask(&f.one, "GET", "/v1/executions/nonsense", NULL, NULL);
    assert_int_equal(f.a.status, 404);
    enginetest_sql("0", "select count(*) from inferpipe._inferpipe_executions");
}

static void another_workspace_sees_nothing(void **state)
{
    (void)state;
    post(START("waits"), "{}");
    keep_id();
    testdb_exec("insert into inferpipe._inferpipe_workspaces (slug) values ('other')");
    testdb_forcef("update inferpipe._inferpipe_executions set workspace_id = 2");
    testdb_forcef("update inferpipe._inferpipe_runs set workspace_id = 2");
    static const struct {
        const char *method, *rest;
    } routes[] = { { "GET", "" },        { "GET", "?wait=20s" },     { "GET", "/steps" },
                   { "GET", "/events" }, { "POST", "/cancel" },      { "POST", "/retry" },
                   { "POST", "/fork" },  { "POST", "/messages/go" }, { "DELETE", "" } };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        ask(&f.one, routes[i].method, one(routes[i].rest), JSON,
            strcmp(routes[i].method, "POST") == 0 ? "{}" : NULL);
        httptest_expect(&f.a, 404, "/code", "\"NOT_FOUND\"");
    }
    ask(&f.one, "GET", one("/events"), "accept: text/event-stream\r\n", NULL);
    assert_int_equal(f.a.status, 404);
    ask(&f.one, "GET", "/v1/executions", NULL, NULL);
    httptest_expect(&f.a, 200, "/data", "[]");
    testdb_forcef("update inferpipe._inferpipe_executions set workspace_id = 1");
    testdb_forcef("update inferpipe._inferpipe_runs set workspace_id = 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(an_asynchronous_start_gives_an_id_at_once),
        TEST(a_synchronous_start_gives_the_result),
        TEST(a_synchronous_start_that_fails_is_an_error_with_its_code),
        TEST(a_wait_that_is_over_first_gives_the_id),
        TEST(a_wait_that_is_over_says_what_became_of_it),
        TEST(retry_options_are_those_of_the_steps),
        TEST(a_key_gives_the_same_answer_on_every_server),
        TEST(equal_starts_at_once_on_two_servers_make_one),
        TEST(a_server_that_dies_with_the_answer_loses_nothing),
        TEST(postgres_connections_that_die_cost_no_answer),
        TEST(one_wait_too_many_is_refused_until_another_is_over),
        TEST(many_start_with_an_outcome_each),
        TEST(the_thousand_and_first_is_too_many),
        TEST(a_stream_goes_on_at_another_server),
        TEST(a_failure_is_an_event_before_done),
        TEST(draining_ends_streams_and_finishes_requests),
        TEST(an_execution_is_retried_forked_and_deleted),
        TEST(a_body_that_nobody_wants_is_read_past),
        TEST(a_message_with_a_key_is_taken_once),
        TEST(lists_have_pages_and_filters),
        TEST(what_is_wrong_is_named),
        TEST(another_workspace_sees_nothing),
    };

    return cmocka_run_group_tests_name("api executions", tests, NULL, NULL);
}
