/*
 * store/repair.c - two statements: one finds a batch, one acts on it; and the loop over both.
 *
 * A lost answer is not repeated but for finding: to retry or cancel once more would refuse what was
 * done, and a fork without a key would be a second one.  Whoever goes on after it finds again.
 */
#include "store/repair.h"

#include "store/client_private.h"

#include <assert.h>

static int check_filter(const struct repair_filter *f, struct err *e)
{
    int err = f->workflow ? client_check_slug("workflow", f->workflow, e) : 0;

    assert(f->limit >= 1 && f->limit <= REPAIR_BATCH_MAX && f->after >= 0);
    if (!err && f->queue)
        err = client_check_slug("queue", f->queue, e);
    if (!err && f->version)
        err = client_check_version(f->version, e);
    if (!err && f->error_code)
        err = client_check_name("error", f->error_code, e);
    return err;
}

static void add_time(struct pgargs *args, int64_t ms)
{
    if (ms)
        pgargs_int8(args, ms);
    else
        pgargs_null(args, PGTYPE_INT8);
}

int repair_find(struct client *c, const struct repair_filter *f, int64_t *ret_ids, int *ret_count,
                struct err *e)
{
    struct pgargs args;
    struct pgres *res = NULL;
    int err = check_filter(f, e);

    if (!err)
        err = client_begin(c, &args, e);
    if (err)
        return err;
    pgargs_text(&args, f->status);
    pgargs_text(&args, f->workflow);
    pgargs_text(&args, f->version);
    pgargs_text(&args, f->queue);
    pgargs_text(&args, f->error_code);
    add_time(&args, f->since_ms);
    add_time(&args, f->until_ms);
    pgargs_int8(&args, f->after);
    pgargs_int4(&args, f->limit);
    err = client_run(c, STATEMENT_MATCHING, &args, true, &res, e);
    if (err)
        return err;
    *ret_count = pgres_rows(res);
    assert(*ret_count <= f->limit);
    for (int i = 0; i < *ret_count; i++)
        ret_ids[i] = pgres_int8(res, i, 0);
    pgsync_free_result(res);
    return 0;
}

static int check_repair(const struct repair *r, struct err *e)
{
    int err = r->from ? client_check_key("from", r->from, e) : 0;

    if (!err && r->version)
        err = client_check_version(r->version, e);
    if (!err)
        err = client_check_key("key", r->key, e);
    return err;
}

static int run_batch(struct client *c, const struct repair *r, const int64_t *ids, int count,
                     struct pgres **ret_res, struct err *e)
{
    static const char *const names[] = {
        [REPAIR_RETRY] = "retry", [REPAIR_CANCEL] = "cancel", [REPAIR_FORK] = "fork"
    };
    struct pgarray array;
    struct pgargs args;
    int err = client_begin(c, &args, e);

    assert(r->kind <= REPAIR_FORK);
    if (err)
        return err;
    pgarray_init(&array, PGTYPE_INT8);
    for (int i = 0; i < count; i++)
        pgarray_int8(&array, ids[i]);
    pgargs_text(&args, names[r->kind]);
    pgargs_array(&args, &array);
    pgargs_bool(&args, r->force);
    pgargs_text(&args, r->from);
    pgargs_text(&args, r->version);
    pgargs_text(&args, r->key);
    pgargs_int8(&args, c->limits.idempotency_ttl_ms);
    err = client_run(c, STATEMENT_REPAIR, &args, r->kind == REPAIR_FORK && r->key, ret_res, e);
    pgarray_release(&array);
    if (err == IFP_EUNAVAILABLE)
        return err_wrap(e, "this batch may have been done");
    return err;
}

int repair_run(struct client *c, const struct repair *r, const int64_t *ids, int count,
               repair_outcome_fn *each, void *ctx, struct err *e)
{
    struct pgres *res = NULL;
    int err = check_repair(r, e);

    assert(count >= 1 && count <= REPAIR_BATCH_MAX && each);
    if (!err)
        err = run_batch(c, r, ids, count, &res, e);
    if (err)
        return err;
    for (int i = 0; i < pgres_rows(res) && !err; i++) {
        const char *code = pgres_text(res, i, 1);
        struct repair_outcome o = {
            .id = pgres_int8(res, i, 0),
            .code = code ? pg_error_code(code) : 0,
            .detail = pgres_text(res, i, 2),
            .fork = pgres_null(res, i, 3) ? 0 : pgres_int8(res, i, 3),
        };

        err = each(ctx, &o);
    }
    pgsync_free_result(res);
    return err;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct counting {
    struct repair_total *total; /* borrowed */
    repair_outcome_fn *each;
    void *ctx;
};

static int count_one(void *ctx, const struct repair_outcome *o)
{
    struct counting *c = ctx;

    assert(o->id > c->total->last);
    c->total->last = o->id;
    c->total->done += o->code == 0;
    c->total->refused += o->code != 0;
    return c->each(c->ctx, o);
}

static int one_batch(struct client *c, const struct repair *what, const int64_t *ids, int count,
                     struct counting *to, struct err *e)
{
    int err = 0;

    assert(count <= REPAIR_BATCH_MAX);
    if (what && count > 0)
        return repair_run(c, what, ids, count, count_one, to, e);
    for (int i = 0; i < count && !err; i++)
        err = count_one(to, &(struct repair_outcome){ .id = ids[i] });
    return err;
}

int repair_many(struct client *c, const struct repair *what, const struct repair_filter *filter,
                int64_t limit, repair_outcome_fn *each, void *ctx, struct repair_total *ret,
                struct err *e)
{
    struct counting to = { ret, each, ctx };
    struct repair_filter f = *filter;
    int64_t ids[REPAIR_BATCH_MAX];
    int err = 0, count;

    assert(limit >= 1 && each);
    *ret = (struct repair_total){ .last = f.after, .more = true };
    while (!err && ret->more && limit > 0) {
        f.limit = (int)MIN(limit, REPAIR_BATCH_MAX);
        f.after = ret->last;
        err = repair_find(c, &f, ids, &count, e);
        if (!err)
            err = one_batch(c, what, ids, count, &to, e);
        if (err)
            break;
        ret->more = count == f.limit;
        limit -= count;
    }
    return err;
}
