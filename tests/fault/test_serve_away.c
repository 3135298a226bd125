/*
 * tests/fault/test_serve_away.c - a server while PostgreSQL is stopped, and after it came back: it
 * lives on, says that it is not ready, refuses in time what needs the database, and serves again by
 * itself.
 *
 * The database is made once: the connection that makes it does not live longer than the server.
 */
#include "base/clock.h"
#include "lib/crashtest.h"
#include "lib/httptest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"
#define SECOND INT64_C(1000000)
/* Far over --connect-timeout and far under --http-timeout: who hangs is found out. */
#define ANSWER_US (15 * SECOND)

static struct httptest t;
static bool is_down;

static void stop_postgres(void)
{
    is_down = true;
    crashtest_server("stop");
}

static void start_postgres(void)
{
    crashtest_server("start");
    is_down = false;
}

static int restore(void **state)
{
    if (is_down)
        start_postgres();
    return httptest_cleanup(state);
}

/* ---- requests that need the database -------------------------------------------------------- */

#define START "/v1/workflows/test-echo/executions"
#define JSON "content-type: application/json\r\n"
#define KEYED "content-type: application/json\r\nidempotency-key: away-1\r\n"

enum { ONE, START_ONE, START_KEYED, LIST, KEYS, REQUESTS };

static char one_path[64];
static const struct request {
    const char *method, *path, *headers, *body;
    int status; /* when all is well */
} requests[REQUESTS] = {
    [ONE] = { "GET", one_path, NULL, NULL, 200 },
    [START_ONE] = { "POST", START, JSON, "{\"input\":1,\"queue\":\"plain\"}", 202 },
    [START_KEYED] = { "POST", START, KEYED, "{\"input\":2,\"queue\":\"keyed\"}", 202 },
    [LIST] = { "GET", "/v1/executions?limit=5", NULL, NULL, 200 },
    [KEYS] = { "GET", "/v1/keys", NULL, NULL, 200 },
};

static void ask(int port, const struct request *q, const char *auth, struct httptest_answer *a)
{
    char headers[256];

    (void)snprintf(headers, sizeof(headers), "%s%s", auth, q->headers ? q->headers : "");
    httptest_request(NULL, port, q->method, q->path, headers, q->body, a);
}

static void expect_unavailable(int port, const struct request *q, const char *auth)
{
    int64_t began = clock_mono_us(), took;
    struct httptest_answer a;

    ask(port, q, auth, &a);
    took = clock_mono_us() - began;
    httptest_expect(&a, 503, "/code", "\"UNAVAILABLE\"");
    httptest_expect(&a, 503, "/status", "503");
    assert_string_equal(httptest_header(&a, "content-type"), "application/problem+json");
    assert_null(strstr(a.body, "socket")); /* where the database is, is nobody's business */
    if (took > ANSWER_US)
        fail_msg("%s %s took %" PRId64 " us", q->method, q->path, took);
    httptest_release(&a);
}

/* Repeats it, as a client does that was told to come again; fails after 60 s. */
static void until_answered(int port, const struct request *q, struct httptest_answer *a)
{
    int64_t give_up = clock_mono_us() + 60 * SECOND;

    for (ask(port, q, t.auth, a); a->status == 503; ask(port, q, t.auth, a)) {
        assert_true(clock_mono_us() < give_up);
        httptest_release(a);
        httptest_pause();
    }
    if (a->status != q->status)
        fail_msg("%s %s: %s%s", q->method, q->path, a->head, a->body);
}

static int count_started(int port, const char *queue)
{
    char path[64];
    struct request list = { "GET", path, NULL, NULL, 200 };
    struct httptest_answer a;
    int n = 0;

    (void)snprintf(path, sizeof(path), "/v1/executions?queue=%s", queue);
    until_answered(port, &list, &a);
    for (const char *at = a.body; (at = strstr(at, "\"id\":\"exe_")) != NULL; at++)
        n++;
    httptest_release(&a);
    return n;
}

static void start_first(int port)
{
    static const struct request first = { "POST", START, JSON, "{\"input\":0}", 202 };
    struct httptest_answer a;

    until_answered(port, &first, &a);
    (void)snprintf(one_path, sizeof(one_path), "%s", httptest_header(&a, "location"));
    httptest_release(&a);
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* Asks until the answer has this status; fails after 60 s. */
static void until_status(int port, const char *path, int status, struct httptest_answer *a)
{
    int64_t give_up = clock_mono_us() + 60 * SECOND;

    for (;;) {
        httptest_request(NULL, port, "GET", path, NULL, NULL, a);
        if (a->status == status)
            return;
        if (clock_mono_us() > give_up)
            fail_msg("%s never answered %d, last: %s%s", path, status, a->head, a->body);
        httptest_release(a);
        httptest_pause();
    }
}

static void it_lives_while_the_database_is_away_and_serves_once_it_is_back(void **state)
{
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    stop_postgres();
    until_status(s.port, "/ready", 503, &a);
    httptest_expect(&a, 503, "/failing", "\"database\"");
    httptest_release(&a);
    httptest_request(NULL, s.port, "GET", "/health", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"healthy\"");
    httptest_release(&a);
    start_postgres();
    until_status(s.port, "/ready", 200, &a);
    httptest_release(&a);
    httptest_stop(&s);
}

static void it_comes_up_before_the_database_does(void **state)
{
    static const char *const args[] = { "--connect-timeout", "1s", NULL };
    struct httptest_server s;

    (void)state;
    stop_postgres();
    httptest_spawn(&t, &s, PROGRAM, args);
    httptest_until_log(&s, "listening http://127.0.0.1:");
    assert_int_equal(access(s.ready, F_OK), -1);
    start_postgres();
    httptest_until_ready(&s);
    httptest_stop(&s);
}

static void what_needs_the_database_is_refused_in_time_and_done_once_it_is_back(void **state)
{
    static const char *const args[] = { "--connect-timeout", "1s", "--key-cache-time", "1m", NULL };
    char unseen[HTTPTEST_KEY_SIZE + 32], key[HTTPTEST_KEY_SIZE];
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_make_key(&t, "default", NULL, key);
    (void)snprintf(unseen, sizeof(unseen), "authorization: Bearer %s\r\n", key);
    httptest_serve(&t, &s, PROGRAM, args);
    start_first(s.port); /* and from now on the server knows the test's key */
    stop_postgres();
    for (int i = 0; i < REQUESTS; i++)
        expect_unavailable(s.port, &requests[i], t.auth);
    expect_unavailable(s.port, &requests[START_KEYED], t.auth);
    expect_unavailable(s.port, &requests[ONE], unseen);
    start_postgres();
    for (int i = 0; i < REQUESTS; i++) {
        until_answered(s.port, &requests[i], &a);
        httptest_release(&a);
    }
    until_answered(s.port, &requests[START_KEYED], &a);
    assert_string_equal(httptest_header(&a, "idempotency-replayed"), "true");
    httptest_release(&a);
    assert_int_equal(count_started(s.port, "keyed"), 1);
    assert_in_range(count_started(s.port, "plain"), 1, 2);
    httptest_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_lives_while_the_database_is_away_and_serves_once_it_is_back,
                                  restore),
        cmocka_unit_test_teardown(
            what_needs_the_database_is_refused_in_time_and_done_once_it_is_back, restore),
        cmocka_unit_test_teardown(it_comes_up_before_the_database_does, restore),
    };

    if (!crashtest_server_ours())
        return 0; /* a server that is not ours to stop */
    httptest_open(&t);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
