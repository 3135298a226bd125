/*
 * store/store_queue.c - claims from queues with limits.
 *
 * A claim whose answer was lost may have happened, as in store_run.c; a statement that arrives
 * after a later one of the same worker does nothing.
 */
#include "store/store_queue.h"

#include "store/store_private.h"

#include <assert.h>

void store_claim_limited(struct store_op *op, const struct store_quota *ask, const int32_t *lanes,
                         size_t n, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CLAIM_LIMITED, done);
    struct pgarray array;

    assert(ask->worker > 0 && ask->queue > 0 && ask->limit > 0 && ask->seen < ask->turn);
    pgargs_int8(args, ask->worker);
    pgargs_int4(args, ask->queue);
    pgarray_init(&array, PGTYPE_INT4);
    for (size_t i = 0; i < n; i++)
        pgarray_int4(&array, lanes[i]);
    pgargs_array(args, &array);
    pgarray_release(&array);
    pgargs_int4(args, ask->limit);
    if (ask->used == STORE_QUOTA_COUNT)
        pgargs_null(args, PGTYPE_INT4);
    else
        pgargs_int4(args, ask->used);
    pgargs_int8(args, ask->turn);
    pgargs_int8(args, ask->seen);
    store_on_pool(op);
}

int64_t store_quota_again(const struct store_op *op)
{
    enum { READY_AT = 5 };
    int last = op->rows - 1;

    assert(op->res && last >= 0 && pgres_int8(op->res, last, 0) == 0);
    return pgres_null(op->res, last, READY_AT) ? 0 : pgres_timestamptz(op->res, last, READY_AT);
}

void store_queue_report(struct store_op *op, const struct store_quota *tell, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_QUEUE_REPORT, done);

    assert(tell->worker > 0 && tell->queue > 0 && tell->used >= 0 && tell->seen < tell->turn);
    pgargs_int8(args, tell->worker);
    pgargs_int4(args, tell->queue);
    pgargs_int4(args, tell->used);
    pgargs_int8(args, tell->turn);
    pgargs_int8(args, tell->seen);
    store_on_pool(op);
}

int64_t store_quota_now(const struct store_op *op)
{
    enum { NOW = 13 };
    int last = op->rows - 1;

    assert(op->res && last >= 0 && pgres_int8(op->res, last, 0) == 0);
    return pgres_timestamptz(op->res, last, NOW);
}

bool store_quota_more(const struct store_op *op)
{
    enum { FLAGS = 6, FLAG_MORE = 2 };
    int last = op->rows - 1;

    assert(op->res);
    return last >= 0 && (pgres_int2(op->res, last, FLAGS) & FLAG_MORE) != 0;
}

bool store_queue_report_more(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return pgres_bool(op->res, 0, 0);
}
