/*
 * store/store.c - the connections of a worker process and the life of one operation.
 *
 * Two kinds of traffic never wait for each other: the control connection carries the lease and the
 * tick (tiny, must not be late, may lose its last commit: a heartbeat is repeated anyway), the pool
 * carries claims, journals and group commits.
 *
 *   store_begin -> parameters -> store_on_control or store_on_pool -> store_finish -> op->done
 *
 * Failure: nothing is sent again by itself.  A lost connection ends an operation with
 * IFP_EUNAVAILABLE; the engine knows which operations may be repeated.  Memory that runs out while
 * the parameters are built breaks them stickily, and the connection answers with IFP_ENOMEM.
 *
 * Invariant: after store_close the owner hears nothing but the ends of his operations and `closed`.
 */
#include "store/store.h"

#include "base/mem.h"
#include "store/store_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAKE_CHANNEL "inferpipe_wake"

static const struct err no_error;

/* ---- what the control connection reports ---------------------------------------------------- */

static void control_up(void *ctx)
{
    struct store *s = ctx;

    assert(pgconn_ready(s->control));
    if (s->closing)
        return;
    if (s->listens)
        pglisten_up(&s->listen);
    if (s->on_up)
        s->on_up(s->ctx);
}

static void control_down(void *ctx, const struct err *e)
{
    struct store *s = ctx;

    assert(e && e->code < 0);
    if (!s->closing && s->on_down)
        s->on_down(s->ctx, e);
}

static void control_notify(void *ctx, const char *channel, const char *payload)
{
    struct store *s = ctx;

    assert(channel && payload);
    if (!s->closing && s->listens)
        pglisten_notify(&s->listen, channel, payload);
}

static void wake(struct store *s, int32_t lane)
{
    assert(lane >= 0);
    if (!s->closing && s->on_wake)
        s->on_wake(s->ctx, lane);
}

/* Anybody may notify: what is not a lane number means "look everywhere". */
static void wake_notified(void *ctx, const char *payload)
{
    char *end;
    long lane;

    errno = 0;
    lane = strtol(payload, &end, 10);
    if (errno || end == payload || *end || lane < 0 || lane > INT32_MAX)
        lane = 0;
    wake(ctx, (int32_t)lane);
}

static void wake_missed(void *ctx)
{
    wake(ctx, 0);
}

/* ---- open and close ------------------------------------------------------------------------- */

static void store_free(struct store *s)
{
    if (!s)
        return;
    if (s->listens)
        pglisten_release(&s->listen);
    mem_free(s->program);
    mem_free(s->workspace);
    mem_free(s);
}

static void connection_closed(void *ctx)
{
    struct store *s = ctx;
    loop_fn *closed = s->closed;
    void *closed_ctx = s->closed_ctx;

    assert(s->closing && s->closing_left > 0);
    if (--s->closing_left > 0)
        return;
    store_free(s);
    if (closed)
        closed(closed_ctx);
}

static struct store *store_new(const struct store_options *o)
{
    struct store *s = mem_zalloc(sizeof(*s));

    if (!s)
        return NULL;
    s->workspace = mem_strdup(o->workspace);
    s->program = mem_strdup(o->program);
    if (!s->workspace || !s->program) {
        store_free(s);
        return NULL;
    }
    if (gethostname(s->host, sizeof(s->host) - 1) != 0)
        s->host[0] = '\0'; /* shown to people only */
    s->lease_ms = o->lease_ms;
    s->on_up = o->on_up;
    s->on_down = o->on_down;
    s->on_wake = o->on_wake;
    s->ctx = o->ctx;
    return s;
}

static struct pgconn_options connection_options(const struct store_options *o)
{
    return (struct pgconn_options){
        .conninfo = o->conninfo,
        .application = o->program,
        .prepare = o->prepare,
        .queue_max = o->queue_max,
        .connect_timeout_ms = o->connect_timeout_ms,
        .statement_timeout_ms = o->statement_timeout_ms,
    };
}

static int open_control(struct store *s, struct loop *l, const struct store_options *o,
                        struct err *e)
{
    struct pgconn_options control = connection_options(o);
    int err;

    assert(!s->control);
    control.async_commit = true;
    control.on_up = control_up;
    control.on_down = control_down;
    control.on_notify = control_notify;
    control.ctx = s;
    err = pgconn_open(l, &control, &s->control, e);
    if (err)
        return err;
    if (o->listen) {
        pglisten_init(&s->listen, s->control, WAKE_CHANNEL);
        s->listen.notified = wake_notified;
        s->listen.missed = wake_missed;
        s->listen.ctx = s;
        s->listens = true;
    }
    return 0;
}

int store_open(struct loop *l, const struct store_options *o, struct store **ret, struct err *e)
{
    struct pgpool_options pool = { .conn = connection_options(o), .connections = o->connections };
    struct store *s;
    int err;

    assert(o->conninfo && o->workspace && o->program);
    assert(o->connections > 0 && o->lease_ms > 0);
    s = store_new(o);
    if (!s)
        return err_set(e, IFP_ENOMEM, "store: out of memory");
    err = open_control(s, l, o, e);
    if (err)
        goto free_store;
    /* Who waited for a whole lease has lost what he wanted to write. */
    pool.wait_ms = o->lease_ms;
    err = pgpool_open(l, &pool, &s->pool, e);
    if (err)
        goto discard_control;
    *ret = s;
    return 0;

discard_control:
    pgconn_discard(s->control);
free_store:
    store_free(s);
    return err;
}

void store_close(struct store *s, loop_fn *closed, void *ctx)
{
    assert(s && !s->closing);
    s->closing = true;
    s->closing_left = 2;
    s->closed = closed;
    s->closed_ctx = ctx;
    pgpool_close(s->pool, connection_closed, s);
    pgconn_close(s->control, connection_closed, s);
}

const struct err *store_last_error(const struct store *s)
{
    return pgconn_ready(s->control) ? &no_error : pgconn_last_error(s->control);
}

/* ---- one operation -------------------------------------------------------------------------- */

void store_op_init(struct store_op *op, struct store *s)
{
    assert(s);
    memset(op, 0, sizeof(*op));
    pgreq_init(&op->req);
    op->store = s;
}

void store_op_release(struct store_op *op)
{
    assert(!store_op_busy(op)); /* the answer would come into freed memory */
    pgreq_release(&op->req);
}

bool store_op_busy(const struct store_op *op)
{
    return pgreq_busy(&op->req);
}

struct pgargs *store_begin(struct store_op *op, enum statement id, store_done_fn *done)
{
    assert(op->store && done);
    assert(!store_op_busy(op));
    pgargs_reset(&op->req.args);
    op->req.stmt = statements_get(id);
    op->req.done = store_finish;
    op->done = done;
    op->res = NULL;
    op->rows = 0;
    return &op->req.args;
}

void store_on_control(struct store_op *op)
{
    assert(op->store->control);
    pgconn_exec(op->store->control, &op->req);
}

void store_on_pool(struct store_op *op)
{
    assert(op->store->pool);
    pgpool_exec(op->store->pool, &op->req);
}

void store_finish(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct store_op *op = CONTAINER_OF(req, struct store_op, req);
    struct err wrapped;

    assert((err == 0) == (res != NULL));
    assert(op->done && op->store);
    op->res = res;
    op->rows = res ? pgres_rows(res) : 0;
    if (err) {
        wrapped = *e;
        err_wrap(&wrapped, "%s", req->stmt->name);
        e = &wrapped;
    }
    op->done(op, err, e); /* may have freed or restarted the operation */
}
