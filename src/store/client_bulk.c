/*
 * store/client_bulk.c - starts many executions with one statement a batch.
 *
 *   check all items -> columns (each kind of start once, one element an item) -> one statement
 *
 * A batch is one transaction: all of its items start, or none.  It is repeated after a lost answer
 * only when every item has a key.
 */
#include "base/mem.h"
#include "store/client_private.h"
#include "store/payload.h"

#include <assert.h>
#include <string.h>

enum { PRIORITY_DEFAULT = 3 };

/* The parameters that are arrays; the first three have an element for each kind of start. */
struct columns {
    struct pgarray workflow, version, queue;
    struct pgarray what, prio, delay, deadline, key, input, hash, metadata, traceparent;
    struct pgarray queue_key, run_at;
    const ifp_start_item **kinds; /* owned; items in it are borrowed: the first of each kind */
    int32_t kind_count, last_kind;
    bool all_keyed, some_keyed, some_large, some_queued;
};

static int columns_init(struct columns *c, size_t n, struct err *e)
{
    assert(n <= CLIENT_BATCH_MAX);
    memset(c, 0, sizeof(*c));
    pgarray_init(&c->workflow, PGTYPE_TEXT);
    pgarray_init(&c->version, PGTYPE_TEXT);
    pgarray_init(&c->queue, PGTYPE_TEXT);
    pgarray_init(&c->what, PGTYPE_INT4);
    pgarray_init(&c->prio, PGTYPE_INT2);
    pgarray_init(&c->delay, PGTYPE_INT8);
    pgarray_init(&c->deadline, PGTYPE_INT8);
    pgarray_init(&c->key, PGTYPE_TEXT);
    pgarray_init(&c->input, PGTYPE_BYTEA);
    pgarray_init(&c->hash, PGTYPE_BYTEA);
    pgarray_init(&c->metadata, PGTYPE_TEXT);
    pgarray_init(&c->traceparent, PGTYPE_TEXT);
    pgarray_init(&c->queue_key, PGTYPE_TEXT);
    pgarray_init(&c->run_at, PGTYPE_TIMESTAMPTZ);
    c->all_keyed = true;
    c->kinds = mem_resize(NULL, n, sizeof(const ifp_start_item *));
    return c->kinds ? 0 : err_set(e, IFP_ENOMEM, "start: out of memory");
}

static void columns_release(struct columns *c)
{
    mem_free((void *)c->kinds);
    pgarray_release(&c->run_at);
    pgarray_release(&c->queue_key);
    pgarray_release(&c->traceparent);
    pgarray_release(&c->metadata);
    pgarray_release(&c->hash);
    pgarray_release(&c->input);
    pgarray_release(&c->key);
    pgarray_release(&c->deadline);
    pgarray_release(&c->delay);
    pgarray_release(&c->prio);
    pgarray_release(&c->what);
    pgarray_release(&c->queue);
    pgarray_release(&c->version);
    pgarray_release(&c->workflow);
}

static const ifp_start_options *options_of(const ifp_start_item *item)
{
    static const ifp_start_options defaults;

    return item->options ? item->options : &defaults;
}

static struct slice input_of(const ifp_start_item *item)
{
    const char *text = item->input ? item->input : "null";

    return (struct slice){ text, strlen(text) };
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_kind(const ifp_start_item *a, const ifp_start_item *b)
{
    const ifp_start_options *x = options_of(a), *y = options_of(b);

    return strcmp(a->workflow, b->workflow) == 0 && same_text(x->version, y->version) &&
           same_text(x->queue, y->queue);
}

/* The place of the item's kind, counted from 1; the one before is most often the same. */
static int32_t kind_of(struct columns *c, const ifp_start_item *item)
{
    const ifp_start_options *o = options_of(item);

    assert(c->last_kind <= c->kind_count);
    if (c->last_kind > 0 && same_kind(c->kinds[c->last_kind - 1], item))
        return c->last_kind;
    for (int32_t i = 0; i < c->kind_count; i++)
        if (same_kind(c->kinds[i], item))
            return c->last_kind = i + 1;
    c->kinds[c->kind_count++] = item;
    pgarray_text(&c->workflow, item->workflow);
    pgarray_text(&c->version, o->version);
    pgarray_text(&c->queue, o->queue);
    return c->last_kind = c->kind_count;
}

static int columns_add(struct columns *c, const ifp_start_item *item, int64_t inline_max)
{
    const ifp_start_options *o = options_of(item);
    struct slice text = input_of(item);
    struct payload p;
    int err = payload_split(&p, text, inline_max);

    if (err)
        return err;
    pgarray_int4(&c->what, kind_of(c, item));
    pgarray_int2(&c->prio, (int16_t)(o->priority ? o->priority : PRIORITY_DEFAULT));
    pgarray_int8(&c->delay, o->delay_ms);
    if (o->deadline_ms)
        pgarray_int8(&c->deadline, o->deadline_ms);
    else
        pgarray_null(&c->deadline); /* the workflow's */
    pgarray_text(&c->key, o->key);
    pgarray_bytes(&c->input, text.text, text.len);
    pgarray_bytes(&c->hash, p.codec == PAYLOAD_LARGE ? p.hash : NULL, sizeof(p.hash));
    pgarray_text(&c->metadata, o->metadata);
    pgarray_text(&c->traceparent, o->traceparent);
    pgarray_text(&c->queue_key, o->queue_key);
    if (o->run_at_ms)
        pgarray_timestamptz(&c->run_at, o->run_at_ms * 1000);
    else
        pgarray_null(&c->run_at);
    assert(c->run_at.count == c->what.count && c->hash.count == c->what.count);
    c->some_queued |= o->queue_key != NULL;
    c->all_keyed &= o->key != NULL;
    c->some_keyed |= o->key != NULL;
    c->some_large |= p.codec == PAYLOAD_LARGE;
    return 0;
}

static int check_item(const struct client *c, const ifp_start_item *item, struct err *e)
{
    const ifp_start_options *o = options_of(item);
    int err = client_check_start(item->workflow ? item->workflow : "", input_of(item), o,
                                 c->limits.payload_max, e);

    if (!err && o->workspace && strcmp(o->workspace, c->workspace) != 0)
        err = err_set(e, IFP_EINVALID, "workspace: a bulk start stays in the client's");
    if (!err && o->debounce_key)
        err = err_set(e, IFP_EINVALID, "debounce_key: not in a bulk start");
    return err;
}

int client_check_items(const struct client *c, const ifp_start_item *items, size_t n,
                       size_t *ret_bad, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int err = check_item(c, &items[i], e);

        *ret_bad = i;
        if (err)
            return err;
    }
    return 0;
}

static void add_args(const struct client *c, struct pgargs *args, const struct columns *cols)
{
    assert(cols->kind_count > 0);
    pgargs_array(args, &cols->workflow);
    pgargs_array(args, &cols->version);
    pgargs_array(args, &cols->queue);
    pgargs_array(args, &cols->what);
    pgargs_array(args, &cols->prio);
    pgargs_array(args, &cols->delay);
    pgargs_array(args, &cols->deadline);
    pgargs_array(args, &cols->key);
    pgargs_int8(args, c->limits.idempotency_ttl_ms);
    pgargs_array(args, &cols->input);
    pgargs_array(args, &cols->hash);
    pgargs_array(args, &cols->metadata);
    pgargs_array(args, &cols->traceparent);
    pgargs_array(args, &cols->queue_key);
    pgargs_array(args, &cols->run_at);
}

/* Empty stands for nulls: most batches have neither keys nor large inputs. */
static void columns_trim(struct columns *c)
{
    if (!c->some_keyed)
        pgarray_reset(&c->key);
    if (!c->some_queued)
        pgarray_reset(&c->queue_key);
    if (!c->some_large)
        pgarray_reset(&c->hash);
}

static int run_batch(struct client *c, const struct columns *cols, struct pgres **ret_res,
                     struct err *e)
{
    struct pgargs args;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    add_args(c, &args, cols);
    err = client_run(c, STATEMENT_START_MANY, &args, cols->all_keyed, ret_res, e);
    if (err == IFP_EUNAVAILABLE && !cols->all_keyed)
        return err_wrap(e, "the batch may have been started (give keys to repeat safely)");
    return err;
}

int client_start_many(struct client *c, const ifp_start_item *items, size_t n, int64_t *ret_ids,
                      bool *ret_created, struct err *e)
{
    struct pgres *res = NULL;
    struct columns cols;
    int err;

    assert(n >= 1 && n <= CLIENT_BATCH_MAX);
    err = columns_init(&cols, n, e);
    for (size_t i = 0; i < n && !err; i++) {
        err = columns_add(&cols, &items[i], c->limits.payload_inline);
        if (err)
            err_set(e, err, "input: cannot be hashed");
    }
    columns_trim(&cols);
    if (!err)
        err = run_batch(c, &cols, &res, e);
    columns_release(&cols);
    if (err)
        return err;
    assert(pgres_rows(res) == (int)n);
    for (size_t i = 0; i < n; i++) {
        ret_ids[i] = pgres_int8(res, (int)i, 0);
        ret_created[i] = pgres_bool(res, (int)i, 1);
    }
    pgsync_free_result(res);
    return 0;
}
