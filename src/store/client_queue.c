/*
 * store/client_queue.c - queues for callers; the rules are inferpipe.limit's (sql/schema).
 *
 * A lost answer is asked for once more, but for a deletion's: the second would not find the queue.
 */
#include "store/client_queue.h"

#include "store/client_private.h"

#include <assert.h>

/* Begins a call whose arguments start with the workspace's name and the queue's. */
static int begin(struct client *c, const char *name, struct pgargs *args, struct err *e)
{
    int err = name ? client_check_slug("queue", name, e) : 0;

    if (!err)
        err = client_ready(c, e);
    if (err)
        return err;
    assert(c->workspace);
    pgargs_init(args);
    pgargs_text(args, c->workspace);
    pgargs_text(args, name);
    return 0;
}

static int run(struct client *c, enum statement id, struct pgargs *args, bool repeat,
               struct pgres **ret, struct err *e)
{
    return client_run(c, id, args, repeat, ret, e);
}

static struct client_queue queue_at(const struct pgres *res, int row)
{
    enum { NAME, PAUSED, USED, READY, RUNNING, WAITING, SLOT, OLDEST, LIMITS };
    struct client_queue q = {
        .name = pgres_text(res, row, NAME),
        .paused = pgres_bool(res, row, PAUSED),
        .used = pgres_int8(res, row, USED),
        .ready = pgres_int8(res, row, READY),
        .running = pgres_int8(res, row, RUNNING),
        .waiting = pgres_int8(res, row, WAITING),
        .slot = pgres_int8(res, row, SLOT),
        .oldest_ms = client_ms_at(res, row, OLDEST),
    };

    assert(q.name);
    for (int i = 0; i < QUEUE_LIMITS; i++)
        q.limits[i] =
            pgres_null(res, row, LIMITS + i) ? QUEUE_UNSET : pgres_int8(res, row, LIMITS + i);
    return q;
}

int client_queue_list(struct client *c, const char *name, client_queue_fn *each, void *ctx,
                      struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rows, err = begin(c, name, &args, e);

    assert(each);
    if (!err)
        err = run(c, STATEMENT_QUEUE_LIST, &args, true, &res, e);
    if (err)
        return err;
    rows = pgres_rows(res);
    for (int i = 0; i < rows; i++) {
        struct client_queue q = queue_at(res, i);

        each(ctx, &q);
    }
    pgsync_free_result(res);
    if (name && rows == 0)
        return err_set(e, IFP_ENOTFOUND, "there is no queue %s", name);
    return 0;
}

int client_queue_limit(struct client *c, const char *name, const int64_t limits[QUEUE_LIMITS],
                       struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = begin(c, name, &args, e);

    assert(name);
    if (err)
        return err;
    for (int i = 0; i < QUEUE_LIMITS; i++) {
        assert(limits[i] >= QUEUE_UNSET);
        if (limits[i] == QUEUE_UNSET)
            pgargs_null(&args, PGTYPE_INT8);
        else
            pgargs_int8(&args, limits[i]);
    }
    err = run(c, STATEMENT_QUEUE_LIMIT, &args, true, &res, e);
    if (!err)
        pgsync_free_result(res);
    return err;
}

int client_queue_pause(struct client *c, const char *name, bool paused, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = begin(c, name, &args, e);

    assert(name);
    if (!err)
        err = run(c, paused ? STATEMENT_QUEUE_PAUSE : STATEMENT_QUEUE_RESUME, &args, true, &res, e);
    if (!err)
        pgsync_free_result(res);
    return err;
}

int client_queue_delete(struct client *c, const char *name, bool *ret_gone, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = begin(c, name, &args, e);

    assert(name);
    if (!err)
        err = run(c, STATEMENT_QUEUE_DELETE, &args, false, &res, e);
    if (err == IFP_EUNAVAILABLE)
        return err_wrap(e, "the queue may have been deleted");
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_gone = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}
