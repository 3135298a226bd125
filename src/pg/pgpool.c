/*
 * pg/pgpool.c - requests in front of several connections.
 *
 * Happy path: a request goes at once to the ready connection with the least to do; when all are at
 * their depth it waits, and each time answers came in the pool hands out more.
 *
 * Failure modes: a connection that is lost ends what it had sent and gives back what it had not,
 * in front of what waits here.  What waits longer than wait_ms ends with IFP_EUNAVAILABLE.
 *
 * Invariants: the queue is in order of arrival, so its first request is the next to time out; the
 * timer is due no later than that (it may be earlier, then it looks and arms itself again).  Like a
 * connection's, the timer is always armed, so that moving it cannot fail.
 */
#include "pg/pgpool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "pg/pginternal.h"

#include <assert.h>

enum { CONNECTIONS_MAX = 64 };

struct member {
    struct pgpool *pool; /* borrowed: that it is in */
    struct pgconn *conn; /* owned */
};

struct pgpool {
    struct loop *loop;    /* borrowed */
    struct pgqueue queue; /* requests that no connection has */
    struct deferred turn;
    struct timer timer;
    struct member members[CONNECTIONS_MAX];
    int count; /* members */
    int up;    /* of them ready, by on_up and on_down */
    int depth;
    int64_t wait_ms;
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, const struct err *e);
    void *ctx;
    bool closing;
    int open; /* members not closed yet */
    loop_fn *closed;
    void *closed_ctx;
};

static void set_timer(struct pgpool *p, int64_t delay_us)
{
    int rc;

    assert(timer_armed(&p->timer));
    rc = timer_start(&p->timer, delay_us);
    assert(rc == 0);
}

static int64_t remaining_us(const struct pgpool *p, const struct pgreq *req)
{
    return req->since_us + p->wait_ms * 1000 - clock_mono_us();
}

static void watch_first(struct pgpool *p)
{
    const struct pgreq *first = pgqueue_first(&p->queue);

    set_timer(p, first ? remaining_us(p, first) : INT64_MAX);
}

/* The ready connection with the least to do, or NULL when all are at their depth. */
static struct pgconn *best(const struct pgpool *p)
{
    struct pgconn *found = NULL;
    int least = p->depth;

    for (int i = 0; i < p->count; i++) {
        struct pgconn *c = p->members[i].conn;

        if (pgconn_ready(c) && pgconn_load(c) < least) {
            least = pgconn_load(c);
            found = c;
        }
    }
    return found;
}

static void hand_out(struct pgpool *p, bool waited)
{
    struct pgreq *req;
    struct pgconn *c;

    while (!p->closing && (req = pgqueue_first(&p->queue)) && (c = best(p))) {
        pgqueue_take(&p->queue, req);
        if (waited)
            metrics_observe_us(METRIC_DB_WAIT, NULL, clock_mono_us() - req->since_us);
        pgconn_exec(c, req);
    }
}

static void dispatch(void *ctx)
{
    hand_out(ctx, true);
}

static void on_member_up(void *ctx)
{
    struct member *m = ctx;
    struct pgpool *p = m->pool;

    assert(p->up < p->count);
    if (p->up++ == 0 && p->on_up)
        p->on_up(p->ctx);
    dispatch(p);
}

static void on_member_down(void *ctx, const struct err *e)
{
    struct member *m = ctx;
    struct pgpool *p = m->pool;
    struct pgreq *req;

    while ((req = pgconn_take_back(m->conn)))
        pgqueue_give_back(&p->queue, req);
    watch_first(p);
    assert(p->up > 0);
    if (--p->up == 0 && p->on_down)
        p->on_down(p->ctx, e);
    dispatch(p);
}

static void explain_wait(struct pgpool *p)
{
    const char *why = "all connections are busy";

    for (int i = 0; i < p->count && p->up == 0; i++) {
        if (pgconn_last_error(p->members[i].conn)->code != 0)
            why = pgconn_last_error(p->members[i].conn)->text;
    }
    err_set(&p->queue.why, IFP_EUNAVAILABLE, "no database connection within %lld ms: %s",
            (long long)p->wait_ms, why);
}

static void on_timer(void *ctx)
{
    struct pgpool *p = ctx;
    struct pgreq *req;
    int rc = timer_start(&p->timer, INT64_MAX);

    assert(rc == 0); /* it has just left the heap, so there is room for it */
    while ((req = pgqueue_first(&p->queue)) && remaining_us(p, req) <= 0) {
        explain_wait(p);
        pgqueue_take(&p->queue, req);
        pgqueue_end(&p->queue, req, IFP_EUNAVAILABLE);
    }
    watch_first(p);
}

static void destroy(struct pgpool *p)
{
    assert(p->queue.count == 0);
    timer_stop(&p->timer);
    deferred_cancel(&p->turn);
    mem_free(p);
}

static void on_turn(void *ctx)
{
    struct pgpool *p = ctx;
    loop_fn *closed;
    void *closed_ctx;

    pgqueue_deliver(&p->queue);
    if (!p->closing || p->open > 0 || !list_empty(&p->queue.ended))
        return;
    closed = p->closed;
    closed_ctx = p->closed_ctx;
    destroy(p);
    if (closed)
        closed(closed_ctx);
}

static int open_member(struct pgpool *p, const struct pgconn_options *options, struct err *e)
{
    struct member *m = &p->members[p->count];
    struct pgconn_options o = *options;

    o.queue_max = p->depth;
    o.on_up = on_member_up;
    o.on_down = on_member_down;
    o.on_notify = NULL;
    o.ctx = m;
    m->pool = p;
    IFP_TRY(pgconn_open(p->loop, &o, &m->conn, e));
    pgconn_on_slack(m->conn, dispatch, p);
    p->count++;
    p->open++;
    return 0;
}

int pgpool_open(struct loop *l, const struct pgpool_options *options, struct pgpool **ret_pool,
                struct err *e)
{
    struct pgpool *p = mem_zalloc(sizeof(*p));
    int rc = 0;

    assert(options->connections >= 1 && options->connections <= CONNECTIONS_MAX);
    assert(options->depth >= 0 && options->wait_ms > 0);
    if (!p)
        return err_set(e, IFP_ENOMEM, "database pool: out of memory");
    p->loop = l;
    p->depth = options->depth ? options->depth : 1;
    p->wait_ms = options->wait_ms;
    p->on_up = options->conn.on_up;
    p->on_down = options->conn.on_down;
    p->ctx = options->conn.ctx;
    deferred_init(&p->turn, l, on_turn, p);
    timer_init(&p->timer, l, on_timer, p);
    pgqueue_init(&p->queue, options->conn.queue_max, &p->turn);
    if (timer_start(&p->timer, INT64_MAX) < 0)
        rc = err_set(e, IFP_ENOMEM, "database pool: out of memory");
    while (rc == 0 && p->count < options->connections)
        rc = open_member(p, &options->conn, e);
    if (rc < 0) {
        while (p->count > 0)
            pgconn_discard(p->members[--p->count].conn);
        destroy(p);
        return rc;
    }
    *ret_pool = p;
    return 0;
}

static void on_member_closed(void *ctx)
{
    struct pgpool *p = ctx;

    assert(p->open > 0);
    if (--p->open == 0)
        deferred_call(&p->turn);
}

void pgpool_close(struct pgpool *p, loop_fn *closed, void *ctx)
{
    assert(!p->closing);
    p->closing = true;
    p->closed = closed;
    p->closed_ctx = ctx;
    pgqueue_end_waiting(&p->queue, IFP_ECANCELED);
    for (int i = 0; i < p->count; i++)
        pgconn_close(p->members[i].conn, on_member_closed, p);
}

void pgpool_exec(struct pgpool *p, struct pgreq *req)
{
    assert(!pgreq_busy(req));
    req->conn = NULL;
    req->since_us = clock_mono_us();
    pgqueue_push(&p->queue, req);
    if (p->closing) {
        pgqueue_end_waiting(&p->queue, IFP_ECANCELED);
        return;
    }
    hand_out(p, p->queue.count > 1);
    if (p->queue.count == 1)
        watch_first(p);
}

int pgpool_waiting(const struct pgpool *p)
{
    return p->queue.count;
}

bool pgpool_ready(const struct pgpool *p)
{
    for (int i = 0; i < p->count; i++) {
        if (pgconn_ready(p->members[i].conn))
            return true;
    }
    return false;
}
