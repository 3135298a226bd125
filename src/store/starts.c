/*
 * store/starts.c - starts of executions by group commit.
 *
 *   starts_add -> waiting -> batch: ids drawn, columns built -> statement -> each start done
 *                    ^                                             |
 *                    +--- its id was taken, or the batch failed ---+
 *
 * Ids come from the database, in blocks drawn ahead, and each start carries one with a random seed:
 * the statement makes nothing twice under one pair.  So when the connection breaks with a batch on
 * its way, the same arguments go out again, and the answer is the truth.  Ids are used within
 * ID_FRESH_US, as they say when an execution was made.
 *
 * A batch that fails as a whole, for a reason that none of its rows can say (a number that jsonb
 * cannot hold), wrote nothing: its halves are tried, down to the one start that is at fault.
 *
 * Failure: no connection within the pool's time is IFP_EUNAVAILABLE for all that waited.
 * Invariant: a start is in `waiting`, in one batch, in `refused`, or done.
 */
#include "store/starts.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "pg/pgsync.h"
#include "store/payload.h"
#include "store/statements.h"

#include <assert.h>
#include <string.h>

enum { BATCH_MAX = 500, BATCHES = 2, TRIES_MAX = 5, SCAN_MAX = 2000 };
enum { IDS_MAX = 2000, IDS_LEAST = 64 };
enum { ID_SEQUENCE_BITS = 20 };
#define ID_EPOCH_MS INT64_C(1577836800000) /* 2020-01-01 */
#define ID_FRESH_US INT64_C(2000000)

/* A batch is in flight exactly while it has items. */
struct batch {
    struct starts *starts; /* borrowed: that it is part of */
    struct pgreq req;
    struct list items; /* struct start */
    int count, tries;
};

struct starts {
    struct front *front; /* borrowed */
    int64_t inline_max, ttl_ms, waiting_max;
    struct list waiting, refused;
    int waiting_count;
    struct batch batches[BATCHES];
    struct pgreq id_req;
    int64_t ids[IDS_MAX];
    int id_count, id_tries;
    int64_t ids_at_us; /* when they came */
    int last_count;    /* of the last batch: how many ids to have ready */
    struct deferred turn;
    bool closing;
    loop_fn *closed;
    void *closed_ctx;
};

/* The parameters that are arrays; the first three have an element for each kind of start. */
struct columns {
    struct pgarray workflow, version, queue;
    struct pgarray id, seed, what, prio, delay, deadline, flags, key, extra, input, hash, metadata;
    struct pgarray traceparent, queue_key, run_at, options, message, payload, payload_hash;
    const struct start *kinds[BATCH_MAX]; /* borrowed: the first of each kind */
    int kind_count, last_kind;
    int err;
};

static void on_batch(struct pgreq *req, int err, const struct pgres *res, const struct err *e);
static void on_ids(struct pgreq *req, int err, const struct pgres *res, const struct err *e);
static void turn(void *ctx);

int64_t starts_created_us(int64_t exec_id)
{
    return ((exec_id >> ID_SEQUENCE_BITS) + ID_EPOCH_MS) * 1000;
}

/* ---- open and close ------------------------------------------------------------------------- */

int starts_open(struct front *f, struct starts **ret, struct err *e)
{
    const struct config *config = front_config(f);
    struct starts *s = mem_zalloc(sizeof(*s));

    if (!s)
        return err_set(e, IFP_ENOMEM, "starts: out of memory");
    s->front = f;
    s->inline_max = config_int(config, CONFIG_PAYLOAD_INLINE);
    s->ttl_ms = config_int(config, CONFIG_IDEMPOTENCY_TTL);
    s->waiting_max = config_int(config, CONFIG_DB_QUEUE);
    list_init(&s->waiting);
    list_init(&s->refused);
    for (int i = 0; i < BATCHES; i++) {
        s->batches[i].starts = s;
        list_init(&s->batches[i].items);
        pgreq_init(&s->batches[i].req);
        s->batches[i].req.done = on_batch;
        s->batches[i].req.stmt = statements_get(STATEMENT_START_BATCH);
    }
    pgreq_init(&s->id_req);
    s->id_req.done = on_ids;
    s->id_req.stmt = statements_get(STATEMENT_DRAW_IDS);
    deferred_init(&s->turn, front_loop(f), turn, s);
    *ret = s;
    return 0;
}

static void finish_all(struct list *items, int err, const struct err *e, bool unknown)
{
    struct list *it;

    while ((it = list_pop(items)) != NULL) {
        struct start *start = CONTAINER_OF(it, struct start, link);

        start->unknown = unknown;
        start->done(start, err, e);
    }
}

static bool is_busy(const struct starts *s)
{
    bool busy = pgreq_busy(&s->id_req);

    for (int i = 0; i < BATCHES; i++)
        busy |= pgreq_busy(&s->batches[i].req);
    return busy;
}

static void close_when_idle(struct starts *s)
{
    loop_fn *closed = s->closed;
    void *ctx = s->closed_ctx;

    if (!s->closing || is_busy(s))
        return;
    assert(list_empty(&s->waiting) && list_empty(&s->refused)); /* told when it began to close */
    deferred_cancel(&s->turn);
    for (int i = 0; i < BATCHES; i++)
        pgreq_release(&s->batches[i].req);
    pgreq_release(&s->id_req);
    mem_free(s);
    if (closed)
        closed(ctx);
}

static void close_turn(void *ctx)
{
    close_when_idle(ctx);
}

void starts_close(struct starts *s, loop_fn *closed, void *ctx)
{
    struct err e;

    assert(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_ctx = ctx;
    err_set(&e, IFP_ECANCELED, "the server is closing");
    for (int i = 0; i < BATCHES; i++) {
        pgreq_cancel(&s->batches[i].req);
        finish_all(&s->batches[i].items, IFP_ECANCELED, &e, true);
    }
    pgreq_cancel(&s->id_req);
    finish_all(&s->waiting, IFP_ECANCELED, &e, false);
    finish_all(&s->refused, IFP_ECANCELED, &e, false);
    deferred_cancel(&s->turn);
    deferred_init(&s->turn, front_loop(s->front), close_turn, s);
    deferred_call(&s->turn);
}

/* ---- ids ------------------------------------------------------------------------------------ */

static void draw_ids(struct starts *s, int wanted)
{
    if (pgreq_busy(&s->id_req))
        return;
    assert(wanted > 0 && !s->closing);
    pgargs_reset(&s->id_req.args);
    pgargs_int4(&s->id_req.args, MIN(MAX(wanted, IDS_LEAST), IDS_MAX));
    front_exec(s->front, &s->id_req);
}

static bool ids_fresh(const struct starts *s)
{
    return s->id_count > 0 && clock_mono_us() - s->ids_at_us < ID_FRESH_US;
}

static void on_ids(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct starts *s = CONTAINER_OF(req, struct starts, id_req);

    if (s->closing) {
        close_when_idle(s);
        return;
    }
    if (err == IFP_EUNAVAILABLE && req->sent && ++s->id_tries < TRIES_MAX) {
        front_exec(s->front, req);
        return;
    }
    s->id_tries = 0;
    if (err) {
        struct list failed; /* a `done` may add another start */

        list_init(&failed);
        list_splice(&failed, &s->waiting);
        s->waiting_count = 0;
        finish_all(&failed, err, e, false);
        return;
    }
    assert(pgres_rows(res) >= 1 && pgres_rows(res) <= IDS_MAX);
    s->id_count = pgres_rows(res);
    s->ids_at_us = clock_mono_us();
    for (int i = 0; i < s->id_count; i++) /* the lowest is used first */
        s->ids[s->id_count - 1 - i] = pgres_int8(res, i, 0);
    turn(s);
}

/* ---- columns -------------------------------------------------------------------------------- */

#define COLUMNS_MAP(X)                                                                             \
    X(workflow, PGTYPE_TEXT)                                                                       \
    X(version, PGTYPE_TEXT)                                                                        \
    X(queue, PGTYPE_TEXT)                                                                          \
    X(id, PGTYPE_INT8)                                                                             \
    X(seed, PGTYPE_INT8)                                                                           \
    X(what, PGTYPE_INT4)                                                                           \
    X(prio, PGTYPE_INT2)                                                                           \
    X(delay, PGTYPE_INT8)                                                                          \
    X(deadline, PGTYPE_INT8)                                                                       \
    X(flags, PGTYPE_INT2)                                                                          \
    X(key, PGTYPE_TEXT)                                                                            \
    X(extra, PGTYPE_BYTEA)                                                                         \
    X(input, PGTYPE_BYTEA)                                                                         \
    X(hash, PGTYPE_BYTEA)                                                                          \
    X(metadata, PGTYPE_TEXT)                                                                       \
    X(traceparent, PGTYPE_TEXT)                                                                    \
    X(queue_key, PGTYPE_TEXT)                                                                      \
    X(run_at, PGTYPE_TIMESTAMPTZ)                                                                  \
    X(options, PGTYPE_TEXT)                                                                        \
    X(message, PGTYPE_TEXT)                                                                        \
    X(payload, PGTYPE_BYTEA)                                                                       \
    X(payload_hash, PGTYPE_BYTEA)

static void columns_init(struct columns *c)
{
    memset(c, 0, sizeof(*c));
#define COLUMN_INIT(name, type) pgarray_init(&c->name, type);
    COLUMNS_MAP(COLUMN_INIT)
#undef COLUMN_INIT
}

static void columns_release(struct columns *c)
{
#define COLUMN_RELEASE(name, type) pgarray_release(&c->name);
    COLUMNS_MAP(COLUMN_RELEASE)
#undef COLUMN_RELEASE
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_kind(const struct start *a, const struct start *b)
{
    return strcmp(a->workflow, b->workflow) == 0 && same_text(a->version, b->version) &&
           same_text(a->queue, b->queue);
}

/* The place of the start's kind, counted from 1; the one before is most often the same. */
static int kind_of(struct columns *c, const struct start *s)
{
    if (c->last_kind > 0 && same_kind(c->kinds[c->last_kind - 1], s))
        return c->last_kind;
    for (int i = 0; i < c->kind_count; i++)
        if (same_kind(c->kinds[i], s))
            return c->last_kind = i + 1;
    assert(c->kind_count < BATCH_MAX);
    c->kinds[c->kind_count++] = s;
    pgarray_text(&c->workflow, s->workflow);
    pgarray_text(&c->version, s->version);
    pgarray_text(&c->queue, s->queue);
    return c->last_kind = c->kind_count;
}

static void add_int8(struct pgarray *a, int64_t value)
{
    if (value)
        pgarray_int8(a, value);
    else
        pgarray_null(a);
}

static void add_slice(struct pgarray *a, struct slice value)
{
    pgarray_bytes(a, value.text, value.len);
}

/* A payload and the column of its hash, which is null when it stays in the row. */
static int add_payload(struct pgarray *data, struct pgarray *hash, struct slice text,
                       int64_t inline_max)
{
    struct payload p;
    int err;

    add_slice(data, text);
    if (!text.text || (int64_t)text.len <= inline_max) {
        pgarray_null(hash);
        return 0;
    }
    err = payload_split(&p, text, inline_max);
    pgarray_bytes(hash, p.hash, sizeof(p.hash));
    return err;
}

static void add_start(struct columns *c, const struct start *s, int64_t inline_max)
{
    int err;

    pgarray_int4(&c->what, kind_of(c, s));
    pgarray_int8(&c->id, s->exec_id);
    pgarray_int8(&c->seed, s->seed);
    pgarray_int2(&c->prio, s->prio);
    add_int8(&c->delay, s->delay_ms);
    add_int8(&c->deadline, s->deadline_ms);
    pgarray_int2(&c->flags, s->flags);
    pgarray_text(&c->key, s->key);
    add_slice(&c->extra, s->extra);
    err = add_payload(&c->input, &c->hash, s->input, inline_max);
    c->err = c->err ? c->err : err;
    add_slice(&c->metadata, s->metadata);
    pgarray_text(&c->traceparent, s->traceparent);
    pgarray_text(&c->queue_key, s->queue_key);
    if (s->run_at_us)
        pgarray_timestamptz(&c->run_at, s->run_at_us);
    else
        pgarray_null(&c->run_at);
    add_slice(&c->options, s->options);
    pgarray_text(&c->message, s->message);
    err = add_payload(&c->payload, &c->payload_hash, s->payload, inline_max);
    c->err = c->err ? c->err : err;
    assert(c->hash.count == c->id.count && c->payload_hash.count == c->id.count);
}

/* Empty stands for nulls: most batches have no use for most columns. */
static void add_rare(struct pgargs *args, struct pgarray *a, bool used)
{
    if (!used)
        pgarray_reset(a);
    pgargs_array(args, a);
}

struct rare {
    bool delay, deadline, flags, key, extra, hash, metadata, traceparent, queue_key, run_at;
    bool options, message, payload_hash;
};

static void note_rare(struct rare *r, const struct start *s, int64_t inline_max)
{
    r->delay |= s->delay_ms != 0;
    r->deadline |= s->deadline_ms != 0;
    r->flags |= s->flags != 0;
    r->key |= s->key != NULL;
    r->extra |= s->extra.text != NULL;
    r->hash |= (int64_t)s->input.len > inline_max;
    r->metadata |= s->metadata.text != NULL;
    r->traceparent |= s->traceparent != NULL;
    r->queue_key |= s->queue_key != NULL;
    r->run_at |= s->run_at_us != 0;
    r->options |= s->options.text != NULL;
    r->message |= s->message != NULL;
    r->payload_hash |= (int64_t)s->payload.len > inline_max;
}

static void add_args(struct pgargs *args, struct columns *c, const struct rare *r, int64_t ttl_ms)
{
    pgargs_array(args, &c->workflow);
    pgargs_array(args, &c->version);
    pgargs_array(args, &c->queue);
    pgargs_array(args, &c->id);
    pgargs_array(args, &c->seed);
    pgargs_array(args, &c->what);
    pgargs_array(args, &c->prio);
    add_rare(args, &c->delay, r->delay);
    add_rare(args, &c->deadline, r->deadline);
    add_rare(args, &c->flags, r->flags);
    add_rare(args, &c->key, r->key);
    pgargs_int8(args, ttl_ms);
    add_rare(args, &c->extra, r->extra);
    pgargs_array(args, &c->input);
    add_rare(args, &c->hash, r->hash);
    add_rare(args, &c->metadata, r->metadata);
    add_rare(args, &c->traceparent, r->traceparent);
    add_rare(args, &c->queue_key, r->queue_key);
    add_rare(args, &c->run_at, r->run_at);
    add_rare(args, &c->options, r->options);
    add_rare(args, &c->message, r->message);
    add_rare(args, &c->payload, r->message);
    add_rare(args, &c->payload_hash, r->payload_hash);
}

/* ---- a batch -------------------------------------------------------------------------------- */

static int build(struct starts *s, struct batch *b)
{
    struct columns c;
    struct rare rare = { 0 };
    int32_t workspace = 0;

    columns_init(&c);
    LIST_EACH(it, &b->items) {
        struct start *start = CONTAINER_OF(it, struct start, link);

        assert(workspace == 0 || workspace == start->workspace_id);
        workspace = start->workspace_id;
        add_start(&c, start, s->inline_max);
        note_rare(&rare, start, s->inline_max);
    }
    assert(workspace > 0 && c.kind_count >= 1 && c.kind_count <= b->count);
    pgargs_reset(&b->req.args);
    pgargs_int4(&b->req.args, workspace);
    add_args(&b->req.args, &c, &rare, s->ttl_ms);
    columns_release(&c);
    return c.err;
}

/* Those of the first one's workspace, in order, as many as may go together. */
static void fill(struct starts *s, struct batch *b)
{
    struct start *first = CONTAINER_OF(s->waiting.next, struct start, link);
    int32_t workspace = first->workspace_id;
    int most = first->most, looked = 0;

    assert(b->count == 0 && list_empty(&b->items) && most >= 1 && s->id_count >= 1);
    LIST_EACH(it, &s->waiting) {
        struct start *start = CONTAINER_OF(it, struct start, link);

        if (b->count == most || b->count == s->id_count || looked++ == SCAN_MAX)
            break;
        if (start->workspace_id != workspace || start->most < most)
            continue;
        list_del(&start->link);
        list_push(&b->items, &start->link);
        b->count++;
    }
    assert(b->count >= 1 && b->count <= s->waiting_count);
    s->waiting_count -= b->count;
    s->last_count = b->count;
}

static int draw_seeds(struct starts *s, struct batch *b)
{
    int64_t seeds[BATCH_MAX];
    int rc = ids_random(seeds, sizeof(seeds[0]) * (size_t)b->count), i = 0;

    assert(b->count <= s->id_count);
    if (rc != 0)
        return rc;
    LIST_EACH(it, &b->items) {
        struct start *start = CONTAINER_OF(it, struct start, link);

        start->exec_id = s->ids[--s->id_count];
        start->seed = seeds[i++];
    }
    assert(i == b->count);
    return 0;
}

static void fail_batch(struct batch *b, int err, const struct err *e, bool unknown)
{
    struct list items;

    list_init(&items);
    list_splice(&items, &b->items);
    b->count = 0;
    finish_all(&items, err, e, unknown);
}

static void send(struct starts *s, struct batch *b)
{
    struct err e;
    int rc;

    assert(b->count == 0 && !pgreq_busy(&b->req));
    b->tries = 0;
    fill(s, b);
    rc = draw_seeds(s, b);
    if (rc == 0)
        rc = build(s, b);
    if (rc == 0) {
        front_exec(s->front, &b->req);
        return;
    }
    err_set(&e, rc, "start: it could not be prepared");
    fail_batch(b, rc, &e, false);
}

static struct batch *idle_batch(struct starts *s)
{
    for (int i = 0; i < BATCHES; i++)
        if (!pgreq_busy(&s->batches[i].req))
            return &s->batches[i];
    return NULL;
}

/* Whatever can be sent now is; the refused are told. */
static void turn(void *ctx)
{
    struct starts *s = ctx;
    struct batch *b;
    struct err e;

    while (!list_empty(&s->waiting) && (b = idle_batch(s)) != NULL) {
        if (!ids_fresh(s)) {
            draw_ids(s, 2 * s->waiting_count);
            break;
        }
        send(s, b);
    }
    if (s->id_count < s->last_count && !list_empty(&s->waiting))
        draw_ids(s, 2 * s->waiting_count); /* for the next one, while this one is on its way */
    if (list_empty(&s->refused))
        return;
    err_set(&e, IFP_ERATELIMITED, "start: %lld others wait already", (long long)s->waiting_max);
    finish_all(&s->refused, IFP_ERATELIMITED, &e, false);
}

void starts_add(struct starts *s, struct start *start)
{
    assert(!s->closing && start->done && start->workspace_id > 0);
    assert(start->workflow && start->input.text && start->prio >= 1);
    list_init(&start->link);
    start->most = BATCH_MAX;
    start->tries = 0;
    start->unknown = false;
    if (s->waiting_count < s->waiting_max) {
        list_push(&s->waiting, &start->link);
        s->waiting_count++;
    } else {
        list_push(&s->refused, &start->link);
    }
    deferred_call(&s->turn);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void wait_again(struct starts *s, struct start *start)
{
    assert(start->tries < TRIES_MAX);
    list_push(&s->waiting, &start->link);
    s->waiting_count++;
}

static void answer_one(struct starts *s, struct start *start, const struct pgres *res, int row)
{
    const char *code = pgres_text(res, row, 2);
    struct err e;

    if (!code) {
        start->exec_id = pgres_int8(res, row, 0);
        start->created = pgres_bool(res, row, 1);
        assert(start->exec_id > 0);
        if (start->created)
            metrics_add(METRIC_STARTED, "api", 1);
        start->done(start, 0, NULL);
    } else if (strcmp(code, "23505") == 0 && ++start->tries < TRIES_MAX) {
        wait_again(s, start); /* the clock went back: it gets another id */
    } else {
        err_set(&e, pg_error_code(code), "%s", pgres_text(res, row, 3));
        start->done(start, e.code, &e);
    }
}

static void answer_all(struct starts *s, struct batch *b, const struct pgres *res)
{
    struct list items;
    int row = 0;

    assert(pgres_rows(res) == b->count);
    list_init(&items);
    list_splice(&items, &b->items);
    b->count = 0;
    while (!list_empty(&items))
        answer_one(s, CONTAINER_OF(list_pop(&items), struct start, link), res, row++);
    assert(row == pgres_rows(res));
}

/* Nothing was written, and it is not the database as such: which of them is it? */
static bool is_split(const struct batch *b, int err)
{
    return b->count > 1 && (err == IFP_ESERVER || err == IFP_EINVALID || err == IFP_ENOTFOUND ||
                            err == IFP_ECONFLICT || err == IFP_EMISMATCH);
}

static void split(struct starts *s, struct batch *b)
{
    int most = (b->count + 1) / 2;
    struct list *it;

    assert(most >= 1 && most < b->count);       /* so it comes to an end */
    while ((it = b->items.prev) != &b->items) { /* in front, in their order */
        struct start *start = CONTAINER_OF(it, struct start, link);

        list_del(it);
        start->most = most;
        list_push_front(&s->waiting, it);
    }
    s->waiting_count += b->count;
    b->count = 0;
}

static void on_batch(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct batch *b = CONTAINER_OF(req, struct batch, req);
    struct starts *s = b->starts;

    if (s->closing) {
        close_when_idle(s);
        return;
    }
    if (!err) {
        answer_all(s, b, res);
    } else if (err == IFP_EUNAVAILABLE && req->sent && ++b->tries < TRIES_MAX) {
        front_exec(s->front, req); /* the same ids: nothing is made twice */
        return;
    } else if (is_split(b, err)) {
        split(s, b);
    } else {
        fail_batch(b, err, e, b->tries > 0 || (err == IFP_EUNAVAILABLE && req->sent));
    }
    turn(s);
}
