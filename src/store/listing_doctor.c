/*
 * store/listing_doctor.c - doctor's side of the listings: what is wrong, mending it, and the clock.
 */
#include "store/client_private.h"
#include "store/listing.h"

#include <assert.h>

static const char *text_at(const struct pgres *res, int row, int col)
{
    const char *text = pgres_text(res, row, col);

    return text ? text : "";
}

/* Runs a statement with these arguments, which it releases. */
static int run(struct client *c, enum statement id, struct pgargs *args, bool repeat,
               struct pgres **ret_res, struct err *e)
{
    int err = client_ready(c, e);

    if (!err)
        err = client_run(c, id, args, repeat, ret_res, e);
    pgargs_release(args);
    return err;
}

int listing_doctor(struct client *c, int64_t since_ms, listing_finding_fn *row, void *ctx,
                   struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err;

    assert(row && since_ms >= 0);
    pgargs_init(&args);
    pgargs_int8(&args, since_ms);
    err = run(c, STATEMENT_DOCTOR, &args, true, &res, e);
    if (err)
        return err;
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_finding item = {
            .check = pgres_text(res, i, 0),
            .severity = pgres_text(res, i, 1),
            .subject = text_at(res, i, 2),
            .detail = text_at(res, i, 3),
        };

        err = row(ctx, &item);
    }
    pgsync_free_result(res);
    return err;
}

int listing_repair(struct client *c, const char *check, listing_finding_fn *row, void *ctx,
                   struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err;

    assert(check && row);
    pgargs_init(&args);
    pgargs_text(&args, check);
    err = run(c, STATEMENT_DOCTOR_REPAIR, &args, false, &res, e);
    if (err)
        return err_wrap(e, "repair of %s", check);
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        struct listing_finding item = { check, "", text_at(res, i, 0), text_at(res, i, 1) };

        err = row(ctx, &item);
    }
    pgsync_free_result(res);
    return err;
}

int listing_db_clock(struct client *c, int64_t *ret_us, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err;

    pgargs_init(&args);
    err = run(c, STATEMENT_DB_CLOCK, &args, true, &res, e);
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_us = pgres_int8(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}
