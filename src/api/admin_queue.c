/*
 * api/admin_queue.c - queues: what they hold, their limits, pause and resume.
 *
 * PUT says all limits (what is left out is none), PATCH those that change; a change answers with
 * the queue as it is then.
 */
#include "api/admin.h"
#include "api/body.h"
#include "store/client_queue.h"

#include <assert.h>
#include <string.h>

enum { NUMBER_MAX = 1000000 };
#define PERIOD_MS 1000 /* of a rate that names none */
#define PERIOD_MAX_MS 86400000

static const char *const limit_names[QUEUE_LIMITS] = {
    [QUEUE_CONCURRENCY] = "concurrency",
    [QUEUE_RATE] = "rate",
    [QUEUE_PERIOD_MS] = "periodMs",
    [QUEUE_BURST] = "burst",
    [QUEUE_KEY_CONCURRENCY] = "keyConcurrency",
    [QUEUE_KEY_RATE] = "keyRate",
    [QUEUE_KEY_PERIOD_MS] = "keyPeriodMs",
    [QUEUE_KEY_BURST] = "keyBurst",
    [QUEUE_KEY_WINDOW] = "keyWindow",
    [QUEUE_WAITING_MAX] = "waitingMax",
};

struct limits {
    int64_t values[QUEUE_LIMITS];
};
#define LIMIT(index, member, most)                                                                 \
    {                                                                                              \
        .name = member, .type = BODY_INT, .max = (most),                                           \
        .offset = offsetof(struct limits, values) + (index) * sizeof(int64_t)                      \
    }
static const struct body_field limit_fields[] = {
    LIMIT(QUEUE_CONCURRENCY, "concurrency", NUMBER_MAX),
    LIMIT(QUEUE_RATE, "rate", NUMBER_MAX),
    LIMIT(QUEUE_PERIOD_MS, "periodMs", PERIOD_MAX_MS),
    LIMIT(QUEUE_BURST, "burst", NUMBER_MAX),
    LIMIT(QUEUE_KEY_CONCURRENCY, "keyConcurrency", NUMBER_MAX),
    LIMIT(QUEUE_KEY_RATE, "keyRate", NUMBER_MAX),
    LIMIT(QUEUE_KEY_PERIOD_MS, "keyPeriodMs", PERIOD_MAX_MS),
    LIMIT(QUEUE_KEY_BURST, "keyBurst", NUMBER_MAX),
    LIMIT(QUEUE_KEY_WINDOW, "keyWindow", NUMBER_MAX),
    LIMIT(QUEUE_WAITING_MAX, "waitingMax", NUMBER_MAX),
};

/* ---- looking -------------------------------------------------------------------------------- */

static void write_queue(struct answer *a, const struct client_queue *q)
{
    answer_object(a, NULL);
    answer_text(a, "name", q->name);
    answer_bool(a, "paused", q->paused);
    answer_int(a, "ready", q->ready);
    answer_int(a, "running", q->running);
    answer_int(a, "waiting", q->waiting);
    answer_int(a, "waitingForSlot", q->slot);
    answer_time(a, "oldestReadyAt", q->oldest_ms * 1000);
    answer_int(a, "used", q->used);
    for (int i = 0; i < QUEUE_LIMITS; i++)
        if (q->limits[i] != QUEUE_UNSET)
            answer_int(a, limit_names[i], q->limits[i]);
    answer_close(a);
}

static void add_queue(void *ctx, const struct client_queue *q)
{
    struct admin_page *p = ctx;

    if (admin_page_wants(p, q->name))
        write_queue(&p->answer, q);
}

static int list_queues(struct offload_call *call, struct client *client, struct err *e)
{
    struct admin_page *p = call->data;
    int rc = client_queue_list(client, NULL, add_queue, p, e);

    return rc == 0 ? admin_page_end(p, &call->json, e) : rc;
}

void admin_list_queues(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct admin_page *p = arena_alloc(&r->arena, sizeof(*p));

    if (!p)
        admin_no_memory(r);
    else if (admin_page_begin(p, r))
        offload_run(api->offload, r, list_queues, NULL, p);
}

static void write_one(void *ctx, const struct client_queue *q)
{
    write_queue(ctx, q);
}

static int get_queue(struct offload_call *call, struct client *client, struct err *e)
{
    struct answer a;
    int rc;

    answer_begin(&a, &call->request->arena);
    rc = client_queue_list(client, call->request->params[0].text, write_one, &a, e);
    return rc == 0 ? admin_answer(call, &a, e) : rc;
}

void admin_get_queue(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, get_queue, NULL, NULL);
}

/* ---- changes -------------------------------------------------------------------------------- */

static int set_limits(struct offload_call *call, struct client *client, struct err *e)
{
    const struct limits *limits = call->data;
    int rc = client_queue_limit(client, call->request->params[0].text, limits->values, e);

    return rc == 0 ? get_queue(call, client, e) : rc;
}

static void change_limits(struct api *api, struct http_request *r, struct limits *limits,
                          struct body *body)
{
    struct err e;
    int rc = body_read(body, r->body, "", limit_fields, ARRAY_LEN(limit_fields), limits, &e);

    if (rc == 0 && limits->values[QUEUE_RATE] == 0 && limits->values[QUEUE_BURST] > 0)
        body_refuse(body, "/burst", "needs a rate");
    if (rc == 0 && limits->values[QUEUE_KEY_RATE] == 0 && limits->values[QUEUE_KEY_BURST] > 0)
        body_refuse(body, "/keyBurst", "needs a keyRate");
    if (rc == 0)
        rc = body_result(body, &e);
    if (rc != 0)
        answer_problem(r, &e, &(struct answer_problem){ .body = body });
    else
        offload_run(api->offload, r, set_limits, NULL, limits);
}

/* All limits at a value, for those that the body leaves out. */
static struct limits *new_limits(struct http_request *r, int64_t value)
{
    struct limits *limits = arena_alloc(&r->arena, sizeof(*limits));

    if (!limits) {
        admin_no_memory(r);
        return NULL;
    }
    for (int i = 0; i < QUEUE_LIMITS; i++)
        limits->values[i] = value;
    return limits;
}

void admin_put_queue(void *ctx, struct http_request *r)
{
    struct limits *limits = new_limits(r, 0);
    struct body body;

    if (!limits)
        return;
    limits->values[QUEUE_PERIOD_MS] = PERIOD_MS;
    limits->values[QUEUE_KEY_PERIOD_MS] = PERIOD_MS;
    body_init(&body, &r->arena);
    change_limits(ctx, r, limits, &body);
}

void admin_patch_queue(void *ctx, struct http_request *r)
{
    struct limits *limits = new_limits(r, QUEUE_UNSET);
    struct body body;

    if (!limits)
        return;
    body_init(&body, &r->arena);
    change_limits(ctx, r, limits, &body);
}

static int delete_queue(struct offload_call *call, struct client *client, struct err *e)
{
    bool gone;

    return client_queue_delete(client, call->request->params[0].text, &gone, e);
}

void admin_delete_queue(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, delete_queue, NULL, NULL);
}

static int pause_queue(struct offload_call *call, struct client *client, struct err *e)
{
    int rc = client_queue_pause(client, call->request->params[0].text, true, e);

    return rc == 0 ? get_queue(call, client, e) : rc;
}

void admin_pause_queue(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, pause_queue, NULL, NULL);
}

static int resume_queue(struct offload_call *call, struct client *client, struct err *e)
{
    int rc = client_queue_pause(client, call->request->params[0].text, false, e);

    return rc == 0 ? get_queue(call, client, e) : rc;
}

void admin_resume_queue(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, resume_queue, NULL, NULL);
}
