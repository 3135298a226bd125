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

    assert(ask->worker > 0 && ask->queue > 0 && ask->limit > 0);
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
    store_on_pool(op);
}

int64_t store_quota_again(const struct store_op *op)
{
    enum { READY_AT = 5 };
    int last = op->rows - 1;

    assert(op->res && last >= 0 && pgres_int8(op->res, last, 0) == 0);
    return pgres_null(op->res, last, READY_AT) ? 0 : pgres_timestamptz(op->res, last, READY_AT);
}

void store_queue_report(struct store_op *op, int64_t worker, int32_t queue, int used, int64_t turn,
                        store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_QUEUE_REPORT, done);

    assert(worker > 0 && queue > 0 && used >= 0);
    pgargs_int8(args, worker);
    pgargs_int4(args, queue);
    pgargs_int4(args, used);
    pgargs_int8(args, turn);
    store_on_pool(op);
}
