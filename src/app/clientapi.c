/*
 * app/clientapi.c - the client half of inferpipe.h: a thin front of store/client.
 *
 * Limits and the default workspace come from the environment (INFERPIPE_*), as for the commands.
 * Each call leaves its error's text in the client; ids are checked here, all else below.
 */
#include "app/app.h"
#include "app/wait.h"
#include "base/config.h"
#include "base/ids.h"
#include "base/mem.h"
#include "engine/plan.h"
#include "store/client.h"
#include "store/dbclient.h"
#include "store/repair.h"

#include <string.h>

struct ifp_client {
    struct client client;
    bool open; /* client is */
    struct err e;
};

static int open_with(struct ifp_client *client, const struct config *config, const char *conninfo)
{
    int rc = dbclient_open(config, conninfo, &client->client, &client->e);

    if (rc != 0)
        return rc;
    client->open = true;
    return client_ready(&client->client, &client->e);
}

/* What the environment says; to be released also after a failure. */
static int load_config(struct config *config, struct err *e)
{
    int rc = config_init(config, e);

    if (rc == 0)
        rc = config_load_env(config, e);
    return rc == 0 ? config_check(config, e) : rc;
}

int ifp_client_open(const char *conninfo, ifp_client **ret_client)
{
    struct ifp_client *client = mem_zalloc(sizeof(*client));
    struct config config;
    int rc;

    if (!client)
        return IFP_ENOMEM;
    err_clear(&client->e);
    *ret_client = client;
    rc = load_config(&config, &client->e);
    if (rc == 0)
        rc = open_with(client, &config, conninfo);
    config_release(&config);
    return rc;
}

void ifp_client_close(ifp_client *client)
{
    if (!client)
        return;
    if (client->open)
        client_release(&client->client);
    mem_free(client);
}

const char *ifp_client_error(const ifp_client *client)
{
    return client ? client->e.text : "out of memory";
}

/* Begins a call: forgets the last error; refuses a client that never opened. */
static int begin(ifp_client *client)
{
    err_clear(&client->e);
    if (!client->open)
        return err_set(&client->e, IFP_EINVALID, "the client is not open");
    return 0;
}

static int begin_with(ifp_client *client, const char *id, int64_t *ret_id)
{
    int rc = begin(client);

    if (rc == 0 && ids_execution_parse(id ? id : "", ret_id) != 0)
        rc = err_set(&client->e, IFP_EINVALID, "\"%s\" is not an execution id", id ? id : "");
    return rc;
}

int ifp_client_start(ifp_client *client, const char *workflow, const char *input,
                     const ifp_start_options *options, char ret_id[IFP_ID_SIZE])
{
    static const ifp_start_options defaults = { 0 };
    const char *text = input ? input : "null";
    int64_t id = 0;
    bool created;
    int rc = begin(client);

    if (rc == 0)
        rc = client_start(&client->client, workflow ? workflow : "", text, strlen(text),
                          options ? options : &defaults, &id, &created, &client->e);
    if (rc == 0)
        ids_execution_format(id, ret_id);
    return rc;
}

static int start_batch(ifp_client *client, const ifp_start_item *items, size_t n,
                       char (*ret_ids)[IFP_ID_SIZE])
{
    int64_t ids[CLIENT_BATCH_MAX];
    bool created[CLIENT_BATCH_MAX];
    int rc = client_start_many(&client->client, items, n, ids, created, &client->e);

    for (size_t i = 0; rc == 0 && i < n; i++)
        ids_execution_format(ids[i], ret_ids[i]);
    return rc;
}

int ifp_client_start_many(ifp_client *client, const ifp_start_item *items, size_t n,
                          char (*ret_ids)[IFP_ID_SIZE])
{
    size_t at = 0;
    int rc = begin(client);

    for (size_t i = 0; i < n; i++)
        ret_ids[i][0] = '\0';
    if (rc != 0)
        return rc;
    rc = client_check_items(&client->client, items, n, &at, &client->e);
    if (rc != 0)
        return err_wrap(&client->e, "item %zu", at);
    for (at = 0; rc == 0 && at < n; at += CLIENT_BATCH_MAX) {
        rc = start_batch(client, items + at, MIN(n - at, CLIENT_BATCH_MAX), ret_ids + at);
        if (rc != 0)
            err_wrap(&client->e, "items from %zu on", at);
    }
    return rc;
}

int ifp_client_get(ifp_client *client, const char *id, ifp_execution *ret)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_get(&client->client, number, ret, NULL, &client->e) : rc;
}

int ifp_client_children(ifp_client *client, const char *id, ifp_children *ret)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_children(&client->client, number, ret, &client->e) : rc;
}

int ifp_client_wait(ifp_client *client, const char *id, int64_t timeout_ms, ifp_execution *ret)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    if (rc == 0 && timeout_ms < -1)
        rc = err_set(&client->e, IFP_EINVALID, "timeout_ms must not be negative, but for -1");
    return rc == 0 ? wait_execution(&client->client, number, timeout_ms, ret, &client->e) : rc;
}

int ifp_client_send(ifp_client *client, const char *id, const char *name, const char *message,
                    const char *dedupe)
{
    const char *text = message ? message : "null";
    int64_t number = 0;
    bool fresh;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_send(&client->client, number, name ? name : "", text, strlen(text),
                                 dedupe, &fresh, &client->e)
                   : rc;
}

int ifp_client_events(ifp_client *client, const char *id, int64_t after, int64_t timeout_ms,
                      ifp_event_fn *fn, void *ctx)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    if (rc == 0 && (timeout_ms < -1 || !fn))
        rc = err_set(&client->e, IFP_EINVALID,
                     "timeout_ms must not be negative, but for -1, and a function is needed");
    return rc == 0 ? wait_events(&client->client, number, after, timeout_ms, fn, ctx, &client->e)
                   : rc;
}

int ifp_client_state(ifp_client *client, const char *id, char **ret_state)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_state(&client->client, number, ret_state, &client->e) : rc;
}

void ifp_client_free(void *memory)
{
    mem_free(memory);
}

int ifp_client_cancel(ifp_client *client, const char *id, bool force)
{
    int64_t number = 0;
    bool now;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_cancel(&client->client, number, force, &now, &client->e) : rc;
}

int ifp_client_fork(ifp_client *client, const char *id, const ifp_fork_options *options,
                    char ret_id[IFP_ID_SIZE])
{
    int64_t number = 0, fork = 0;
    bool created;
    int rc = begin_with(client, id, &number);

    if (rc == 0)
        rc = client_fork(&client->client, number, options, &fork, &created, &client->e);
    if (rc == 0)
        ids_execution_format(fork, ret_id);
    return rc;
}

int ifp_client_retry(ifp_client *client, const char *id)
{
    int64_t number = 0;
    int rc = begin_with(client, id, &number);

    return rc == 0 ? client_retry(&client->client, number, &client->e) : rc;
}

/* ---- before a deploy ------------------------------------------------------------------------ */

static void sum_up(const struct plan *plan, ifp_plan_totals *ret)
{
    const struct plan_line *lines;
    size_t n = plan_lines(plan, &lines);

    *ret = (ifp_plan_totals){ 0 };
    for (size_t i = 0; i < n; i++) {
        ret->continues += lines[i].verdicts[IFP_CONTINUES];
        ret->diverges += lines[i].verdicts[IFP_DIVERGES];
        ret->fails += lines[i].verdicts[IFP_FAILS];
        ret->unknown += lines[i].verdicts[IFP_UNKNOWN];
    }
}

static int plan_with(const struct plan_options *o, ifp_plan_totals *ret, struct err *e)
{
    struct plan *plan;
    int rc = plan_open(o, &plan, e);

    if (rc != 0)
        return rc;
    rc = plan_run(plan, e);
    if (rc == 0)
        sum_up(plan, ret);
    plan_close(plan);
    return rc;
}

static int check_plan(const ifp_app *app, const ifp_plan_options *o, struct err *e)
{
    if (!app)
        return err_set(e, IFP_EINVALID, "no app is given");
    if (o->limit < 0)
        return err_set(e, IFP_EINVALID, "limit must not be negative");
    if (app->mistake.code != 0)
        *e = app->mistake;
    return app->mistake.code;
}

int ifp_plan(ifp_client *client, const ifp_app *app, const ifp_plan_options *options,
             ifp_plan_fn *fn, void *ctx, ifp_plan_totals *ret_totals)
{
    const ifp_plan_options o = options ? *options : (ifp_plan_options){ 0 };
    struct config config;
    int rc = begin(client);

    if (rc == 0)
        rc = check_plan(app, &o, &client->e);
    if (rc != 0)
        return rc;
    rc = load_config(&config, &client->e);
    if (rc == 0)
        rc = plan_with(&(struct plan_options){ .config = &config,
                                               .client = &client->client,
                                               .workflows = app->workflows,
                                               .workflow_count = app->workflow_count,
                                               .workflow = o.workflow,
                                               .queue = o.queue,
                                               .limit = o.limit,
                                               .found = fn,
                                               .ctx = ctx },
                       ret_totals, &client->e);
    config_release(&config);
    return rc;
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { MANY_DEFAULT = 1000, MANY_MAX = 1000000 };

struct reporting {
    ifp_outcome_fn *fn; /* may be NULL */
    void *ctx;
};

static int report_outcome(void *ctx, const struct repair_outcome *o)
{
    const struct reporting *r = ctx;
    char id[IFP_ID_SIZE], fork[IFP_ID_SIZE];

    if (!r->fn)
        return 0;
    ids_execution_format(o->id, id);
    ids_execution_format(o->fork, fork);
    return r->fn(r->ctx, &(ifp_outcome){ .id = id,
                                         .error = o->code,
                                         .detail = o->detail,
                                         .fork = o->fork ? fork : NULL });
}

static int take_filter(const ifp_filter *f, struct repair_filter *ret, struct err *e)
{
    *ret = (struct repair_filter){ .status = f->status,
                                   .workflow = f->workflow,
                                   .version = f->version,
                                   .queue = f->queue,
                                   .error_code = f->error_code,
                                   .since_ms = f->since_ms,
                                   .until_ms = f->until_ms };
    if (!f->status)
        return err_set(e, IFP_EINVALID, "status: is needed");
    if (f->limit < 0 || f->limit > MANY_MAX)
        return err_set(e, IFP_EINVALID, "limit: must be 1 to %d, or 0 for %d", MANY_MAX,
                       MANY_DEFAULT);
    if (f->after && *f->after && ids_execution_parse(f->after, &ret->after) != 0)
        return err_set(e, IFP_EINVALID, "after: \"%.40s\" is not an execution id", f->after);
    return 0;
}

/* `what` NULL: only finds them. */
static int do_many(ifp_client *client, const ifp_filter *f, const struct repair *what,
                   struct reporting report, ifp_many *ret)
{
    struct repair_total total = { 0 };
    struct repair_filter filter;
    int rc = begin(client);

    if (rc == 0)
        rc = take_filter(f, &filter, &client->e);
    if (rc == 0)
        rc = repair_many(&client->client, what, &filter, f->limit ? f->limit : MANY_DEFAULT,
                         report_outcome, &report, &total, &client->e);
    if (ret) {
        *ret = (ifp_many){ .done = total.done, .refused = total.refused, .more = total.more };
        if (total.last)
            ids_execution_format(total.last, ret->last);
    }
    return rc;
}

int ifp_client_retry_many(ifp_client *client, const ifp_filter *filter, ifp_outcome_fn *fn,
                          void *ctx, ifp_many *ret)
{
    return do_many(client, filter, &(struct repair){ .kind = REPAIR_RETRY },
                   (struct reporting){ fn, ctx }, ret);
}

int ifp_client_cancel_many(ifp_client *client, const ifp_filter *filter, bool force,
                           ifp_outcome_fn *fn, void *ctx, ifp_many *ret)
{
    return do_many(client, filter, &(struct repair){ .kind = REPAIR_CANCEL, .force = force },
                   (struct reporting){ fn, ctx }, ret);
}

int ifp_client_fork_many(ifp_client *client, const ifp_filter *filter,
                         const ifp_fork_options *options, ifp_outcome_fn *fn, void *ctx,
                         ifp_many *ret)
{
    static const ifp_fork_options defaults = { 0 };
    const ifp_fork_options *o = options ? options : &defaults;
    struct repair what = {
        .kind = REPAIR_FORK, .from = o->from, .version = o->version, .key = o->key
    };

    if (o->input || o->set || o->set_count > 0) {
        if (ret)
            *ret = (ifp_many){ 0 };
        return err_set(&client->e, IFP_EINVALID, "input and set: are for a single fork");
    }
    return do_many(client, filter, &what, (struct reporting){ fn, ctx }, ret);
}

int ifp_client_find(ifp_client *client, const ifp_filter *filter, ifp_outcome_fn *fn, void *ctx,
                    ifp_many *ret)
{
    return do_many(client, filter, NULL, (struct reporting){ fn, ctx }, ret);
}
