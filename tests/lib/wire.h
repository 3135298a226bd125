/*
 * tests/lib/wire.h - the path of a request from bytes to judged head and body, without sockets:
 * what conn.c does with parse.h and head.h.  Shared by the vectors and the fuzz target.
 */
#ifndef LIB_WIRE_H
#define LIB_WIRE_H

#include "http/head.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct wire_verdict {
    int requests; /* whole ones, heads and bodies, before the fault */
    int status;   /* of the fault, 0: none so far */
    size_t body_bytes;
};

static const struct parse_limits wire_limits = { 16384, 8192, 100 };

static bool wire_count(void *ctx, const char *data, size_t len)
{
    struct wire_verdict *v = ctx;
    volatile char last = data[len - 1]; /* readable to the end */

    (void)last;
    v->body_bytes += len;
    return true;
}

/* Everything that a handler may look at must be within the head. */
static void wire_look(const struct http_request *r, const char *text, size_t len)
{
    assert(r->path.len > 0 && r->path.text >= text && r->path.text + r->path.len <= text + len);
    assert(r->path.text[0] == '/' || r->path.text[0] == '*');
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];

        assert(h->name.len > 0 && h->name.text > text && h->name.text + h->name.len < text + len);
        assert(h->value.text > text && h->value.text + h->value.len < text + len);
        assert(!memchr(h->value.text, '\r', h->value.len));
        assert(!memchr(h->value.text, '\n', h->value.len));
        assert(!memchr(h->value.text, '\0', h->value.len));
    }
}

struct wire {
    struct wire_verdict verdict;
    struct arena arena;
    struct parse_body *body;
    char *rest; /* owned */
    size_t len, seen;
};

/* Reads one head off the front of the rest; false when there is none, or a fault. */
static bool wire_head(struct wire *w)
{
    struct http_request r = { 0 };
    struct parse_fault fault;
    struct parse_head head;
    struct head_facts facts;
    ptrdiff_t n;
    char *text;

    n = parse_find(w->rest, w->len, &w->seen, &wire_limits, &fault);
    if (n == 0)
        return false;
    arena_reset(&w->arena);
    w->seen = 0;
    text = n > 0 ? arena_strndup(&w->arena, w->rest, (size_t)n) : NULL;
    if (n < 0 ||
        parse_head(text, (size_t)n, &wire_limits, &w->arena, &head, &w->body, &fault) < 0 ||
        head_judge(&head, w->body != NULL, &r, &facts, &fault) < 0) {
        w->verdict.status = fault.status;
        assert(fault.status >= 400 && fault.why);
        return false;
    }
    wire_look(&r, text, (size_t)n);
    w->verdict.requests += !w->body;
    w->len -= (size_t)n;
    memmove(w->rest, w->rest + n, w->len);
    return true;
}

/* False when all of the rest was read, or a fault. */
static bool wire_body(struct wire *w)
{
    size_t used;
    enum parse_step step = parse_body(w->body, w->rest, w->len, &used, wire_count, &w->verdict);

    assert(used <= w->len);
    if (step == PARSE_BAD) {
        w->verdict.status = 400;
        return false;
    }
    assert(step == PARSE_DONE || used == w->len);
    w->len -= used;
    memmove(w->rest, w->rest + used, w->len);
    if (step == PARSE_MORE)
        return false;
    w->body = NULL;
    w->verdict.requests++;
    return true;
}

/* The bytes in pieces of `first` and then `step`. */
static inline struct wire_verdict wire_judge(const char *data, size_t len, size_t first,
                                             size_t step)
{
    struct wire w = { .rest = malloc(len + 1) };
    size_t at = 0, piece = first;

    assert(w.rest);
    arena_init(&w.arena, 0);
    while (at < len && w.verdict.status == 0) {
        size_t n = piece < len - at ? piece : len - at;

        memcpy(w.rest + w.len, data + at, n);
        w.len += n;
        at += n;
        piece = step;
        while (w.verdict.status == 0 && w.len > 0 && (w.body ? wire_body(&w) : wire_head(&w)))
            ;
    }
    arena_release(&w.arena);
    free(w.rest);
    return w.verdict;
}

#endif
