/*
 * app/cmd_list.c - the listings that take no arguments: `worker list` and `workflow list`.  Each
 * is a table of columns and a function that fills in one row.
 */
#include "app/cmd.h"
#include "base/duration.h"
#include "store/listing.h"

#include <stdio.h>

static const struct table_column worker_columns[] = {
    { "id", "ID" },        { "state", "STATE" },     { "executions", "EXECUTIONS" },
    { "host", "HOST" },    { "pid", "PID" },         { "program", "PROGRAM" },
    { "version", NULL },   { "workflows", "RUNS" },  { "started_at", "STARTED" },
    { "seen_at", "SEEN" }, { "died_of", "DIED OF" }, { 0 },
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
    table_str(t, w->workflows);
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
    { "workers", "WORKERS" },
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
    table_int(t, w->workers);
    table_time(t, w->registered_ms);
    return 0;
}

/* ---- worker list ---------------------------------------------------------------------------- */

static const struct table_column stranded_columns[] = {
    { "workflow", "STRANDED" },
    { "version", "VERSION" },
    { "executions", "EXECUTIONS" },
    { 0 },
};

/* A workflow with live executions that no living worker runs. */
static int add_stranded(void *ctx, const struct listing_workflow *w)
{
    struct table *t = ctx;

    if (w->live == 0 || w->workers > 0)
        return 0;
    table_str(t, w->name);
    table_str(t, w->version);
    table_int(t, w->live);
    return 0;
}

static int print_workers(const struct cli *c, struct table *workers, struct table *stranded,
                         struct err *e)
{
    struct jsondoc *doc, *rows, *more;
    int rc;

    if (!c->json) {
        rc = table_print(workers, stdout, e);
        if (rc == 0 && stranded->rows > 0) {
            puts("");
            rc = table_print(stranded, stdout, e);
        }
        return rc;
    }
    rc = table_take_rows(workers, &rows, e);
    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    jsondoc_add(doc, "workers", rows);
    rc = table_take_rows(stranded, &more, e);
    if (rc == 0)
        jsondoc_add(doc, "stranded", more);
    return cmd_print(doc, e);
}

int cmd_list_workers(struct cli *c, struct err *e)
{
    struct table workers, stranded;
    struct client client;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&workers, worker_columns, c->json);
    table_init(&stranded, stranded_columns, c->json);
    rc = listing_workers(&client, add_worker, &workers, e);
    if (rc == 0)
        rc = listing_workflows(&client, add_stranded, &stranded, e);
    if (rc == 0)
        rc = print_workers(c, &workers, &stranded, e);
    table_release(&workers);
    table_release(&stranded);
    client_release(&client);
    return rc;
}

/* ---- workflow list -------------------------------------------------------------------------- */

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
