/*
 * store/retention.c - the retention policy and the deletion of single executions: over a blocking
 * connection for commands, and one piece of the work for workers.  The policy is a row of the
 * settings; inferpipe.retain() carries it out.
 */
#include "store/retention.h"

#include "store/client_private.h"
#include "store/store_private.h"

#include <assert.h>
#include <string.h>

static const char *const statuses[RETENTION_STATUSES] = { "completed", "failed", "canceled" };

static int run_plain(struct client *c, enum statement id, struct pgres **ret_res, struct err *e)
{
    struct pgargs args;
    int err = client_ready(c, e);

    if (err)
        return err;
    pgargs_init(&args);
    return client_run(c, id, &args, true, ret_res, e);
}

int retention_get(struct client *c, struct retention_policy *ret, struct err *e)
{
    struct pgres *res;
    int err = run_plain(c, STATEMENT_RETENTION_GET, &res, e);

    if (err)
        return err;
    assert(pgres_rows(res) == RETENTION_STATUSES);
    for (int i = 0; i < RETENTION_STATUSES; i++) {
        assert(strcmp(pgres_text(res, i, 0), statuses[i]) == 0);
        ret->keeps[i].status = statuses[i];
        ret->keeps[i].keep_ms = pgres_null(res, i, 1) ? RETENTION_EVER : pgres_int8(res, i, 1);
    }
    pgsync_free_result(res);
    return 0;
}

int retention_set(struct client *c, const char *status, int64_t keep_ms, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_ready(c, e);

    assert(status && (keep_ms > 0 || keep_ms == RETENTION_EVER));
    if (err)
        return err;
    pgargs_init(&args);
    pgargs_text(&args, status);
    if (keep_ms == RETENTION_EVER)
        pgargs_null(&args, PGTYPE_INT8);
    else
        pgargs_int8(&args, keep_ms);
    err = client_run(c, STATEMENT_RETENTION_SET, &args, true, &res, e);
    if (!err)
        pgsync_free_result(res);
    return err;
}

int retention_run(struct client *c, int64_t *ret_removed, bool *ret_more, struct err *e)
{
    struct pgres *res;
    int err = run_plain(c, STATEMENT_RETAIN, &res, e);

    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_removed = pgres_int8(res, 0, 0);
    *ret_more = pgres_bool(res, 0, 1);
    pgsync_free_result(res);
    return 0;
}

int retention_delete(struct client *c, int64_t id, bool force, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_int8(&args, id);
    pgargs_bool(&args, force);
    err = client_run(c, STATEMENT_DELETE, &args, false, &res, e);
    if (err == IFP_EUNAVAILABLE)
        return err_wrap(e, "it may have been deleted");
    if (!err)
        pgsync_free_result(res);
    return err;
}

/* ---- the worker's --------------------------------------------------------------------------- */

void retention_start(struct store_op *op, store_done_fn *done)
{
    (void)store_begin(op, STATEMENT_RETAIN, done);
    store_on_pool(op);
}

int64_t retention_removed(const struct store_op *op, bool *ret_more)
{
    assert(op->res && op->rows == 1);
    *ret_more = pgres_bool(op->res, 0, 1);
    return pgres_int8(op->res, 0, 0);
}
