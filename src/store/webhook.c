/*
 * store/webhook.c - two statements and the pool of one connection that they go over.
 *
 * Both may happen twice without harm.  A lost connection ends them with IFP_EUNAVAILABLE, and the
 * attempt that asked fails and is followed by another one.
 */
#include "store/webhook.h"

#include "base/mem.h"
#include "pg/pgpool.h"
#include "store/statements.h"

#include <assert.h>

enum { DEPTH = 16 };

struct webhook_db {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    struct pgpool *pool;         /* owned; NULL until first used */
};

int webhook_open(struct loop *l, const struct config *config, struct webhook_db **ret,
                 struct err *e)
{
    struct webhook_db *db = mem_zalloc(sizeof(*db));

    if (!db)
        return err_set(e, IFP_ENOMEM, "webhooks: out of memory");
    db->loop = l;
    db->config = config;
    *ret = db;
    return 0;
}

void webhook_close(struct webhook_db *db, loop_fn *closed, void *ctx)
{
    struct pgpool *pool = db->pool;

    assert(closed);
    mem_free(db);
    if (pool)
        pgpool_close(pool, closed, ctx);
    else
        closed(ctx);
}

static int connect(struct webhook_db *db, struct err *e)
{
    const struct config *c = db->config;
    struct pgpool_options o = {
        .conn = {
            .conninfo = config_text(c, CONFIG_DATABASE_URL),
            .application = "inferpipe webhooks",
            .prepare = config_int(c, CONFIG_PREPARE) != 0,
            .queue_max = (int)config_int(c, CONFIG_DB_QUEUE),
            .connect_timeout_ms = config_int(c, CONFIG_CONNECT_TIMEOUT),
            .statement_timeout_ms = config_int(c, CONFIG_STATEMENT_TIMEOUT),
        },
        .connections = 1,
        .depth = DEPTH,
        .wait_ms = config_int(c, CONFIG_CONNECT_TIMEOUT),
    };

    return db->pool ? 0 : pgpool_open(db->loop, &o, &db->pool, e);
}

void webhook_init(struct webhook_op *op)
{
    pgreq_init(&op->req);
}

void webhook_release(struct webhook_op *op)
{
    assert(!pgreq_busy(&op->req));
    pgreq_release(&op->req);
}

void webhook_cancel(struct webhook_op *op)
{
    if (pgreq_busy(&op->req))
        pgreq_cancel(&op->req);
}

static struct webhook_delivery delivery_of(const struct pgres *res)
{
    return (struct webhook_delivery){
        .skip = pgres_text(res, 0, 0),
        .url = pgres_text(res, 0, 1),
        .secret_id = pgres_null(res, 0, 2) ? 0 : pgres_int8(res, 0, 2),
        .secret = pgres_bytes(res, 0, 3),
        .secret_before = pgres_bytes(res, 0, 4),
        .event = pgres_text(res, 0, 5),
        .type = pgres_text(res, 0, 6),
        .target = pgres_null(res, 0, 7) ? 0 : pgres_int8(res, 0, 7),
        .status = pgres_text(res, 0, 8),
        .workflow = pgres_text(res, 0, 9),
        .data = pgres_bytes(res, 0, 10),
        .error_code = pgres_text(res, 0, 11),
        .error = pgres_text(res, 0, 12),
        .metadata = pgres_text(res, 0, 13),
        .created_us = pgres_null(res, 0, 14) ? 0 : pgres_timestamptz(res, 0, 14),
    };
}

static void on_loaded(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct webhook_op *op = CONTAINER_OF(req, struct webhook_op, req);
    struct webhook_delivery d;

    if (err != 0) {
        op->loaded(op, err, NULL, e);
        return;
    }
    assert(pgres_rows(res) == 1);
    d = delivery_of(res);
    op->loaded(op, 0, &d, e);
}

static void on_gone(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct webhook_op *op = CONTAINER_OF(req, struct webhook_op, req);

    (void)res;
    op->gone(op, err, e);
}

void webhook_load(struct webhook_db *db, struct webhook_op *op, int64_t delivery,
                  webhook_load_fn *done)
{
    struct err e;
    int rc = connect(db, &e);

    assert(delivery > 0 && !pgreq_busy(&op->req));
    if (rc != 0) {
        done(op, rc, NULL, &e);
        return;
    }
    op->loaded = done;
    op->req.stmt = statements_get(STATEMENT_WEBHOOK_LOAD);
    op->req.done = on_loaded;
    pgargs_reset(&op->req.args);
    pgargs_int8(&op->req.args, delivery);
    pgpool_exec(db->pool, &op->req);
}

void webhook_gone(struct webhook_db *db, struct webhook_op *op, int64_t delivery, const char *why,
                  webhook_gone_fn *done)
{
    assert(db->pool); /* it was loaded before */
    assert(delivery > 0 && !pgreq_busy(&op->req));
    op->gone = done;
    op->req.stmt = statements_get(STATEMENT_WEBHOOK_GONE);
    op->req.done = on_gone;
    pgargs_reset(&op->req.args);
    pgargs_int8(&op->req.args, delivery);
    pgargs_text(&op->req.args, why);
    pgpool_exec(db->pool, &op->req);
}
