/*
 * store/live.c - see the header.
 *
 * Pages follow the primary key of runs, so each costs what it gives and an execution that ends or
 * moves meanwhile is met at most once.  A transaction holds one page only: vacuum is not kept
 * waiting.
 */
#include "store/live.h"

#include "store/client_private.h"
#include "store/store_private.h"

#include <assert.h>

int live_lanes(struct client *c, const char *workflow, const char *queue, live_lane_fn *fn,
               void *ctx, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = workflow ? client_check_slug("workflow", workflow, e) : 0;

    if (rc == 0 && queue)
        rc = client_check_slug("queue", queue, e);
    if (rc == 0)
        rc = client_begin(c, &args, e);
    if (rc != 0)
        return rc;
    pgargs_text(&args, workflow);
    pgargs_text(&args, queue);
    rc = client_run(c, STATEMENT_LIVE_LANES, &args, true, &res, e);
    if (rc != 0)
        return rc;
    for (int i = 0; i < pgres_rows(res) && rc == 0; i++) {
        struct live_lane lane = {
            .lane = pgres_int4(res, i, 0),
            .workflow = pgres_text(res, i, 1),
            .version = pgres_text(res, i, 2),
            .executions = pgres_int8(res, i, 3),
            .last = pgres_int8(res, i, 4),
        };

        assert(lane.executions > 0 && lane.last > 0);
        rc = fn(ctx, &lane);
    }
    pgsync_free_result(res);
    return rc;
}

int live_begin(struct client *c, struct err *e)
{
    int rc = client_ready(c, e);

    return rc == 0 ? pgsync_script(c->db, "begin isolation level repeatable read, read only", e)
                   : rc;
}

void live_end(struct client *c)
{
    struct err ignored; /* nothing was written, and a connection in doubt is dropped */

    (void)!pgsync_script(c->db, "rollback", &ignored);
}

/* Without a repeat: on a new connection it would be outside of the transaction. */
static int run(struct client *c, enum statement id, struct pgargs *args, struct pgres **ret_res,
               struct err *e)
{
    return client_run(c, id, args, false, ret_res, e);
}

int live_executions(struct client *c, const struct live_range *range, live_execution_fn *fn,
                    void *ctx, struct err *e)
{
    struct pgarray lanes;
    struct pgargs args;
    struct pgres *res;
    int rc;

    assert(range->lane_count > 0 && range->limit > 0 && range->after <= range->last);
    pgarray_init(&lanes, PGTYPE_INT4);
    for (size_t i = 0; i < range->lane_count; i++)
        pgarray_int4(&lanes, range->lanes[i]);
    pgargs_init(&args);
    pgargs_int8(&args, range->after);
    pgargs_int8(&args, range->last);
    pgargs_array(&args, &lanes);
    pgargs_int4(&args, range->limit);
    pgarray_release(&lanes);
    rc = run(c, STATEMENT_LIVE_PAGE, &args, &res, e);
    if (rc != 0)
        return rc;
    for (int i = 0; i < pgres_rows(res) && rc == 0; i++) {
        struct store_claimed row = store_claimed_of(res, i);

        assert(row.exec_id > range->after && row.exec_id <= range->last);
        rc = fn(ctx, &row);
    }
    pgsync_free_result(res);
    return rc;
}

int live_journals(struct client *c, const int64_t *exec, const int64_t *after, size_t n, int limit,
                  live_row_fn *fn, void *ctx, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc;

    assert(n > 0 && limit > 0);
    pgargs_init(&args);
    store_journal_args(&args, exec, after, n, limit);
    rc = run(c, STATEMENT_JOURNAL, &args, &res, e);
    if (rc != 0)
        return rc;
    for (int i = 0; i < pgres_rows(res) && rc == 0; i++) {
        struct store_journal_row row = store_journal_of(res, i);

        rc = fn(ctx, &row);
    }
    pgsync_free_result(res);
    return rc;
}
