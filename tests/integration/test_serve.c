/*
 * `serve`: the routes about the server itself, how it comes up and goes down, several processes on
 * one port.
 */
#include "lib/httptest.h"
#include "lib/testdb.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"
#define SECOND INT64_C(1000000)

static struct httptest t;

static int setup(void **state)
{
    (void)state;
    httptest_open(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)httptest_cleanup(state);
    httptest_close(&t);
    return 0;
}

/* ---- routes --------------------------------------------------------------------------------- */

static void health_says_that_it_lives(void **state)
{
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    httptest_request(NULL, s.port, "GET", "/health", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"healthy\"");
    httptest_expect(&a, 200, "/version", "\"0.1.0\"");
    assert_int_equal(strlen(httptest_json(&a, "/time")), strlen("\"2026-01-01T00:00:00.000Z\""));
    assert_non_null(httptest_header(&a, "x-request-id"));
    httptest_release(&a);
    httptest_stop(&s);
}

static void results_name_where_their_trace_is_looked_at(void **state)
{
    static const char *const args[] = { "--trace-url", "https://traces.test/t/{traceId}?x=1",
                                        NULL };
    struct httptest_server s;
    struct httptest_answer a;
    char want[128];

    (void)state;
    httptest_serve(&t, &s, "examples/samples", args);
    httptest_request(&t, s.port, "POST", "/v1/workflows/test-echo/executions",
                     "content-type: application/json\r\n", "{\"mode\":\"sync\",\"input\":1}", &a);
    snprintf(want, sizeof(want), "\"https://traces.test/t/%s?x=1\"",
             httptest_header(&a, "x-inferpipe-trace"));
    httptest_expect(&a, 200, "/trace/url", want);
    httptest_release(&a);
    httptest_stop(&s);
}

static void what_is_not_there_is_said_in_the_error_object(void **state)
{
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    httptest_request(NULL, s.port, "GET", "/nowhere", "x-request-id: abc\r\n", NULL, &a);
    httptest_expect(&a, 404, "/code", "\"NOT_FOUND\"");
    httptest_expect(&a, 404, "/requestId", "\"abc\"");
    assert_string_equal(httptest_header(&a, "content-type"), "application/problem+json");
    httptest_release(&a);
    httptest_request(NULL, s.port, "DELETE", "/health", NULL, NULL, &a);
    httptest_expect(&a, 405, "/status", "405");
    assert_string_equal(httptest_header(&a, "allow"), "GET, HEAD");
    httptest_release(&a);
    httptest_stop(&s);
}

static void ready_needs_the_engine_unless_it_is_off(void **state)
{
    static const char *const off[] = { "--engine", "off", NULL };
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    httptest_request(NULL, s.port, "GET", "/ready", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"ready\"");
    httptest_release(&a);
    assert_int_equal(testdb_int8("select count(*) from inferpipe.workers where state = 'alive'"),
                     1);
    httptest_stop(&s);
    httptest_serve(&t, &s, PROGRAM, off);
    httptest_request(NULL, s.port, "GET", "/ready", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"ready\"");
    httptest_release(&a);
    assert_int_equal(testdb_int8("select count(*) from inferpipe.workers where state = 'alive'"),
                     0);
    httptest_stop(&s);
}

static void a_schema_that_does_not_fit_is_not_ready(void **state)
{
    static const char *const off[] = { "--engine", "off", NULL };
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, off);
    testdb_exec("insert into inferpipe._inferpipe_migrations (version, name, checksum)"
                " values (999, 'later', '')");
    httptest_request(NULL, s.port, "GET", "/ready", NULL, NULL, &a);
    httptest_expect(&a, 503, "/failing", "\"schema\"");
    httptest_release(&a);
    testdb_exec("delete from inferpipe._inferpipe_migrations where version = 999");
    httptest_request(NULL, s.port, "GET", "/ready", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"ready\"");
    httptest_release(&a);
    httptest_stop(&s);
}

/* ---- up and down ---------------------------------------------------------------------------- */

static void a_port_that_is_taken_ends_it(void **state)
{
    struct httptest_server one, two, three;
    char port[16];
    const char *args[] = { "--port", port, NULL };
    const char *many[] = { "--port", port, "--processes", "2", NULL };

    (void)state;
    httptest_serve(&t, &one, PROGRAM, NULL);
    (void)snprintf(port, sizeof(port), "%d", one.port);
    httptest_spawn(&t, &two, PROGRAM, args);
    assert_int_equal(httptest_until_ended(&two), 1);
    assert_int_equal(httptest_log_count(&two, "Address already in use"), 1);
    httptest_spawn(&t, &three, PROGRAM, many);
    assert_int_equal(httptest_until_ended(&three), 1);
    assert_int_equal(httptest_log_count(&three, "Address already in use"), 1);
    (void)unlink(two.log);
    (void)unlink(three.log);
    httptest_stop(&one);
}

/* Clients that ask without end, each request on a connection of its own.  What was connected must
 * be answered; once nobody listens any more they stop.  One connection may be made in the very
 * moment between the last accept and the close, which the kernel then resets. */
struct load {
    int port;
    atomic_int answered, broken;
};

static void *ask_without_end(void *ctx)
{
    struct load *load = ctx;
    struct httptest_answer a;
    struct httptest_conn c;

    while (httptest_connect(&c, load->port)) {
        if (httptest_try(&c, "GET", "/ready", NULL, NULL, &a))
            atomic_fetch_add(&load->answered, 1);
        else
            atomic_fetch_add(&load->broken, 1);
        httptest_release(&a);
        httptest_disconnect(&c);
    }
    return NULL;
}

static void a_drain_answers_all_that_was_asked(void **state)
{
    enum { CLIENTS = 8, BETWEEN = 1 };
    struct httptest_server s;
    pthread_t threads[CLIENTS];
    struct load load = { 0 };

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    load.port = s.port;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_without_end, &load), 0);
    while (atomic_load(&load.answered) < 500)
        httptest_pause();
    httptest_stop(&s);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&load.broken), 0, BETWEEN);
}

static void while_draining_it_is_not_ready(void **state)
{
    struct httptest_server s;
    struct httptest_answer a;
    struct httptest_conn c;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    assert_true(httptest_connect(&c, s.port));
    /* a request under way keeps its connection over the drain */
    assert_true(httptest_send(&c, "GET /ready HTTP/1.1\r\n", 21));
    (void)kill(s.pid, SIGTERM);
    httptest_until_log(&s, "stopping");
    assert_true(httptest_send(&c, "host: x\r\n\r\n", 11));
    assert_true(httptest_receive(&c, &a));
    httptest_expect(&a, 503, "/failing", "\"draining\"");
    assert_false(a.keep);
    httptest_release(&a);
    httptest_disconnect(&c);
    assert_int_equal(httptest_until_ended(&s), 0);
    (void)unlink(s.log);
    (void)unlink(s.ready);
}

/* ---- several processes ---------------------------------------------------------------------- */

static int64_t alive_workers(void)
{
    return testdb_int8("select count(*) from inferpipe.workers where state = 'alive'");
}

static void several_processes_share_a_port_and_one_that_dies_is_replaced(void **state)
{
    static const char *const two[] = { "--processes", "2", NULL };
    int64_t give_up = clock_mono_us() + 30 * SECOND;
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, two);
    assert_int_equal(httptest_log_count(&s, "listening http://127.0.0.1:"), 1);
    assert_int_equal(alive_workers(), 2);
    (void)kill((pid_t)testdb_int8("select pid from inferpipe.workers where state = 'alive'"
                                  " order by pid limit 1"),
               SIGKILL);
    httptest_until_log(&s, "killed by signal 9");
    while (testdb_int8("select count(*) from inferpipe.workers") < 3 || alive_workers() < 2) {
        assert_true(clock_mono_us() < give_up);
        httptest_pause();
    }
    for (int i = 0; i < 20; i++) {
        httptest_request(NULL, s.port, "GET", "/ready", NULL, NULL, &a);
        httptest_expect(&a, 200, "/status", "\"ready\"");
        httptest_release(&a);
    }
    httptest_stop(&s);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(health_says_that_it_lives),
        WITH_SERVER(results_name_where_their_trace_is_looked_at),
        WITH_SERVER(what_is_not_there_is_said_in_the_error_object),
        WITH_SERVER(ready_needs_the_engine_unless_it_is_off),
        WITH_SERVER(a_schema_that_does_not_fit_is_not_ready),
        WITH_SERVER(a_port_that_is_taken_ends_it),
        WITH_SERVER(a_drain_answers_all_that_was_asked),
        WITH_SERVER(while_draining_it_is_not_ready),
        WITH_SERVER(several_processes_share_a_port_and_one_that_dies_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
