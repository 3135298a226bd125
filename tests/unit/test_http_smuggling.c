/*
 * tests/unit/test_http_smuggling.c - requests that two parsers could read in two ways, and other
 * malformed ones: each gets one answer and an ended connection, however its bytes are cut.
 *
 * Behind each vector stands a request for /smuggled: it must never be answered.
 */
#include "lib/rawhttp.h"
#include "lib/webserver.h"
#include "lib/wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: t\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define GET_TARGET(t) TEXT("GET " t " HTTP/1.1\r\nHost: t\r\n\r\n")
#define GET_HEADERS(h) TEXT("GET / HTTP/1.1\r\nHost: t\r\n" h "\r\n\r\n")
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    int status;
    struct slice text;
} vectors[] = {
    /* framing */
    { 400, TEXT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: 5, 5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: +5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: -5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: 0x5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: 05\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length: 5 5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length:\r\n\r\n") },
    { 400, TEXT(POST "Content-Length: \r\n\r\n") },
    { 400, TEXT(POST "Content-Length: 99999999999999999999\r\n\r\n") },
    { 400, TEXT(POST "Content-Length: 18446744073709551616\r\n\r\n") },
    { 400, TEXT(POST "Content-Length : 5\r\n\r\n12345") },
    { 400, TEXT(POST "Content-Length\t: 5\r\n\r\n12345") },
    { 400, TEXT(POST "Content_Length: 5\r\nContent-Length: five\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: identity\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding:\x0b"
                     "chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: \x00"
                     "chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "X: y\r\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: chunked\r\r\n\r\n0\r\n\r\n") },
    { 400, TEXT("POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
    { 400, TEXT(POST "Transfer-Encoding: \xe2\x80\x8b"
                     "chunked\r\n\r\n0\r\n\r\n") },
    /* chunks */
    { 400, TEXT(CHUNKED "0x5\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "+5\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "-5\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED " 5\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5 \r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\t;a\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5;a\nb\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5;a\rb\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5;a=\x01\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\n123456\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\n1234\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\n12345\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\n12345\r0\r\n\r\n") },
    { 400, TEXT(CHUNKED "5\r\n123450\r\n\r\n") },
    { 400, TEXT(CHUNKED "\r\n5\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "fffffffffffffffff\r\n") },
    { 400, TEXT(CHUNKED "10000000000000000\r\n") },
    { 400, TEXT(CHUNKED "g\r\n") },
    { 400, TEXT(CHUNKED ";a\r\n") },
    { 400, TEXT(CHUNKED "5;" A64 A64 A64 A64 A64 "\r\n12345\r\n0\r\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\nX: y\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\nX: y\rZ: a\r\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\n X: y\r\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\nX: y\r\n\tfold\r\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\nX: \x00\r\n\r\n") },
    { 400, TEXT(CHUNKED "0\r\n\n") },
    { 400, TEXT(CHUNKED "0\n\n") },
    { 400, TEXT(CHUNKED "0\r\n\rX") },
    /* host */
    { 400, TEXT("GET / HTTP/1.1\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t\r\nhost: u\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t u\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t/u\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: u@t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t,u\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.0\r\nHost: t\r\nHost: t\r\n\r\n") },
    { 400, GET_TARGET("http://u/hello") },
    { 400, GET_TARGET("http://t:80/hello") },
    { 400, GET_TARGET("http://t") },
    { 400, GET_TARGET("ftp://t/hello") },
    { 400, GET_TARGET("//t/hello") },
    { 400, GET_TARGET("http://u@t/hello") },
    /* targets */
    { 400, GET_TARGET("hello") },
    { 400, GET_TARGET("*") },
    { 400, GET_TARGET("/a/../hello") },
    { 400, GET_TARGET("/a/%2e%2E/hello") },
    { 400, GET_TARGET("/a/.%2e") },
    { 400, GET_TARGET("/./hello") },
    { 400, GET_TARGET("/..") },
    { 400, GET_TARGET("/a//hello") },
    { 400, GET_TARGET("/a%2fhello") },
    { 400, GET_TARGET("/a%2Fhello") },
    { 400, GET_TARGET("/a%5chello") },
    { 400, GET_TARGET("/a\\hello") },
    { 400, GET_TARGET("/a%00") },
    { 400, GET_TARGET("/a%0d%0aX:y") },
    { 400, GET_TARGET("/a%7f") },
    { 400, GET_TARGET("/a%") },
    { 400, GET_TARGET("/a%4") },
    { 400, GET_TARGET("/a%zz") },
    { 400, GET_TARGET("/a#b") },
    { 400, GET_TARGET("/a?b#c") },
    { 400, GET_TARGET("/a\xc3\xa4") },
    { 400, GET_TARGET("/a b") },
    { 400, GET_TARGET("/a\tb") },
    /* the request line */
    { 400, TEXT("GET\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET /\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET  / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET /  HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1 \r\nHost: t\r\n\r\n") },
    { 400, TEXT(" GET / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("\tGET / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("\nGET / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1\nHost: t\n\n") },
    { 400, TEXT("GET / HTTP/1.1\r\nHost: t\r\n\n") },
    { 400, TEXT("GET / http/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/11\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTP/1.1x\r\nHost: t\r\n\r\n") },
    { 400, TEXT("GET / HTTPS/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("G\x80T / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("G(T / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 400, TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") }, /* TLS */
    { 505, TEXT("GET / HTTP/2.0\r\nHost: t\r\n\r\n") },
    { 505, TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
    { 505, TEXT("GET / HTTP/0.9\r\nHost: t\r\n\r\n") },
    { 505, TEXT("GET / HTTP/1.2\r\nHost: t\r\n\r\n") },
    { 501, TEXT("get / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 501, TEXT("BREW / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 501, TEXT("TRACE / HTTP/1.1\r\nHost: t\r\n\r\n") },
    { 501, TEXT("CONNECT t:443 HTTP/1.1\r\nHost: t\r\n\r\n") },
    /* headers */
    { 400, GET_HEADERS(": y") },
    { 400, GET_HEADERS("X") },
    { 400, GET_HEADERS("X y: z") },
    { 400, GET_HEADERS("X\x80: z") },
    { 400, GET_HEADERS("X(: z") },
    { 400, GET_HEADERS("X: \x01") },
    { 400, GET_HEADERS("X: \x7f") },
    { 400, GET_HEADERS("X: a\x00z") },
    { 400, GET_HEADERS("Authorization: Bearer a\r\nAuthorization: Bearer b") },
    { 400, GET_HEADERS("Idempotency-Key: a\r\nidempotency-key: b") },
    { 400, GET_HEADERS("X-InferPipe-Workspace: a\r\nX-InferPipe-Workspace: b") },
    { 417, GET_HEADERS("Expect: 200-ok") },
};

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

static void send_in(struct raw *c, struct slice text, size_t step)
{
    for (size_t at = 0; at < text.len; at += step)
        if (!raw_send(c, text.text + at, MIN(step, text.len - at)))
            return; /* the answer has come already */
}

/* One answer, of that status, and the end. */
static void check_answer(size_t i, size_t step)
{
    struct raw c;
    int on = 1;

    raw_open(&c, server.port);
    (void)setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    send_in(&c, vectors[i].text, step);
    (void)raw_puts(&c, SMUGGLED);
    if (!raw_read(&c) || c.answer.status != vectors[i].status)
        fail_msg("vector %zu in pieces of %zu: %d", i, step, c.answer.status);
    if (!raw_header(&c, "connection") || strcmp(raw_header(&c, "connection"), "close") != 0 ||
        !raw_ended(&c))
        fail_msg("vector %zu in pieces of %zu: the connection goes on", i, step);
    raw_close(&c);
}

static void each_vector_gets_one_answer_and_the_end(void **state)
{
    (void)state;
    assert_true(ARRAY_LEN(vectors) >= 60);
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        check_answer(i, vectors[i].text.len);
        check_answer(i, 1);
    }
    assert_int_equal(webserver_stat(&server, "bad_requests"), 2 * ARRAY_LEN(vectors));
}

static void the_verdict_does_not_depend_on_where_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct slice text = vectors[i].text;

        if (text.len >= 2 && text.text[0] == '\r')
            continue; /* the empty line before a request is the connection's business */
        for (size_t first = 1; first <= text.len; first++)
            for (size_t step = 1; step <= text.len; step += text.len > 1 ? text.len - 1 : 1) {
                struct wire_verdict v = wire_judge(text.text, text.len, first, step);

                if (v.status != vectors[i].status || v.requests != 0)
                    fail_msg("vector %zu cut at %zu and each %zu: %d, %d requests", i, first, step,
                             v.status, v.requests);
            }
    }
}

/* What looks odd and is allowed: the strictness has a limit. */
static void what_is_only_unusual_passes(void **state)
{
    static const struct {
        int requests;
        struct slice text;
    } good[] = {
        { 1, GET_TARGET("/") },
        { 1, GET_TARGET("/a/") },
        { 1, GET_TARGET("/.a/..b/...") },
        { 1, GET_TARGET("/%7Ea%20b?%zz=../..//") },
        { 1, GET_TARGET("HTTP://T/a") },
        { 1, TEXT("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n") },
        { 1, TEXT("GET / HTTP/1.1\r\nHost: [::1]:8787\r\n\r\n") },
        { 1, TEXT("GET / HTTP/1.0\r\n\r\n") },
        { 1, GET_HEADERS("X:") },
        { 1, GET_HEADERS("X: \xc3\xa4\ty") },
        { 1, GET_HEADERS("Connection: Upgrade\r\nUpgrade: h2c") },
        { 1, GET_HEADERS("Expect: 100-CONTINUE") },
        { 1, TEXT(POST "Content-Length: 0\r\n\r\n") },
        { 1, TEXT(POST "Content-Length: 5\r\n\r\n12345") },
        { 1, TEXT(CHUNKED "0\r\n\r\n") },
        { 1, TEXT(CHUNKED "000005;a=b\r\n12345\r\nA\r\n0123456789\r\n00\r\nX: y\r\n\r\n") },
        { 2, TEXT(CHUNKED "1\r\n\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n") },
        { 3, TEXT(POST "Content-Length: 4\r\n\r\n\r\n\r\n" SMUGGLED SMUGGLED) },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        for (size_t first = 1; first <= good[i].text.len; first++) {
            struct wire_verdict v = wire_judge(good[i].text.text, good[i].text.len, first, 1);

            if (v.status != 0 || v.requests != good[i].requests)
                fail_msg("%zu cut at %zu: %d, %d requests", i, first, v.status, v.requests);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_vector_gets_one_answer_and_the_end),
        cmocka_unit_test(the_verdict_does_not_depend_on_where_the_bytes_are_cut),
        cmocka_unit_test(what_is_only_unusual_passes),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
