/*
 * pg/pgreq.c - the life of one request outside its connection: made, asked to end, let go.
 * Where a request in flight can be is told in pgqueue.c.
 */
#include "pg/pginternal.h"

#include <assert.h>

void pgreq_init(struct pgreq *req)
{
    *req = (struct pgreq){ .stmt = NULL };
    list_init(&req->link);
    pgargs_init(&req->args);
}

void pgreq_release(struct pgreq *req)
{
    assert(!pgreq_busy(req));
    pgargs_release(&req->args);
}

bool pgreq_busy(const struct pgreq *req)
{
    return req->queue != NULL;
}

void pgreq_cancel(struct pgreq *req)
{
    if (!pgreq_busy(req))
        return;
    req->abandoned = true;
    if (req->conn)
        pgconn_cancel(req->conn, req);
    else
        (void)pgqueue_cancel(req->queue, req); /* a pool's: it has nothing on the wire itself */
}
