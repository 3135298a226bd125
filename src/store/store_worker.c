/*
 * store/store_worker.c - the worker's own statements: registration, lease, tick, reaper, all on the
 * control connection, so that a full pool never makes a heartbeat late.
 *
 * store_register comes first: it finds the number of the workspace, which the others send along.
 * Each may be repeated after a lost answer; a repeated store_reap_mark may find its own work done
 * and then answers false, which only means that another look is due.
 */
#include "store/store.h"
#include "store/store_private.h"

#include <assert.h>
#include <unistd.h>

static void on_registered(struct pgreq *req, int err, const struct pgres *res, const struct err *e);

/* ---- workflows and lanes -------------------------------------------------------------------- */

enum workflow_column { NAMES, VERSIONS, QUEUES, WORKFLOW_TEXTS };

static void add_texts(struct pgargs *args, const struct store_workflow *w, size_t n,
                      enum workflow_column column)
{
    struct pgarray texts;

    assert(column < WORKFLOW_TEXTS);
    pgarray_init(&texts, PGTYPE_TEXT);
    for (size_t i = 0; i < n; i++)
        pgarray_text(&texts, column == NAMES      ? w[i].name
                             : column == VERSIONS ? w[i].version
                                                  : w[i].queue);
    pgargs_array(args, &texts);
    pgarray_release(&texts);
}

static void add_deadlines(struct pgargs *args, const struct store_workflow *w, size_t n)
{
    struct pgarray deadlines;

    pgarray_init(&deadlines, PGTYPE_INT8);
    for (size_t i = 0; i < n; i++) {
        assert(w[i].deadline_ms >= 0);
        if (w[i].deadline_ms)
            pgarray_int8(&deadlines, w[i].deadline_ms);
        else
            pgarray_null(&deadlines);
    }
    pgargs_array(args, &deadlines);
    pgarray_release(&deadlines);
}

void store_register(struct store_op *op, const struct store_workflow *w, size_t n,
                    store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_REGISTER, done);

    assert(w || n == 0);
    op->req.done = on_registered;
    pgargs_text(args, op->store->workspace);
    add_texts(args, w, n, NAMES);
    add_texts(args, w, n, VERSIONS);
    add_texts(args, w, n, QUEUES);
    add_deadlines(args, w, n);
    store_on_control(op);
}

static void on_registered(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct store_op *op = CONTAINER_OF(req, struct store_op, req);

    if (!err) {
        assert(pgres_rows(res) == 1);
        op->store->workspace_id = pgres_int4(res, 0, 0);
        assert(op->store->workspace_id > 0);
    }
    store_finish(req, err, res, e);
}

void store_lanes(struct store_op *op, const struct store_workflow *w, size_t n, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_LANES, done);

    assert(op->store->workspace_id);
    pgargs_int4(args, op->store->workspace_id);
    add_texts(args, w, n, NAMES);
    add_texts(args, w, n, VERSIONS);
    store_on_control(op);
}

struct store_lane store_lane_at(const struct store_op *op, int row)
{
    assert(op->res && row < op->rows);
    return (struct store_lane){
        .lane = pgres_int4(op->res, row, 0),
        .workflow = pgres_text(op->res, row, 1),
        .version = pgres_text(op->res, row, 2),
        .queue = pgres_text(op->res, row, 3),
        .quota = pgres_int4(op->res, row, 4),
        .paused = pgres_bool(op->res, row, 5),
    };
}

/* ---- lease and tick ------------------------------------------------------------------------- */

/* The eight parameters that a heartbeat and a tick have in common. */
static void add_lease(struct pgargs *args, const struct store *s, int64_t worker, bool hungry)
{
    assert(worker > 0);
    assert(s->workspace_id);
    pgargs_int8(args, worker);
    pgargs_int4(args, s->workspace_id);
    pgargs_int8(args, s->lease_ms);
    pgargs_bool(args, hungry);
    pgargs_text(args, s->host);
    pgargs_int4(args, (int32_t)getpid());
    pgargs_text(args, s->program);
    pgargs_text(args, IFP_VERSION);
}

void store_beat(struct store_op *op, int64_t worker, bool hungry, store_done_fn *done)
{
    add_lease(store_begin(op, STATEMENT_BEAT, done), op->store, worker, hungry);
    store_on_control(op);
}

bool store_beat_alive(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return pgres_bool(op->res, 0, 0);
}

void store_tick(struct store_op *op, int64_t worker, bool hungry, const int32_t *lanes, size_t n,
                bool sweep, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_TICK, done);
    struct pgarray array;

    assert(lanes || n == 0);
    add_lease(args, op->store, worker, hungry);
    pgarray_init(&array, PGTYPE_INT4);
    for (size_t i = 0; i < n; i++)
        pgarray_int4(&array, lanes[i]);
    pgargs_array(args, &array);
    pgarray_release(&array);
    pgargs_bool(args, sweep);
    store_on_control(op);
}

static int64_t number_at(const struct store_op *op, int row, int col)
{
    return pgres_null(op->res, row, col) ? 0 : pgres_int8(op->res, row, col);
}

struct store_tick_row store_tick_at(const struct store_op *op, int row)
{
    assert(op->res && row < op->rows);
    return (struct store_tick_row){
        .kind = (enum store_tick_kind)pgres_int2(op->res, row, 0),
        .id = number_at(op, row, 1),
        .n = number_at(op, row, 2),
        .m = number_at(op, row, 3),
        .at_us = pgres_null(op->res, row, 4) ? INT64_MIN : pgres_timestamptz(op->res, row, 4),
    };
}

void store_leave(struct store_op *op, int64_t worker, store_done_fn *done)
{
    assert(worker > 0);
    pgargs_int8(store_begin(op, STATEMENT_LEAVE, done), worker);
    store_on_control(op);
}

/* ---- the reaper and the hourly chores ------------------------------------------------------- */

void store_reap_mark(struct store_op *op, int64_t worker, int64_t beats, const char *why,
                     store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_REAP_MARK, done);

    assert(worker > 0 && why);
    pgargs_int8(args, worker);
    pgargs_int8(args, beats);
    pgargs_text(args, why);
    store_on_control(op);
}

bool store_reap_marked(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return pgres_bool(op->res, 0, 0);
}

void store_reap_release(struct store_op *op, int crash_limit, int limit, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_REAP_RELEASE, done);

    assert(crash_limit > 0 && crash_limit <= INT16_MAX && limit > 0);
    pgargs_int2(args, (int16_t)crash_limit);
    pgargs_int4(args, limit);
    store_on_control(op);
}

void store_reap_counts(const struct store_op *op, int *ret_released, int *ret_remaining)
{
    assert(op->res && op->rows == 1);
    *ret_released = pgres_int4(op->res, 0, 0);
    *ret_remaining = pgres_int4(op->res, 0, 1);
}

void store_maintain(struct store_op *op, store_done_fn *done)
{
    (void)store_begin(op, STATEMENT_MAINTAIN, done);
    store_on_control(op);
}

bool store_maintain_more(const struct store_op *op)
{
    assert(op->res && op->rows == 1);
    return pgres_bool(op->res, 0, 0);
}
