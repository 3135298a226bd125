/*
 * pg/pgqueue.c - the bounded queue of requests in front of a connection or a pool, and the one
 * place where a request ends without an answer.
 *
 * A request in flight is in one of three places: in `waiting` (its end is 0), in `ended` (its end
 * is the error that `done` will get) or on the wire (in no list, end 0).  pgreq.queue names the
 * queue in all three.  Ends are only noted here; `done` is called by pgqueue_deliver, from the
 * owner's deferred turn, so never from inside the call that caused the end, and exactly once.
 */
#include "pg/pginternal.h"

#include <assert.h>

void pgqueue_init(struct pgqueue *q, int max, struct deferred *turn)
{
    assert(max > 0);
    list_init(&q->waiting);
    list_init(&q->ended);
    q->count = 0;
    q->max = max;
    q->turn = turn;
    err_clear(&q->why);
}

void pgqueue_push(struct pgqueue *q, struct pgreq *req)
{
    assert(!req->queue && list_empty(&req->link));
    assert(req->stmt && req->done);
    req->queue = q;
    req->sent = false;
    req->abandoned = false;
    req->end = 0;
    if (q->count >= q->max) {
        pgqueue_end(q, req, IFP_ERATELIMITED);
        return;
    }
    list_push(&q->waiting, &req->link);
    q->count++;
}

struct pgreq *pgqueue_first(const struct pgqueue *q)
{
    if (list_empty(&q->waiting))
        return NULL;
    return CONTAINER_OF(q->waiting.next, struct pgreq, link);
}

void pgqueue_take(struct pgqueue *q, struct pgreq *req)
{
    assert(req->queue == q && req->end == 0);
    assert(!list_empty(&req->link) && q->count > 0);
    list_del(&req->link);
    q->count--;
    req->queue = NULL;
}

void pgqueue_give_back(struct pgqueue *q, struct pgreq *req)
{
    assert(!req->queue && !req->sent && req->end == 0);
    req->queue = q;
    req->conn = NULL;
    list_push_front(&q->waiting, &req->link);
    q->count++;
}

void pgqueue_end(struct pgqueue *q, struct pgreq *req, int end)
{
    assert(end < 0 && req->end == 0);
    assert(list_empty(&req->link));
    req->queue = q;
    req->end = end;
    list_push(&q->ended, &req->link);
    deferred_call(q->turn);
}

void pgqueue_end_waiting(struct pgqueue *q, int end)
{
    struct pgreq *req;

    while ((req = pgqueue_first(q))) {
        pgqueue_take(q, req);
        pgqueue_end(q, req, end);
    }
    assert(q->count == 0);
}

bool pgqueue_cancel(struct pgqueue *q, struct pgreq *req)
{
    assert(req->queue == q);
    if (req->end != 0) {
        req->end = IFP_ECANCELED;
        return true;
    }
    if (list_empty(&req->link))
        return false;
    pgqueue_take(q, req);
    pgqueue_end(q, req, IFP_ECANCELED);
    return true;
}

static void describe(const struct pgqueue *q, int end, struct err *e)
{
    switch (end) {
    case IFP_EUNAVAILABLE:
        *e = q->why;
        if (e->code != IFP_EUNAVAILABLE)
            err_set(e, IFP_EUNAVAILABLE, "%s", ifp_error_text(IFP_EUNAVAILABLE));
        break;
    case IFP_ERATELIMITED:
        err_set(e, end, "%d statements wait for the database already", q->max);
        break;
    default:
        err_set(e, end, "%s", ifp_error_text(end));
    }
}

void pgqueue_deliver(struct pgqueue *q)
{
    struct list now;
    struct list *link;

    list_init(&now);
    list_splice(&now, &q->ended);
    while ((link = list_pop(&now))) {
        struct pgreq *req = CONTAINER_OF(link, struct pgreq, link);
        int end = req->end;
        struct err e;

        assert(req->queue == q && end < 0);
        describe(q, end, &e);
        req->queue = NULL;
        req->conn = NULL;
        req->end = 0;
        req->done(req, end, NULL, &e);
    }
}
