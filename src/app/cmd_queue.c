/*
 * app/cmd_queue.c - the commands of queues: what they hold, their limits, pause and resume.
 */
#include "app/cmd.h"
#include "base/duration.h"
#include "store/client_queue.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_MAX = 1000000, PERIOD_TEXT = 32 };

static const struct table_column list_columns[] = {
    { "name", "QUEUE" },
    { "paused", "PAUSED" },
    { "ready", "READY" },
    { "running", "RUNNING" },
    { "waiting", "WAITING" },
    { "waiting_for_slot", NULL },
    { "oldest_ready_at", "OLDEST" },
    { "used", "USED" },
    { "concurrency", "LIMIT" },
    { "rate", "RATE" },
    { "period", "PERIOD" },
    { "burst", NULL },
    { "key_concurrency", "KEY LIMIT" },
    { "key_rate", "KEY RATE" },
    { "key_period", "KEY PERIOD" },
    { "key_burst", NULL },
    { "key_window", NULL },
    { "waiting_max", NULL },
    { 0 },
};

static const struct table_column get_columns[] = {
    { "name", "queue" },
    { "paused", "paused" },
    { "ready", "ready" },
    { "running", "running" },
    { "waiting", "waiting" },
    { "waiting_for_slot", "waiting for a slot" },
    { "oldest_ready_at", "oldest ready" },
    { "used", "places used" },
    { "concurrency", "concurrency" },
    { "rate", "rate" },
    { "period", "period" },
    { "burst", "burst" },
    { "key_concurrency", "key concurrency" },
    { "key_rate", "key rate" },
    { "key_period", "key period" },
    { "key_burst", "key burst" },
    { "key_window", "key window" },
    { "waiting_max", "waiting max" },
    { 0 },
};

static void add_limit(struct table *t, enum client_queue_limit which, int64_t value)
{
    char text[PERIOD_TEXT];

    if (value == QUEUE_UNSET) {
        table_json(t, NULL);
    } else if (which == QUEUE_PERIOD_MS || which == QUEUE_KEY_PERIOD_MS) {
        duration_format(value, text, sizeof(text));
        table_str(t, text);
    } else {
        table_int(t, value);
    }
}

static void add_queue(void *ctx, const struct client_queue *q)
{
    struct table *t = ctx;

    table_str(t, q->name);
    table_json(t, q->paused ? "true" : "false");
    table_int(t, q->ready);
    table_int(t, q->running);
    table_int(t, q->waiting);
    table_int(t, q->slot);
    table_time(t, q->oldest_ms);
    table_int(t, q->used);
    for (int i = 0; i < QUEUE_LIMITS; i++)
        add_limit(t, (enum client_queue_limit)i, q->limits[i]);
}

int cmd_queue_list(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, list_columns, c->json);
    rc = client_queue_list(&client, NULL, add_queue, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "queues", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

static int print_queue(const struct cli *c, struct client *client, struct err *e)
{
    struct jsondoc *doc = NULL;
    struct table t;
    int rc;

    table_init(&t, get_columns, c->json);
    rc = client_queue_list(client, cli_arg(c, 0), add_queue, &t, e);
    if (rc == 0 && !c->json)
        rc = table_print_record(&t, stdout, e);
    else if (rc == 0)
        rc = table_take_row(&t, &doc, e);
    if (rc == 0 && c->json)
        rc = cmd_print(doc, e);
    table_release(&t);
    return rc;
}

int cmd_queue_get(struct cli *c, struct err *e)
{
    struct client client;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = print_queue(c, &client, e);
    client_release(&client);
    return rc;
}

/* ---- changes -------------------------------------------------------------------------------- */

static int read_limits(const struct cli *c, int64_t limits[QUEUE_LIMITS], struct err *e)
{
    static const char *const names[QUEUE_LIMITS] = {
        [QUEUE_CONCURRENCY] = "concurrency",
        [QUEUE_RATE] = "rate",
        [QUEUE_PERIOD_MS] = "period",
        [QUEUE_BURST] = "burst",
        [QUEUE_KEY_CONCURRENCY] = "key-concurrency",
        [QUEUE_KEY_RATE] = "key-rate",
        [QUEUE_KEY_PERIOD_MS] = "key-period",
        [QUEUE_KEY_BURST] = "key-burst",
        [QUEUE_KEY_WINDOW] = "key-window",
        [QUEUE_WAITING_MAX] = "waiting-max",
    };
    bool given = false;
    int rc = 0;

    for (int i = 0; rc == 0 && i < QUEUE_LIMITS; i++) {
        if (i == QUEUE_PERIOD_MS || i == QUEUE_KEY_PERIOD_MS)
            rc = cli_duration(c, names[i], QUEUE_UNSET, &limits[i], e);
        else
            rc = cli_int(c, names[i], 0, LIMIT_MAX, QUEUE_UNSET, &limits[i], e);
        given |= cli_value(c, names[i]) != NULL;
    }
    if (rc == 0 && !given)
        rc = err_set(e, IFP_EINVALID, "give at least one limit, as --concurrency 10");
    return rc;
}

int cmd_queue_set(struct cli *c, struct err *e)
{
    int64_t limits[QUEUE_LIMITS];
    struct client client;
    int rc = read_limits(c, limits, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_queue_limit(&client, cli_arg(c, 0), limits, e);
    if (rc == 0)
        rc = print_queue(c, &client, e);
    client_release(&client);
    return rc;
}

static int print_word(const struct cli *c, const char *word, struct err *e)
{
    struct jsondoc *doc;

    if (!c->json) {
        puts(word);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "name", cli_arg(c, 0));
    jsondoc_add_str(doc, "queue", word);
    return cmd_print(doc, e);
}

static int set_paused(struct cli *c, bool paused, struct err *e)
{
    struct client client;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = client_queue_pause(&client, cli_arg(c, 0), paused, e);
    client_release(&client);
    return rc == 0 ? print_word(c, paused ? "paused" : "resumed", e) : rc;
}

int cmd_queue_pause(struct cli *c, struct err *e)
{
    return set_paused(c, true, e);
}

int cmd_queue_resume(struct cli *c, struct err *e)
{
    return set_paused(c, false, e);
}

int cmd_queue_delete(struct cli *c, struct err *e)
{
    struct client client;
    bool gone = false;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = client_queue_delete(&client, cli_arg(c, 0), &gone, e);
    client_release(&client);
    return rc == 0 ? print_word(c, gone ? "deleted" : "without limits", e) : rc;
}
