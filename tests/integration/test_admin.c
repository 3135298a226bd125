/*
 * The routes of administration: workflows, workers, queues and schedules, as a client sees them.
 */
#include "lib/httptest.h"
#include "lib/testdb.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"

static struct httptest t;
static struct httptest_server s;

static int setup(void **state)
{
    static const char *const args[] = { "--http-offload", "2", NULL };

    (void)state;
    httptest_open(&t);
    httptest_serve(&t, &s, PROGRAM, args);
    return 0;
}

static int teardown(void **state)
{
    if (s.pid != 0)
        httptest_stop(&s);
    (void)httptest_cleanup(state);
    httptest_close(&t);
    return 0;
}

/* Asks with the test's key, and expects this status, and this text at the pointer (NULL: any). */
static void expect(const char *method, const char *path, const char *body, int status,
                   const char *pointer, const char *json)
{
    struct httptest_answer a;

    httptest_request(&t, s.port, method, path, NULL, body, &a);
    httptest_expect(&a, status, pointer, json);
    httptest_release(&a);
}

/* ---- workflows and workers ------------------------------------------------------------------ */

static void workflows_are_listed_page_by_page(void **state)
{
    struct httptest_answer a;
    char path[128], first[64];

    (void)state;
    /* a worker says what it runs with its next heartbeat */
    while (testdb_int8("select count(*) from inferpipe._inferpipe_worker_workflows") == 0)
        httptest_pause();
    expect("GET", "/v1/workflows/test-echo", NULL, 200, "/versions/0/workers", "1");
    expect("GET", "/v1/workflows/test-echo", NULL, 200, "/queue", "\"default\"");
    expect("GET", "/v1/workflows/nothing", NULL, 404, "/code", "\"NOT_FOUND\"");
    expect("GET", "/v1/workflows", NULL, 200, "/nextCursor", "null");
    httptest_request(&t, s.port, "GET", "/v1/workflows?limit=1", NULL, NULL, &a);
    assert_null(httptest_json(&a, "/data/1"));
    (void)snprintf(first, sizeof(first), "%s", httptest_json(&a, "/data/0/id"));
    assert_string_equal(httptest_json(&a, "/nextCursor"), first);
    (void)snprintf(path, sizeof(path), "/v1/workflows?limit=1&cursor=%.*s", (int)strlen(first) - 2,
                   first + 1);
    httptest_release(&a);
    httptest_request(&t, s.port, "GET", path, NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_true(strcmp(httptest_json(&a, "/data/0/id"), first) > 0);
    httptest_release(&a);
}

static void a_limit_out_of_range_is_refused(void **state)
{
    (void)state;
    expect("GET", "/v1/workflows?limit=1000", NULL, 200, "/nextCursor", "null");
    expect("GET", "/v1/workflows?limit=1001", NULL, 400, "/code", "\"INVALID_INPUT\"");
    expect("GET", "/v1/workflows?limit=0", NULL, 400, "/code", "\"INVALID_INPUT\"");
    expect("GET", "/v1/workflows?limit=x", NULL, 400, "/code", "\"INVALID_INPUT\"");
    expect("GET", "/v1/workflows?limit=", NULL, 400, "/code", "\"INVALID_INPUT\"");
}

static void workers_are_listed(void **state)
{
    (void)state;
    expect("GET", "/v1/workers", NULL, 200, "/data/0/state", "\"alive\"");
    expect("GET", "/v1/workers", NULL, 200, "/data/0/program", "\"samples\"");
    expect("GET", "/v1/workers?cursor=12", NULL, 400, "/code", "\"INVALID_INPUT\"");
}

/* ---- queues --------------------------------------------------------------------------------- */

static void put_says_all_limits_of_a_queue_and_patch_some(void **state)
{
    (void)state;
    expect("PUT", "/v1/queues/mail", "{\"concurrency\":10,\"rate\":100,\"periodMs\":60000}", 200,
           "/periodMs", "60000");
    expect("PATCH", "/v1/queues/mail", "{\"concurrency\":5}", 200, "/rate", "100");
    expect("GET", "/v1/queues/mail", NULL, 200, "/concurrency", "5");
    expect("PUT", "/v1/queues/mail", "{\"waitingMax\":7}", 200, "/waitingMax", "7");
    expect("GET", "/v1/queues/mail", NULL, 200, "/name", "\"mail\"");
    assert_int_equal(testdb_int8("select count(*) from inferpipe.queues where name = 'mail'"
                                 " and concurrency is null and rate is null and waiting_max = 7"),
                     1);
    expect("DELETE", "/v1/queues/mail", NULL, 204, NULL, NULL);
    expect("GET", "/v1/queues/mail", NULL, 404, "/code", "\"NOT_FOUND\"");
}

static void a_queue_is_paused_and_resumed(void **state)
{
    (void)state;
    expect("POST", "/v1/queues/slow/pause", NULL, 200, "/paused", "true");
    expect("GET", "/v1/queues", NULL, 200, "/data/0/name", "\"slow\"");
    expect("POST", "/v1/queues/slow/resume", NULL, 200, "/paused", "false");
}

static void wrong_limits_are_named_by_pointer(void **state)
{
    (void)state;
    expect("PUT", "/v1/queues/q", "{\"concurrency\":-1}", 400, "/errors/0/pointer",
           "\"/concurrency\"");
    expect("PUT", "/v1/queues/q", "{\"concurrency\":1000001}", 400, "/errors/0/pointer",
           "\"/concurrency\"");
    expect("PUT", "/v1/queues/q", "{\"burst\":3}", 400, "/errors/0/pointer", "\"/burst\"");
    expect("PUT", "/v1/queues/q", "{\"many\":3}", 400, "/errors/0/pointer", "\"/many\"");
    expect("PUT", "/v1/queues/Q", "{\"rate\":3}", 400, "/code", "\"INVALID_INPUT\"");
}

/* ---- schedules ------------------------------------------------------------------------------ */

#define NIGHTLY "{\"name\":\"nightly\",\"schedule\":\"30 2 * * *\",\"workflowId\":\"test-echo\","

static void a_schedule_lives_from_post_to_delete(void **state)
{
    struct httptest_answer a;

    (void)state;
    httptest_request(&t, s.port, "POST", "/v1/cron", NULL,
                     NIGHTLY "\"timezone\":\"Europe/Berlin\",\"input\":{\"n\":1e400}}", &a);
    httptest_expect(&a, 201, "/timezone", "\"Europe/Berlin\"");
    httptest_expect(&a, 201, "/input", "{\"n\":1e400}");
    assert_non_null(httptest_json(&a, "/nextAt"));
    httptest_release(&a);
    expect("POST", "/v1/cron", NIGHTLY "\"paused\":true}", 409, "/code", "\"CONFLICT\"");
    expect("PUT", "/v1/cron/nightly",
           "{\"schedule\":\"@daily\",\"workflowId\":\"test-echo\",\"overlap\":\"queue\"}", 200,
           "/overlap", "\"queue\"");
    expect("GET", "/v1/cron/nightly", NULL, 200, "/timezone", "\"UTC\"");
    expect("POST", "/v1/cron/nightly/pause", NULL, 200, "/paused", "true");
    expect("POST", "/v1/cron/nightly/resume", NULL, 200, "/paused", "false");
    expect("GET", "/v1/cron", NULL, 200, "/data/0/name", "\"nightly\"");
    expect("DELETE", "/v1/cron/nightly", NULL, 204, NULL, NULL);
    expect("GET", "/v1/cron/nightly", NULL, 404, "/code", "\"NOT_FOUND\"");
}

static void a_trigger_starts_an_execution_and_stands_in_the_history(void **state)
{
    struct httptest_answer a;

    (void)state;
    expect("POST", "/v1/cron", NIGHTLY "\"priority\":1}", 201, "/priority", "1");
    httptest_request(&t, s.port, "POST", "/v1/cron/nightly/trigger", NULL, NULL, &a);
    httptest_expect(&a, 202, "/status", "\"queued\"");
    assert_non_null(strstr(httptest_json(&a, "/id"), "exe_"));
    httptest_release(&a);
    expect("GET", "/v1/cron/nightly/history?limit=5", NULL, 200, "/data/0/manual", "true");
    expect("GET", "/v1/cron/nothing/history", NULL, 404, "/code", "\"NOT_FOUND\"");
}

static void wrong_schedules_are_refused(void **state)
{
    (void)state;
    expect("POST", "/v1/cron", "{\"schedule\":\"* * * * *\",\"workflowId\":\"test-echo\"}", 400,
           "/errors/0/pointer", "\"/name\"");
    expect("POST", "/v1/cron", "{\"name\":\"x\",\"workflowId\":\"test-echo\"}", 400,
           "/errors/0/pointer", "\"/schedule\"");
    expect("POST", "/v1/cron",
           "{\"name\":\"x\",\"schedule\":\"61 * * * *\",\"workflowId\":\"test-echo\"}", 400,
           "/code", "\"INVALID_INPUT\"");
    expect("POST", "/v1/cron", NIGHTLY "\"timezone\":\"Nowhere/None\"}", 400, "/code",
           "\"INVALID_INPUT\"");
    expect("PUT", "/v1/cron/other", NIGHTLY "\"priority\":2}", 400, "/errors/0/pointer",
           "\"/name\"");
    expect("POST", "/v1/cron", NIGHTLY "\"priority\":6}", 400, "/errors/0/pointer",
           "\"/priority\"");
    expect("POST", "/v1/cron", NIGHTLY, 400, "/code", "\"INVALID_INPUT\"");
}

/* ---- the pool ------------------------------------------------------------------------------ */

static void a_call_over_the_places_of_the_pool_is_refused(void **state)
{
    static const char *const args[] = { "--http-offload", "1", "--http-offload-queue", "1", NULL };
    struct testdb_session *lock = testdb_session_open();
    struct httptest_server small;
    struct httptest_conn conns[3];
    struct pollfd polls[3];
    struct httptest_answer a;
    char text[256];
    int refused = -1;

    (void)state;
    httptest_serve(&t, &small, PROGRAM, args);
    testdb_session_exec(lock, "begin; lock table inferpipe._inferpipe_queues");
    (void)snprintf(text, sizeof(text), "GET /v1/queues HTTP/1.1\r\nhost: x\r\n%s\r\n", t.auth);
    for (int i = 0; i < 3; i++) {
        assert_true(httptest_connect(&conns[i], small.port));
        assert_true(httptest_send(&conns[i], text, strlen(text)));
        polls[i] = (struct pollfd){ .fd = conns[i].fd, .events = POLLIN };
    }
    assert_int_equal(poll(polls, 3, 8000), 1); /* whose request came last */
    for (int i = 0; i < 3; i++)
        refused = polls[i].revents != 0 ? i : refused;
    assert_true(httptest_receive(&conns[refused], &a));
    httptest_expect(&a, 503, "/code", "\"UNAVAILABLE\"");
    assert_string_equal(httptest_header(&a, "retry-after"), "1");
    httptest_release(&a);
    testdb_session_exec(lock, "rollback");
    testdb_session_close(lock);
    for (int i = 0; i < 3; i++) {
        if (i != refused) {
            assert_true(httptest_receive(&conns[i], &a));
            httptest_expect(&a, 200, "/nextCursor", "null");
            httptest_release(&a);
        }
        httptest_disconnect(&conns[i]);
    }
    httptest_stop(&small);
}

/* ---- workspaces ----------------------------------------------------------------------------- */

static void another_workspace_sees_nothing_of_it(void **state)
{
    struct httptest other = t;
    struct httptest_answer a;

    (void)state;
    testdb_exec("insert into inferpipe._inferpipe_workspaces(slug) values ('team-b')");
    httptest_make_key(&t, "team-b", NULL, other.key);
    (void)snprintf(other.auth, sizeof(other.auth), "authorization: Bearer %s\r\n", other.key);
    expect("POST", "/v1/cron", NIGHTLY "\"priority\":1}", 201, "/priority", "1");
    httptest_request(&other, s.port, "GET", "/v1/cron/nightly", NULL, NULL, &a);
    httptest_expect(&a, 404, "/code", "\"NOT_FOUND\"");
    httptest_release(&a);
    httptest_request(&other, s.port, "GET", "/v1/workflows", NULL, NULL, &a);
    httptest_expect(&a, 200, "/data", "[]");
    httptest_release(&a);
    expect("GET", "/v1/cron/nightly", NULL, 200, "/name", "\"nightly\""); /* the same client */
}

static void no_key_stands_in_the_log(void **state)
{
    (void)state;
    expect("GET", "/v1/workers", NULL, 200, "/nextCursor", "null");
    assert_int_equal(httptest_log_count(&s, t.key), 0);
    assert_int_equal(httptest_log_count(&s, t.key + strlen(t.key) - 43), 0);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(workflows_are_listed_page_by_page),
        WITH_SERVER(a_limit_out_of_range_is_refused),
        WITH_SERVER(workers_are_listed),
        WITH_SERVER(put_says_all_limits_of_a_queue_and_patch_some),
        WITH_SERVER(a_queue_is_paused_and_resumed),
        WITH_SERVER(wrong_limits_are_named_by_pointer),
        WITH_SERVER(a_schedule_lives_from_post_to_delete),
        WITH_SERVER(a_trigger_starts_an_execution_and_stands_in_the_history),
        WITH_SERVER(wrong_schedules_are_refused),
        WITH_SERVER(a_call_over_the_places_of_the_pool_is_refused),
        WITH_SERVER(another_workspace_sees_nothing_of_it),
        WITH_SERVER(no_key_stands_in_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
