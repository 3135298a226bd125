/* tests/unit/test_http_limits.c - each limit of the HTTP server, at it and one over it. */
#include "lib/rawhttp.h"
#include "lib/webserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

/* The status for a request, on a connection of its own. */
static int status_of(const struct webserver *s, const char *text, size_t len)
{
    struct raw c;
    int status;

    raw_open(&c, s->port);
    (void)raw_send(&c, text, len);
    assert_true(raw_read(&c));
    status = c.answer.status;
    raw_close(&c);
    return status;
}

static char *fill(char *to, size_t n, char with)
{
    memset(to, with, n);
    return to + n;
}

static char *copy(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

static void the_head_has_a_size(void **state)
{
    static const char front[] = "GET /hello HTTP/1.1\r\nHost: t\r\nX: ";
    const struct webserver_option options[] = { { CONFIG_HTTP_HEAD_MAX, "2KiB" } };
    struct webserver s;
    char text[4096], *end;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    for (size_t size = 2048; size <= 2049; size++) {
        end = fill(copy(text, front), size - strlen(front) - 4, 'x');
        end = copy(end, "\r\n\r\n");
        assert_int_equal(end - text, size);
        assert_int_equal(status_of(&s, text, size), size == 2048 ? 200 : 431);
    }
    assert_int_equal(status_of(&s, text, 2048), 431); /* it need not be whole */
    webserver_stop(&s);
}

static void the_headers_have_a_number(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_HEADERS_MAX, "8" } };
    struct webserver s;
    char text[1024], *end;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    for (int n = 8; n <= 9; n++) {
        end = copy(text, "GET /hello HTTP/1.1\r\nHost: t\r\n");
        for (int i = 1; i < n; i++)
            end = copy(end, "X: y\r\n");
        end = copy(end, "\r\n");
        assert_int_equal(status_of(&s, text, (size_t)(end - text)), n == 8 ? 200 : 431);
    }
    webserver_stop(&s);
}

static void the_target_has_a_length(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_TARGET_MAX, "256" },
                                                { CONFIG_HTTP_HEAD_MAX, "1KiB" } };
    struct webserver s;
    char text[2048], *end;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    for (size_t n = 256; n <= 257; n++) {
        end = fill(copy(text, "GET /hello?"), n - 7, 'q');
        end = copy(end, " HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_int_equal(status_of(&s, text, (size_t)(end - text)), n == 256 ? 200 : 414);
    }
    end = fill(copy(text, "GET /hello?"), 1500, 'q'); /* longer than any head, and no end */
    assert_int_equal(status_of(&s, text, (size_t)(end - text)), 414);
    webserver_stop(&s);
}

/* A request with a body of n bytes, by its length or in chunks; gives its size. */
static size_t with_body(char *text, int n, bool chunked)
{
    char head[128], *end;

    (void)snprintf(head, sizeof(head),
                   chunked ? "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "400\r\n"
                           : "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n",
                   n);
    end = fill(copy(text, head), 1024, 'x');
    if (!chunked)
        return (size_t)(fill(end, (size_t)n - 1024, 'x') - text);
    return (size_t)(copy(end, n > 1024 ? "\r\n1\r\nx\r\n0\r\n\r\n" : "\r\n0\r\n\r\n") - text);
}

static void a_body_has_a_size_told_or_not(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_BODY_MAX, "1KiB" } };
    struct webserver s;
    char text[4096], *end;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    for (int n = 1024; n <= 1025; n++) {
        assert_int_equal(status_of(&s, text, with_body(text, n, false)), n == 1024 ? 200 : 413);
        assert_int_equal(status_of(&s, text, with_body(text, n, true)), n == 1024 ? 200 : 413);
    }
    /* Refused before it is read. */
    end = copy(text, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1025\r\n\r\n");
    assert_int_equal(status_of(&s, text, (size_t)(end - text)), 413);
    webserver_stop(&s);
}

/* ---- time ---- */

static double seconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What comes after `text` and silence: the status, or 0 for just an end.  Not before `least`. */
static int after_silence(const struct webserver *s, const char *text, double least)
{
    double start = seconds();
    struct raw c;
    int status;

    raw_open(&c, s->port);
    assert_true(raw_puts(&c, text));
    status = raw_read(&c) ? c.answer.status : 0;
    assert_true(seconds() - start >= least * 0.9);
    if (status != 0)
        assert_true(raw_ended(&c));
    raw_close(&c);
    return status;
}

static void each_wait_for_a_client_ends(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_HEAD_TIME, "300ms" },
                                                { CONFIG_HTTP_BODY_TIME, "400ms" },
                                                { CONFIG_HTTP_IDLE_TIME, "500ms" } };
    struct webserver s;
    struct raw c;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    assert_int_equal(after_silence(&s, "G", 0.3), 408);
    assert_int_equal(after_silence(&s, "GET / HTTP/1.1\r\nHost: t\r\n", 0.3), 408);
    assert_int_equal(
        after_silence(&s, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx", 0.4),
        408);
    assert_int_equal(after_silence(&s, "", 0.5), 0);
    raw_open(&c, s.port); /* idle after a request */
    assert_int_equal(raw_ask(&c, GET("/hello")), 200);
    assert_true(raw_ended(&c));
    raw_close(&c);
    assert_true(webserver_stat(&s, "timeouts") >= 5);
    webserver_stop(&s);
}

/* One byte at a time does not buy more time. */
static void a_slow_head_is_cut_while_it_drips(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_HEAD_TIME, "300ms" } };
    struct timeval piece = { .tv_usec = 50 * 1000 };
    struct webserver s;
    struct raw c;
    char byte;
    int sent = 0;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    raw_open(&c, s.port);
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &piece, sizeof(piece)), 0);
    assert_true(raw_puts(&c, "GET / HTTP/1.1\r\nX: "));
    while (recv(c.fd, &byte, 1, MSG_PEEK) < 0 && sent < 400) /* waits 50 ms each */
        sent += raw_puts(&c, "x");
    assert_in_range(sent, 1, 399);
    assert_true(raw_read(&c));
    assert_int_equal(c.answer.status, 408);
    raw_close(&c);
    webserver_stop(&s);
}

static void who_takes_nothing_is_cut(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_WRITE_TIME, "300ms" } };
    struct webserver s;
    struct raw big, stream;

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    raw_open(&big, s.port);
    raw_open(&stream, s.port);
    raw_puts(&big, GET("/big?size=50000000"));
    raw_puts(&stream, GET("/stream?n=100000&size=10000"));
    webserver_until(&s, "connections", 1); /* both were cut: only the one that asks is there */
    assert_int_equal(webserver_stat(&s, "timeouts"), 2);
    webserver_until(&s, "held", 0);
    raw_close(&big);
    raw_close(&stream);
    webserver_stop(&s);
}

/* ---- connections ---- */

static void connections_have_a_number(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_CONNECTIONS, "2" } };
    const struct webserver_option by_address[] = { { CONFIG_HTTP_PER_ADDRESS, "2" } };
    struct webserver s;
    struct raw c[3];

    (void)state;
    for (int round = 0; round < 2; round++) {
        webserver_start(&s, round ? by_address : options, 1);
        for (int i = 0; i < 3; i++) {
            raw_open(&c[i], s.port);
            (void)raw_puts(&c[i], GET("/hello"));
            assert_int_equal(raw_read(&c[i]), i < 2);
        }
        raw_close(&c[2]);
        raw_close(&c[0]);
        do { /* until its place is free */
            raw_open(&c[0], s.port);
            (void)raw_puts(&c[0], GET("/hello"));
            if (raw_read(&c[0]))
                break;
            raw_close(&c[0]);
        } while (true);
        raw_close(&c[0]);
        raw_close(&c[1]);
        webserver_stop(&s);
    }
}

static void connections_of_a_key_have_a_number(void **state)
{
    const struct webserver_option options[] = { { CONFIG_HTTP_PER_KEY, "2" } };
    struct webserver s;
    struct raw c[3];

    (void)state;
    webserver_start(&s, options, ARRAY_LEN(options));
    for (int i = 0; i < 3; i++) {
        raw_open(&c[i], s.port);
        assert_int_equal(raw_ask(&c[i], GET("/claim?key=7")), i < 2 ? 200 : 429);
        assert_int_equal(raw_ask(&c[i], GET("/claim?key=7")), i < 2 ? 200 : 429);
    }
    assert_int_equal(raw_ask(&c[2], GET("/claim?key=8")), 200);
    assert_int_equal(raw_ask(&c[0], GET("/claim?key=8")), 200); /* and is no more one of key 7 */
    assert_int_equal(raw_ask(&c[2], GET("/claim?key=7")), 200);
    raw_close(&c[2]);
    webserver_until(&s, "connections", 3);
    assert_int_equal(raw_ask(&c[0], GET("/claim?key=7")), 200);
    raw_close(&c[0]);
    raw_close(&c[1]);
    webserver_stop(&s);
}

/* Requests over the bound wait in the connection; the first ones are handed over. */
static void pipelines_have_a_depth(void **state)
{
    struct webserver s;
    struct raw c, other;

    (void)state;
    webserver_start(&s, NULL, 0);
    raw_open(&c, s.port);
    raw_open(&other, s.port);
    for (int i = 0; i < 17; i++)
        assert_true(raw_puts(&c, GET("/hold")));
    webserver_until(&s, "held", 16);
    assert_int_equal(raw_ask(&other, GET("/release")), 200);
    assert_string_equal(other.answer.body, "16");
    webserver_until(&s, "held", 1);
    assert_int_equal(raw_ask(&other, GET("/release")), 200);
    for (int i = 0; i < 17; i++) {
        assert_true(raw_read(&c));
        assert_string_equal(c.answer.body, "held");
    }
    raw_close(&c);
    raw_close(&other);
    webserver_stop(&s);
}

/* What a client sends ahead of its turn is not kept without end. */
static void bytes_ahead_are_bounded(void **state)
{
    struct webserver s;
    struct raw c;
    int64_t now = 0;
    char *noise = malloc(1 << 20);

    (void)state;
    assert_non_null(noise);
    memset(noise, 'x', 1 << 20);
    webserver_start(&s, NULL, 0);
    raw_open(&c, s.port);
    raw_puts(&c, "POST /hold HTTP/1.1\r\nHost: t\r\n\r\n");
    webserver_until(&s, "held", 1);
    (void)send(c.fd, noise, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < 50; i++) /* turns of the server's loop, in which it could read on */
        now = webserver_stat(&s, "bytes_in");
    assert_true(now < 100000);
    raw_close(&c);
    webserver_stop(&s);
    free(noise);
}

/* ---- file descriptors ---- */

static void without_descriptors_clients_wait_and_are_served_later(void **state)
{
    enum { LIMIT = 64, MORE = 80 };
    struct rlimit old, few;
    struct raw c[MORE];
    struct webserver s;
    int served = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    webserver_start(&s, NULL, 0); /* inherits it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < MORE; i++) {
        raw_open(&c[i], s.port);
        assert_true(raw_puts(&c[i], GET("/hello")));
    }
    for (int i = 0; i < MORE; i++) { /* each that is served makes room for one that waits */
        assert_true(raw_read(&c[i]));
        served += c[i].answer.status == 200;
        raw_close(&c[i]);
    }
    assert_int_equal(served, MORE);
    webserver_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_has_a_size),
        cmocka_unit_test(the_headers_have_a_number),
        cmocka_unit_test(the_target_has_a_length),
        cmocka_unit_test(a_body_has_a_size_told_or_not),
        cmocka_unit_test(each_wait_for_a_client_ends),
        cmocka_unit_test(a_slow_head_is_cut_while_it_drips),
        cmocka_unit_test(who_takes_nothing_is_cut),
        cmocka_unit_test(connections_have_a_number),
        cmocka_unit_test(connections_of_a_key_have_a_number),
        cmocka_unit_test(pipelines_have_a_depth),
        cmocka_unit_test(bytes_ahead_are_bounded),
        cmocka_unit_test(without_descriptors_clients_wait_and_are_served_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
