/*
 * http/deadline.c - all requests have the same limit, so they time out in the order in which they
 * came: a list and one timer, whatever their number.
 *
 * Invariant: the timer is armed while the list is not empty, for its first member or earlier.  A
 * request leaves the list when it is finished; the timer is left to run out, which costs one turn
 * each limit instead of two changes of a heap each request.
 */
#include "http/deadline.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>

struct deadline {
    struct loop *loop; /* borrowed */
    int64_t limit_us;
    struct timer timer;
    struct list waiting; /* of struct pending, the oldest first */
};

/* The slot of a request. */
struct pending {
    struct list link;       /* in deadline's `waiting`; next is NULL: never was */
    struct http_request *r; /* borrowed */
    int64_t due_us;
};

/* Answers what is due.  Each answer calls out, so the list is looked at anew after each. */
static void on_timer(void *ctx)
{
    struct deadline *d = ctx;
    int64_t now = clock_mono_us();

    while (!list_empty(&d->waiting)) {
        struct pending *p = CONTAINER_OF(d->waiting.next, struct pending, link);
        struct err e;

        if (p->due_us > now) {
            int rc = timer_start(&d->timer, p->due_us - now);

            assert(rc == 0); /* it has had its place in the heap */
            (void)rc;
            return;
        }
        list_del(&p->link);
        (void)err_set(&e, IFP_ETIMEOUT, "no answer within %lld ms",
                      (long long)(d->limit_us / 1000));
        (void)http_answer_early(p->r, &e);
    }
}

int deadline_open(struct loop *l, int64_t limit_ms, struct deadline **ret, struct err *e)
{
    struct deadline *d = mem_zalloc(sizeof(*d));

    assert(limit_ms > 0);
    *ret = d;
    if (!d)
        return err_set(e, IFP_ENOMEM, "timeout: out of memory");
    d->loop = l;
    d->limit_us = limit_ms * 1000;
    list_init(&d->waiting);
    timer_init(&d->timer, l, on_timer, d);
    return 0;
}

void deadline_close(struct deadline *d)
{
    if (!d)
        return;
    assert(list_empty(&d->waiting));
    timer_stop(&d->timer);
    mem_free(d);
}

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    struct deadline *d = self;
    struct pending *p = slot;

    if (r->route && r->route->flags & ROUTE_LONG)
        return CHAIN_NEXT;
    if (!timer_armed(&d->timer) && timer_start(&d->timer, d->limit_us) < 0) {
        (void)err_set(e, IFP_ENOMEM, "out of memory");
        return CHAIN_FAILED;
    }
    p->r = r;
    p->due_us = clock_mono_us() + d->limit_us;
    list_init(&p->link);
    list_push(&d->waiting, &p->link);
    return CHAIN_NEXT;
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    struct pending *p = slot;

    (void)self;
    (void)r;
    if (p->link.next)
        list_del(&p->link);
}

const struct interceptor deadline_interceptor = { .name = "timeout",
                                                  .slot_size = sizeof(struct pending),
                                                  .enter = on_enter,
                                                  .finished = on_finished };
