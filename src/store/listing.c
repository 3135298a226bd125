/*
 * store/listing.c - runs one listing statement and hands its rows on, one at a time.
 *
 * Reads only, so a lost answer is asked for once more.  A page is at most 1000 rows; the whole page
 * is in memory while it is handed on.
 */
#include "store/listing.h"

#include "store/client_private.h"

#include <assert.h>
#include <string.h>

enum { LIMIT_MAX = 1000, RELEASE_BATCH = 1000 };

static const char *text_or_empty(const struct pgres *res, int row, int col)
{
    const char *text = pgres_text(res, row, col);

    return text ? text : "";
}

static int64_t number_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_int8(res, row, col);
}

/* ---- executions ----------------------------------------------------------------------------- */

struct list_status {
    const char *name;
    enum statement statement;
    bool queued;    /* of LIST_LIVE */
    int16_t result; /* of LIST_ENDED */
};

static const struct list_status statuses[] = {
    { "queued", STATEMENT_LIST_LIVE, true, 0 },      { "running", STATEMENT_LIST_LIVE, false, 0 },
    { "completed", STATEMENT_LIST_ENDED, false, 1 }, { "failed", STATEMENT_LIST_ENDED, false, 2 },
    { "canceled", STATEMENT_LIST_ENDED, false, 3 },
};
static const struct list_status any_status = { "", STATEMENT_LIST_ALL, false, 0 };

/* NULL for a name that is no status. */
static const struct list_status *find_status(const char *name)
{
    if (!name)
        return &any_status;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (strcmp(statuses[i].name, name) == 0)
            return &statuses[i];
    return NULL;
}

static int check_filter(const struct listing_filter *f, struct err *e)
{
    if (!find_status(f->status))
        return err_set(e, IFP_EINVALID,
                       "status: must be queued, running, completed, failed or canceled");
    if (f->limit < 1 || f->limit > LIMIT_MAX)
        return err_set(e, IFP_EINVALID, "limit: must be 1 to %d", LIMIT_MAX);
    if (f->before < 0)
        return err_set(e, IFP_EINVALID, "cursor: is not one of this listing");
    if (f->parent < 0)
        return err_set(e, IFP_EINVALID, "parent: is not an execution id");
    if (f->queue && client_check_slug("queue", f->queue, e) != 0)
        return e->code;
    return f->workflow ? client_check_slug("workflow", f->workflow, e) : 0;
}

static int run_executions(struct client *c, const struct listing_filter *f, struct pgres **ret_res,
                          struct err *e)
{
    const struct list_status *status = find_status(f->status);
    enum statement statement = f->parent ? STATEMENT_LIST_CHILDREN : status->statement;
    struct pgargs args;

    assert(c->workspace_id && f->limit > 0);
    pgargs_init(&args);
    pgargs_int4(&args, c->workspace_id);
    pgargs_text(&args, f->workflow);
    pgargs_int8(&args, f->before ? f->before : INT64_MAX);
    pgargs_int4(&args, f->limit);
    if (statement == STATEMENT_LIST_CHILDREN) {
        pgargs_int8(&args, f->parent);
        pgargs_text(&args, f->status);
    } else if (statement == STATEMENT_LIST_LIVE)
        pgargs_bool(&args, status->queued);
    else if (statement == STATEMENT_LIST_ENDED)
        pgargs_int2(&args, status->result);
    pgargs_text(&args, f->queue);
    return client_run(c, statement, &args, true, ret_res, e);
}

static struct listing_execution execution_at(const struct pgres *res, int row)
{
    assert(row < pgres_rows(res));
    return (struct listing_execution){
        .id = pgres_int8(res, row, 0),
        .workflow = pgres_text(res, row, 1),
        .version = pgres_text(res, row, 2),
        .queue = pgres_text(res, row, 3),
        .status = pgres_text(res, row, 4),
        .waiting_for = pgres_text(res, row, 5),
        .error_code = pgres_text(res, row, 6),
        .error = pgres_text(res, row, 7),
        .created_ms = client_ms_at(res, row, 8),
        .finished_ms = client_ms_at(res, row, 9),
        .ready_ms = client_ms_at(res, row, 10),
        .worker = pgres_int8(res, row, 11),
        .crashes = pgres_int2(res, row, 12),
        .parent = number_at(res, row, 13),
    };
}

int listing_executions(struct client *c, const struct listing_filter *f, listing_execution_fn *row,
                       void *ctx, struct err *e)
{
    struct pgres *res;
    int err = check_filter(f, e);

    assert(row);
    if (!err)
        err = client_ready(c, e);
    if (!err)
        err = run_executions(c, f, &res, e);
    if (err)
        return err;
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_execution item = execution_at(res, i);

        err = row(ctx, &item);
    }
    pgsync_free_result(res);
    return err;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static struct listing_step step_at(const struct pgres *res, int row)
{
    assert(row < pgres_rows(res) && !pgres_null(res, row, 0));
    return (struct listing_step){
        .seq = pgres_int4(res, row, 0),
        .attempts = pgres_null(res, row, 1) ? 0 : pgres_int2(res, row, 1),
        .name = text_or_empty(res, row, 2),
        .kind = pgres_text(res, row, 3),
        .status = pgres_text(res, row, 4),
        .result = pgres_text(res, row, 5),
        .error_code = pgres_text(res, row, 6),
        .error = pgres_text(res, row, 7),
        .done_ms = client_ms_at(res, row, 8),
        .wake_ms = client_ms_at(res, row, 9),
        .took_us = number_at(res, row, 10),
        .nth = pgres_int8(res, row, 11),
        .tokens = number_at(res, row, 12),
        .usd = pgres_text(res, row, 13),
        .progress = pgres_text(res, row, 14),
        .running = strcmp(text_or_empty(res, row, 4), "running") == 0,
    };
}

static int each_step(const struct client *c, const struct pgres *res, int64_t id,
                     listing_step_fn *row, void *ctx, struct err *e)
{
    int err = 0;

    if (pgres_rows(res) == 0)
        return client_no_execution(c, id, e);
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_step item;

        if (pgres_null(res, i, 0))
            continue; /* the execution is there, it has no steps (yet) */
        item = step_at(res, i);
        err = row(ctx, &item);
    }
    return err;
}

int listing_steps(struct client *c, int64_t id, int after_seq, listing_step_fn *row, void *ctx,
                  struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_begin(c, &args, e);

    assert(after_seq >= 0 && row);
    if (err)
        return err;
    pgargs_int8(&args, id);
    pgargs_int4(&args, after_seq);
    pgargs_int8(&args, INT64_MAX);
    err = client_run(c, STATEMENT_LIST_STEPS, &args, true, &res, e);
    if (err)
        return err;
    err = each_step(c, res, id, row, ctx, e);
    pgsync_free_result(res);
    return err;
}

/* ---- workflows, workers, findings ----------------------------------------------------------- */

/* Runs a statement whose only parameter is the workspace. */
static int run_for_workspace(struct client *c, enum statement id, struct pgres **ret_res,
                             struct err *e)
{
    struct pgargs args;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    return client_run(c, id, &args, true, ret_res, e);
}

int listing_workflows(struct client *c, listing_workflow_fn *row, void *ctx, struct err *e)
{
    struct pgres *res;
    int err = run_for_workspace(c, STATEMENT_LIST_WORKFLOWS, &res, e);

    assert(row);
    if (err)
        return err;
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_workflow item = {
            .name = pgres_text(res, i, 0),
            .version = pgres_text(res, i, 1),
            .queue = pgres_text(res, i, 2),
            .deadline_ms = number_at(res, i, 3),
            .registered_ms = client_ms_at(res, i, 4),
            .live = pgres_int8(res, i, 5),
            .workers = pgres_int8(res, i, 6),
        };

        err = row(ctx, &item);
    }
    pgsync_free_result(res);
    return err;
}

int listing_workers(struct client *c, listing_worker_fn *row, void *ctx, struct err *e)
{
    struct pgres *res;
    int err = run_for_workspace(c, STATEMENT_LIST_WORKERS, &res, e);

    assert(row);
    if (err)
        return err;
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_worker item = {
            .id = pgres_int8(res, i, 0),
            .state = pgres_text(res, i, 1),
            .host = text_or_empty(res, i, 2),
            .program = text_or_empty(res, i, 3),
            .version = text_or_empty(res, i, 4),
            .died_of = pgres_text(res, i, 5),
            .pid = pgres_null(res, i, 6) ? 0 : pgres_int4(res, i, 6),
            .started_ms = client_ms_at(res, i, 7),
            .seen_ms = client_ms_at(res, i, 8),
            .executions = pgres_int8(res, i, 9),
            .workflows = pgres_text(res, i, 10),
        };

        err = row(ctx, &item);
    }
    pgsync_free_result(res);
    return err;
}

/* A statement whose answer says nothing that is needed; takes the arguments. */
static int tell(struct client *c, enum statement id, struct pgargs *args, struct err *e)
{
    struct pgres *res;
    int err = client_run(c, id, args, true, &res, e);

    if (err == 0)
        pgsync_free_result(res);
    return err;
}

/* Two transactions: the second one must see every claim that was made before the mark. */
int listing_worker_dead(struct client *c, int64_t worker, const char *why, int crash_limit,
                        struct err *e)
{
    struct pgargs args;

    assert(worker > 0 && why && crash_limit > 0);
    IFP_TRY(client_ready(c, e));
    pgargs_init(&args);
    pgargs_int8(&args, worker);
    pgargs_text(&args, why);
    IFP_TRY(tell(c, STATEMENT_WORKER_DEAD, &args, e));
    pgargs_init(&args);
    pgargs_int2(&args, (int16_t)crash_limit);
    pgargs_int4(&args, RELEASE_BATCH);
    return tell(c, STATEMENT_REAP_RELEASE, &args, e);
}
