/*
 * pg/pgpoll.c - a libuv poll handle with memory of its own.
 *
 * libpq closes and opens sockets while it connects, and a connection may be dropped from inside its
 * own callback, but libuv frees a handle only a turn later.  So each handle lives by itself: closed
 * means that the callback never comes again, and the memory follows when libuv is done.
 */
#include "base/mem.h"
#include "pg/pginternal.h"

#include <assert.h>
#include <uv.h>

struct pgpoll {
    uv_poll_t uv;
    int events;
    pgpoll_fn *fn;
    void *ctx;
};

static void on_closed(uv_handle_t *uv)
{
    mem_free(CONTAINER_OF(uv, struct pgpoll, uv));
}

static void on_event(uv_poll_t *uv, int status, int events)
{
    struct pgpoll *p = CONTAINER_OF(uv, struct pgpoll, uv);

    p->fn(p->ctx, status, events);
}

int pgpoll_open(struct loop *l, int fd, int events, pgpoll_fn *fn, void *ctx,
                struct pgpoll **ret_poll, struct err *e)
{
    struct pgpoll *p = mem_zalloc(sizeof(*p));
    int rc;

    assert(fn);
    if (!p)
        return err_set(e, IFP_ENOMEM, "database socket: out of memory");
    p->fn = fn;
    p->ctx = ctx;
    rc = uv_poll_init(loop_uv(l), &p->uv, fd);
    if (rc < 0) {
        mem_free(p);
        return err_set(e, IFP_ESERVER, "database socket: %s", uv_strerror(rc));
    }
    rc = pgpoll_want(p, events, e);
    if (rc < 0) {
        pgpoll_close(p);
        return rc;
    }
    *ret_poll = p;
    return 0;
}

int pgpoll_want(struct pgpoll *p, int events, struct err *e)
{
    int rc;

    if (p->events == events)
        return 0;
    rc = uv_poll_start(&p->uv, events, on_event);
    if (rc < 0)
        return err_set(e, IFP_ESERVER, "database socket: %s", uv_strerror(rc));
    p->events = events;
    return 0;
}

void pgpoll_close(struct pgpoll *p)
{
    if (!p)
        return;
    uv_poll_stop(&p->uv);
    uv_close((uv_handle_t *)&p->uv, on_closed);
}
