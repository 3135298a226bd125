/*
 * http/reply.c - answers: a head in the arena, a body or parts beside it.
 *
 * Nothing is written here.  The head is put together, the exchange is marked, and the connection's
 * turn sends what may leave (conn_out.c).  The head is measured before it is written, so it is one
 * piece of the arena.  Want of memory ends the connection: half an answer would be worse than none.
 */
#include "base/clock.h"
#include "base/log.h"
#include "http/conn.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD_FIXED = 320, NUMBER_SIZE = 24 };

struct text {
    char *data; /* in the arena */
    size_t len, cap;
};

static void put(struct text *t, const char *data, size_t len)
{
    assert(len <= t->cap - t->len);
    memcpy(t->data + t->len, data, len);
    t->len += len;
}

static void puts_text(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

const char *reply_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Status";
}

/* "date: ...\r\n", made once a second. */
static const char *date_line(struct http_server *s)
{
    int64_t now = clock_real_us() / 1000000;
    time_t t = (time_t)now;
    struct tm tm;

    if (now == s->date_s || !gmtime_r(&t, &tm))
        return s->date;
    s->date_s = now;
    (void)strftime(s->date, sizeof(s->date), "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    return s->date;
}

/* ---- headers ---- */

static struct reply_header *find_header(const struct exchange *x, const char *name)
{
    for (struct reply_header *h = x->headers; h; h = h->next)
        if (strcmp(h->name.text, name) == 0)
            return h;
    return NULL;
}

static struct reply_header *new_header(struct exchange *x, const char *name)
{
    struct reply_header *h = arena_zalloc(&x->r.arena, sizeof(*h));
    char *copy = arena_strndup(&x->r.arena, name, strlen(name));

    if (!h || !copy)
        return NULL;
    h->name = (struct slice){ copy, strlen(copy) };
    *x->headers_end = h;
    x->headers_end = &h->next;
    return h;
}

void http_answer_header(struct http_request *r, const char *name, const char *value)
{
    struct exchange *x = conn_exchange(r);
    struct reply_header *h = find_header(x, name);
    char *v = arena_strndup(&r->arena, value, strlen(value));

    assert(!x->head.text);
    if (!v)
        return; /* the arena is broken, which the head will find */
    for (char *p = v; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (!h)
        h = new_header(x, name);
    if (h)
        h->value = (struct slice){ v, strlen(v) };
}

/* ---- heads ---- */

static size_t measure(const struct exchange *x)
{
    size_t len = HEAD_FIXED + HTTP_ID_SIZE;

    if (x->r.answer_type)
        len += strlen(x->r.answer_type);
    for (const struct reply_header *h = x->headers; h; h = h->next)
        len += h->name.len + h->value.len + 4;
    return len;
}

static void put_framing(struct text *t, const struct exchange *x)
{
    char number[NUMBER_SIZE];

    if (x->r.answer_type) {
        puts_text(t, "content-type: ");
        puts_text(t, x->r.answer_type);
        puts_text(t, "\r\n");
    }
    if (x->streamed) {
        puts_text(t, x->chunked ? "transfer-encoding: chunked\r\n" : "");
    } else if (x->r.status != 204 && x->r.status != 304) {
        puts_text(t, "content-length: ");
        put(t, number, (size_t)snprintf(number, sizeof(number), "%zu\r\n", x->r.answer.len));
    }
    if (!x->keep)
        puts_text(t, "connection: close\r\n");
    else if (!x->minor)
        puts_text(t, "connection: keep-alive\r\n");
}

static void make_head(struct exchange *x)
{
    struct text t = { .cap = measure(x) };
    char line[64];
    int len;

    t.data = arena_alloc(&x->r.arena, t.cap);
    if (!t.data) {
        conn_abort(x->r.conn);
        return;
    }
    len =
        snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", x->r.status, reply_reason(x->r.status));
    put(&t, line, (size_t)len);
    puts_text(&t, date_line(x->r.conn->server));
    put_framing(&t, x);
    puts_text(&t, "x-request-id: ");
    puts_text(&t, x->r.id);
    puts_text(&t, "\r\n");
    for (const struct reply_header *h = x->headers; h; h = h->next) {
        put(&t, h->name.text, h->name.len);
        puts_text(&t, ": ");
        put(&t, h->value.text, h->value.len);
        puts_text(&t, "\r\n");
    }
    puts_text(&t, "\r\n");
    x->head = (struct slice){ t.data, t.len };
}

/* ---- whole answers ---- */

static void announce(struct http_request *r, int status, const char *type)
{
    r->status = status;
    r->answer_type = type;
    if (r->watch.answering && !sm_is(&r->conn->sm, CONN_CLOSED))
        r->watch.answering(r->watch.ctx, r);
}

void http_answer(struct http_request *r, int status, const char *type, struct slice body)
{
    struct exchange *x = conn_exchange(r);

    assert(status >= 200 && status <= 599);
    if (x->state == EXCHANGE_ORPHAN) {
        conn_bury(x);
        return;
    }
    if (x->state != EXCHANGE_OPEN) { /* the first answer stands, the server goes on */
        LOG_ERROR("request answered twice", LOG_STR("request", r->id), LOG_INT("first", r->status),
                  LOG_INT("second", status));
        return;
    }
    conn_answering(r->conn, x);
    r->gone = NULL;
    r->answer = body;
    announce(r, status, type);
    r->answer_bytes = r->method == HTTP_HEAD ? 0 : (int64_t)r->answer.len;
    x->state = EXCHANGE_DONE;
    make_head(x);
    deferred_call(&r->conn->turn);
}

/* ---- answers in parts ---- */

void http_stream_begin(struct http_request *r, int status, const char *type,
                       void (*drained)(void *ctx, struct http_request *r), void *ctx)
{
    struct exchange *x = conn_exchange(r);

    assert(status >= 200 && status <= 599);
    if (x->state == EXCHANGE_ORPHAN)
        return;
    assert(x->state == EXCHANGE_OPEN);
    x->streamed = true;
    x->chunked = x->minor && r->method != HTTP_HEAD;
    if (!x->minor)
        x->keep = false;
    conn_answering(r->conn, x);
    x->drained = drained;
    x->drained_ctx = ctx;
    announce(r, status, type);
    x->state = EXCHANGE_STREAMING;
    make_head(x);
    deferred_call(&r->conn->turn);
}

void http_stream_pack(struct http_request *r)
{
    struct exchange *x = conn_exchange(r);

    assert(x->streamed && !x->head.text);
    if (x->pack || r->method == HTTP_HEAD)
        return;
    x->pack = pack_open();
    if (x->pack) /* without memory they leave as they are */
        http_answer_header(r, "content-encoding", "gzip");
}

size_t http_stream_write(struct http_request *r, const char *data, size_t len)
{
    struct exchange *x = conn_exchange(r);
    struct http_conn *c = r->conn;
    size_t waiting;

    if (x->state == EXCHANGE_ORPHAN || sm_is(&c->sm, CONN_CLOSED))
        return 0;
    assert(x->state == EXCHANGE_STREAMING);
    if (r->method != HTTP_HEAD)
        buf_put(&x->out, data, len);
    if (buf_broken(&x->out)) {
        conn_abort(c);
        return 0;
    }
    r->answer_bytes += (int64_t)len;
    deferred_call(&c->turn);
    waiting = x->out.len + stream_waiting(&c->stream);
    x->full = x->full || waiting > HTTP_STREAM_ROOM;
    return waiting;
}

void http_stream_end(struct http_request *r)
{
    struct exchange *x = conn_exchange(r);

    if (x->state == EXCHANGE_ORPHAN) {
        conn_bury(x);
        return;
    }
    assert(x->state == EXCHANGE_STREAMING);
    r->gone = NULL;
    x->state = EXCHANGE_DONE;
    deferred_call(&r->conn->turn);
}

/* ---- answers by somebody else ---- */

/* Takes the place of `x` among the exchanges, with what an answer needs of it. */
static struct exchange *stand_in(struct exchange *x)
{
    struct http_conn *c = x->r.conn;
    struct exchange *y = conn_new_exchange(c);

    if (!y)
        return NULL;
    list_del(&y->r.link);
    list_push(x->r.link.next, &y->r.link); /* behind x */
    y->state = EXCHANGE_OPEN;
    y->r.method = x->r.method;
    y->r.path = x->r.path;
    memcpy(y->r.id, x->r.id, sizeof(y->r.id));
    y->minor = x->minor;
    y->keep = x->keep && !x->parser;
    for (const struct reply_header *h = x->headers; h; h = h->next)
        http_answer_header(&y->r, h->name.text, h->value.text);
    return y;
}

bool http_answer_early(struct http_request *r, const struct err *e)
{
    struct exchange *x = conn_exchange(r);
    struct exchange *y;

    if (x->state != EXCHANGE_OPEN)
        return false;
    y = stand_in(x);
    if (!y)
        return false;
    conn_orphan(x);
    http_answer_error(&y->r, e);
    r->status = y->r.status;
    r->error = y->r.error;
    r->answer_bytes = y->r.answer_bytes;
    conn_tell_gone(x);
    if (r->watch.finished)
        r->watch.finished(r->watch.ctx, r);
    r->watch.finished = NULL;
    if (x->body_fn) /* its owner waits for a body that will not come */
        conn_bury(x);
    return true;
}
