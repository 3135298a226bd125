/*
 * api/executions_bulk.c - POST /v1/executions: starts many, each with its own fields, its own key
 * and its own outcome.
 *
 *   array -> each item read -> those that are good go to store/starts.h, in this turn: together
 *   -> the last one done -> {data: [{id, ...} | {error: {...}}, ...]} in their order
 *
 * An item that is refused says so in its place and takes nothing from the others.  Memory that runs
 * out while it is read refuses all: nothing was started then.
 */
#include "api/executions.h"
#include "api/runs_start.h"

#include <assert.h>
#include <stdio.h>

enum { ITEMS_MAX = 1000, POINTER_SIZE = 16 };

struct bulk;
struct item {
    struct start start;
    struct bulk *bulk; /* borrowed */
    struct body *body; /* in the arena; NULL: it was good */
    struct err *e;     /* in the arena; NULL: it was started */
};

/* In the request's arena. */
struct bulk {
    struct http_request *request; /* borrowed */
    struct item *items;
    int count, left;
};

/* ---- answering ------------------------------------------------------------------------------ */

static void answer_item(struct answer *a, const struct item *item)
{
    answer_object(a, NULL);
    if (item->e) {
        answer_object(a, "error");
        answer_int(a, "status", err_http_status(item->e->code));
        answer_error_members(a, item->e, &(struct answer_problem){ .body = item->body });
        answer_close(a);
    } else {
        answer_id(a, "id", item->start.exec_id);
        answer_text(a, "status", "queued");
        answer_text(a, "workflowId", item->start.workflow);
        answer_time(a, "createdAt", starts_created_us(item->start.exec_id));
        if (!item->start.created)
            answer_bool(a, "replayed", true);
    }
    answer_close(a);
}

static void answer_all(struct bulk *bulk)
{
    struct answer a;

    answer_begin(&a, &bulk->request->arena);
    answer_object(&a, NULL);
    answer_array(&a, "data");
    for (int i = 0; i < bulk->count; i++)
        answer_item(&a, &bulk->items[i]);
    answer_close(&a);
    answer_close(&a);
    answer_send(&a, bulk->request, 200);
}

static int keep_error(struct item *item, const struct err *e)
{
    item->e = arena_alloc(&item->bulk->request->arena, sizeof(*e));
    if (!item->e)
        return IFP_ENOMEM;
    *item->e = *e;
    return 0;
}

static void on_started(struct start *start, int err, const struct err *e)
{
    struct item *item = CONTAINER_OF(start, struct item, start);
    struct bulk *bulk = item->bulk;
    struct err told;

    if (err) {
        answer_tell(bulk->request, e, &told);
        (void)keep_error(item, &told); /* else the arena is broken, and answer_send tells */
    }
    if (--bulk->left == 0)
        answer_all(bulk);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A mistake is the item's; what is returned is ours. */
static int read_item(struct bulk *bulk, struct item *item, struct slice json, int place,
                     const struct run_limits *limits, struct err *e)
{
    struct arena *arena = &bulk->request->arena;
    struct body *b = arena_alloc(arena, sizeof(*b));
    struct run_wanted wanted;
    char at[POINTER_SIZE];
    int err;

    item->bulk = bulk;
    if (!b)
        return err_set(e, IFP_ENOMEM, "start: out of memory");
    body_init(b, arena);
    (void)snprintf(at, sizeof(at), "/%d", place);
    err = runs_start_read(b, json, at, true, limits, &wanted, e);
    if (!err)
        return runs_start_fill(arena, &wanted, caller_of(bulk->request), wanted.idempotency_key,
                               executions_trace(bulk->request), &item->start, e);
    if (err == IFP_ENOMEM)
        return err;
    item->body = b;
    return keep_error(item, e);
}

static int read_items(struct bulk *bulk, struct slice json, const struct config *config,
                      struct err *e)
{
    struct run_limits limits = { config_int(config, CONFIG_PAYLOAD_MAX),
                                 config_int(config, CONFIG_SYNC_MAX) };
    struct slice key, value;
    size_t pos = 0;
    int err = 0;

    bulk->items = arena_zalloc(&bulk->request->arena, sizeof(struct item) * (size_t)bulk->count);
    if (!bulk->items)
        return err_set(e, IFP_ENOMEM, "start: out of memory");
    for (int i = 0; !err && jsonscan_each(json, &pos, &key, &value); i++)
        err = read_item(bulk, &bulk->items[i], value, i, &limits, e);
    return err;
}

static int check_array(struct http_request *r, struct body *b, struct err *e)
{
    int err = jsonscan_check(r->body.text ? r->body.text : "", r->body.len, e);

    if (err == IFP_ENOMEM)
        return err;
    if (err)
        body_refuse(b, "", "%s", e->text);
    else if (jsonscan_type(r->body) != IFP_JSON_ARRAY)
        body_refuse(b, "", "must be an array");
    else if (jsonscan_len(r->body) < 1 || jsonscan_len(r->body) > ITEMS_MAX)
        body_refuse(b, "", "must have 1 to %d elements", ITEMS_MAX);
    if (http_header(r, "idempotency-key").text)
        body_refuse(b, "", "header Idempotency-Key: give each item an idempotencyKey of its own");
    return body_result(b, e);
}

static void start_all(struct bulk *bulk, struct starts *starts)
{
    for (int i = 0; i < bulk->count; i++)
        bulk->left += !bulk->items[i].e;
    if (bulk->left == 0) {
        answer_all(bulk);
        return;
    }
    for (int i = 0; i < bulk->count; i++) {
        struct item *item = &bulk->items[i];

        if (item->e)
            continue;
        item->start.done = on_started; /* never from inside */
        starts_add(starts, &item->start);
    }
}

void executions_bulk(void *ctx, struct http_request *r)
{
    struct bulk *bulk = arena_zalloc(&r->arena, sizeof(*bulk));
    struct api *api = ctx;
    struct body b;
    struct err e;
    int err;

    body_init(&b, &r->arena);
    if (!bulk) {
        err_set(&e, IFP_ENOMEM, "start: out of memory");
        http_answer_error(r, &e);
        return;
    }
    err = check_array(r, &b, &e);
    if (!err) {
        bulk->request = r;
        bulk->count = (int)jsonscan_len(r->body);
        err = read_items(bulk, r->body, api->config, &e);
    }
    if (r->arena.broken) /* nothing was started yet */
        err = err_set(&e, IFP_ENOMEM, "start: out of memory");
    if (err)
        executions_refuse(r, &b, &e);
    else
        start_all(bulk, api->runs->starts);
}
