/*
 * store/store_cron.c - each operation is one statement; after a lost answer it may be sent again: a
 * tick that was fired is not fired twice, as the job's next instant has moved.
 */
#include "store/store_cron.h"

#include "store/store_private.h"

#include <assert.h>

/* ---- lock and declaration ------------------------------------------------------------------- */

void store_cron_lock(struct store_op *op, int64_t worker, int64_t lease_ms, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CRON_LOCK, done);

    assert(worker > 0 && lease_ms > 0 && op->store->workspace_id);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_int8(args, worker);
    pgargs_int8(args, lease_ms);
    store_on_pool(op);
}

bool store_cron_locked(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return !pgres_null(op->res, 0, 0);
}

void store_cron_declare(struct store_op *op, const char *program, const struct cronjob *jobs,
                        size_t n, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CRON_DECLARE, done);

    assert(program && op->store->workspace_id);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_text(args, program);
    cronjob_add_all(args, jobs, n);
    store_on_pool(op);
}

/* ---- due jobs ------------------------------------------------------------------------------- */

void store_cron_due(struct store_op *op, const int32_t *skip, size_t n, int limit,
                    store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CRON_DUE, done);
    struct pgarray ids;

    assert(limit > 0 && op->store->workspace_id);
    pgargs_int4(args, op->store->workspace_id);
    pgarray_init(&ids, PGTYPE_INT4);
    for (size_t i = 0; i < n; i++)
        pgarray_int4(&ids, skip[i]);
    pgargs_array(args, &ids);
    pgarray_release(&ids);
    pgargs_int4(args, limit);
    store_on_pool(op);
}

struct store_cron_job store_cron_job_at(const struct store_op *op, int row)
{
    assert(op->res && row < op->rows);
    return (struct store_cron_job){
        .id = pgres_int4(op->res, row, 0),
        .next_us = pgres_timestamptz(op->res, row, 1),
        .now_us = pgres_timestamptz(op->res, row, 2),
        .catchup = pgres_int2(op->res, row, 3),
        .catchup_max = pgres_int4(op->res, row, 4),
        .name = pgres_text(op->res, row, 5),
        .schedule = pgres_text(op->res, row, 6),
        .timezone = pgres_text(op->res, row, 7),
    };
}

/* ---- firing --------------------------------------------------------------------------------- */

void store_cron_batch_init(struct store_cron_batch *b)
{
    pgarray_init(&b->job, PGTYPE_INT4);
    pgarray_init(&b->expect, PGTYPE_TIMESTAMPTZ);
    pgarray_init(&b->next, PGTYPE_TIMESTAMPTZ);
    pgarray_init(&b->missed, PGTYPE_INT4);
    pgarray_init(&b->tick_job, PGTYPE_INT4);
    pgarray_init(&b->tick_at, PGTYPE_TIMESTAMPTZ);
    b->ticks = 0;
}

void store_cron_batch_release(struct store_cron_batch *b)
{
    pgarray_release(&b->job);
    pgarray_release(&b->expect);
    pgarray_release(&b->next);
    pgarray_release(&b->missed);
    pgarray_release(&b->tick_job);
    pgarray_release(&b->tick_at);
}

void store_cron_batch_job(struct store_cron_batch *b, int32_t job, int64_t expect_us,
                          int64_t next_us, bool missed)
{
    assert(next_us > expect_us);
    pgarray_int4(&b->job, job);
    pgarray_timestamptz(&b->expect, expect_us);
    pgarray_timestamptz(&b->next, next_us);
    if (missed)
        pgarray_int4(&b->missed, job);
}

void store_cron_batch_tick(struct store_cron_batch *b, int32_t job, int64_t at_us)
{
    pgarray_int4(&b->tick_job, job);
    pgarray_timestamptz(&b->tick_at, at_us);
    b->ticks++;
}

void store_cron_fire(struct store_op *op, const struct store_cron_batch *b, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CRON_FIRE, done);

    assert(b->job.count == b->next.count && b->tick_job.count == b->tick_at.count);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_array(args, &b->job);
    pgargs_array(args, &b->expect);
    pgargs_array(args, &b->next);
    pgargs_array(args, &b->missed);
    pgargs_array(args, &b->tick_job);
    pgargs_array(args, &b->tick_at);
    store_on_pool(op);
}

struct store_cron_fired store_cron_fired(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return (struct store_cron_fired){
        .fired = pgres_int4(op->res, 0, 0),
        .started = pgres_int4(op->res, 0, 1),
        .next_us = pgres_null(op->res, 0, 2) ? INT64_MIN : pgres_timestamptz(op->res, 0, 2),
    };
}

void store_cron_release(struct store_op *op, int limit, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CRON_RELEASE, done);

    assert(limit > 0);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_int4(args, limit);
    store_on_pool(op);
}
