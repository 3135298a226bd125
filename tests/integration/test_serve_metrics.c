/*
 * tests/integration/test_serve_metrics.c - what a server tells of itself: /metrics, the trace of
 * its requests in log and collector.
 */
#include "lib/httptest.h"
#include "lib/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n"

static struct httptest t;
static struct httptest_server server;

static void ask(const char *path, int status)
{
    struct httptest_answer a;

    httptest_request(&t, server.port, "GET", path, PARENT, NULL, &a);
    assert_int_equal(a.status, status);
    httptest_release(&a);
}

/* Some line of the answer begins so. */
static void assert_told(const struct httptest_answer *a, const char *line)
{
    char wanted[200];

    snprintf(wanted, sizeof(wanted), "\n%s", line);
    if (!strstr(a->body, wanted))
        fail_msg("no line \"%s\" in:\n%s", line, a->body);
}

static void metrics_tell_of_requests_and_the_database(void **state)
{
    struct httptest_answer a;
    FILE *check;

    (void)state;
    httptest_open(&t);
    httptest_serve(&t, &server, "tests/programs/demo", NULL);
    ask("/health", 200);
    ask("/nowhere", 404);
    httptest_request(&t, server.port, "GET", "/metrics", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(httptest_header(&a, "content-type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_told(&a, "inferpipe_http_requests_total{route=\"health\"} ");
    assert_told(&a, "inferpipe_http_responses_total{status=\"4xx\"} 1\n");
    assert_told(&a, "inferpipe_http_errors_total{code=\"NOT_FOUND\"} 1\n");
    assert_told(&a,
                "inferpipe_http_request_duration_seconds_bucket{route=\"health\",le=\"+Inf\"} ");
    assert_told(&a, "inferpipe_http_requests_active 1\n"); /* this one */
    assert_told(&a, "inferpipe_http_connections 1\n");
    assert_told(&a, "inferpipe_database_up 1\n");
    assert_told(&a, "inferpipe_executions_stranded 0\n");
    assert_told(&a, "inferpipe_slots 2000\n"); /* of the engine beside it */
    check = popen("promtool check metrics >&2", "w");
    assert_non_null(check);
    assert_true(fputs(a.body, check) >= 0);
    assert_int_equal(pclose(check), 0);
    httptest_release(&a);
    httptest_stop(&server);
    httptest_close(&t);
}

static void requests_are_spans_of_the_callers_trace(void **state)
{
    struct receiver *receiver = receiver_open(NULL, NULL);
    char endpoint[64];

    (void)state;
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", receiver_port(receiver));
    httptest_open(&t);
    httptest_serve(&t, &server, "tests/programs/demo",
                   (const char *const[]){ "--otlp-endpoint", endpoint, NULL });
    ask("/nowhere", 404);
    httptest_until_log(&server, "trace_id=" TRACE);
    httptest_stop(&server); /* what is there is sent before it ends */
    assert_int_equal(receiver_count(receiver), 1);
    assert_non_null(strstr(receiver_get(receiver, 1)->body, "\"traceId\":\"" TRACE "\""));
    assert_non_null(
        strstr(receiver_get(receiver, 1)->body, "\"parentSpanId\":\"b7ad6b7169203331\""));
    httptest_close(&t);
    receiver_close(receiver);
}

/* The span in any of the requests that is followed by this text; false: there is none. */
static bool find_span(struct receiver *collector, const char *behind, char ret[17])
{
    for (int i = 1; i <= receiver_count(collector); i++) {
        const char *body = receiver_get(collector, i)->body, *at = strstr(body, behind);

        if (at && at - body >= 16) {
            snprintf(ret, 17, "%.16s", at - 16);
            return true;
        }
    }
    return false;
}

/* The request under its caller's span, the execution under the request, its step under that. */
static void an_execution_hangs_under_its_request(void **state)
{
    struct receiver *collector = receiver_open(NULL, NULL);
    char endpoint[64], request[17], execution[17], step[17], behind[160];
    struct httptest_answer a;

    (void)state;
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", receiver_port(collector));
    httptest_open(&t);
    httptest_serve(&t, &server, "tests/programs/demo",
                   (const char *const[]){ "--otlp-endpoint", endpoint, NULL });
    httptest_request(&t, server.port, "POST", "/v1/workflows/echo/executions",
                     PARENT "content-type: application/json\r\n",
                     "{\"input\": 7, \"mode\": \"sync\"}", &a);
    httptest_expect(&a, 200, "/data", "7");
    httptest_expect(&a, 200, "/trace/id", "\"" TRACE "\"");
    assert_string_equal(httptest_header(&a, "x-inferpipe-trace"), TRACE);
    httptest_release(&a);
    httptest_stop(&server);
    assert_true(find_span(collector, "\",\"parentSpanId\":\"b7ad6b7169203331\"", request));
    snprintf(behind, sizeof(behind), "\",\"parentSpanId\":\"%s\",\"name\":\"echo\"", request);
    assert_true(find_span(collector, behind, execution));
    snprintf(behind, sizeof(behind), "\",\"parentSpanId\":\"%s\",\"name\":\"echo\"", execution);
    assert_true(find_span(collector, behind, step));
    snprintf(behind, sizeof(behind), "\",\"parentSpanId\":\"%s\",\"name\":\"attempt\"", step);
    assert_true(find_span(collector, behind, step));
    httptest_close(&t);
    receiver_close(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(metrics_tell_of_requests_and_the_database, httptest_cleanup),
        cmocka_unit_test_teardown(requests_are_spans_of_the_callers_trace, httptest_cleanup),
        cmocka_unit_test_teardown(an_execution_hangs_under_its_request, httptest_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
