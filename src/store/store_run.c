/*
 * store/store_run.c - how executions come into this process: claim, adoption after a connection
 * error, and their journals in pages.
 *
 * A claim whose answer was lost may have happened: its rows then say that this worker owns them,
 * and store_owned finds them.  The journal is read by a statement after the claim's, so that its
 * snapshot holds everything that the former owner committed before the claim took the row.
 */
#include "store/store.h"
#include "store/store_private.h"

#include <assert.h>

/* ---- claim ---------------------------------------------------------------------------------- */

enum probe_column { PROBE_LANE, PROBE_SHARD, PROBE_PRIO, PROBE_FROM, PROBE_COLUMNS };

static const enum pgtype probe_types[PROBE_COLUMNS] = {
    [PROBE_LANE] = PGTYPE_INT4,
    [PROBE_SHARD] = PGTYPE_INT2,
    [PROBE_PRIO] = PGTYPE_INT2,
    [PROBE_FROM] = PGTYPE_TIMESTAMPTZ,
};

static void add_probes(struct pgargs *args, const struct store_probe *p, size_t n)
{
    struct pgarray columns[PROBE_COLUMNS];

    for (size_t c = 0; c < PROBE_COLUMNS; c++)
        pgarray_init(&columns[c], probe_types[c]);
    for (size_t i = 0; i < n; i++) {
        assert(p[i].lane > 0 && p[i].prio >= 1 && p[i].prio <= 5);
        pgarray_int4(&columns[PROBE_LANE], p[i].lane);
        pgarray_int2(&columns[PROBE_SHARD], p[i].shard);
        pgarray_int2(&columns[PROBE_PRIO], p[i].prio);
        pgarray_timestamptz(&columns[PROBE_FROM], p[i].from_us);
    }
    for (size_t c = 0; c < PROBE_COLUMNS; c++) {
        pgargs_array(args, &columns[c]);
        pgarray_release(&columns[c]);
    }
}

void store_claim(struct store_op *op, int64_t worker, const struct store_probe *p, size_t n,
                 int limit, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_CLAIM, done);

    assert(worker > 0 && n > 0 && limit > 0);
    pgargs_int8(args, worker);
    add_probes(args, p, n);
    pgargs_int4(args, limit);
    store_on_pool(op);
}

void store_owned(struct store_op *op, int64_t worker, store_done_fn *done)
{
    assert(worker > 0);
    pgargs_int8(store_begin(op, STATEMENT_OWNED, done), worker);
    store_on_pool(op);
}

static int64_t time_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_timestamptz(res, row, col);
}

struct store_claimed store_claimed_of(const struct pgres *res, int row)
{
    assert(res && row < pgres_rows(res));
    return (struct store_claimed){
        .exec_id = pgres_int8(res, row, 0),
        .fence = pgres_int4(res, row, 1),
        .lane = pgres_int4(res, row, 2),
        .shard = pgres_int2(res, row, 3),
        .prio = pgres_int2(res, row, 4),
        .ready_us = pgres_timestamptz(res, row, 5),
        .flags = pgres_int2(res, row, 6),
        .crashes = pgres_int2(res, row, 7),
        .has_journal = pgres_bool(res, row, 8),
        .deadline_us = time_at(res, row, 9),
        .created_us = pgres_timestamptz(res, row, 10),
        .seed = (uint64_t)pgres_int8(res, row, 11),
        .input = pgres_bytes(res, row, 12),
        .now_us = pgres_timestamptz(res, row, 13),
        .options = pgres_text(res, row, 14),
        .traceparent = pgres_text(res, row, 15),
    };
}

struct store_claimed store_claimed_at(const struct store_op *op, int row)
{
    assert(op->res && row < op->rows);
    return store_claimed_of(op->res, row);
}

/* ---- journal -------------------------------------------------------------------------------- */

void store_journal_args(struct pgargs *args, const int64_t *exec, const int64_t *after, size_t n,
                        int limit)
{
    struct pgarray ids, keys;

    assert(n > 0 && limit > 0);
    pgarray_init(&ids, PGTYPE_INT8);
    pgarray_init(&keys, PGTYPE_INT8);
    for (size_t i = 0; i < n; i++) {
        pgarray_int8(&ids, exec[i]);
        if (after[i] == INT64_MIN)
            pgarray_null(&keys);
        else
            pgarray_int8(&keys, after[i]);
    }
    pgargs_array(args, &ids);
    pgargs_array(args, &keys);
    pgargs_int4(args, limit);
    pgarray_release(&keys);
    pgarray_release(&ids);
}

void store_journal(struct store_op *op, const int64_t *exec, const int64_t *after, size_t n,
                   int limit, store_done_fn *done)
{
    store_journal_args(store_begin(op, STATEMENT_JOURNAL, done), exec, after, n, limit);
    store_on_pool(op);
}

struct store_journal_row store_journal_of(const struct pgres *res, int row)
{
    assert(res && row < pgres_rows(res));
    return (struct store_journal_row){
        .exec_id = pgres_int8(res, row, 0),
        .step_key = pgres_int8(res, row, 1),
        .seq = pgres_int4(res, row, 2),
        .kind = pgres_int2(res, row, 3),
        .status = pgres_int2(res, row, 4),
        .attempts = pgres_int2(res, row, 5),
        .done_us = time_at(res, row, 6),
        .wake_us = time_at(res, row, 7),
        .name = pgres_bytes(res, row, 8),
        .result = pgres_bytes(res, row, 9),
        .error_code = pgres_text(res, row, 10),
        .error = pgres_text(res, row, 11),
    };
}

struct store_journal_row store_journal_at(const struct store_op *op, int row)
{
    assert(op->res && row < op->rows);
    return store_journal_of(op->res, row);
}
