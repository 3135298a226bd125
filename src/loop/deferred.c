/*
 * loop/deferred.c - calls put off to the end of the loop's turn.
 *
 * Why: a completion must never come from inside the call that started it, and work that many
 * events of one turn ask for (a flush, a dispatch) should be done once.  A call that is asked for
 * while deferred_run is under way goes to the next turn, so two that ask for each other cannot keep
 * the loop from its sockets.
 */
#include "loop/loopinternal.h"

#include <assert.h>

void deferred_init(struct deferred *d, struct loop *l, loop_fn *fn, void *ctx)
{
    assert(l && fn);
    list_init(&d->link);
    d->loop = l;
    d->fn = fn;
    d->ctx = ctx;
}

void deferred_call(struct deferred *d)
{
    if (list_empty(&d->link))
        list_push(&d->loop->deferred, &d->link);
}

void deferred_cancel(struct deferred *d)
{
    list_del(&d->link);
}

void deferred_run(struct loop *l)
{
    struct list now;
    struct list *link;

    list_init(&now);
    list_splice(&now, &l->deferred);
    while ((link = list_pop(&now))) {
        struct deferred *d = CONTAINER_OF(link, struct deferred, link);

        assert(d->loop == l);
        d->fn(d->ctx);
    }
}
