/*
 * tests/fault/test_http_memory.c - the HTTP server while memory fails: the n-th allocation, for
 * each n that a round of requests makes.  A connection may be cut or a request get an error; the
 * server goes on, loses no request and leaks nothing.
 */
#include "lib/rawhttp.h"
#include "lib/webserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define HELLO "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"

static const char battery[] = HELLO HELLO
    "GET /nowhere HTTP/1.1\r\nHost: t\r\nX-Request-Id: a\r\n\r\n"
    "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n12345"
    "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
    "POST /skip HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n12345"
    "GET /packed HTTP/1.1\r\nHost: t\r\n\r\n"
    "GET /stream?n=3&size=100000 HTTP/1.1\r\nHost: t\r\n\r\n"
    "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

/* True when all was answered as it should be. */
static bool round_of(const struct webserver *s)
{
    static char answers[1 << 20];
    size_t len = 0;
    struct raw c;
    ssize_t n;

    raw_open(&c, s->port);
    (void)raw_send(&c, battery, sizeof(battery) - 1);
    while ((n = recv(c.fd, answers + len, sizeof(answers) - 1 - len, 0)) > 0)
        len += (size_t)n; /* the server ends it in any case */
    answers[len] = '\0';
    raw_close(&c);
    return len > 300000 && strstr(answers, "\r\n\r\nhello") &&
           strcmp(answers + len - strlen("\r\n\r\nhello"), "\r\n\r\nhello") == 0;
}

/* Arms the n-th allocation, or disarms: true when one has failed. */
static bool arm(const struct webserver *s, int n)
{
    char request[128];
    bool answered = false, hit = false;

    (void)snprintf(request, sizeof(request), "GET /fault?n=%d HTTP/1.1\r\nHost: t\r\n\r\n", n);
    while (!answered) { /* the fault may take this connection */
        struct raw c;

        raw_open(&c, s->port);
        answered = raw_puts(&c, request) && raw_read(&c) && c.answer.status == 200;
        hit = answered && strcmp(c.answer.body, "hit") == 0;
        raw_close(&c);
    }
    return hit;
}

static void the_server_outlives_each_failed_allocation(void **state)
{
    struct webserver s;
    bool hit = true;
    int n = 0;

    (void)state;
    webserver_start(&s, NULL, 0);
    assert_true(round_of(&s));
    while (hit) {
        assert_true(++n < 2000);
        (void)arm(&s, n);
        (void)round_of(&s);
        hit = arm(&s, 0);
        assert_true(round_of(&s)); /* as if nothing had been */
    }
    assert_true(n > 10); /* there was something to fail */
    webserver_until(&s, "connections", 1);
    webserver_stop(&s); /* asserts that each request was finished once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_outlives_each_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
