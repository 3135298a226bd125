/*
 * http/conn_out.c - answers on their way out: in the order of their requests, many in one write.
 *
 * conn_flush gathers heads and bodies of all answers that may leave and hands them to the stream in
 * one call.  While the stream holds bytes that the client does not take, nothing more is given to
 * it, so a slow reader keeps at most one such write beside what its handlers produce.
 *
 * An exchange is finished (`finished`, back to the pool) when its last byte is with the kernel.
 */
#include "base/clock.h"
#include "base/ids.h"
#include "base/mem.h"
#include "http/conn.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { HEX_DIGITS = 32, GATHER_MAX = STREAM_PARTS_MAX - 4 };

struct gather {
    struct slice parts[STREAM_PARTS_MAX];
    size_t n;
    char size[24]; /* of a chunk among the parts */
};

static struct exchange *exchange_at(struct list *link)
{
    return CONTAINER_OF(link, struct exchange, r.link);
}

/* ---- the pool ---- */

static struct exchange *take_pooled(struct http_server *s)
{
    struct list *link = list_pop(&s->pool);
    struct exchange *x;

    if (link) {
        s->pooled--;
        return exchange_at(link);
    }
    x = mem_zalloc(sizeof(*x));
    if (!x)
        return NULL;
    arena_init(&x->r.arena, 0);
    if (!arena_alloc(&x->r.arena, CONN_ARENA_BYTES)) {
        mem_free(x);
        return NULL;
    }
    arena_reset(&x->r.arena); /* the block stays */
    return x;
}

static void make_id(struct http_server *s, char ret[HTTP_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t n = s->id_next++;

    for (uint64_t half = 0; half < 2; half++) {
        uint64_t bits = ids_derive(s->id_seed, n, half);

        for (int i = 0; i < HEX_DIGITS / 2; i++, bits >>= 4)
            *ret++ = digits[bits & 15];
    }
    *ret = '\0';
}

struct exchange *conn_new_exchange(struct http_conn *c)
{
    struct exchange *x = take_pooled(c->server);
    struct arena arena;

    if (!x)
        return NULL;
    arena = x->r.arena;
    *x = (struct exchange){ .r = { .arena = arena,
                                   .conn = c,
                                   .start_us = c->first_us,
                                   .secure = c->server->tls != NULL } };
    list_init(&x->r.link);
    buf_init(&x->out);
    x->headers_end = &x->headers;
    make_id(c->server, x->r.id);
    memcpy(x->r.peer, c->peer, sizeof(x->r.peer));
    list_push(&c->exchanges, &x->r.link);
    c->count++;
    return x;
}

static void finish(struct http_conn *c, struct exchange *x)
{
    struct http_server *s = c->server;

    if (x->r.watch.finished)
        x->r.watch.finished(x->r.watch.ctx, &x->r);
    list_del(&x->r.link);
    buf_release(&x->out);
    pack_close(x->pack);
    x->pack = NULL;
    if (s->pooled >= CONN_EXCHANGES_POOL) {
        arena_release(&x->r.arena);
        mem_free(x);
        return;
    }
    arena_reset(&x->r.arena);
    list_push_front(&s->pool, &x->r.link);
    s->pooled++;
}

/* ---- orphans ---- */

void conn_orphan(struct exchange *x)
{
    struct http_conn *c = x->r.conn;

    x->state = EXCHANGE_ORPHAN;
    list_del(&x->r.link);
    c->count--;
    list_push(&c->orphans, &x->r.link);
}

void conn_bury(struct exchange *x)
{
    struct http_conn *c = x->r.conn;

    assert(x->state == EXCHANGE_ORPHAN);
    x->state = EXCHANGE_DONE;
    list_del(&x->r.link);
    list_push(&c->sent, &x->r.link);
    deferred_call(&c->turn);
}

void conn_tell_gone(struct exchange *x)
{
    if (x->gone_told)
        return;
    x->gone_told = true;
    if (x->r.gone)
        x->r.gone(x->r.gone_ctx, &x->r);
}

/* ---- out ---- */

/* One whose body is still being read past stays: its parser is in its arena. */
static void finish_sent(struct http_conn *c)
{
    LIST_EACH(link, &c->sent) {
        struct exchange *x = exchange_at(link);

        if (x != c->body_of)
            finish(c, x);
    }
}

static void add(struct gather *g, const char *text, size_t len)
{
    if (len > 0)
        g->parts[g->n++] = (struct slice){ text, len };
}

static void write_out(struct http_conn *c, struct gather *g)
{
    for (size_t i = 0; i < g->n; i++)
        c->written += g->parts[i].len;
    stream_write(&c->stream, g->parts, g->n);
    g->n = 0;
}

static void to_sent(struct http_conn *c, struct exchange *x)
{
    list_del(&x->r.link);
    c->count--;
    list_push(&c->sent, &x->r.link);
}

/* Packs what a stream has so far; false, and the connection closed, when memory is out. */
static bool pack_part(struct http_conn *c, struct exchange *x, bool last)
{
    struct buf packed;

    if (!x->pack || (x->out.len == 0 && !last))
        return true;
    buf_init(&packed);
    if (pack_put(x->pack, x->out.data, x->out.len, last, &packed) < 0) {
        buf_release(&packed);
        conn_abort(c);
        return false;
    }
    buf_release(&x->out);
    x->out = packed;
    return true;
}

/* What a stream has so far leaves as one chunk; with its end, the last one too. */
static void flush_stream(struct http_conn *c, struct exchange *x, struct gather *g)
{
    bool done = x->state == EXCHANGE_DONE;

    if (!pack_part(c, x, done))
        return;
    if (x->out.len > 0 && x->chunked)
        add(g, g->size, (size_t)snprintf(g->size, sizeof(g->size), "%zx\r\n", x->out.len));
    add(g, x->out.data, x->out.len);
    if (x->out.len > 0 && x->chunked)
        add(g, "\r\n", 2);
    if (done && x->chunked)
        add(g, "0\r\n\r\n", 5);
    write_out(c, g);
    buf_release(&x->out);
}

/* True when x is done and the next may follow. */
static bool flush_one(struct http_conn *c, struct exchange *x, struct gather *g)
{
    if (x->state == EXCHANGE_WAITING || x->state == EXCHANGE_OPEN)
        return false;
    add(g, x->head.text, x->head.len);
    x->head.len = 0;
    if (x->streamed)
        flush_stream(c, x, g);
    else if (x->r.method != HTTP_HEAD)
        add(g, x->r.answer.text, x->r.answer.len);
    if (x->state != EXCHANGE_DONE)
        return false;
    to_sent(c, x);
    return true;
}

/* The connection is gone: what is answered is finished, what nobody was given too. */
static void drop_answers(struct http_conn *c)
{
    finish_sent(c);
    LIST_EACH(link, &c->exchanges) {
        struct exchange *x = exchange_at(link);

        if (x->state != EXCHANGE_DONE && x->state != EXCHANGE_WAITING)
            continue;
        c->count--;
        finish(c, x);
    }
}

static void tell_drained(struct http_conn *c)
{
    struct exchange *x;

    if (list_empty(&c->exchanges))
        return;
    x = exchange_at(c->exchanges.next);
    if (x->state != EXCHANGE_STREAMING || !x->full || x->out.len > 0)
        return;
    x->full = false;
    if (x->drained)
        x->drained(x->drained_ctx, &x->r);
}

void conn_flush(struct http_conn *c)
{
    struct gather g = { .n = 0 };

    if (sm_is(&c->sm, CONN_CLOSED)) {
        drop_answers(c);
        return;
    }
    while (stream_waiting(&c->stream) == 0 && !list_empty(&c->exchanges) &&
           flush_one(c, exchange_at(c->exchanges.next), &g))
        if (g.n >= GATHER_MAX)
            write_out(c, &g);
    if (g.n > 0)
        write_out(c, &g);
    if (stream_waiting(&c->stream) > 0)
        return;
    finish_sent(c);
    tell_drained(c);
}
