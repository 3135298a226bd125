/*
 * tests/unit/test_http_client.c - outgoing requests against real sockets: what arrives, how each
 * failure is told, the limits, and that no spelling of a forbidden address gets a connection.
 */
#include "http/client.h"

#include "base/fault.h"
#include "http/egress.h"
#include "lib/looptest.h"
#include "lib/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 12 };

struct shot {
    struct http_call call;
    char url[512];
    int *count;
    int done;
};

static void on_done(struct http_call *call)
{
    struct shot *s = CONTAINER_OF(call, struct shot, call);

    s->done++;
    ++*s->count;
}

static struct http_client *open_client(struct loop *l, const struct http_client_options *o)
{
    struct http_client *c = NULL;
    struct err e;

    assert_int_equal(http_client_open(l, o, &c, &e), 0);
    return c;
}

static void shot_init(struct shot *s, int *count, const char *format, int port)
{
    memset(s, 0, sizeof(*s));
    s->count = count;
    s->call.done = on_done;
    s->call.total_ms = 20000;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(s->url, sizeof(s->url), format, port);
#pragma GCC diagnostic pop
    s->call.url = s->url;
}

/* One call to its end. */
static void fire(struct loop *l, struct http_client *c, struct shot *s)
{
    int before = *s->count;

    http_client_start(c, &s->call);
    assert_int_equal(s->done, 0); /* never from inside */
    looptest_count(l, s->count, before + 1);
    assert_int_equal(s->done, 1);
}

static void end(struct loop *l, struct http_client *c)
{
    http_client_close(c);
    looptest_close(l);
}

/* ---- what is sent and what comes back ------------------------------------------------------- */

static void answer_fully(void *ctx, const struct receiver_request *r, struct receiver_answer *ret)
{
    (void)ctx;
    (void)r;
    ret->status = 201;
    ret->headers = "X-Thing:  a value \r\nx-thing: second\r\n";
    ret->body = "{\"ok\":true}";
    ret->keep = true;
}

static void a_request_arrives_as_given(void **state)
{
    static const char *const headers[] = { "content-type: application/json", "x-one: 1", NULL };
    struct receiver *r = receiver_open(answer_fully, NULL);
    struct loop *l = looptest_open();
    struct http_client *c = open_client(l, &(struct http_client_options){ .agent = "test/1" });
    const struct receiver_request *q;
    struct shot s;
    char value[64];
    int count = 0;

    (void)state;
    shot_init(&s, &count, "http://127.0.0.1:%d/a/b?c=d", receiver_port(r));
    s.call.headers = headers;
    s.call.body = (struct slice){ "{\"n\":1.50}", 10 };
    for (int i = 1; i <= 2; i++) {
        fire(l, c, &s);
        assert_int_equal(s.call.failure, HTTP_FAILURE_NONE);
        assert_int_equal(s.call.err.code, 0);
        assert_int_equal(s.call.status, 201);
        assert_int_equal(s.call.answer.len, 11);
        assert_memory_equal(s.call.answer.data, "{\"ok\":true}", 11);
        assert_int_equal(http_call_header(&s.call, "x-thing").len, 7);
        assert_memory_equal(http_call_header(&s.call, "x-thing").text, "a value", 7);
        assert_null(http_call_header(&s.call, "x-thin").text);
        assert_true(s.call.sent_us > 0);
        assert_memory_equal(s.call.address, "127.0.0.1:", 10);
        http_call_release(&s.call);
        s.done = 0;
    }
    q = receiver_get(r, 2);
    assert_memory_equal(q->head, "POST /a/b?c=d HTTP/1.1\r\n", 24);
    assert_string_equal(q->body, "{\"n\":1.50}");
    receiver_header(q, "X-One", value, sizeof(value));
    assert_string_equal(value, "1");
    receiver_header(q, "user-agent", value, sizeof(value));
    assert_string_equal(value, "test/1");
    receiver_header(q, "expect", value, sizeof(value));
    assert_string_equal(value, "");
    assert_int_equal(receiver_connections(r), 1); /* kept and used again */
    end(l, c);
    receiver_close(r);
}

static struct told {
    int count;
    struct traceparent trace;
    uint64_t parent;
    bool failed;
    char error[32];
} told;

static void tell(void *ctx, const struct span *s)
{
    struct told *t = ctx;

    t->count++;
    t->trace = s->trace;
    t->parent = s->parent;
    t->failed = s->failed;
    snprintf(t->error, sizeof(t->error), "%s", s->error ? s->error : "");
}

/* The one who is called sees the span of the call, and so does who exports. */
static void a_call_is_a_span_of_who_makes_it(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c =
        open_client(l, &(struct http_client_options){ .span = tell, .span_ctx = &told });
    struct traceparent seen;
    char value[64];
    struct shot s;
    int count = 0;

    (void)state;
    shot_init(&s, &count, "http://127.0.0.1:%d/", receiver_port(r));
    s.call.trace =
        (struct traceparent){ .high = 0x1234, .low = 0x5678, .span = 0x9a, .sampled = true };
    fire(l, c, &s);
    http_call_release(&s.call);
    receiver_header(receiver_get(r, 1), "traceparent", value, sizeof(value));
    assert_int_equal(traceparent_parse(value, strlen(value), &seen), 0);
    assert_true(seen.high == 0x1234 && seen.low == 0x5678 && seen.span != 0x9a && seen.sampled);
    assert_int_equal(told.count, 1);
    assert_true(told.trace.span == seen.span && told.parent == 0x9a && !told.failed);

    s.done = 0;
    s.call.trace.sampled = false; /* handed on, not told of */
    fire(l, c, &s);
    http_call_release(&s.call);
    receiver_header(receiver_get(r, 2), "traceparent", value, sizeof(value));
    assert_string_equal(value + 52, "-00");
    assert_int_equal(told.count, 1);

    s.done = 0;
    s.call.trace = (struct traceparent){ 0 };
    fire(l, c, &s);
    http_call_release(&s.call);
    receiver_header(receiver_get(r, 3), "traceparent", value, sizeof(value));
    assert_string_equal(value, "");
    receiver_close(r);

    s.done = 0;
    s.call.trace = (struct traceparent){ .high = 1, .low = 1, .span = 1, .sampled = true };
    fire(l, c, &s);
    http_call_release(&s.call);
    assert_int_equal(told.count, 2);
    assert_true(told.failed);
    assert_string_equal(told.error, "connect");
    end(l, c);
}

static void no_proxy_of_the_environment_is_used(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL), *proxy = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c;
    struct shot s;
    char url[64];
    int count = 0;

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", receiver_port(proxy));
    setenv("http_proxy", url, 1);
    setenv("ALL_PROXY", url, 1);
    c = open_client(l, &(struct http_client_options){ 0 });
    shot_init(&s, &count, "http://127.0.0.1:%d/", receiver_port(r));
    fire(l, c, &s);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(s.call.status, 200);
    assert_memory_equal(receiver_get(r, 1)->head, "GET / ", 6);
    assert_int_equal(receiver_count(proxy), 0);
    http_call_release(&s.call);
    end(l, c);
    receiver_close(proxy);
    receiver_close(r);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void misbehave(void *ctx, const struct receiver_request *r, struct receiver_answer *ret)
{
    (void)ctx;
    if (strstr(r->head, " /hang "))
        ret->hang = true;
    if (strstr(r->head, " /close "))
        ret->status = 0;
    if (strstr(r->head, " /cut ")) {
        ret->cut = true;
        ret->body = "half";
    }
    if (strstr(r->head, " /large "))
        ret->body = "0123456789";
    if (strstr(r->head, " /bad "))
        ret->headers = "Content-Length: x\r\n";
    if (strstr(r->head, " /loop ")) {
        ret->status = 302;
        ret->headers = "Location: /loop\r\n";
    }
}

static void failures_are_told_apart(void **state)
{
    static const struct {
        const char *url;
        size_t max;
        int redirects;
        enum http_failure failure;
    } cases[] = {
        { "http://127.0.0.1:%d/", 0, 0, HTTP_FAILURE_NONE },
        { "http://127.0.0.1:%d/hang", 0, 0, HTTP_FAILURE_TIMEOUT },
        { "http://127.0.0.1:%d/close", 0, 0, HTTP_FAILURE_BROKEN },
        { "http://127.0.0.1:%d/cut", 0, 0, HTTP_FAILURE_BROKEN },
        { "http://127.0.0.1:%d/large", 10, 0, HTTP_FAILURE_NONE },
        { "http://127.0.0.1:%d/large", 9, 0, HTTP_FAILURE_TOO_LARGE },
        { "http://127.0.0.1:%d/loop", 0, 0, HTTP_FAILURE_NONE },
        { "http://127.0.0.1:%d/loop", 0, 3, HTTP_FAILURE_REDIRECTS },
        { "https://127.0.0.1:%d/", 0, 0, HTTP_FAILURE_TLS },
        { "http://127.0.0.1:1/?%d", 0, 0, HTTP_FAILURE_CONNECT },
        { "ftp://127.0.0.1:%d/", 0, 0, HTTP_FAILURE_INVALID },
    };
    struct receiver *r = receiver_open(misbehave, NULL);
    struct loop *l = looptest_open();
    struct http_client *c = open_client(l, &(struct http_client_options){ 0 });
    int count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct shot s;

        shot_init(&s, &count, cases[i].url, receiver_port(r));
        s.call.answer_max = cases[i].max;
        s.call.redirects = cases[i].redirects;
        if (cases[i].failure == HTTP_FAILURE_TIMEOUT)
            s.call.total_ms = 50;
        fire(l, c, &s);
        if (s.call.failure != cases[i].failure)
            fail_msg("%s: %s (%s)", s.url, http_failure_name(s.call.failure), s.call.err.text);
        assert_int_equal(s.call.err.code != 0, s.call.failure != HTTP_FAILURE_NONE);
        http_call_release(&s.call);
    }
    assert_int_equal(http_client_busy(c), 0);
    end(l, c);
    receiver_close(r);
}

static void what_is_no_request_is_refused_before_it_is_sent(void **state)
{
    static const char *const urls[] = {
        "",
        "/path",
        "127.0.0.1:%d",
        "//127.0.0.1:%d/",
        "http:///",
        "http://127.0.0.1:%d/a b",
        "http://127.0.0.1:%d/\r\nx: y",
        "http://user@127.0.0.1:%d/",
        "http://u:p@127.0.0.1:%d/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:%d/",
        "dict://127.0.0.1:%d/",
        "HTTP//x",
        "ws://127.0.0.1:%d/",
        "http://127.0.0.1:99999/",
        "http://[::1:%d/",
        "javascript:1",
        "http://127.0.0.1:%d\t/",
        "http://\xe2\x91\xa0.0.0.1:%d/",
        "http://",
    };
    static const char *const bad[][2] = {
        { "x-a: 1\r\nx-b: 2", NULL }, { "no colon", NULL }, { "", NULL }, { "x:\n", NULL }
    };
    struct receiver *r = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c = open_client(l, &(struct http_client_options){ 0 });
    struct shot s;
    int count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls) + ARRAY_LEN(bad) + 1; i++) {
        shot_init(&s, &count, i < ARRAY_LEN(urls) ? urls[i] : "http://127.0.0.1:%d/",
                  receiver_port(r));
        if (i == ARRAY_LEN(urls) + ARRAY_LEN(bad))
            s.call.method = "GET / HTTP/1.1\r\nX";
        else if (i >= ARRAY_LEN(urls))
            s.call.headers = bad[i - ARRAY_LEN(urls)];
        fire(l, c, &s);
        if (s.call.failure != HTTP_FAILURE_INVALID)
            fail_msg("case %zu, %s: %s", i, s.url, http_failure_name(s.call.failure));
        assert_int_equal(s.call.err.code, IFP_EINVALID);
        http_call_release(&s.call);
    }
    assert_int_equal(receiver_connections(r), 0);
    end(l, c);
    receiver_close(r);
}

/* ---- the policy ----------------------------------------------------------------------------- */

/* Each names this machine, something private or something that is not for us. */
static const char *const forbidden[] = {
    "http://127.0.0.1:%d/",
    "http://127.0.0.1.:%d/",
    "http://127.1:%d/",
    "http://127.0.1:%d/",
    "http://127.255.255.254:%d/",
    "http://2130706433:%d/",
    "http://0x7f000001:%d/",
    "http://0X7F000001:%d/",
    "http://017700000001:%d/",
    "http://0177.0.0.1:%d/",
    "http://0177.0x0.0.01:%d/",
    "http://0x7f.0.0.1:%d/",
    "http://0x7f.1:%d/",
    "http://127.0x1:%d/",
    "http://0:%d/",
    "http://0.0.0.0:%d/",
    "http://0x0:%d/",
    "http://00:%d/",
    "http://[::1]:%d/",
    "http://[0:0:0:0:0:0:0:1]:%d/",
    "http://[::]:%d/",
    "http://[::0001]:%d/",
    "http://[::127.0.0.1]:%d/",
    "http://[::ffff:127.0.0.1]:%d/",
    "http://[::FFFF:7f00:1]:%d/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:%d/",
    "http://[::ffff:0:127.0.0.1]:%d/",
    "http://[64:ff9b::7f00:1]:%d/",
    "http://[64:ff9b::127.0.0.1]:%d/",
    "http://[2002:7f00:1::]:%d/",
    "http://[2001:0:7f00:1::]:%d/",
    "http://localhost:%d/",
    "http://LOCALHOST:%d/",
    "http://LocalHost:%d/",
    "http://%%6c%%6f%%63%%61%%6c%%68%%6f%%73%%74:%d/",
    "http://127%%2e0%%2e0%%2e1:%d/",
    "http://127.0.0.1.nip.io:%d/",
    "http://NAME.example:%d/",
    "http://name.example.:%d/",
    "http://user@127.0.0.1:%d/",
    "http://example.com@127.0.0.1:%d/",
    "http://example.com:80@127.0.0.1:%d/",
    "http://127.0.0.1:%d@example.com:0/",
    "http://127.0.0.1:%d#@example.com/",
    "http://127.0.0.1:%d\\@example.com/",
    "http://example.com%%40127.0.0.1:%d/",
    "http:\\\\127.0.0.1:%d/",
    "http:/127.0.0.1:%d/",
    "http:127.0.0.1:%d/",
    "HtTp://127.0.0.1:%d/",
    "https://127.0.0.1:%d/",
    "http://169.254.169.254:%d/latest/meta-data/",
    "http://2852039166:%d/",
    "http://0xa9fea9fe:%d/",
    "http://0251.0376.0251.0376:%d/",
    "http://[fd00:ec2::254]:%d/",
    "http://[::ffff:a9fe:a9fe]:%d/",
    "http://10.0.0.1:%d/",
    "http://172.16.0.1:%d/",
    "http://192.168.0.1:%d/",
    "http://100.64.0.1:%d/",
    "http://224.0.0.1:%d/",
    "http://255.255.255.255:%d/",
    "http://[fe80::1%%25lo]:%d/",
    "http://[fc00::1]:%d/",
    "http://[ff02::1]:%d/",
    "http://127\xe3\x80\x82"
    "0\xe3\x80\x82"
    "0\xe3\x80\x82"
    "1:%d/",
    "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1:%d/",
    "http://loc\xc3\xa4lhost:%d/",
    "file:///etc/passwd?%d",
    "file://127.0.0.1:%d/etc/passwd",
    "gopher://127.0.0.1:%d/_x",
    "dict://127.0.0.1:%d/x",
    "ftp://127.0.0.1:%d/",
    "ldap://127.0.0.1:%d/",
    "smb://127.0.0.1:%d/",
    "telnet://127.0.0.1:%d/",
    "tftp://127.0.0.1:%d/x",
    "scp://127.0.0.1:%d/x",
};

static void no_spelling_of_a_forbidden_address_connects(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct egress *g = NULL;
    struct http_client *c;
    struct err e;
    struct shot s;
    char names[256];
    int count = 0;

    (void)state;
    assert_true(ARRAY_LEN(forbidden) >= 60);
    assert_int_equal(egress_open("", &g, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        const char *name = strstr(forbidden[i], "nip.io") ? "127.0.0.1.nip.io" : "name.example";

        snprintf(names, sizeof(names), "%s:%d:127.0.0.1", name, receiver_port(r));
        c = open_client(l, &(struct http_client_options){ .egress = g, .resolve = names });
        shot_init(&s, &count, forbidden[i], receiver_port(r));
        s.call.connect_ms = 5000;
        fire(l, c, &s);
        if (s.call.failure != HTTP_FAILURE_REFUSED && s.call.failure != HTTP_FAILURE_INVALID &&
            s.call.failure != HTTP_FAILURE_CONNECT)
            fail_msg("%s: %s (%s)", s.url, http_failure_name(s.call.failure), s.call.err.text);
        if (strstr(forbidden[i], "nip.io") || strstr(forbidden[i], "http://local"))
            assert_int_equal(s.call.failure, HTTP_FAILURE_REFUSED);
        http_call_release(&s.call);
        http_client_close(c);
    }
    assert_int_equal(receiver_connections(r), 0);
    egress_close(g);
    looptest_close(l);
    receiver_close(r);
}

struct target {
    char location[128];
};

static void redirect(void *ctx, const struct receiver_request *r, struct receiver_answer *ret)
{
    struct target *t = ctx;

    (void)r;
    ret->status = 307;
    ret->headers = t->location;
}

static void every_hop_is_checked(void **state)
{
    static const char *const hops[] = { "http://127.0.0.1:%d/",  "http://[::1]:%d/",
                                        "http://2130706433:%d/", "http://localhost:%d/",
                                        "file:///etc/passwd?%d", "gopher://127.0.0.1:%d/",
                                        "//127.0.0.1:%d/" };
    struct receiver *secret = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    int count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
        struct target t;
        struct receiver *open = receiver_open(redirect, &t);
        struct egress *g = NULL;
        struct http_client *c;
        struct err e;
        struct shot s;
        char text[64];

        shot_init(&s, &count, hops[i], receiver_port(secret));
        snprintf(t.location, sizeof(t.location), "Location: %.100s\r\n", s.url);
        snprintf(text, sizeof(text), "127.0.0.1:%d", receiver_port(open));
        assert_int_equal(egress_open(text, &g, &e), 0);
        c = open_client(l, &(struct http_client_options){ .egress = g });
        shot_init(&s, &count, "http://127.0.0.1:%d/", receiver_port(open));
        s.call.redirects = 5;
        fire(l, c, &s);
        assert_true(s.call.failure == HTTP_FAILURE_REFUSED ||
                    s.call.failure == HTTP_FAILURE_INVALID);
        assert_int_equal(receiver_count(open), 1);
        http_call_release(&s.call);
        http_client_close(c);
        egress_close(g);
        receiver_close(open);
    }
    assert_int_equal(receiver_connections(secret), 0);
    looptest_close(l);
    receiver_close(secret);
}

static void a_host_on_the_list_is_allowed_by_its_name_alone(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct egress *g = NULL;
    struct http_client *c;
    struct err e;
    struct shot s;
    char allow[64], names[64];
    int count = 0;

    (void)state;
    snprintf(allow, sizeof(allow), "hooks.example:%d", receiver_port(r));
    snprintf(names, sizeof(names), "hooks.example:%d:127.0.0.1", receiver_port(r));
    assert_int_equal(egress_open(allow, &g, &e), 0);
    c = open_client(l, &(struct http_client_options){ .egress = g, .resolve = names });
    shot_init(&s, &count, "http://Hooks.Example:%d/", receiver_port(r));
    fire(l, c, &s);
    assert_int_equal(s.call.status, 200);
    http_call_release(&s.call);
    shot_init(&s, &count, "http://127.0.0.1:%d/", receiver_port(r));
    fire(l, c, &s);
    assert_int_equal(s.call.failure, HTTP_FAILURE_REFUSED);
    assert_int_equal(s.call.err.code, IFP_EFORBIDDEN);
    assert_non_null(strstr(s.call.err.text, "loopback"));
    http_call_release(&s.call);
    assert_int_equal(receiver_count(r), 1);
    end(l, c);
    egress_close(g);
    receiver_close(r);
}

/* ---- places --------------------------------------------------------------------------------- */

static void hang(void *ctx, const struct receiver_request *r, struct receiver_answer *ret)
{
    (void)ctx;
    (void)r;
    ret->hang = true;
}

static void a_dead_host_holds_back_nobody_else(void **state)
{
    struct receiver *dead = receiver_open(hang, NULL), *well = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c = open_client(l, &(struct http_client_options){ .per_host = 2 });
    struct shot bad[MANY], good;
    int ended = 0, count = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        shot_init(&bad[i], &ended, "http://127.0.0.1:%d/", receiver_port(dead));
        http_client_start(c, &bad[i].call);
    }
    shot_init(&good, &count, "http://127.0.0.1:%d/", receiver_port(well));
    fire(l, c, &good);
    assert_int_equal(good.call.status, 200);
    assert_true(receiver_wait(dead, 2));
    assert_int_equal(http_client_busy(c), MANY);
    assert_int_equal(receiver_busiest(dead), 2);
    for (int i = 0; i < MANY; i++)
        http_client_cancel(&bad[i].call);
    assert_int_equal(ended, 0);
    looptest_count(l, &ended, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(bad[i].done, 1);
        assert_int_equal(bad[i].call.failure, HTTP_FAILURE_CANCELED);
        http_client_cancel(&bad[i].call); /* too late, and fine */
        http_call_release(&bad[i].call);
    }
    http_call_release(&good.call);
    assert_int_equal(http_client_busy(c), 0);
    end(l, c);
    receiver_close(well);
    receiver_close(dead);
}

static void the_queue_is_bounded_and_all_end(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c = open_client(
        l, &(struct http_client_options){ .in_flight = 3, .per_host = 2, .queue = MANY - 2 });
    struct shot shots[MANY];
    int count = 0, refused = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &count, "http://127.0.0.1:%d/", receiver_port(r));
        http_client_start(c, &shots[i].call);
    }
    looptest_count(l, &count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(shots[i].done, 1);
        refused += shots[i].call.failure == HTTP_FAILURE_OVERLOADED;
        http_call_release(&shots[i].call);
    }
    assert_int_equal(refused, 2);
    assert_int_equal(receiver_count(r), MANY - 2);
    assert_true(receiver_busiest(r) <= 2);
    end(l, c);
    receiver_close(r);
}

static void a_host_has_a_bound_of_its_own_on_what_waits(void **state)
{
    struct receiver *dead = receiver_open(hang, NULL), *well = receiver_open(NULL, NULL);
    struct loop *l = looptest_open();
    struct http_client *c =
        open_client(l, &(struct http_client_options){ .per_host = 1, .per_host_waiting = 2 });
    struct shot bad[MANY], good;
    int ended = 0, count = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        shot_init(&bad[i], &ended, "http://127.0.0.1:%d/", receiver_port(dead));
        http_client_start(c, &bad[i].call);
    }
    shot_init(&good, &count, "http://127.0.0.1:%d/", receiver_port(well));
    fire(l, c, &good);
    assert_int_equal(good.call.status, 200);
    looptest_count(l, &ended, MANY - 2);
    assert_int_equal(http_client_busy(c), 2);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(bad[i].done, i >= 2);
        assert_int_equal(bad[i].call.failure, i >= 2 ? HTTP_FAILURE_OVERLOADED : HTTP_FAILURE_NONE);
        http_client_cancel(&bad[i].call);
    }
    looptest_count(l, &ended, MANY);
    for (int i = 0; i < MANY; i++)
        http_call_release(&bad[i].call);
    http_call_release(&good.call);
    end(l, c);
    receiver_close(well);
    receiver_close(dead);
}

static void want_of_memory_ends_a_call_once(void **state)
{
    struct receiver *r = receiver_open(answer_fully, NULL);
    struct loop *l = looptest_open();
    int count = 0;
    uint64_t n = 0;
    bool through = false;

    (void)state;
    looptest_count(l, &count, 0); /* the test's own timer has its memory */
    while (!through) {
        struct http_client *c = NULL;
        struct err e;
        struct shot s;

        shot_init(&s, &count, "http://127.0.0.1:%d/", receiver_port(r));
        fault_arm(FAULT_ALLOC, ++n, false);
        if (http_client_open(l, &(struct http_client_options){ 0 }, &c, &e) == 0) {
            fire(l, c, &s);
            assert_true(s.call.failure == HTTP_FAILURE_NONE || s.call.err.code != 0);
            http_call_release(&s.call);
        }
        through = fault_count(FAULT_ALLOC) < n;
        fault_arm(FAULT_ALLOC, 0, false);
        http_client_close(c);
    }
    assert_true(n > 8);
    looptest_close(l);
    receiver_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_as_given),
        cmocka_unit_test(a_call_is_a_span_of_who_makes_it),
        cmocka_unit_test(no_proxy_of_the_environment_is_used),
        cmocka_unit_test(failures_are_told_apart),
        cmocka_unit_test(what_is_no_request_is_refused_before_it_is_sent),
        cmocka_unit_test(no_spelling_of_a_forbidden_address_connects),
        cmocka_unit_test(every_hop_is_checked),
        cmocka_unit_test(a_host_on_the_list_is_allowed_by_its_name_alone),
        cmocka_unit_test(a_dead_host_holds_back_nobody_else),
        cmocka_unit_test(the_queue_is_bounded_and_all_end),
        cmocka_unit_test(a_host_has_a_bound_of_its_own_on_what_waits),
        cmocka_unit_test(want_of_memory_ends_a_call_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
