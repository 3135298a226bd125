/*
 * app/cmd_webhook.c - the commands of webhooks: endpoints, their secrets, what was delivered.
 *
 * A secret is printed once, when it is made: after that it is sealed in the database and only
 * workers can open it.
 */
#include "app/cmd.h"
#include "base/ids.h"
#include "http/client.h"
#include "store/client_webhook.h"

#include <stdio.h>
#include <string.h>

enum { DELIVERIES = 20, DELIVERIES_MAX = 1000, EVENTS_SIZE = 80 };
#define OVERLAP_MS INT64_C(86400000)
#define OVERLAP_MAX_MS (INT64_C(30) * 86400000)

static const struct table_column list_columns[] = {
    { "id", "ID" },
    { "url", "URL" },
    { "events", "EVENTS" },
    { "workflow", "WORKFLOW" },
    { "enabled", "ENABLED" },
    { "disabled_at", NULL },
    { "disabled_why", NULL },
    { "rotating", "ROTATING" },
    { "created_at", "CREATED" },
    { 0 },
};

static const struct table_column get_columns[] = {
    { "id", "webhook" },         { "url", "url" },
    { "events", "events" },      { "workflow", "workflow" },
    { "enabled", "enabled" },    { "disabled_at", "disabled" },
    { "disabled_why", "why" },   { "rotating", "rotating" },
    { "created_at", "created" }, { 0 },
};

static const struct table_column delivery_columns[] = {
    { "id", "DELIVERY" },    { "event", "EVENT" },         { "type", "TYPE" },
    { "status", "STATUS" },  { "attempts", "ATTEMPTS" },   { "error_code", "ERROR" },
    { "error", NULL },       { "execution", "EXECUTION" }, { "created_at", "CREATED" },
    { "finished_at", NULL }, { "next_at", "NEXT" },        { 0 },
};

/* ---- what is given -------------------------------------------------------------------------- */

static int read_id(const struct cli *c, int64_t *ret, struct err *e)
{
    return client_webhook_id_parse(cli_arg(c, 0), ret, e);
}

/* "failed", "execution.failed", several with --event again; 0 when none is given. */
static int read_events(const struct cli *c, int *ret, struct err *e)
{
    const char *name;
    int pos = 0;

    *ret = 0;
    while ((name = cli_next_value(c, "event", &pos))) {
        char whole[64];
        int event;

        snprintf(whole, sizeof(whole), "%s%.40s",
                 strncmp(name, "execution.", 10) == 0 ? "" : "execution.", name);
        event = client_webhook_event(whole, strlen(whole));
        if (event == 0)
            return err_set(e, IFP_EINVALID,
                           "--event: \"%.40s\" is not completed, failed or canceled", name);
        *ret |= event;
    }
    return 0;
}

static int read_wanted(const struct cli *c, struct client_webhook *w, struct err *e)
{
    int rc = read_events(c, &w->events, e);

    w->url = cli_value(c, "url");
    w->workflow = cli_value(c, "workflow");
    w->enabled = -1;
    if (rc == 0 && w->url)
        rc = http_url_check(w->url, e);
    return rc;
}

static int read_overlap(const struct cli *c, int64_t *ret, struct err *e)
{
    int rc = cli_duration(c, "overlap", OVERLAP_MS, ret, e);

    if (rc == 0 && *ret > OVERLAP_MAX_MS)
        rc = err_set(e, IFP_EINVALID, "--overlap: must be at most 30d");
    return rc;
}

/* ---- what is shown -------------------------------------------------------------------------- */

static void format_events(int events, char ret[EVENTS_SIZE])
{
    snprintf(ret, EVENTS_SIZE, "%s%s%s", events & WEBHOOK_COMPLETED ? "completed " : "",
             events & WEBHOOK_FAILED ? "failed " : "",
             events & WEBHOOK_CANCELED ? "canceled " : "");
    if (*ret)
        ret[strlen(ret) - 1] = '\0';
}

static int add_webhook(void *ctx, const struct client_webhook_row *w)
{
    struct table *t = ctx;
    char id[CLIENT_WEBHOOK_ID_SIZE], events[EVENTS_SIZE];

    client_webhook_id_format(w->id, id);
    format_events(w->events, events);
    table_str(t, id);
    table_str(t, w->url);
    table_str(t, events);
    table_str(t, w->workflow);
    table_json(t, w->disabled_ms == 0 ? "true" : "false");
    table_time(t, w->disabled_ms);
    table_str(t, w->disabled_why);
    table_json(t, w->rotating ? "true" : "false");
    table_time(t, w->created_ms);
    return 0;
}

static int print_one(const struct cli *c, struct client *client, int64_t id, struct err *e)
{
    struct jsondoc *doc = NULL;
    struct table t;
    int rc;

    table_init(&t, get_columns, c->json);
    rc = client_webhook_list(client, id, add_webhook, &t, e);
    if (rc == 0 && !c->json)
        rc = table_print_record(&t, stdout, e);
    else if (rc == 0)
        rc = table_take_row(&t, &doc, e);
    if (rc == 0 && c->json)
        rc = cmd_print(doc, e);
    table_release(&t);
    return rc;
}

/* id 0: the workspace's own. */
static int print_secret(const struct cli *c, int64_t id, const char *secret, struct err *e)
{
    char text[CLIENT_WEBHOOK_ID_SIZE];
    struct jsondoc *doc;

    client_webhook_id_format(id, text);
    if (!c->json) {
        if (id != 0)
            printf("%s\n", text);
        printf("%s\n", secret);
        fputs("the secret is shown this once\n", stderr);
        return 0;
    }
    doc = jsondoc_object();
    if (id != 0)
        jsondoc_add_str(doc, "id", text);
    jsondoc_add_str(doc, "secret", secret);
    return cmd_print(doc, e);
}

/* ---- commands ------------------------------------------------------------------------------- */

static const char *keys_of(const struct cli *c)
{
    return config_text(&c->config, CONFIG_SECRET_KEY);
}

int cmd_webhook_create(struct cli *c, struct err *e)
{
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
    struct client_webhook w;
    struct client client;
    int64_t id;
    int rc = read_wanted(c, &w, e);

    if (rc == 0 && !w.url)
        rc = err_set(e, IFP_EINVALID, "give --url");
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_webhook_create(&client, &w, keys_of(c), &id, secret, e);
    client_release(&client);
    return rc == 0 ? print_secret(c, id, secret, e) : rc;
}

int cmd_webhook_list(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, list_columns, c->json);
    rc = client_webhook_list(&client, 0, add_webhook, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "webhooks", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

/* The webhook that the first argument names, and a client to ask about it. */
static int open_named(const struct cli *c, struct client *ret, int64_t *ret_id, struct err *e)
{
    int rc = read_id(c, ret_id, e);

    return rc == 0 ? cmd_client_ready(c, ret, e) : rc;
}

int cmd_webhook_get(struct cli *c, struct err *e)
{
    struct client client;
    int64_t id;
    int rc = open_named(c, &client, &id, e);

    if (rc != 0)
        return rc;
    rc = print_one(c, &client, id, e);
    client_release(&client);
    return rc;
}

int cmd_webhook_set(struct cli *c, struct err *e)
{
    struct client_webhook w;
    struct client client;
    int64_t id;
    int rc = read_id(c, &id, e);

    if (rc == 0)
        rc = read_wanted(c, &w, e);
    if (rc == 0 && cli_value(c, "enable") && cli_value(c, "disable"))
        rc = err_set(e, IFP_EINVALID, "--enable and --disable exclude each other");
    if (rc != 0)
        return rc;
    w.enabled = cli_value(c, "enable") ? 1 : cli_value(c, "disable") ? 0 : -1;
    rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_webhook_change(&client, id, &w, e);
    if (rc == 0)
        rc = print_one(c, &client, id, e);
    client_release(&client);
    return rc;
}

/* Another secret for an endpoint, or (id 0) for the workspace. */
static int rotate(const struct cli *c, int64_t id, struct err *e)
{
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
    struct client client;
    int64_t overlap_ms;
    int rc = read_overlap(c, &overlap_ms, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_webhook_rotate(&client, id, overlap_ms, keys_of(c), secret, e);
    client_release(&client);
    return rc == 0 ? print_secret(c, id, secret, e) : rc;
}

int cmd_webhook_rotate(struct cli *c, struct err *e)
{
    int64_t id;
    int rc = read_id(c, &id, e);

    return rc == 0 ? rotate(c, id, e) : rc;
}

int cmd_webhook_secret(struct cli *c, struct err *e)
{
    return rotate(c, 0, e);
}

static int print_delivery(const struct cli *c, int64_t delivery, struct err *e)
{
    char text[IFP_ID_SIZE];
    struct jsondoc *doc;

    ids_execution_format(delivery, text);
    if (!c->json) {
        puts(text);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", text);
    return cmd_print(doc, e);
}

int cmd_webhook_delete(struct cli *c, struct err *e)
{
    struct client client;
    int64_t id;
    int rc = open_named(c, &client, &id, e);

    if (rc != 0)
        return rc;
    rc = client_webhook_delete(&client, id, e);
    client_release(&client);
    if (rc == 0 && !c->json)
        puts("deleted");
    return rc;
}

int cmd_webhook_test(struct cli *c, struct err *e)
{
    struct client client;
    int64_t id, delivery;
    int rc = open_named(c, &client, &id, e);

    if (rc != 0)
        return rc;
    rc = client_webhook_ping(&client, id, &delivery, e);
    client_release(&client);
    return rc == 0 ? print_delivery(c, delivery, e) : rc;
}

int cmd_webhook_redeliver(struct cli *c, struct err *e)
{
    struct client client;
    int64_t id, delivery;
    int rc = read_id(c, &id, e);

    if (rc == 0 && ids_execution_parse(cli_arg(c, 1), &delivery) != 0)
        rc = err_set(e, IFP_EINVALID, "delivery: \"%.40s\" is not its id", cli_arg(c, 1));
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_webhook_redeliver(&client, id, delivery, &delivery, e);
    client_release(&client);
    return rc == 0 ? print_delivery(c, delivery, e) : rc;
}

static int add_delivery(void *ctx, const struct client_webhook_try *d)
{
    struct table *t = ctx;
    char id[IFP_ID_SIZE], target[IFP_ID_SIZE];

    ids_execution_format(d->id, id);
    if (d->target != 0)
        ids_execution_format(d->target, target);
    table_str(t, id);
    table_str(t, d->event);
    table_str(t, d->type);
    table_str(t, d->status);
    table_int(t, d->attempts);
    table_str(t, d->error_code);
    table_str(t, d->error);
    table_str(t, d->target != 0 ? target : NULL);
    table_time(t, d->created_ms);
    table_time(t, d->finished_ms);
    table_time(t, d->next_ms);
    return 0;
}

int cmd_webhook_deliveries(struct cli *c, struct err *e)
{
    const char *cursor = cli_value(c, "cursor");
    int64_t id = 0, before = 0, limit = 0;
    struct client client;
    struct table t;
    int rc = read_id(c, &id, e);

    if (rc == 0)
        rc = cli_int(c, "limit", 1, DELIVERIES_MAX, DELIVERIES, &limit, e);
    if (rc == 0 && cursor && ids_execution_parse(cursor, &before) != 0)
        rc = err_set(e, IFP_EINVALID, "--cursor: give the last delivery of the page before");
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, delivery_columns, c->json);
    rc = client_webhook_deliveries(&client, id, before, (int)limit, add_delivery, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "deliveries", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}
