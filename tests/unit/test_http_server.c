/* tests/unit/test_http_server.c - what a client sees of the HTTP server. */
#include "http/pack.h"
#include "lib/rawhttp.h"
#include "lib/webserver.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static struct webserver server;

static int start(void **state)
{
    (void)state;
    webserver_start(&server, NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    webserver_stop(&server);
    return 0;
}

static void an_answer_has_length_date_and_request_id(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_string_equal(c.answer.body, "hello");
    assert_string_equal(raw_header(&c, "content-type"), "text/plain");
    assert_non_null(strstr(raw_header(&c, "date"), " GMT"));
    assert_int_equal(strlen(raw_header(&c, "x-request-id")), 32);
    assert_null(raw_header(&c, "connection"));
    raw_close(&c);
}

static void one_connection_serves_many_requests(void **state)
{
    char first[64];
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    (void)snprintf(first, sizeof(first), "%s", raw_header(&c, "x-request-id"));
    for (int i = 0; i < 100; i++)
        assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_string_not_equal(raw_header(&c, "x-request-id"), first);
    assert_int_equal(raw_ask(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"),
                     200);
    assert_string_equal(raw_header(&c, "connection"), "close");
    assert_true(raw_ended(&c));
    raw_close(&c);
}

static void a_fit_request_id_is_kept_and_another_is_replaced(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_ask(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nX-Request-Id: a.B-9_:z\r\n\r\n");
    assert_string_equal(raw_header(&c, "x-request-id"), "a.B-9_:z");
    raw_ask(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nX-Request-Id: a b\r\n\r\n");
    assert_int_equal(strlen(raw_header(&c, "x-request-id")), 32);
    raw_close(&c);
}

static void pipelined_answers_come_in_order(void **state)
{
    struct raw c, other;

    (void)state;
    raw_open(&c, server.port);
    raw_open(&other, server.port);
    raw_puts(&c, GET("/hold") GET("/hello") GET("/big?size=3") GET("/hold"));
    webserver_until(&server, "held", 2);
    assert_int_equal(raw_ask(&other, GET("/release")), 200);
    assert_string_equal(other.answer.body, "2");
    raw_read(&c);
    assert_string_equal(c.answer.body, "held");
    raw_read(&c);
    assert_string_equal(c.answer.body, "hello");
    raw_read(&c);
    assert_string_equal(c.answer.body, "bbb");
    raw_read(&c);
    assert_string_equal(c.answer.body, "held");
    raw_close(&c);
    raw_close(&other);
}

static void what_is_not_safe_waits_for_those_before_it(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_puts(&c, GET("/hold") "POST /release HTTP/1.1\r\nHost: t\r\n\r\n");
    webserver_until(&server, "held", 1); /* /release has not been called */
    raw_puts(&c, GET("/hello"));
    webserver_until(&server, "held", 1);
    {
        struct raw other;

        raw_open(&other, server.port);
        raw_ask(&other, GET("/release"));
        raw_close(&other);
    }
    raw_read(&c);
    assert_string_equal(c.answer.body, "held");
    raw_read(&c);
    assert_string_equal(c.answer.body, "0");
    raw_read(&c);
    assert_string_equal(c.answer.body, "hello");
    raw_close(&c);
}

static void bodies_come_by_length_and_in_chunks(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n12345");
    assert_string_equal(c.answer.body, "12345");
    raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\nTrailer: dropped\r\n\r\n");
    assert_string_equal(c.answer.body, "abc0123456789");
    raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n" GET("/hello"));
    assert_string_equal(c.answer.body, "");
    raw_read(&c);
    assert_string_equal(c.answer.body, "hello");
    raw_close(&c);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    static const char text[] =
        "\r\nPOST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: x\r\n\r\n" GET("/hello");
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        assert_true(raw_send(&c, text + i, 1));
    raw_read(&c);
    assert_string_equal(c.answer.body, "abc0123456789");
    raw_read(&c);
    assert_string_equal(c.answer.body, "hello");
    raw_close(&c);
}

static void a_large_body_and_a_large_answer_pass(void **state)
{
    enum { SIZE = 1024 * 1024 };
    char *body = malloc(SIZE);
    struct raw c;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)('a' + i % 23);
    raw_open(&c, server.port);
    raw_puts(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1048576\r\n\r\n");
    raw_send(&c, body, SIZE);
    assert_true(raw_read(&c));
    assert_int_equal(c.answer.body_len, SIZE);
    assert_memory_equal(c.answer.body, body, SIZE);
    assert_int_equal(raw_ask(&c, GET("/big?size=20000000")), 200);
    assert_int_equal(c.answer.body_len, 20000000);
    raw_close(&c);
    free(body);
}

static void head_has_the_length_and_no_body(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_puts(&c, "HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_true(raw_read_head(&c));
    assert_string_equal(raw_header(&c, "content-length"), "5");
    raw_puts(&c, "HEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_true(raw_read_head(&c));
    assert_int_equal(c.answer.status, 200);
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_string_equal(c.answer.body, "hello");
    raw_close(&c);
}

static void http_1_0_ends_unless_it_asks_to_stay(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    assert_int_equal(raw_ask(&c, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200);
    assert_string_equal(raw_header(&c, "connection"), "keep-alive");
    assert_int_equal(raw_ask(&c, "GET /hello HTTP/1.0\r\n\r\n"), 200);
    assert_string_equal(raw_header(&c, "connection"), "close");
    assert_true(raw_ended(&c));
    raw_close(&c);
    raw_open(&c, server.port);
    assert_int_equal(
        raw_ask(&c, "GET /stream?n=3&size=2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200);
    assert_null(raw_header(&c, "transfer-encoding"));
    assert_string_equal(c.answer.body, "ssssss"); /* up to the end of the connection */
    raw_close(&c);
}

static void a_stream_comes_in_parts_and_stays_open(void **state)
{
    struct raw c, other;

    (void)state;
    raw_open(&c, server.port);
    raw_open(&other, server.port);
    raw_puts(&c, GET("/tail"));
    assert_true(raw_read_head(&c)); /* before there is any part */
    assert_string_equal(raw_header(&c, "transfer-encoding"), "chunked");
    raw_ask(&other, GET("/release"));
    assert_string_equal(raw_bytes(&c, 10), "5\r\ntick\n\r\n");
    raw_ask(&other, GET("/release"));
    assert_string_equal(raw_bytes(&c, 10), "5\r\ntick\n\r\n");
    raw_close(&c);
    webserver_until(&server, "held", 0);
    assert_int_equal(raw_ask(&other, GET("/stream?n=4&size=70000")), 200);
    assert_int_equal(other.answer.body_len, 280000);
    assert_int_equal(raw_ask(&other, GET("/hello")), 200);
    raw_close(&other);
}

static void a_stream_waits_for_its_reader(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_puts(&c, GET("/stream?n=100000&size=10000"));
    assert_true(raw_read_head(&c));
    {
        int64_t before = -1, now = 0; /* nobody reads: it comes to rest far below the gigabyte */

        for (int still = 0; still < 50; still = now == before ? still + 1 : 0) {
            before = now;
            now = webserver_stat(&server, "produced");
        }
        assert_in_range(now, 10000, 64 * 1024 * 1024);
    }
    raw_close(&c);
    assert_true(webserver_stat(&server, "produced") < 64 * 1024 * 1024);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_puts(&c,
             "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    assert_string_equal(raw_bytes(&c, 25), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_puts(&c, "12345");
    assert_true(raw_read(&c));
    assert_string_equal(c.answer.body, "12345");
    /* Refused without its body: nobody can know whether it will come. */
    assert_int_equal(raw_ask(&c, "POST /skip HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
                                 "Expect: 100-continue\r\n\r\n"),
                     200);
    assert_string_equal(raw_header(&c, "connection"), "close");
    assert_true(raw_ended(&c));
    raw_close(&c);
}

static void a_body_nobody_asks_for_is_dropped_when_it_is_small(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    assert_int_equal(
        raw_ask(&c, "POST /skip HTTP/1.1\r\nHost: t\r\nContent-Length: 7\r\n\r\nGET /x "), 200);
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_string_equal(c.answer.body, "hello");
    assert_int_equal(
        raw_ask(&c, "POST /skip HTTP/1.1\r\nHost: t\r\nContent-Length: 700000\r\n\r\nGET"), 200);
    assert_string_equal(raw_header(&c, "connection"), "close");
    assert_true(raw_ended(&c));
    raw_close(&c);
}

static void a_client_that_goes_is_noticed(void **state)
{
    int64_t gone = webserver_stat(&server, "gone");
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_puts(&c, GET("/hold"));
    webserver_until(&server, "held", 1);
    raw_close(&c);
    webserver_until(&server, "gone", gone + 1);
    webserver_until(&server, "held", 0);
    webserver_until(&server, "connections", 1); /* the one that asks */
}

static void an_early_answer_stands_in_for_a_late_one(void **state)
{
    struct raw c, other;

    (void)state;
    raw_open(&c, server.port);
    raw_open(&other, server.port);
    assert_int_equal(raw_ask(&c, GET("/early")), 504);
    assert_string_equal(raw_header(&c, "x-kept"), "yes");
    assert_non_null(strstr(c.answer.body, "\"code\":\"TIMEOUT\""));
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    raw_ask(&other, GET("/release"));
    assert_string_equal(other.answer.body, "1");
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_string_equal(c.answer.body, "hello");
    assert_int_equal(raw_ask(&c, "POST /early HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n"),
                     504);
    assert_true(raw_ended(&c));
    raw_close(&c);
    raw_ask(&other, GET("/release"));
    raw_close(&other);
}

static void an_error_is_a_problem_object(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    assert_int_equal(raw_ask(&c, GET("/no%22where")), 404);
    assert_string_equal(raw_header(&c, "content-type"), "application/problem+json");
    assert_non_null(strstr(c.answer.body, "\"status\":404"));
    assert_non_null(
        strstr(c.answer.body, "\"code\":\"NOT_FOUND\",\"message\":\"there is nothing here\""));
    assert_non_null(strstr(c.answer.body, "\"instance\":\"/no%22where\""));
    assert_non_null(strstr(c.answer.body, raw_header(&c, "x-request-id")));
    raw_close(&c);
}

static void handlers_see_headers_in_one_form(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, server.port);
    raw_ask(&c,
            "GET http://t/show?a=b HTTP/1.1\r\nHost: T\r\nX-Empty:\r\nX-SPACE: \t a b\t \r\n\r\n");
    assert_non_null(strstr(c.answer.body, "0\n/show\na=b\n"));
    assert_non_null(strstr(c.answer.body, "127.0.0.1\nhost=[T]\nx-empty=[]\nx-space=[a b]\n"));
    raw_close(&c);
}

static void bodies_and_streams_may_be_packed(void **state)
{
    static char text[5000];
    struct arena a;
    struct slice back;
    struct buf packed;
    struct pack *z;
    struct err e;
    struct raw c;
    char head[256];

    (void)state;
    memset(text, 'x', sizeof(text));
    arena_init(&a, 0);
    z = pack_open();
    assert_non_null(z);
    buf_init(&packed);
    assert_int_equal(pack_put(z, text, sizeof(text), true, &packed), 0);
    pack_close(z);
    raw_open(&c, server.port);
    (void)snprintf(head, sizeof(head),
                   "POST /echo?max=5000 HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   packed.len);
    raw_puts(&c, head);
    raw_send(&c, packed.data, packed.len);
    assert_true(raw_read(&c));
    assert_int_equal(c.answer.status, 200);
    assert_int_equal(c.answer.body_len, 5000);
    assert_int_equal(raw_ask(&c, GET("/packed")), 200);
    assert_string_equal(raw_header(&c, "content-encoding"), "gzip");
    assert_int_equal(
        pack_undo((struct slice){ c.answer.body, c.answer.body_len }, 3000, &a, &back, &e), 0);
    assert_int_equal(back.len, 3000);
    memcpy(strstr(head, "max=5000"), "max=4999", 8);
    raw_puts(&c, head);
    raw_send(&c, packed.data, packed.len);
    assert_true(raw_read(&c));
    assert_int_equal(c.answer.status, 413);
    assert_true(raw_ended(&c));
    raw_close(&c);
    raw_open(&c, server.port);
    assert_int_equal(raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Encoding: br\r\n"
                                 "Content-Length: 1\r\n\r\nx"),
                     415);
    raw_close(&c);
    buf_release(&packed);
    arena_release(&a);
}

static void a_drain_finishes_what_is_under_way(void **state)
{
    struct webserver own;
    struct raw busy, idle;

    (void)state;
    webserver_start(&own, NULL, 0);
    raw_open(&busy, own.port);
    raw_open(&idle, own.port);
    assert_int_equal(raw_ask(&idle, GET("/hello")), 200);
    raw_puts(&busy, GET("/hold"));
    webserver_until(&own, "held", 1);
    assert_int_equal(kill(own.pid, SIGTERM), 0);
    assert_true(raw_ended(&idle));
    assert_true(raw_read(&busy));
    assert_string_equal(busy.answer.body, "held");
    assert_true(raw_ended(&busy));
    raw_close(&busy);
    raw_close(&idle);
    webserver_stop(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_length_date_and_request_id),
        cmocka_unit_test(one_connection_serves_many_requests),
        cmocka_unit_test(a_fit_request_id_is_kept_and_another_is_replaced),
        cmocka_unit_test(pipelined_answers_come_in_order),
        cmocka_unit_test(what_is_not_safe_waits_for_those_before_it),
        cmocka_unit_test(bodies_come_by_length_and_in_chunks),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(a_large_body_and_a_large_answer_pass),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(http_1_0_ends_unless_it_asks_to_stay),
        cmocka_unit_test(a_stream_comes_in_parts_and_stays_open),
        cmocka_unit_test(a_stream_waits_for_its_reader),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(a_body_nobody_asks_for_is_dropped_when_it_is_small),
        cmocka_unit_test(a_client_that_goes_is_noticed),
        cmocka_unit_test(an_early_answer_stands_in_for_a_late_one),
        cmocka_unit_test(an_error_is_a_problem_object),
        cmocka_unit_test(handlers_see_headers_in_one_form),
        cmocka_unit_test(bodies_and_streams_may_be_packed),
        cmocka_unit_test(a_drain_finishes_what_is_under_way),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
