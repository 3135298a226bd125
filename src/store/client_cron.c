/*
 * store/client_cron.c - one statement each.  What may happen twice without harm is sent again when
 * its answer was lost; a trigger is not.
 */
#include "store/client_cron.h"

#include "store/client_private.h"

#include <assert.h>
#include <string.h>

enum { LIST_PAGE = 500, NAME_SIZE = 64 };

/* ---- one statement -------------------------------------------------------------------------- */

/* Begins a call about the schedule of that name. */
static int begin_named(struct client *c, const char *name, struct pgargs *args, struct err *e)
{
    int rc = client_check_slug("name", name, e);

    if (rc == 0)
        rc = client_begin(c, args, e);
    if (rc == 0)
        pgargs_text(args, name);
    return rc;
}

/* Runs it and gives the first row, which is the caller's to free. */
static int run(struct client *c, enum statement id, struct pgargs *args, bool repeat,
               struct pgres **ret, struct err *e)
{
    int rc = client_run(c, id, args, repeat, ret, e);

    assert(rc != 0 || pgres_rows(*ret) == 1);
    return rc;
}

int client_cron_now(struct client *c, int64_t *ret_us, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = client_ready(c, e);

    if (rc != 0)
        return rc;
    pgargs_init(&args);
    rc = run(c, STATEMENT_CRON_NOW, &args, true, &res, e);
    if (rc != 0)
        return rc;
    *ret_us = pgres_timestamptz(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int client_cron_put(struct client *c, const struct cronjob *job, bool paused, bool replace,
                    bool *ret_new, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = cronjob_check(job, e);

    if (rc == 0)
        rc = client_begin(c, &args, e);
    if (rc != 0)
        return rc;
    cronjob_add_all(&args, job, 1);
    pgargs_bool(&args, paused);
    pgargs_bool(&args, replace);
    rc = run(c, STATEMENT_CRON_PUT, &args, replace, &res, e);
    if (rc == IFP_EUNAVAILABLE)
        return err_wrap(e, "the schedule may have been made");
    if (rc != 0)
        return rc;
    *ret_new = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int client_cron_pause(struct client *c, const struct cronjob *job, bool paused, bool *ret_changed,
                      struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = begin_named(c, job->name, &args, e);

    if (rc != 0)
        return rc;
    pgargs_bool(&args, paused);
    pgargs_text(&args, job->schedule);
    pgargs_text(&args, job->o.timezone);
    pgargs_timestamptz(&args, job->next_us);
    rc = run(c, STATEMENT_CRON_PAUSE, &args, true, &res, e);
    if (rc != 0)
        return rc;
    *ret_changed = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int client_cron_trigger(struct client *c, const char *name, int64_t *ret_id, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = begin_named(c, name, &args, e);

    if (rc != 0)
        return rc;
    rc = run(c, STATEMENT_CRON_TRIGGER, &args, false, &res, e);
    if (rc == IFP_EUNAVAILABLE)
        return err_wrap(e, "the execution may have been started");
    if (rc != 0)
        return rc;
    *ret_id = pgres_int8(res, 0, 0);
    assert(*ret_id > 0);
    pgsync_free_result(res);
    return 0;
}

int client_cron_delete(struct client *c, const char *name, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = begin_named(c, name, &args, e);

    if (rc != 0)
        return rc;
    rc = run(c, STATEMENT_CRON_DELETE, &args, false, &res, e);
    if (rc == IFP_EUNAVAILABLE)
        return err_wrap(e, "the schedule may have been deleted");
    if (rc == 0)
        pgsync_free_result(res);
    return rc;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static struct client_cron_row row_at(const struct pgres *res, int row)
{
    assert(row < pgres_rows(res));
    return (struct client_cron_row){
        .name = pgres_text(res, row, 0),
        .schedule = pgres_text(res, row, 1),
        .timezone = pgres_text(res, row, 2),
        .workflow = pgres_text(res, row, 3),
        .version = pgres_text(res, row, 4),
        .queue = pgres_text(res, row, 5),
        .priority = pgres_int2(res, row, 6),
        .input = pgres_text(res, row, 7),
        .overlap = pgres_text(res, row, 8),
        .catchup = pgres_text(res, row, 9),
        .catchup_max = pgres_int4(res, row, 10),
        .jitter_ms = pgres_int8(res, row, 11),
        .paused = pgres_bool(res, row, 12),
        .waiting = pgres_int4(res, row, 13),
        .program = pgres_text(res, row, 14),
        .declared = pgres_bool(res, row, 15),
        .next_ms = client_ms_at(res, row, 16),
        .last_ms = client_ms_at(res, row, 17),
        .last_outcome = pgres_text(res, row, 18),
        .created_ms = client_ms_at(res, row, 19),
    };
}

/* The page behind the name `after`; that becomes the last one of it. */
static int read_page(struct client *c, const char *name, char after[NAME_SIZE], struct pgres **ret,
                     struct err *e)
{
    struct pgargs args;
    int rc;

    pgargs_init(&args);
    pgargs_text(&args, c->workspace);
    pgargs_text(&args, after);
    pgargs_text(&args, name);
    pgargs_int4(&args, LIST_PAGE);
    rc = client_run(c, STATEMENT_CRON_GET, &args, true, ret, e);
    if (rc == 0 && pgres_rows(*ret) > 0) {
        const char *last = pgres_text(*ret, pgres_rows(*ret) - 1, 0);

        assert(strlen(last) < NAME_SIZE);
        memcpy(after, last, strlen(last) + 1);
    }
    return rc;
}

int client_cron_list(struct client *c, const char *name, client_cron_row_fn *row, void *ctx,
                     struct err *e)
{
    char after[NAME_SIZE] = "";
    struct pgres *res;
    int rc = client_ready(c, e), n;

    if (rc == 0 && name)
        rc = client_check_slug("name", name, e);
    if (rc != 0)
        return rc;
    do {
        rc = read_page(c, name, after, &res, e);
        if (rc != 0)
            return rc;
        n = pgres_rows(res);
        assert(n <= LIST_PAGE);
        for (int i = 0; rc == 0 && i < n; i++) {
            struct client_cron_row r = row_at(res, i);

            rc = row(ctx, &r);
        }
        pgsync_free_result(res);
    } while (rc == 0 && n == LIST_PAGE);
    return rc;
}

static int count_row(void *ctx, const struct client_cron_row *row)
{
    int *count = ctx;

    (void)row;
    ++*count;
    return 0;
}

static int check_there(struct client *c, const char *name, struct err *e)
{
    int count = 0, rc = client_cron_list(c, name, count_row, &count, e);

    if (rc == 0 && count == 0)
        rc = err_set(e, IFP_ENOTFOUND, "name: there is no schedule %s", name);
    return rc;
}

int client_cron_history(struct client *c, const char *name, int limit, client_cron_tick_fn *tick,
                        void *ctx, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = check_there(c, name, e);

    assert(limit >= 1 && tick);
    if (rc != 0)
        return rc;
    pgargs_init(&args);
    pgargs_text(&args, c->workspace);
    pgargs_text(&args, name);
    pgargs_int4(&args, limit);
    rc = client_run(c, STATEMENT_CRON_HISTORY, &args, true, &res, e);
    if (rc != 0)
        return rc;
    for (int i = 0; rc == 0 && i < pgres_rows(res); i++) {
        struct client_cron_tick t = {
            .scheduled_ms = client_ms_at(res, i, 0),
            .fired_ms = client_ms_at(res, i, 1),
            .outcome = pgres_text(res, i, 2),
            .manual = pgres_bool(res, i, 3),
            .id = pgres_text(res, i, 4),
            .status = pgres_text(res, i, 5),
            .error_code = pgres_text(res, i, 6),
            .duration_ms = pgres_null(res, i, 7) ? -1 : pgres_int8(res, i, 7),
        };

        rc = tick(ctx, &t);
    }
    pgsync_free_result(res);
    return rc;
}
