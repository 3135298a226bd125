/*
 * app/cmd_list.c - the listings that take no arguments: `worker list`, `workflow list`, `doctor`
 * (it exits with 1 when it found something).  Each is a table of columns and a function that fills
 * in one row.
 */
#include "app/cmd.h"
#include "base/duration.h"
#include "store/listing.h"

#include <stdio.h>

static const struct table_column worker_columns[] = {
    { "id", "ID" },
    { "state", "STATE" },
    { "executions", "EXECUTIONS" },
    { "host", "HOST" },
    { "pid", "PID" },
    { "program", "PROGRAM" },
    { "version", NULL },
    { "started_at", "STARTED" },
    { "seen_at", "SEEN" },
    { "died_of", "DIED OF" },
    { 0 },
};

static int add_worker(void *ctx, const struct listing_worker *w)
{
    struct table *t = ctx;

    table_id(t, w->id);
    table_str(t, w->state);
    table_int(t, w->executions);
    table_str(t, w->host);
    table_int(t, w->pid);
    table_str(t, w->program);
    table_str(t, w->version);
    table_time(t, w->started_ms);
    table_time(t, w->seen_ms);
    table_str(t, w->died_of);
    return 0;
}

static const struct table_column workflow_columns[] = {
    { "name", "NAME" },
    { "version", "VERSION" },
    { "queue", "QUEUE" },
    { "deadline", "DEADLINE" },
    { "live", "LIVE" },
    { "registered_at", "REGISTERED" },
    { 0 },
};

static int add_workflow(void *ctx, const struct listing_workflow *w)
{
    struct table *t = ctx;
    char deadline[32];

    if (w->deadline_ms > 0)
        duration_format(w->deadline_ms, deadline, sizeof(deadline));
    table_str(t, w->name);
    table_str(t, w->version);
    table_str(t, w->queue);
    table_str(t, w->deadline_ms > 0 ? deadline : NULL);
    table_int(t, w->live);
    table_time(t, w->registered_ms);
    return 0;
}

static const struct table_column finding_columns[] = {
    { "check", "CHECK" },
    { "severity", "SEVERITY" },
    { "subject", "SUBJECT" },
    { "detail", "DETAIL" },
    { 0 },
};

static int add_finding(void *ctx, const struct listing_finding *f)
{
    struct table *t = ctx;

    table_str(t, f->check);
    table_str(t, f->severity);
    table_str(t, f->subject);
    table_str(t, f->detail);
    return 0;
}

int cmd_list_workers(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, worker_columns, c->json);
    rc = listing_workers(&client, add_worker, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "workers", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

int cmd_list_workflows(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, workflow_columns, c->json);
    rc = listing_workflows(&client, add_workflow, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "workflows", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

int cmd_list_findings(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    size_t found = 0;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    client.db_options.statement_timeout_ms = 0; /* it reads whole tables */
    table_init(&t, finding_columns, c->json);
    rc = client_ready(&client, e);
    if (rc == 0)
        rc = listing_doctor(&client, add_finding, &t, e);
    found = t.rows;
    if (rc == 0 && found == 0 && !c->json)
        puts("ok: nothing found");
    if (rc == 0 && (found > 0 || c->json))
        rc = cmd_print_table(c, &t, "findings", e);
    else
        table_release(&t);
    client_release(&client);
    return rc == 0 && found > 0 ? 1 : rc;
}
