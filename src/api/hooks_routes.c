/*
 * api/hooks_routes.c - the routes of webhooks: endpoints, secrets, deliveries.
 *
 * The same calls as the command line's, on a thread of the offload.  A secret is in the answer that
 * made it and in no other.
 */
#include "api/admin.h"
#include "api/body.h"
#include "base/ids.h"
#include "http/client.h"
#include "store/client_webhook.h"

#include <string.h>

enum { DELIVERIES = 50, DELIVERIES_MAX = 1000 };
#define OVERLAP_MS INT64_C(86400000)
#define OVERLAP_MAX_MS (INT64_C(30) * 86400000)

struct wanted { /* in the request's arena */
    struct api *api;
    const char *url, *workflow;
    struct slice events;
    bool enabled;
    int64_t overlap_ms, limit;
    int64_t id, delivery; /* of the path; 0: none */
    int64_t before;       /* of the cursor */
    struct client_webhook webhook;
    struct answer answer; /* of a page */
    int64_t count, last;
};

static const struct body_field create_fields[] = {
    BODY_FIELD("url", BODY_TEXT, struct wanted, url, .min = 1, .max = 2048, .required = true),
    BODY_FIELD("workflowId", BODY_SLUG, struct wanted, workflow),
    BODY_FIELD("events", BODY_ARRAY, struct wanted, events, .min = 1, .max = 3),
};
static const struct body_field change_fields[] = {
    BODY_FIELD("url", BODY_TEXT, struct wanted, url, .min = 1, .max = 2048),
    BODY_FIELD("workflowId", BODY_SLUG, struct wanted, workflow),
    BODY_FIELD("events", BODY_ARRAY, struct wanted, events, .min = 1, .max = 3),
    BODY_FIELD("enabled", BODY_BOOL, struct wanted, enabled),
};
static const struct body_field rotate_fields[] = {
    BODY_FIELD("overlapMs", BODY_INT, struct wanted, overlap_ms, .max = OVERLAP_MAX_MS),
};

/* ---- what is asked -------------------------------------------------------------------------- */

/* A request's state; on failure the request is finished.  An id that is none cannot be there. */
static struct wanted *begin(struct api *api, struct http_request *r, bool named)
{
    struct wanted *w = arena_zalloc(&r->arena, sizeof(*w));
    struct err e;

    if (!w) {
        admin_no_memory(r);
        return NULL;
    }
    w->api = api;
    w->overlap_ms = OVERLAP_MS;
    w->webhook.enabled = -1;
    err_clear(&e);
    if (named && client_webhook_id_parse(r->params[0].text, &w->id, &e) != 0) {
        err_set(&e, IFP_ENOTFOUND, "webhook: there is no such webhook");
        http_answer_error(r, &e);
        return NULL;
    }
    return w;
}

static void read_events(struct wanted *w, struct body *body, struct http_request *r)
{
    struct slice key, value;
    size_t pos = 0;

    while (w->events.text && jsonscan_each(w->events, &pos, &key, &value)) {
        char *name = NULL;
        size_t len = 0;
        int event = 0;

        if (jsonscan_string(value, &r->arena, &name, &len) == 0)
            event = client_webhook_event(name, len);
        if (event == 0)
            body_refuse(body, "/events",
                        "must be execution.completed, execution.failed or execution.canceled");
        w->webhook.events |= event;
    }
}

/* Reads the body; on failure the request is finished. */
static bool read_body(struct wanted *w, struct http_request *r, const struct body_field *fields,
                      size_t count)
{
    struct body body;
    struct err e;
    int rc;

    body_init(&body, &r->arena);
    rc = body_read(&body, r->body, "", fields, count, w, &e);
    if (rc == 0) {
        read_events(w, &body, r);
        if (w->url && http_url_check(w->url, &e) != 0)
            body_refuse(&body, "/url", "%s", e.text);
        rc = body_result(&body, &e);
    }
    w->webhook.url = w->url;
    w->webhook.workflow = w->workflow;
    if (rc != 0)
        answer_problem(r, &e, &(struct answer_problem){ .body = &body });
    return rc == 0;
}

static const char *keys_of(const struct wanted *w)
{
    return config_text(w->api->config, CONFIG_SECRET_KEY);
}

/* ---- what is shown -------------------------------------------------------------------------- */

static void write_members(struct answer *a, const struct client_webhook_row *w)
{
    static const struct {
        int bit;
        const char *name;
    } events[] = { { WEBHOOK_COMPLETED, "execution.completed" },
                   { WEBHOOK_FAILED, "execution.failed" },
                   { WEBHOOK_CANCELED, "execution.canceled" } };
    char id[CLIENT_WEBHOOK_ID_SIZE];

    client_webhook_id_format(w->id, id);
    answer_text(a, "id", id);
    answer_text(a, "url", w->url);
    answer_array(a, "events");
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (w->events & events[i].bit)
            answer_text(a, NULL, events[i].name);
    answer_close(a);
    answer_text(a, "workflowId", w->workflow);
    answer_bool(a, "enabled", w->disabled_ms == 0);
    answer_time(a, "disabledAt", w->disabled_ms * 1000);
    answer_text(a, "disabledReason", w->disabled_why);
    answer_bool(a, "rotating", w->rotating);
    answer_time(a, "createdAt", w->created_ms * 1000);
}

static int write_row(void *ctx, const struct client_webhook_row *row)
{
    struct answer *a = ctx;

    answer_object(a, NULL);
    write_members(a, row);
    answer_close(a);
    return 0;
}

static int write_only(void *ctx, const struct client_webhook_row *row)
{
    write_members(ctx, row);
    return 0;
}

/* The endpoint as it is now, with its secret when one was made. */
static int show(struct offload_call *call, struct client *client, const char *secret, struct err *e)
{
    struct wanted *w = call->data;
    struct answer a;
    int rc;

    answer_begin(&a, &call->request->arena);
    answer_object(&a, NULL);
    rc = client_webhook_list(client, w->id, write_only, &a, e);
    answer_text(&a, "secret", secret);
    answer_close(&a);
    return rc == 0 ? admin_answer(call, &a, e) : rc;
}

/* ---- endpoints ------------------------------------------------------------------------------ */

static int create(struct offload_call *call, struct client *client, struct err *e)
{
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
    struct wanted *w = call->data;
    int rc = client_webhook_create(client, &w->webhook, keys_of(w), &w->id, secret, e);

    call->status = 201;
    return rc == 0 ? show(call, client, secret, e) : rc;
}

static void on_create(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, false);

    if (w && read_body(w, r, create_fields, ARRAY_LEN(create_fields)))
        offload_run(api->offload, r, create, NULL, w);
}

static int list(struct offload_call *call, struct client *client, struct err *e)
{
    struct answer a;
    int rc;

    answer_begin(&a, &call->request->arena);
    answer_object(&a, NULL);
    answer_array(&a, "data");
    rc = client_webhook_list(client, 0, write_row, &a, e);
    answer_close(&a);
    answer_null(&a, "nextCursor");
    answer_close(&a);
    return rc == 0 ? admin_answer(call, &a, e) : rc;
}

static void on_list(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, false);

    if (w)
        offload_run(api->offload, r, list, NULL, w);
}

static int get(struct offload_call *call, struct client *client, struct err *e)
{
    return show(call, client, NULL, e);
}

static void on_get(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);

    if (w)
        offload_run(api->offload, r, get, NULL, w);
}

static int change(struct offload_call *call, struct client *client, struct err *e)
{
    struct wanted *w = call->data;
    int rc = client_webhook_change(client, w->id, &w->webhook, e);

    return rc == 0 ? show(call, client, NULL, e) : rc;
}

static void on_change(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);
    struct slice enabled;

    if (!w || !read_body(w, r, change_fields, ARRAY_LEN(change_fields)))
        return;
    if (r->body.len != 0 && jsonscan_find(r->body, "/enabled", &enabled) == 0 &&
        jsonscan_type(enabled) == IFP_JSON_BOOL)
        w->webhook.enabled = w->enabled;
    offload_run(api->offload, r, change, NULL, w);
}

static int drop(struct offload_call *call, struct client *client, struct err *e)
{
    const struct wanted *w = call->data;

    return client_webhook_delete(client, w->id, e);
}

static void on_delete(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);

    if (w)
        offload_run(api->offload, r, drop, NULL, w);
}

/* ---- secrets -------------------------------------------------------------------------------- */

static int rotate(struct offload_call *call, struct client *client, struct err *e)
{
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
    const struct wanted *w = call->data;
    int rc = client_webhook_rotate(client, w->id, w->overlap_ms, keys_of(w), secret, e);
    struct answer a;

    if (rc != 0 || w->id != 0)
        return rc == 0 ? show(call, client, secret, e) : rc;
    answer_begin(&a, &call->request->arena);
    answer_object(&a, NULL);
    answer_text(&a, "id", "workspace");
    answer_text(&a, "secret", secret);
    answer_close(&a);
    return admin_answer(call, &a, e);
}

static void on_rotate(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);

    if (w && read_body(w, r, rotate_fields, ARRAY_LEN(rotate_fields)))
        offload_run(api->offload, r, rotate, NULL, w);
}

static void on_secret(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, false);

    if (w && read_body(w, r, rotate_fields, ARRAY_LEN(rotate_fields)))
        offload_run(api->offload, r, rotate, NULL, w);
}

/* ---- deliveries ----------------------------------------------------------------------------- */

static int write_delivery(void *ctx, const struct client_webhook_try *d)
{
    struct wanted *w = ctx;
    struct answer *a = &w->answer;

    w->count++;
    if (w->count > w->limit)
        return 0;
    w->last = d->id;
    answer_object(a, NULL);
    answer_id(a, "id", d->id);
    answer_text(a, "eventId", d->event);
    answer_text(a, "type", d->type);
    answer_text(a, "status", d->status);
    answer_id(a, "executionId", d->target);
    answer_int(a, "attempts", d->attempts);
    answer_text(a, "lastErrorCode", d->error_code);
    answer_text(a, "lastError", d->error);
    answer_time(a, "createdAt", d->created_ms * 1000);
    answer_time(a, "finishedAt", d->finished_ms * 1000);
    answer_time(a, "nextAttemptAt", d->next_ms * 1000);
    answer_close(a);
    return 0;
}

static int is_there(void *ctx, const struct client_webhook_row *row)
{
    (void)ctx;
    (void)row;
    return 0;
}

static int list_deliveries(struct offload_call *call, struct client *client, struct err *e)
{
    struct wanted *w = call->data;
    struct answer *a = &w->answer;
    int rc;

    rc = client_webhook_list(client, w->id, is_there, NULL, e);
    answer_begin(a, &call->request->arena);
    answer_object(a, NULL);
    answer_array(a, "data");
    if (rc == 0)
        rc = client_webhook_deliveries(client, w->id, w->before, (int)w->limit + 1, write_delivery,
                                       w, e);
    answer_close(a);
    if (w->count > w->limit)
        answer_id(a, "nextCursor", w->last);
    else
        answer_null(a, "nextCursor");
    answer_close(a);
    return rc == 0 ? admin_answer(call, a, e) : rc;
}

/* The cursor is the last delivery of the page before; on failure the request is finished. */
static bool read_cursor(struct wanted *w, struct http_request *r)
{
    struct slice cursor;
    struct err e;
    int rc;

    err_clear(&e);
    rc = http_query(r, "cursor", &cursor, &e);
    if (rc == IFP_ENOTFOUND)
        return true;
    if (rc == 0 && ids_execution_parse(cursor.text, &w->before) == 0)
        return true;
    if (rc == 0)
        err_set(&e, IFP_EINVALID, "cursor: is not one of this list");
    http_answer_error(r, &e);
    return false;
}

static void on_deliveries(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);

    if (w && admin_query_int(r, "limit", 1, DELIVERIES_MAX, DELIVERIES, &w->limit) &&
        read_cursor(w, r))
        offload_run(api->offload, r, list_deliveries, NULL, w);
}

static int show_started(struct offload_call *call, int64_t delivery, struct err *e)
{
    struct answer a;

    call->status = 202;
    answer_begin(&a, &call->request->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", delivery);
    answer_text(&a, "status", "queued");
    answer_close(&a);
    return admin_answer(call, &a, e);
}

static int test(struct offload_call *call, struct client *client, struct err *e)
{
    const struct wanted *w = call->data;
    int64_t delivery = 0;
    int rc = client_webhook_ping(client, w->id, &delivery, e);

    return rc == 0 ? show_started(call, delivery, e) : rc;
}

static void on_test(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);

    if (w)
        offload_run(api->offload, r, test, NULL, w);
}

static int redeliver(struct offload_call *call, struct client *client, struct err *e)
{
    const struct wanted *w = call->data;
    int64_t delivery = 0;
    int rc = client_webhook_redeliver(client, w->id, w->delivery, &delivery, e);

    return rc == 0 ? show_started(call, delivery, e) : rc;
}

static void on_redeliver(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct wanted *w = begin(api, r, true);
    struct err e;

    if (!w)
        return;
    if (ids_execution_parse(r->params[1].text, &w->delivery) != 0) {
        err_set(&e, IFP_ENOTFOUND, "delivery: there is no such delivery");
        http_answer_error(r, &e);
        return;
    }
    offload_run(api->offload, r, redeliver, NULL, w);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define READ SCOPE_WEBHOOKS_READ
#define WRITE SCOPE_WEBHOOKS_WRITE
#define ONE "/v1/webhooks/{id}"

const struct route routes_webhooks[] = {
    { HTTP_GET, "/v1/webhooks", READ, 0, on_list, "webhooks.list", "webhooks",
      "List who is told of the ends of executions", NULL, NULL, "WebhookList", 200 },
    { HTTP_POST, "/v1/webhooks", WRITE, ROUTE_BODY | ROUTE_CREATES, on_create, "webhooks.create",
      "webhooks", "Have a URL told of the ends of executions", NULL, "NewWebhook", "WebhookSecret",
      201 },
    { HTTP_POST, "/v1/webhooks/secret", WRITE, ROUTE_BODY | ROUTE_CREATES, on_secret,
      "webhooks.secret", "webhooks",
      "Make the workspace a secret, which signs for the webhookUrl of executions", NULL,
      "WebhookRotation", "WebhookSecret", 200 },
    { HTTP_GET, ONE, READ, 0, on_get, "webhooks.get", "webhooks", "Get a webhook", NULL, NULL,
      "Webhook", 200 },
    { HTTP_PATCH, ONE, WRITE, ROUTE_BODY, on_change, "webhooks.update", "webhooks",
      "Change, enable or disable a webhook", NULL, "WebhookChange", "Webhook", 200 },
    { HTTP_DELETE, ONE, WRITE, 0, on_delete, "webhooks.delete", "webhooks", "Delete a webhook",
      NULL, NULL, NULL, 204 },
    { HTTP_POST, ONE "/rotate", WRITE, ROUTE_BODY | ROUTE_CREATES, on_rotate, "webhooks.rotate",
      "webhooks", "Make a webhook another secret; the one before signs as well for a while", NULL,
      "WebhookRotation", "WebhookSecret", 200 },
    { HTTP_POST, ONE "/test", WRITE, ROUTE_CREATES, on_test, "webhooks.test", "webhooks",
      "Send a test event to a webhook", NULL, NULL, "Delivery", 202 },
    { HTTP_GET, ONE "/deliveries", READ, 0, on_deliveries, "webhooks.deliveries", "webhooks",
      "List what was sent to a webhook, newest first", "limit cursor", NULL, "DeliveryList", 200 },
    { HTTP_POST, ONE "/deliveries/{deliveryId}/redeliver", WRITE, ROUTE_CREATES, on_redeliver,
      "webhooks.redeliver", "webhooks", "Send an event to a webhook once more", NULL, NULL,
      "Delivery", 202 },
};
const size_t routes_webhooks_count = ARRAY_LEN(routes_webhooks);
