/*
 * app/cmd_retention.c - how long executions that have ended are kept: show it, set it, carry it out
 * now; and the deletion of a single one.  Workers carry the policy out by themselves.
 */
#include "app/cmd.h"
#include "base/duration.h"
#include "base/log.h"
#include "store/retention.h"

#include <stdio.h>
#include <string.h>

enum { KEEP_MIN_MS = 60 * 1000 };

static const struct table_column keep_columns[] = {
    { "status", "STATUS" },
    { "keep", "KEPT" },
    { 0 },
};

int cmd_retention_show(struct cli *c, struct err *e)
{
    struct retention_policy policy;
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = retention_get(&client, &policy, e);
    client_release(&client);
    if (rc != 0)
        return rc;
    table_init(&t, keep_columns, c->json);
    for (int i = 0; i < RETENTION_STATUSES; i++) {
        char text[32] = "forever";

        if (policy.keeps[i].keep_ms != RETENTION_EVER)
            duration_format(policy.keeps[i].keep_ms, text, sizeof(text));
        table_str(&t, policy.keeps[i].status);
        table_str(&t, text);
    }
    return cmd_print_table(c, &t, "retention", e);
}

/* A duration of at least a minute, or "forever"; 0 when the option was not given. */
static int read_keep(const struct cli *c, const char *status, int64_t *ret_ms, struct err *e)
{
    const char *text = cli_value(c, status);
    int rc;

    *ret_ms = 0;
    if (!text)
        return 0;
    if (strcmp(text, "forever") == 0) {
        *ret_ms = RETENTION_EVER;
        return 0;
    }
    rc = cli_duration(c, status, 0, ret_ms, e);
    if (rc == 0 && *ret_ms < KEEP_MIN_MS)
        rc = err_set(e, IFP_EINVALID, "--%s: \"%s\" is less than a minute", status, text);
    return rc;
}

int cmd_retention_set(struct cli *c, struct err *e)
{
    static const char *const statuses[] = { "completed", "failed", "canceled" };
    int64_t keeps[RETENTION_STATUSES];
    struct client client;
    bool any = false;
    int rc = 0;

    for (int i = 0; i < RETENTION_STATUSES && rc == 0; i++) {
        rc = read_keep(c, statuses[i], &keeps[i], e);
        any |= rc == 0 && keeps[i] != 0;
    }
    if (rc == 0 && !any)
        rc = err_set(e, IFP_EINVALID, "want --completed, --failed or --canceled with a duration");
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    for (int i = 0; i < RETENTION_STATUSES && rc == 0; i++)
        if (keeps[i] != 0)
            rc = retention_set(&client, statuses[i], keeps[i], e);
    client_release(&client);
    return rc == 0 ? cmd_retention_show(c, e) : rc;
}

int cmd_retention_run(struct cli *c, struct err *e)
{
    int64_t removed = 0, some = 0;
    struct client client;
    struct jsondoc *doc;
    bool more = true;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    client.db_options.statement_timeout_ms = 0; /* a week may be large */
    while (rc == 0 && more) {
        rc = retention_run(&client, &some, &more, e);
        removed += rc == 0 ? some : 0;
    }
    client_release(&client);
    if (rc != 0)
        return rc;
    if (!c->json) {
        printf("%lld executions removed\n", (long long)removed);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_int(doc, "removed", removed);
    return cmd_print(doc, e);
}

int cmd_retention_delete(struct cli *c, struct err *e)
{
    struct client client;
    struct jsondoc *doc;
    int64_t id = 0;
    int rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = retention_delete(&client, id, cli_value(c, "force") != NULL, e);
    client_release(&client);
    if (rc == 0 && !c->json)
        puts("deleted");
    if (rc != 0 || !c->json)
        return rc;
    doc = jsondoc_object();
    jsondoc_add_bool(doc, "deleted", true);
    return cmd_print(doc, e);
}
