/*
 * http/breaker.c - one circuit a route, made when the route first fails.
 *
 * The outcome of a request is known when its answer begins (a stream lives on for minutes after
 * that), or else when it is finished: one that was answered early has no beginning.  A probe whose
 * client goes away tells nothing; it does not stand in the way, as each period has its own probe.
 */
#include "http/breaker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <inttypes.h>
#include <stdio.h>

enum state { CLOSED, OPEN, PROBING };

struct circuit {
    enum state state;
    int64_t failures; /* in a row */
    int64_t until_us; /* OPEN, PROBING: when the next probe may go */
};

struct breaker {
    int64_t limit, time_us;
    struct map circuits; /* of const struct route * to an owned struct circuit */
};

/* The slot of a request. */
struct outcome {
    bool counts; /* its outcome is still to be told */
};

int breaker_open(int64_t failures, int64_t time_ms, struct breaker **ret, struct err *e)
{
    struct breaker *b = mem_zalloc(sizeof(*b));

    *ret = b;
    if (!b)
        return err_set(e, IFP_ENOMEM, "circuit breaker: out of memory");
    b->limit = failures;
    b->time_us = time_ms * 1000;
    map_init(&b->circuits);
    return 0;
}

void breaker_close(struct breaker *b)
{
    size_t pos = 0;
    uint64_t key;
    struct circuit *c;

    if (!b)
        return;
    while ((c = map_next(&b->circuits, &pos, &key)) != NULL)
        mem_free(c);
    map_release(&b->circuits);
    mem_free(b);
}

/* NULL when it is new and memory is out: it then misses this failure. */
static struct circuit *circuit_of(struct breaker *b, const struct route *route, bool make)
{
    struct circuit *c = map_get(&b->circuits, (uintptr_t)route);

    if (c || !make)
        return c;
    c = mem_zalloc(sizeof(*c));
    if (c && map_put(&b->circuits, (uintptr_t)route, c) < 0) {
        mem_free(c);
        c = NULL;
    }
    return c;
}

static enum chain_verdict refuse(struct http_request *r, int64_t wait_us, struct err *e)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, wait_us / 1000000 + 1);
    http_answer_header(r, "retry-after", text);
    (void)err_set(e, IFP_EUNAVAILABLE, "this route fails at present; try again in %s s", text);
    http_answer_error(r, e);
    return CHAIN_ANSWERED;
}

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    struct breaker *b = self;
    struct outcome *o = slot;
    struct circuit *c;
    int64_t now;

    if (b->limit == 0 || !r->route || r->route->scope == ROUTE_PUBLIC)
        return CHAIN_NEXT;
    c = circuit_of(b, r->route, false);
    if (c && c->state != CLOSED) {
        now = clock_mono_us();
        if (now < c->until_us)
            return refuse(r, c->until_us - now, e);
        c->state = PROBING;
        c->until_us = now + b->time_us;
    }
    o->counts = true;
    return CHAIN_NEXT;
}

static bool is_failure(int error)
{
    return error == IFP_ESERVER || error == IFP_EUNAVAILABLE || error == IFP_ETIMEOUT ||
           error == IFP_ENOMEM || error == IFP_ESCHEMA;
}

static void failed(struct breaker *b, const struct route *route)
{
    struct circuit *c = circuit_of(b, route, true);

    if (!c || (++c->failures < b->limit && c->state != PROBING))
        return;
    if (c->state == CLOSED) {
        LOG_WARN("circuit opened", LOG_STR("route", route->id), LOG_INT("failures", c->failures));
        metrics_add(METRIC_HTTP_CIRCUITS, route->id, 1);
    }
    c->state = OPEN;
    c->until_us = clock_mono_us() + b->time_us;
}

static void succeeded(struct breaker *b, const struct route *route)
{
    struct circuit *c = circuit_of(b, route, false);

    if (!c)
        return;
    if (c->state != CLOSED)
        LOG_INFO("circuit closed", LOG_STR("route", route->id));
    c->state = CLOSED;
    c->failures = 0;
}

static void on_answering(void *self, struct http_request *r, void *slot)
{
    struct outcome *o = slot;

    if (!o->counts)
        return;
    o->counts = false;
    if (is_failure(r->error))
        failed(self, r->route);
    else
        succeeded(self, r->route);
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    if (r->error)
        on_answering(self, r, slot);
}

const struct interceptor breaker_interceptor = { .name = "circuit-breaker",
                                                 .slot_size = sizeof(struct outcome),
                                                 .enter = on_enter,
                                                 .answering = on_answering,
                                                 .finished = on_finished };
