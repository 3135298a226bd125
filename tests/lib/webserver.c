/* tests/lib/webserver.c - see webserver.h. */
#include "lib/webserver.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "http/server.h"
#include "lib/rawhttp.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct held {
    struct list link; /* in web.held or web.tails */
    struct http_request *r;
    int64_t left; /* of a stream: parts */
    size_t size;
    bool early;
};

static struct {
    struct loop *loop;
    struct http_server *server;
    struct config config;
    struct list held, tails;
    int64_t gone, given, finished, produced;
    uint64_t fault; /* the allocation that fails */
    bool fault_due;
    char filler[131072];
} web;

/* ---- handlers ---- */

static int64_t number(struct http_request *r, const char *name, int64_t otherwise)
{
    struct slice text;
    struct err e;

    return http_query(r, name, &text, &e) == 0 ? strtoll(text.text, NULL, 10) : otherwise;
}

static void say(struct http_request *r, int status, const char *text)
{
    http_answer(r, status, "text/plain", (struct slice){ text, strlen(text) });
}

static void on_finished(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
    web.finished++;
    if (web.fault_due)
        fault_arm(FAULT_ALLOC, web.fault, false);
    web.fault_due = false;
}

static void on_gone(void *ctx, struct http_request *r)
{
    struct held *h = ctx;

    web.gone++;
    if (!h->early) {
        list_del(&h->link);
        if (h->size > 0)
            http_stream_end(r);
        else
            say(r, 200, "too late");
    }
}

static struct held *hold(struct http_request *r, struct list *list)
{
    struct held *h = arena_zalloc(&r->arena, sizeof(*h));

    if (!h)
        return NULL;
    list_init(&h->link);
    h->r = r;
    list_push(list, &h->link);
    r->gone = on_gone;
    r->gone_ctx = h;
    return h;
}

static void echo(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, "application/octet-stream", r->body);
}

static void do_hello(struct http_request *r)
{
    say(r, 200, "hello");
}

static void do_echo(struct http_request *r)
{
    http_body(r, (size_t)number(r, "max", config_int(&web.config, CONFIG_HTTP_BODY_MAX)), echo,
              NULL);
}

static void do_skip(struct http_request *r)
{
    say(r, 200, "skipped");
}

static void do_hold(struct http_request *r)
{
    if (!hold(r, &web.held))
        abort();
}

static void do_early(struct http_request *r)
{
    struct held *h = hold(r, &web.held);
    struct err e;

    if (!h)
        abort();
    h->early = true;
    err_set(&e, IFP_ETIMEOUT, "it took too long");
    http_answer_header(r, "x-kept", "yes");
    if (!http_answer_early(r, &e))
        abort();
}

static void do_release(struct http_request *r)
{
    struct list *link;
    int n = 0;

    for (; (link = list_pop(&web.held)); n++)
        say(CONTAINER_OF(link, struct held, link)->r, 200, "held");
    LIST_EACH(tail, &web.tails)
        (void)http_stream_write(CONTAINER_OF(tail, struct held, link)->r, "tick\n", 5);
    say(r, 200, arena_printf(&r->arena, "%d", n));
}

static void do_big(struct http_request *r)
{
    size_t size = (size_t)number(r, "size", 0);
    char *text = arena_alloc(&r->arena, size);

    if (!text)
        abort();
    memset(text, 'b', size);
    http_answer(r, 200, "text/plain", (struct slice){ text, size });
}

static void pour(void *ctx, struct http_request *r)
{
    struct held *h = ctx;

    while (h->left > 0) {
        h->left--;
        web.produced += (int64_t)h->size;
        if (http_stream_write(r, web.filler, h->size) > HTTP_STREAM_ROOM)
            return;
    }
    list_del(&h->link);
    http_stream_end(r);
}

static void do_stream(struct http_request *r)
{
    struct held *h = hold(r, &web.tails);

    if (!h) {
        say(r, 503, "out of memory");
        return;
    }
    list_del(&h->link);
    h->left = number(r, "n", 3);
    h->size = (size_t)number(r, "size", 5);
    http_stream_begin(r, 200, "text/plain", pour, h);
    pour(h, r);
}

static void on_answering(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_stream_pack(r);
}

static void do_packed(struct http_request *r)
{
    r->watch.answering = on_answering;
    http_stream_begin(r, 200, "text/plain", NULL, NULL);
    for (int i = 0; i < 3; i++)
        (void)http_stream_write(r, web.filler, 1000);
    http_stream_end(r);
}

static void do_tail(struct http_request *r)
{
    struct held *h = hold(r, &web.tails);

    if (!h)
        abort();
    h->size = 1;
    http_stream_begin(r, 200, "text/event-stream", NULL, NULL);
}

static void do_claim(struct http_request *r)
{
    if (http_conn_claim(r, number(r, "key", 1)))
        say(r, 200, "yours");
    else
        say(r, 429, "too many");
}

static void do_fault(struct http_request *r)
{
    int64_t n = number(r, "n", 0);

    if (n == 0) {
        bool hit = web.fault > 0 && fault_count(FAULT_ALLOC) >= web.fault;

        fault_arm(FAULT_ALLOC, 0, false);
        say(r, 200, hit ? "hit" : "not hit");
        return;
    }
    web.fault = (uint64_t)n;
    web.fault_due = true; /* once this answer has left */
    say(r, 200, "armed");
}

static void do_show(struct http_request *r)
{
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "%d\n%.*s\n%.*s\n%s\n%s\n", (int)r->method, (int)r->path.len, r->path.text,
               (int)r->query.len, r->query.len ? r->query.text : "", r->id, r->peer);
    for (size_t i = 0; i < r->header_count; i++)
        buf_printf(&b, "%.*s=[%.*s]\n", (int)r->headers[i].name.len, r->headers[i].name.text,
                   (int)r->headers[i].value.len, r->headers[i].value.text);
    say(r, 200, arena_strndup(&r->arena, b.data, b.len));
    buf_release(&b);
}

static void do_stats(struct http_request *r)
{
    struct http_server_stats s = http_server_stats(web.server);
    int held = 0;

    LIST_EACH(link, &web.held)
        held++;
    LIST_EACH(tail, &web.tails)
        held++;
    say(r, 200,
        arena_printf(&r->arena,
                     "connections=%lld accepted=%lld refused=%lld requests=%lld bad_requests=%lld "
                     "timeouts=%lld bytes_in=%lld bytes_out=%lld gone=%lld held=%d finished=%lld "
                     "produced=%lld ",
                     (long long)s.connections, (long long)s.accepted, (long long)s.refused,
                     (long long)s.requests, (long long)s.bad_requests, (long long)s.timeouts,
                     (long long)s.bytes_in, (long long)s.bytes_out, (long long)web.gone, held,
                     (long long)web.finished, (long long)web.produced));
}

static const struct {
    const char *path;
    void (*fn)(struct http_request *r);
} handlers[] = {
    { "/hello", do_hello },   { "/echo", do_echo },     { "/skip", do_skip },
    { "/hold", do_hold },     { "/early", do_early },   { "/release", do_release },
    { "/big", do_big },       { "/stream", do_stream }, { "/tail", do_tail },
    { "/packed", do_packed }, { "/claim", do_claim },   { "/fault", do_fault },
    { "/show", do_show },     { "/stats", do_stats },
};

static void on_request(void *ctx, struct http_request *r)
{
    struct err e;

    (void)ctx;
    web.given++;
    r->watch.finished = on_finished;
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (strlen(handlers[i].path) != r->path.len ||
            memcmp(handlers[i].path, r->path.text, r->path.len) != 0)
            continue;
        handlers[i].fn(r);
        return;
    }
    err_set(&e, IFP_ENOTFOUND, "there is nothing here");
    http_answer_error(r, &e);
}

/* ---- the child ---- */

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
    struct list *link;

    (void)ctx;
    while ((link = list_pop(&web.held)))
        say(CONTAINER_OF(link, struct held, link)->r, 200, "held");
    while ((link = list_pop(&web.tails)))
        http_stream_end(CONTAINER_OF(link, struct held, link)->r);
    http_server_drain(web.server, on_drained, NULL);
}

static void on_hup(void *ctx)
{
    struct err e;

    (void)ctx;
    if (http_server_reload(web.server, &e) < 0)
        (void)fprintf(stderr, "reload: %s\n", e.text);
}

static void die(const struct err *e)
{
    (void)fprintf(stderr, "webserver: %s\n", e->text);
    exit(3);
}

static void child(int report, const struct webserver_option *options, size_t n)
{
    struct http_server_options o = { .config = &web.config, .request = on_request };
    struct err e;
    int port;

    memset(web.filler, 's', sizeof(web.filler));
    list_init(&web.held);
    list_init(&web.tails);
    if (config_init(&web.config, &e) < 0 ||
        config_set(&web.config, CONFIG_PORT, "0", CONFIG_FROM_FLAG, &e) < 0)
        die(&e);
    for (size_t i = 0; i < n; i++)
        if (config_set(&web.config, options[i].id, options[i].value, CONFIG_FROM_FLAG, &e) < 0)
            die(&e);
    if (loop_open(&web.loop, &e) < 0 || loop_on_signal(web.loop, SIGTERM, on_term, NULL, &e) < 0 ||
        loop_on_signal(web.loop, SIGHUP, on_hup, NULL, &e) < 0 ||
        http_server_open(web.loop, &o, &web.server, &e) < 0)
        die(&e);
    port = http_server_port(web.server);
    if (write(report, &port, sizeof(port)) != sizeof(port))
        exit(4);
    close(report);
    loop_run(web.loop);
    loop_close(web.loop);
    config_release(&web.config);
    exit(web.given == web.finished ? 0 : 5);
}

/* ---- the test's side ---- */

void webserver_start(struct webserver *s, const struct webserver_option *options, size_t n)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails half-way */
        child(ends[1], options, n);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &s->port, sizeof(s->port)), sizeof(s->port));
    close(ends[0]);
}

void webserver_stop(struct webserver *s)
{
    int status;

    assert_int_equal(kill(s->pid, SIGTERM), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
}

int64_t webserver_stat(const struct webserver *s, const char *name)
{
    struct raw c;
    char mark[64];
    const char *at;
    int64_t value;

    raw_open(&c, s->port);
    assert_int_equal(raw_ask(&c, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
    (void)snprintf(mark, sizeof(mark), "%s=", name);
    at = strstr(c.answer.body, mark);
    assert_non_null(at);
    value = strtoll(at + strlen(mark), NULL, 10);
    raw_close(&c);
    return value;
}

void webserver_until(const struct webserver *s, const char *name, int64_t wanted)
{
    int64_t end = clock_mono_us() + RAW_TIME_MS * INT64_C(1000);
    int64_t seen = webserver_stat(s, name);

    while (seen != wanted && clock_mono_us() < end)
        seen = webserver_stat(s, name);
    assert_int_equal(seen, wanted);
}

long webserver_rss_kb(const struct webserver *s)
{
    char path[64], line[256];
    long kb = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    (void)fclose(f);
    assert_true(kb > 0);
    return kb;
}
