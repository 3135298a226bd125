/*
 * app/cmd_execution.c - the commands for one execution or a list of them.
 *
 * `start` prints the id first of all and flushes it: whatever happens to --wait, the caller has it.
 */
#include "app/cmd.h"
#include "app/cmd_repair.h"
#include "app/cmd_start.h"
#include "app/wait.h"
#include "base/duration.h"
#include "base/ids.h"
#include "base/mem.h"
#include "store/listing.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { LIST_DEFAULT = 50, LIST_MAX = 1000 };

/* ---- start ---------------------------------------------------------------------------------- */

struct started {
    int64_t id;
    bool created; /* false: the key had started it before */
};

/* --at, which the store would refuse under another name. */
static int start_at(const struct cli *c, int64_t *ret_ms, struct err *e)
{
    int rc;

    if (!cli_value(c, "at"))
        return 0;
    if (cli_value(c, "delay") || cli_value(c, "debounce-key"))
        return err_set(e, IFP_EINVALID, "--at goes without --delay and --debounce-key");
    rc = cmd_time(c, "at", ret_ms, e);
    if (rc == 0 && (*ret_ms <= 0 || *ret_ms > 2 * DURATION_MAX_MS))
        rc = err_set(e, IFP_EINVALID, "--at: must be a time from 1970 to 2169");
    return rc;
}

static int start_options(const struct cli *c, ifp_start_options *ret, int64_t *ret_timeout_ms,
                         struct err *e)
{
    int64_t priority = 0;
    ifp_start_options o = {
        .version = cli_value(c, "version"),
        .queue = cli_value(c, "queue"),
        .key = cli_value(c, "key"),
        .metadata = cli_value(c, "metadata"),
        .traceparent = cli_value(c, "traceparent"),
        .queue_key = cli_value(c, "queue-key"),
        .debounce_key = cli_value(c, "debounce-key"),
    };
    int rc = cli_int(c, "priority", 1, 5, 0, &priority, e);

    if (rc == 0)
        rc = cli_duration(c, "delay", 0, &o.delay_ms, e);
    if (rc == 0)
        rc = start_at(c, &o.run_at_ms, e);
    if (rc == 0)
        rc = cli_duration(c, "deadline", 0, &o.deadline_ms, e);
    if (rc == 0)
        rc = cli_duration(c, "debounce", 0, &o.debounce_ms, e);
    if (rc == 0)
        rc = cli_duration(c, "debounce-max", 0, &o.debounce_max_ms, e);
    if (rc == 0)
        rc = cli_duration(c, "timeout", -1, ret_timeout_ms, e);
    if (rc == 0 && cli_value(c, "timeout") && !cli_value(c, "wait"))
        rc = err_set(e, IFP_EINVALID, "--timeout goes with --wait");
    if (rc != 0)
        return rc;
    o.priority = (int)priority;
    *ret = o;
    return 0;
}

static int print_started(const struct cli *c, const struct started *s, struct err *e)
{
    char id[IFP_ID_SIZE];
    struct jsondoc *doc;

    ids_execution_format(s->id, id);
    if (!c->json) {
        puts(id);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", id);
    jsondoc_add_bool(doc, "created", s->created);
    return cmd_print(doc, e);
}

static int print_ended_json(const ifp_execution *x, bool created, struct err *e)
{
    struct jsondoc *doc = jsondoc_object();

    jsondoc_add_str(doc, "id", x->id);
    jsondoc_add_bool(doc, "created", created);
    jsondoc_add_str(doc, "status", cmd_status(x->status));
    if (x->output)
        jsondoc_add_raw(doc, "output", x->output);
    if (x->error_code || x->error) {
        jsondoc_add_str(doc, "error_code", x->error_code);
        jsondoc_add_str(doc, "error", x->error);
    }
    return cmd_print(doc, e);
}

static void print_ended(const ifp_execution *x)
{
    puts(cmd_status(x->status));
    if (x->status == IFP_COMPLETED)
        puts(x->output ? x->output : "null");
    else
        fprintf(stderr, "%s: %s\n", x->error_code ? x->error_code : "", x->error ? x->error : "");
}

static int wait_and_print(const struct cli *c, struct client *client, const struct started *s,
                          int64_t timeout_ms, struct err *e)
{
    char id[IFP_ID_SIZE];
    ifp_execution x;
    int rc;

    ids_execution_format(s->id, id);
    if (!c->json)
        puts(id);
    fflush(stdout);
    rc = wait_execution(client, s->id, timeout_ms, &x, e);
    if (rc != 0)
        return err_wrap(e, "%s", id);
    if (c->json)
        rc = print_ended_json(&x, s->created, e);
    else
        print_ended(&x);
    if (rc == 0)
        rc = cmd_exit_code(x.status);
    ifp_execution_release(&x);
    return rc;
}

/* Starts it; an unknown workflow gets a text that says what to do. */
static int start(struct client *client, const char *workflow, const struct buf *input,
                 const ifp_start_options *o, struct started *ret, struct err *e)
{
    int rc = client_ready(client, e);

    if (rc != 0)
        return rc;
    rc = client_start(client, workflow, input->data, input->len, o, &ret->id, &ret->created, e);
    if (rc != IFP_ENOTFOUND)
        return rc;
    return err_set(e, rc, "unknown workflow \"%s\"%s%s; a worker registers it at its first start",
                   workflow, o->version ? " version " : "", o->version ? o->version : "");
}

/* What goes with a file of inputs and what does not. */
static int check_file_options(const struct cli *c, struct err *e)
{
    bool file = cli_value(c, "from-file") != NULL;

    if (file && (cli_value(c, "input") || cli_value(c, "wait")))
        return err_set(e, IFP_EINVALID, "--from-file goes without --input and --wait");
    if (!file && cli_value(c, "key-from"))
        return err_set(e, IFP_EINVALID, "--key-from goes with --from-file");
    if (cli_value(c, "key") && cli_value(c, "key-from"))
        return err_set(e, IFP_EINVALID, "--key-from goes without --key");
    return 0;
}

int cmd_execution_start(struct cli *c, struct err *e)
{
    const char *input = cli_value(c, "input");
    int64_t timeout_ms = -1;
    ifp_start_options options;
    struct client client;
    struct started started;
    struct buf value;
    int rc;

    buf_init(&value);
    rc = start_options(c, &options, &timeout_ms, e);
    if (rc == 0)
        rc = check_file_options(c, e);
    if (rc == 0 && cli_value(c, "from-file"))
        return cmd_start_file(c, &options, e);
    if (rc == 0)
        rc = cmd_value(c, "input", input ? input : "null", &value, e);
    if (rc == 0)
        rc = cmd_client(c, &client, e);
    if (rc != 0)
        goto out;
    rc = start(&client, cli_arg(c, 0), &value, &options, &started, e);
    if (rc == 0 && cli_value(c, "wait"))
        rc = wait_and_print(c, &client, &started, timeout_ms, e);
    else if (rc == 0)
        rc = print_started(c, &started, e);
    client_release(&client);
out:
    buf_release(&value);
    return rc;
}

/* ---- list ----------------------------------------------------------------------------------- */

static const struct table_column list_columns[] = {
    { "id", "ID" },
    { "workflow", "WORKFLOW" },
    { "version", NULL },
    { "queue", NULL },
    { "status", "STATUS" },
    { "waiting_for", "WAITING FOR" },
    { "created_at", "CREATED" },
    { "finished_at", "FINISHED" },
    { "ready_at", NULL },
    { "worker_id", NULL },
    { "crashes", NULL },
    { "error_code", "ERROR" },
    { "error", "MESSAGE" },
    { "parent", NULL },
    { 0 },
};

struct page {
    struct table table;
    int64_t last; /* id of the last row */
};

static int add_execution(void *ctx, const struct listing_execution *x)
{
    struct page *p = ctx;
    char id[IFP_ID_SIZE], parent[IFP_ID_SIZE];

    ids_execution_format(x->id, id);
    ids_execution_format(x->parent, parent);
    table_str(&p->table, id);
    table_str(&p->table, x->workflow);
    table_str(&p->table, x->version);
    table_str(&p->table, x->queue);
    table_str(&p->table, x->status);
    table_str(&p->table, x->waiting_for);
    table_time(&p->table, x->created_ms);
    table_time(&p->table, x->finished_ms);
    table_time(&p->table, x->ready_ms);
    table_id(&p->table, x->worker);
    table_int(&p->table, x->crashes);
    table_str(&p->table, x->error_code);
    table_str(&p->table, x->error);
    table_str(&p->table, x->parent ? parent : NULL);
    p->last = x->id;
    return 0;
}

static int list_filter(const struct cli *c, struct listing_filter *ret, struct err *e)
{
    static const char *const states[] = { "queued", "running", "completed", "failed", "canceled" };
    const char *cursor = cli_value(c, "cursor"), *status = cli_value(c, "status");
    const char *parent = cli_value(c, "parent");
    struct listing_filter f = { .status = status, .workflow = cli_value(c, "workflow") };
    bool known = !status;
    int64_t limit = 0;
    int rc = cli_int(c, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, e);

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        known |= status && strcmp(status, states[i]) == 0;
    if (rc == 0 && !known)
        rc = err_set(e, IFP_EINVALID,
                     "--status: \"%s\" is not queued, running, completed, failed or canceled",
                     status);
    if (rc == 0 && f.workflow)
        rc = client_check_slug("--workflow", f.workflow, e);
    if (rc == 0 && parent && ids_execution_parse(parent, &f.parent) != 0)
        rc = err_set(e, IFP_EINVALID, "--parent: \"%s\" is not an execution id", parent);
    if (rc == 0 && cursor && ids_execution_parse(cursor, &f.before) != 0)
        rc = err_set(e, IFP_EINVALID, "--cursor: \"%s\" is not the cursor of a page", cursor);
    if (rc != 0)
        return rc;
    f.limit = (int)limit;
    *ret = f;
    return 0;
}

/* `cursor` is NULL after the last page. */
static int print_page(const struct cli *c, struct page *p, const char *cursor, struct err *e)
{
    struct jsondoc *doc, *rows;
    int rc;

    if (!c->json) {
        rc = table_print(&p->table, stdout, e);
        if (rc == 0 && cursor)
            fprintf(stderr, "more: --cursor %s\n", cursor);
        return rc;
    }
    rc = table_take_rows(&p->table, &rows, e);
    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    jsondoc_add(doc, "executions", rows);
    jsondoc_add_str(doc, "cursor", cursor);
    return cmd_print(doc, e);
}

int cmd_execution_list(struct cli *c, struct err *e)
{
    struct listing_filter filter;
    char cursor[IFP_ID_SIZE];
    struct client client;
    struct page page = { .last = 0 };
    int rc = list_filter(c, &filter, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&page.table, list_columns, c->json);
    rc = listing_executions(&client, &filter, add_execution, &page, e);
    client_release(&client);
    ids_execution_format(page.last, cursor);
    if (rc == 0)
        rc = print_page(c, &page, page.table.rows == (size_t)filter.limit ? cursor : NULL, e);
    table_release(&page.table);
    return rc;
}

/* ---- get ------------------------------------------------------------------------------------ */

static const struct table_column get_columns[] = {
    { "id", "id" },
    { "workflow", "workflow" },
    { "version", "version" },
    { "queue", "queue" },
    { "status", "status" },
    { "waiting_for", "waiting for" },
    { "created_at", "created" },
    { "finished_at", "finished" },
    { "input", "input" },
    { "output", "output" },
    { "error_code", "error" },
    { "error", "message" },
    { "forked_from", "forked from" },
    { "parent", "parent" },
    { "children", "children" },
    { "continued", "continued" },
    { "tokens", "tokens" },
    { "usd", "usd" },
    { 0 },
};

/* "2 running, 7 completed"; in JSON an object with all five; nothing for one without children. */
static void add_children(struct table *t, const ifp_children *n)
{
    const struct {
        const char *status;
        int64_t n;
    } counts[] = { { "queued", n->queued },
                   { "running", n->running },
                   { "completed", n->completed },
                   { "failed", n->failed },
                   { "canceled", n->canceled } };
    char text[256] = "";
    size_t len = 0;
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        any |= counts[i].n > 0;
        if (t->json)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%c\"%s\":%lld",
                                    i == 0 ? '{' : ',', counts[i].status, (long long)counts[i].n);
        else if (counts[i].n > 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lld %s",
                                    len > 0 ? ", " : "", (long long)counts[i].n, counts[i].status);
    }
    assert(len + 2 < sizeof(text));
    if (t->json)
        memcpy(text + len, "}", 2);
    table_json(t, any ? text : NULL);
}

/* People need not read that it never did. */
static void add_continued(struct table *t, int times)
{
    if (t->json || times > 0)
        table_int(t, times);
    else
        table_json(t, NULL);
}

/* Nothing for one that never said what it cost. */
static void add_cost(struct table *t, const ifp_execution *x)
{
    char tokens[24], usd[32];
    bool told = x->tokens != 0 || x->usd > 0;

    (void)snprintf(tokens, sizeof(tokens), "%lld", (long long)x->tokens);
    (void)snprintf(usd, sizeof(usd), "%.9g", x->usd);
    table_json(t, told ? tokens : NULL);
    table_json(t, told ? usd : NULL);
}

static int print_execution(const struct cli *c, const ifp_execution *x, const char *input,
                           const ifp_children *children, struct err *e)
{
    struct jsondoc *doc = NULL;
    struct table t;
    int rc;

    table_init(&t, get_columns, c->json);
    table_str(&t, x->id);
    table_str(&t, x->workflow);
    table_str(&t, x->version);
    table_str(&t, x->queue);
    table_str(&t, cmd_status(x->status));
    table_str(&t, x->waiting_for);
    table_time(&t, x->created_ms);
    table_time(&t, x->finished_ms);
    table_json(&t, input);
    table_json(&t, x->output);
    table_str(&t, x->error_code);
    table_str(&t, x->error);
    table_str(&t, x->forked_from);
    table_str(&t, x->parent);
    add_children(&t, children);
    add_continued(&t, x->continued);
    add_cost(&t, x);
    if (!c->json)
        rc = table_print_record(&t, stdout, e);
    else
        rc = table_take_row(&t, &doc, e);
    if (rc == 0 && c->json)
        rc = cmd_print(doc, e);
    table_release(&t);
    return rc;
}

int cmd_execution_get(struct cli *c, struct err *e)
{
    struct client client;
    ifp_children children;
    ifp_execution x;
    char *input = NULL;
    int64_t id = 0;
    int rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_children(&client, id, &children, e);
    if (rc == 0)
        rc = client_get(&client, id, &x, &input, e);
    client_release(&client);
    if (rc != 0)
        return rc;
    rc = print_execution(c, &x, input, &children, e);
    mem_free(input);
    ifp_execution_release(&x);
    return rc;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static const struct table_column step_columns[] = {
    { "seq", "SEQ" },       { "step", "STEP" },
    { "name", NULL },       { "kind", "KIND" },
    { "status", "STATUS" }, { "attempts", "ATTEMPTS" },
    { "took_us", NULL },    { "done_at", "DONE" },
    { "wake_at", "WAKES" }, { "error_code", "ERROR" },
    { "error", NULL },      { "tokens", NULL },
    { "usd", NULL },        { "progress", NULL },
    { "result", "RESULT" }, { 0 },
};

enum { LABEL_SIZE = 256 }; /* a name of 200 bytes, and a number */

/* What `fork --from` takes: the name, with its number from the second one on. */
static void step_label(const struct listing_step *s, char ret[LABEL_SIZE])
{
    int len = snprintf(ret, LABEL_SIZE, "%s", s->name);

    if (s->nth > 1 && len > 0 && len < LABEL_SIZE)
        (void)snprintf(ret + len, (size_t)(LABEL_SIZE - len), "#%lld", (long long)s->nth);
}

static int add_step(void *ctx, const struct listing_step *s)
{
    struct table *t = ctx;
    char label[LABEL_SIZE];

    step_label(s, label);
    table_int(t, s->seq);
    table_str(t, label);
    table_str(t, s->name);
    table_str(t, s->kind);
    table_str(t, s->status);
    table_int(t, s->attempts);
    table_int(t, s->took_us);
    table_time(t, s->done_ms);
    table_time(t, s->wake_ms);
    table_str(t, s->error_code);
    table_str(t, s->error);
    if (s->usd)
        table_int(t, s->tokens);
    else
        table_json(t, NULL);
    table_json(t, s->usd);
    table_json(t, s->progress);
    table_json(t, s->result);
    return 0;
}

int cmd_execution_steps(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int64_t id = 0;
    int rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, step_columns, c->json);
    rc = listing_steps(&client, id, 0, add_step, &t, e);
    client_release(&client);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "steps", e);
    else
        table_release(&t);
    return rc;
}

/* ---- send, cancel, retry -------------------------------------------------------------------- */

/* One line of text, or an object with the id and one more member. */
static int print_outcome(const struct cli *c, const char *key, bool value, const char *text,
                         struct err *e)
{
    struct jsondoc *doc;

    if (!c->json) {
        puts(text);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", cli_arg(c, 0));
    jsondoc_add_bool(doc, key, value);
    return cmd_print(doc, e);
}

int cmd_execution_send(struct cli *c, struct err *e)
{
    const char *name = cli_arg(c, 1), *message = cli_arg(c, 2);
    struct client client;
    struct buf value;
    bool fresh = false;
    int64_t id = 0;
    int rc = cmd_id(c, &id, e);

    buf_init(&value);
    if (rc == 0)
        rc = cmd_value(c, "message", message ? message : "null", &value, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        goto out;
    rc = client_send(&client, id, name, value.data, value.len, cli_value(c, "dedupe"), &fresh, e);
    client_release(&client);
    if (rc == 0)
        rc = print_outcome(c, "sent", fresh, fresh ? "sent" : "sent before", e);
out:
    buf_release(&value);
    return rc;
}

int cmd_execution_cancel(struct cli *c, struct err *e)
{
    struct client client;
    bool now = false;
    int64_t id = 0;
    int rc;

    if (cmd_repair_wanted(c))
        return cmd_repair_run(c, REPAIR_CANCEL, e);
    rc = cmd_repair_check_single(c, e);
    if (rc == 0)
        rc = cmd_id(c, &id, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_cancel(&client, id, cli_value(c, "force") != NULL, &now, e);
    client_release(&client);
    if (rc == 0)
        rc = print_outcome(c, "canceled", now, now ? "canceled" : "requested", e);
    return rc;
}

int cmd_execution_retry(struct cli *c, struct err *e)
{
    struct client client;
    int64_t id = 0;
    int rc;

    if (cmd_repair_wanted(c))
        return cmd_repair_run(c, REPAIR_RETRY, e);
    rc = cmd_repair_check_single(c, e);
    if (rc == 0)
        rc = cmd_id(c, &id, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_retry(&client, id, e);
    client_release(&client);
    if (rc == 0)
        rc = print_outcome(c, "queued", true, "queued", e);
    return rc;
}
