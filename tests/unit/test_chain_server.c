/*
 * tests/unit/test_chain_server.c - router, chain and interceptors on the real server, over sockets:
 * late handlers, broken interceptors, a broken database, clients that go away.
 *
 * The server is a child.  It ends with status 0 only when it drained, every request was finished,
 * and every invocation was given back.
 */
#include "base/log.h"
#include "http/interceptors.h"
#include "http/server.h"
#include "lib/rawhttp.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"
#define TIMEOUT "150ms"

/* ---- the child ------------------------------------------------------------------------------ */

enum { HELD_MAX = 64 };

static struct {
    struct loop *loop;
    struct config config;
    struct http_server *server;
    struct router *router;
    struct chain *chain;
    struct interceptors *interceptors;
    struct http_request *held[HELD_MAX], *waiting[HELD_MAX];
    int held_count, waiting_count, gone;
    char big[5000];
} web;

static void ok(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, "text/plain", (struct slice){ "ok", 2 });
}

static void on_gone(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
    web.gone++;
}

static void late(void *ctx, struct http_request *r)
{
    (void)ctx;
    r->gone = on_gone;
    web.held[web.held_count++] = r;
}

/* Answers what is held and lets go on what waits; tells how many had been answered for. */
static void release(void *ctx, struct http_request *r)
{
    char *text = arena_printf(&r->arena, "held=%d waiting=%d gone=%d", web.held_count,
                              web.waiting_count, web.gone);

    web.gone = 0;
    while (web.held_count > 0)
        ok(ctx, web.held[--web.held_count]);
    while (web.waiting_count > 0)
        chain_resume(web.waiting[--web.waiting_count], CHAIN_NEXT, NULL);
    http_answer(r, 200, "text/plain", (struct slice){ text, strlen(text) });
}

static void fail_it(void *ctx, struct http_request *r)
{
    struct err e;

    (void)ctx;
    (void)err_set(&e, IFP_EUNAVAILABLE, "the database is away");
    http_answer_error(r, &e);
}

static void twice(void *ctx, struct http_request *r)
{
    ok(ctx, r);
    fail_it(ctx, r);
}

static void big(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, "application/json", (struct slice){ web.big, sizeof(web.big) });
}

static void echo(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, "application/json", r->body);
}

static const struct route routes[] = {
    { HTTP_GET, "/ok", 0, 0, ok, "ok", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/late", 0, 0, late, "late", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/long", 0, ROUTE_LONG, late, "long", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/release", 0, 0, release, "release", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/fail", 0, 0, fail_it, "fail", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/twice", 0, 0, twice, "twice", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/big", 0, 0, big, "big", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_POST, "/echo", 0, ROUTE_BODY, echo, "echo", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/clumsy", 0, 0, ok, "clumsy", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/broken", 0, 0, ok, "broken", "t", "", NULL, NULL, NULL, 200 },
    { HTTP_GET, "/waits", 0, 0, ok, "waits", "t", "", NULL, NULL, NULL, 200 },
};

/* Misbehaves in the way that the route is named after. */
static enum chain_verdict misbehave(void *self, struct http_request *r, void *slot, struct err *e)
{
    const char *how = r->route ? r->route->id : "";

    (void)slot;
    if (strcmp(how, "clumsy") == 0)
        twice(self, r);
    if (strcmp(how, "broken") == 0) {
        (void)err_set(e, IFP_EINVALID, "a detail that clients need not know");
        return CHAIN_FAILED;
    }
    if (strcmp(how, "waits") == 0) {
        web.waiting[web.waiting_count++] = r;
        return CHAIN_WAIT;
    }
    return CHAIN_NEXT;
}

static const struct interceptor misbehaving = { .name = "misbehaving", .enter = misbehave };

static void nothing(void *ctx, struct http_request *r)
{
    struct err e;

    (void)ctx;
    (void)err_set(&e, IFP_ENOTFOUND, "there is nothing at this path");
    http_answer_error(r, &e);
}

static void on_request(void *ctx, struct http_request *r)
{
    const char *allow;

    (void)!router_find(web.router, r, &allow); /* without a route: `nothing` */
    chain_run(web.chain, r, nothing, ctx);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    loop_stop(web.loop);
}

static void on_drained(void *ctx)
{
    (void)ctx;
    http_server_close(web.server, on_closed, NULL);
}

static void on_term(void *ctx)
{
    (void)ctx;
    while (web.held_count > 0)
        ok(ctx, web.held[--web.held_count]);
    http_server_drain(web.server, on_drained, NULL);
}

static int open_all(struct err *e)
{
    const struct route *tables[] = { routes };
    size_t counts[] = { ARRAY_LEN(routes) };
    struct http_server_options o = { .config = &web.config, .request = on_request };
    int rc = config_init(&web.config, e);

    if (rc == 0)
        rc = config_set(&web.config, CONFIG_PORT, "0", CONFIG_FROM_FLAG, e);
    if (rc == 0)
        rc = config_set(&web.config, CONFIG_HTTP_TIMEOUT, TIMEOUT, CONFIG_FROM_FLAG, e);
    if (rc == 0)
        rc = config_set(&web.config, CONFIG_HTTP_BREAKER_FAILURES, "3", CONFIG_FROM_FLAG, e);
    if (rc == 0)
        rc = loop_open(&web.loop, e);
    if (rc == 0)
        rc = loop_on_signal(web.loop, SIGTERM, on_term, NULL, e);
    if (rc == 0)
        rc = router_open(tables, counts, 1, &web.router, e);
    if (rc == 0)
        rc = chain_open(&(struct chain_options){ .pool_max = 16, .body_max = 1000 }, &web.chain, e);
    if (rc == 0)
        rc = interceptors_open(web.loop, &web.config, NULL, &web.interceptors, e);
    if (rc == 0)
        rc = interceptors_add_outer(web.interceptors, web.chain, e);
    if (rc == 0)
        rc = chain_add(web.chain, &misbehaving, NULL, e);
    if (rc == 0)
        rc = interceptors_add_inner(web.interceptors, web.chain, e);
    if (rc == 0)
        rc = chain_select(web.chain, "*=-circuit-breaker; fail=+circuit-breaker", web.router, e);
    return rc == 0 ? http_server_open(web.loop, &o, &web.server, e) : rc;
}

static void child(int report)
{
    struct err e;
    int port;

    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, 2);
    memset(web.big, '7', sizeof(web.big));
    if (open_all(&e) < 0) {
        (void)fprintf(stderr, "%s\n", e.text);
        exit(3);
    }
    port = http_server_port(web.server);
    if (write(report, &port, sizeof(port)) != sizeof(port))
        exit(4);
    loop_run(web.loop);
    chain_close(web.chain);
    interceptors_close(web.interceptors);
    router_close(web.router);
    loop_close(web.loop);
    config_release(&web.config);
    exit(0);
}

/* ---- the test's side ------------------------------------------------------------------------ */

static pid_t pid;
static int port;

static int start(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &port, sizeof(port)), sizeof(port));
    close(ends[0]);
    return 0;
}

static int stop(void **state)
{
    int status;

    (void)state;
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return 0;
}

/* What /release found, and that the server is as good as ever. */
static void expect_released(const char *text)
{
    struct raw c;

    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/release")), 200);
    assert_string_equal(c.answer.body, text);
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    raw_close(&c);
}

static void answers_carry_the_headers_of_the_chain(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    assert_string_equal(raw_header(&c, "x-content-type-options"), "nosniff");
    assert_string_equal(raw_header(&c, "cache-control"), "no-store");
    assert_int_equal(raw_ask(&c, GET("/nothing")), 404);
    assert_string_equal(raw_header(&c, "cache-control"), "no-store");
    raw_close(&c);
}

static void a_late_handler_costs_its_client_a_504_and_nobody_else_anything(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/late")), 504);
    assert_non_null(strstr(c.answer.body, "\"code\":\"TIMEOUT\""));
    assert_non_null(raw_header(&c, "x-request-id"));
    assert_string_equal(raw_header(&c, "x-content-type-options"), "nosniff");
    assert_int_equal(raw_ask(&c, GET("/ok")), 200); /* the same connection goes on */
    expect_released("held=1 waiting=0 gone=1");
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    raw_close(&c);
}

static void pipelined_requests_behind_a_late_one_are_answered_in_order(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_true(raw_puts(&c, GET("/ok") GET("/late") GET("/ok")));
    assert_true(raw_read(&c) && c.answer.status == 200);
    assert_true(raw_read(&c) && c.answer.status == 504);
    assert_true(raw_read(&c) && c.answer.status == 200);
    expect_released("held=1 waiting=0 gone=1");
    raw_close(&c);
}

static void a_client_that_goes_away_meanwhile_leaves_nothing_behind(void **state)
{
    struct raw c[8], other;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        raw_open(&c[i], port);
        assert_true(raw_puts(&c[i], GET("/late")));
    }
    for (size_t i = 0; i < ARRAY_LEN(c); i += 2)
        raw_close(&c[i]);
    for (size_t i = 1; i < ARRAY_LEN(c); i += 2) {
        assert_true(raw_read(&c[i]) && c[i].answer.status == 504);
        raw_close(&c[i]);
    }
    raw_open(&other, port);
    assert_int_equal(raw_ask(&other, GET("/late")), 504);
    raw_close(&other);
    expect_released("held=9 waiting=0 gone=9");
}

static void a_route_that_waits_by_intent_has_no_timeout(void **state)
{
    struct raw c, other;

    (void)state;
    raw_open(&c, port);
    assert_true(raw_puts(&c, GET("/long")));
    raw_open(&other, port);
    assert_int_equal(raw_ask(&other, GET("/late")), 504); /* so its time has passed */
    raw_close(&other);
    expect_released("held=2 waiting=0 gone=1");
    assert_true(raw_read(&c) && c.answer.status == 200);
    raw_close(&c);
}

static void a_body_that_does_not_come_is_answered_for(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_true(raw_puts(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab"));
    assert_true(raw_read(&c) && c.answer.status == 504);
    assert_true(raw_ended(&c));
    raw_close(&c);
    expect_released("held=0 waiting=0 gone=0");
}

static void bodies_have_their_limit_and_their_type(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                                 "Content-Type: application/json\r\n\r\n{}"),
                     200);
    assert_string_equal(c.answer.body, "{}");
    assert_int_equal(raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                                 "Content-Type: text/plain\r\n\r\n{}"),
                     415);
    raw_close(&c);
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1001\r\n\r\n"),
                     413);
    raw_close(&c);
}

static void whoever_answers_twice_is_heard_once(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raw_ask(&c, GET("/twice")), 200);
        assert_int_equal(raw_ask(&c, GET("/clumsy")), 200);
        assert_string_equal(c.answer.body, "ok");
        assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    }
    raw_close(&c);
}

static void an_interceptor_that_fails_costs_its_request_alone(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/broken")), 500);
    assert_null(strstr(c.answer.body, "detail that"));
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    raw_close(&c);
}

static void an_interceptor_that_waits_too_long_is_answered_for(void **state)
{
    struct raw c, gone;

    (void)state;
    raw_open(&gone, port);
    assert_true(raw_puts(&gone, GET("/waits")));
    raw_close(&gone);
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/waits")), 504);
    expect_released("held=0 waiting=2 gone=0");
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    raw_close(&c);
}

static void a_route_that_keeps_failing_is_refused_at_once(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raw_ask(&c, GET("/fail")), 503);
        assert_null(raw_header(&c, "retry-after"));
    }
    assert_int_equal(raw_ask(&c, GET("/fail")), 503);
    assert_non_null(raw_header(&c, "retry-after"));
    assert_int_equal(raw_ask(&c, GET("/ok")), 200);
    raw_close(&c);
}

static void large_answers_are_packed_for_who_takes_them(void **state)
{
    struct raw c;

    (void)state;
    raw_open(&c, port);
    assert_int_equal(raw_ask(&c, GET("/big")), 200);
    assert_int_equal(c.answer.body_len, 5000);
    assert_string_equal(raw_header(&c, "vary"), "accept-encoding");
    assert_int_equal(raw_ask(&c, "GET /big HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n"),
                     200);
    assert_string_equal(raw_header(&c, "content-encoding"), "gzip");
    assert_true(c.answer.body_len < 200);
    assert_memory_equal(c.answer.body, "\x1f\x8b", 2);
    raw_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_the_headers_of_the_chain),
        cmocka_unit_test(a_late_handler_costs_its_client_a_504_and_nobody_else_anything),
        cmocka_unit_test(pipelined_requests_behind_a_late_one_are_answered_in_order),
        cmocka_unit_test(a_client_that_goes_away_meanwhile_leaves_nothing_behind),
        cmocka_unit_test(a_route_that_waits_by_intent_has_no_timeout),
        cmocka_unit_test(a_body_that_does_not_come_is_answered_for),
        cmocka_unit_test(bodies_have_their_limit_and_their_type),
        cmocka_unit_test(whoever_answers_twice_is_heard_once),
        cmocka_unit_test(an_interceptor_that_fails_costs_its_request_alone),
        cmocka_unit_test(an_interceptor_that_waits_too_long_is_answered_for),
        cmocka_unit_test(a_route_that_keeps_failing_is_refused_at_once),
        cmocka_unit_test(large_answers_are_packed_for_who_takes_them),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
