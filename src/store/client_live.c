/*
 * store/client_live.c - what an execution shows of itself while it lives: its state, its stream.
 */
#include "base/mem.h"
#include "store/client_private.h"

#include <assert.h>

enum { EVENTS_PAGE = 500 };

/* A zero-terminated copy; NULL text stays NULL. */
static int copy_slice(struct slice text, char **ret, struct err *e)
{
    *ret = text.text ? mem_strndup(text.text, text.len) : NULL;
    return *ret || !text.text ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

int client_state(struct client *c, int64_t id, char **ret_state, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = client_begin(c, &args, e);

    if (rc != 0)
        return rc;
    pgargs_int8(&args, id);
    rc = client_run(c, STATEMENT_STATE, &args, true, &res, e);
    if (rc != 0)
        return rc;
    assert(pgres_rows(res) <= 1);
    if (pgres_rows(res) == 0)
        rc = client_no_execution(c, id, e);
    else
        rc = copy_slice(pgres_bytes(res, 0, 0), ret_state, e);
    pgsync_free_result(res);
    return rc;
}

static ifp_event event_at(const struct pgres *res, int row)
{
    const char *step = pgres_text(res, row, 3);

    assert(row < pgres_rows(res) && step);
    return (ifp_event){
        .number = pgres_int4(res, row, 0),
        .at_ms = client_ms_at(res, row, 1),
        .kind = pgres_text(res, row, 2),
        .step = *step ? step : NULL,
        .attempt = pgres_int2(res, row, 4),
        .data = pgres_bytes(res, row, 5).text, /* libpq ends it with a zero */
    };
}

static int give(const struct pgres *res, ifp_event_fn *fn, void *ctx, struct client_page *page)
{
    int rows = pgres_rows(res), rc = 0;

    for (int i = 0; i < rows && rc == 0 && !pgres_null(res, i, 0); i++) {
        ifp_event event = event_at(res, i);

        rc = fn(ctx, &event);
        page->last = event.number;
    }
    page->more = rows == EVENTS_PAGE;
    page->ended = pgres_bool(res, 0, 6);
    return rc;
}

int client_events(struct client *c, int64_t id, int64_t after, ifp_event_fn *fn, void *ctx,
                  struct client_page *ret, struct err *e)
{
    struct client_page page = { .last = after };
    struct pgargs args;
    struct pgres *res;
    int rc;

    assert(fn && ret);
    if (after < 0 || after > INT32_MAX)
        return err_set(e, IFP_EINVALID, "after: is not the number of an event");
    rc = client_begin(c, &args, e);
    if (rc != 0)
        return rc;
    pgargs_int8(&args, id);
    pgargs_int4(&args, (int32_t)after);
    pgargs_int4(&args, EVENTS_PAGE);
    rc = client_run(c, STATEMENT_EVENTS, &args, true, &res, e);
    if (rc != 0)
        return rc;
    rc = pgres_rows(res) == 0 ? client_no_execution(c, id, e) : give(res, fn, ctx, &page);
    if (rc == 0)
        *ret = page;
    pgsync_free_result(res);
    return rc;
}
