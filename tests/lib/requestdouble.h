/*
 * tests/lib/requestdouble.h - requests without a connection: the functions of http/request.h for
 * tests of what lies around them.  Included by the one file of such a test, in place of request.c.
 *
 * It keeps to the words of that header: one finishing call, `answering` inside of it, `finished`
 * once, an early answer that leaves the request with its owner.  Who breaks them fails the test.
 */
#ifndef LIB_REQUESTDOUBLE_H
#define LIB_REQUESTDOUBLE_H

#include "http/problem.h"
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DOUBLE_HEADERS = 16 };

struct double_request {
    struct http_request r;
    struct http_header headers[DOUBLE_HEADERS];
    char names[DOUBLE_HEADERS][40], values[DOUBLE_HEADERS][400]; /* of the answer */
    size_t answer_headers;
    bool gone;      /* the client has gone; set by the test */
    bool slow;      /* `finished` comes only with double_flush; set by the test */
    bool body_late; /* the body comes with double_body; set by the test */
    bool early, finished, streaming;
    int finishing, answers; /* finishing calls; answers that a client saw: never over one */
    char body[4096];        /* of the answer */
    http_body_fn *on_body;
    void *body_ctx;
    size_t body_max;
    struct slice coming; /* the body that is on its way */
};

static struct double_request *double_of(struct http_request *r)
{
    return CONTAINER_OF(r, struct double_request, r);
}

/* A request as the router would leave it. */
static void double_init(struct double_request *d, enum http_method method,
                        const struct route *route)
{
    memset(d, 0, sizeof(*d));
    arena_init(&d->r.arena, 0);
    d->r.method = method;
    d->r.route = route;
    d->r.headers = d->headers;
    d->r.path = d->r.target = (struct slice){ "/", 1 };
    (void)snprintf(d->r.id, sizeof(d->r.id), "req-1");
    (void)snprintf(d->r.peer, sizeof(d->r.peer), "127.0.0.1");
}

/* It was finished by its owner, and its watchers know. */
static inline void double_end(struct double_request *d)
{
    assert_int_equal(d->finishing, 1);
    assert_true(d->finished);
    arena_release(&d->r.arena);
}

static inline void double_put(struct double_request *d, const char *name, const char *value)
{
    assert_true(d->r.header_count < DOUBLE_HEADERS);
    d->headers[d->r.header_count++] =
        (struct http_header){ { name, strlen(name) }, { value, strlen(value) } };
}

/* A header of the answer, or NULL. */
static inline const char *double_answered(const struct double_request *d, const char *name)
{
    for (size_t i = 0; i < d->answer_headers; i++)
        if (strcmp(d->names[i], name) == 0)
            return d->values[i];
    return NULL;
}

static void double_finish(struct double_request *d)
{
    assert_false(d->finished);
    d->finished = true;
    if (d->r.watch.finished)
        d->r.watch.finished(d->r.watch.ctx, &d->r);
}

/* The last byte leaves. */
static inline void double_flush(struct double_request *d)
{
    d->slow = false;
    double_finish(d);
}

static inline void double_body(struct double_request *d)
{
    d->r.body = d->coming;
    d->on_body(d->body_ctx, &d->r);
}

static void double_keep(struct double_request *d)
{
    size_t len = MIN(d->r.answer.len, sizeof(d->body) - 1);

    if (len > 0)
        memcpy(d->body, d->r.answer.text, len);
    d->body[len] = '\0';
    d->r.answer_bytes = (int64_t)d->r.answer.len;
    d->answers++;
}

struct slice http_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.len == strlen(name) &&
            memcmp(r->headers[i].name.text, name, strlen(name)) == 0)
            return r->headers[i].value;
    return (struct slice){ 0 };
}

int http_query(struct http_request *r, const char *name, struct slice *ret, struct err *e)
{
    (void)r;
    (void)name;
    *ret = (struct slice){ 0 };
    return err_set(e, IFP_ENOTFOUND, "there is no query");
}

void http_body(struct http_request *r, size_t max, http_body_fn *fn, void *ctx)
{
    struct double_request *d = double_of(r);

    assert_null(d->on_body);
    d->on_body = fn;
    d->body_ctx = ctx;
    d->body_max = max;
    if (!d->body_late)
        double_body(d);
}

void http_answer_header(struct http_request *r, const char *name, const char *value)
{
    struct double_request *d = double_of(r);
    size_t at = 0;

    assert_int_equal(d->answers, 0);
    while (at < d->answer_headers && strcmp(d->names[at], name) != 0)
        at++;
    assert_true(at < DOUBLE_HEADERS);
    d->answer_headers = MAX(d->answer_headers, at + 1);
    (void)snprintf(d->names[at], sizeof(d->names[0]), "%s", name);
    (void)snprintf(d->values[at], sizeof(d->values[0]), "%s", value);
}

const char *http_answer_has(const struct http_request *r, const char *name)
{
    return double_answered(CONTAINER_OF(r, const struct double_request, r), name);
}

void http_answer(struct http_request *r, int status, const char *type, struct slice body)
{
    struct double_request *d = double_of(r);

    assert_int_equal(++d->finishing, 1);
    if (d->early)
        return;
    r->status = status;
    r->answer_type = type;
    r->answer = body;
    if (!d->gone) {
        if (r->watch.answering)
            r->watch.answering(r->watch.ctx, r);
        double_keep(d);
    }
    if (!d->slow)
        double_finish(d);
}

void http_answer_problem(struct http_request *r, const struct http_problem *p)
{
    char *text = arena_printf(&r->arena, "%s: %s", p->code, p->detail);

    assert_non_null(text);
    http_answer(r, p->status, "application/problem+json", (struct slice){ text, strlen(text) });
}

void http_answer_status(struct http_request *r, int status, const struct err *e)
{
    char *text = arena_printf(&r->arena, "%s: %s", ifp_error_name(e->code), e->text);

    assert_non_null(text);
    r->error = e->code;
    http_answer(r, status, "application/problem+json", (struct slice){ text, strlen(text) });
}

void http_answer_error(struct http_request *r, const struct err *e)
{
    http_answer_status(r, err_http_status(e->code), e);
}

bool http_answer_early(struct http_request *r, const struct err *e)
{
    struct double_request *d = double_of(r);

    if (d->answers > 0 || d->finishing > 0 || d->streaming)
        return false;
    d->early = true;
    r->status = err_http_status(e->code);
    r->error = e->code;
    r->answer = (struct slice){ e->text, strlen(e->text) };
    if (!d->gone)
        double_keep(d);
    if (d->on_body && d->body_late)
        d->finishing++; /* the server was the owner */
    if (r->gone)
        r->gone(r->gone_ctx, r);
    double_finish(d);
    return true;
}

void http_stream_begin(struct http_request *r, int status, const char *type,
                       void (*drained)(void *ctx, struct http_request *r), void *ctx)
{
    struct double_request *d = double_of(r);

    (void)drained;
    (void)ctx;
    assert_false(d->streaming);
    d->streaming = true;
    if (d->early)
        return;
    r->status = status;
    r->answer_type = type;
    if (!d->gone && r->watch.answering)
        r->watch.answering(r->watch.ctx, r);
    d->answers++;
}

size_t http_stream_write(struct http_request *r, const char *data, size_t len)
{
    (void)data;
    r->answer_bytes += (int64_t)len;
    return 0;
}

void http_stream_end(struct http_request *r)
{
    struct double_request *d = double_of(r);

    assert_true(d->streaming);
    assert_int_equal(++d->finishing, 1);
    if (!d->early)
        double_finish(d);
}

bool http_is_gone(const struct http_request *r)
{
    const struct double_request *d = CONTAINER_OF(r, const struct double_request, r);

    return d->gone || d->early;
}

#endif
