/*
 * app/runner.c - from the program's workflows and schedules to an engine and its ticker.
 *
 * The ticker comes first and goes last but one: the engine tells it what its ticks have seen, also
 * that they are over.  A supervisor hands the worker's id in the environment, so that it can tell
 * the database at once when that worker has died.
 */
#include "app/runner.h"

#include "api/monitor.h"
#include "app/app.h"
#include "app/cmd.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int runner_check_database(const struct cli *c, struct err *e)
{
    struct client client;
    struct err why;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    err_clear(&why);
    rc = client_ready(&client, &why);
    client_release(&client);
    if (rc != 0 && err_retryable(rc)) {
        LOG_WARN("the database does not answer yet", LOG_ERR(&why));
        return 0;
    }
    if (rc != 0)
        *e = why;
    return rc;
}

/* The incarnation that a supervisor gave us, or 0.  Not for the programs that steps may start. */
static int given_worker_id(int64_t *ret, struct err *e)
{
    const char *text = getenv("INFERPIPE_WORKER_ID");
    long long id;
    char *end;

    if (!text) {
        *ret = 0;
        return 0;
    }
    errno = 0;
    id = strtoll(text, &end, 10);
    if (end == text || *end || errno || id <= 0)
        return err_set(e, IFP_EINVALID, "INFERPIPE_WORKER_ID is not a worker id");
    unsetenv("INFERPIPE_WORKER_ID");
    *ret = id;
    return 0;
}

static int open_ticker(struct runner *r, struct loop *l, const struct cli *c, struct err *e)
{
    struct ticker_options options = {
        .loop = l,
        .config = &c->config,
        .program = c->app->name,
        .jobs = c->app->schedules,
        .job_count = c->app->schedule_count,
    };

    return ticker_open(&options, &r->ticker, e);
}

/* The engine has stopped; the last attempts of deliveries ended with it.  What it told of itself
 * leaves before we say so. */
static void on_traces_left(void *ctx)
{
    struct runner *r = ctx;

    r->stopped(r->ctx, r->stop_code, &r->stop_error);
}

static void on_monitor_closed(void *ctx)
{
    struct runner *r = ctx;

    r->monitor = NULL;
    tracer_drain(r->tracer, config_int(r->config, CONFIG_OTLP_TIMEOUT), on_traces_left, r);
}

static void on_hooks_closed(void *ctx)
{
    struct runner *r = ctx;

    r->hooks = NULL;
    monitor_close(r->monitor, on_monitor_closed, r);
}

static void on_engine_stopped(void *ctx, int err, const struct err *e)
{
    struct runner *r = ctx;

    r->stop_code = err;
    r->stop_error = *e;
    if (r->hooks)
        hooks_close(r->hooks, on_hooks_closed, r);
    else
        on_hooks_closed(r);
}

static void on_monitor_gone(void *ctx)
{
    loop_stop(ctx);
}

/* Nothing runs yet but the monitor, whose end the loop brings. */
static void abandon_monitor(struct runner *r, struct loop *l)
{
    if (!r->monitor)
        return;
    monitor_close(r->monitor, on_monitor_gone, l);
    r->monitor = NULL;
    loop_run(l);
}

static void on_unused_closed(void *ctx)
{
    (void)ctx;
}

/* The program's workflows and ours behind them; gives how many. */
static int list_workflows(struct runner *r, struct loop *l, const struct cli *c, size_t *ret,
                          struct err *e)
{
    size_t n = c->app->workflow_count;

    r->workflows = mem_resize(NULL, n + 1, sizeof(*r->workflows));
    if (!r->workflows)
        return err_set(e, IFP_ENOMEM, "out of memory");
    if (n != 0)
        memcpy(r->workflows, c->app->workflows, n * sizeof(*r->workflows));
    *ret = n;
    if (config_int(&c->config, CONFIG_WEBHOOKS) == 0)
        return 0;
    if (hooks_open(l, &c->config, &r->hooks, e) != 0)
        return e->code;
    r->hooks->span = r->tracer ? tracer_span : NULL;
    r->hooks->span_ctx = r->tracer;
    r->workflows[(*ret)++] = hooks_workflow(r->hooks);
    return 0;
}

int runner_open(struct runner *r, struct loop *l, const struct cli *c,
                void (*stopped)(void *ctx, int err, const struct err *e), void *ctx, struct err *e)
{
    struct engine_options options = {
        .config = &c->config,
        .program = c->app->name,
        .stopped = on_engine_stopped,
        .ctx = r,
    };
    int rc = given_worker_id(&options.worker_id, e);

    r->config = &c->config;
    r->stopped = stopped;
    r->ctx = ctx;
    if (rc == 0)
        rc = tracer_open_from(l, &c->config, &r->tracer, e);
    if (r->tracer) {
        options.span = tracer_span;
        options.span_ctx = r->tracer;
    }
    if (rc == 0)
        rc = list_workflows(r, l, c, &options.workflow_count, e);
    options.workflows = r->workflows;
    if (rc == 0 && config_int(&c->config, CONFIG_CRON) != 0)
        rc = open_ticker(r, l, c, e);
    if (r->ticker) {
        options.looked = ticker_looked;
        options.look_ctx = r->ticker;
    }
    if (rc == 0)
        rc = monitor_open(l, &c->config, &r->monitor, e);
    if (rc == 0)
        rc = engine_open(l, &options, &r->engine, e);
    if (rc != 0)
        abandon_monitor(r, l);
    if (rc == 0 && c->app->started)
        c->app->started(l, r->engine);
    return rc;
}

void runner_close(struct runner *r)
{
    ticker_close(r->ticker);
    engine_close(r->engine);
    if (r->hooks)
        hooks_close(r->hooks, on_unused_closed, NULL); /* nothing was begun */
    mem_free(r->workflows);
    tracer_close(r->tracer);
    *r = (struct runner){ 0 };
}
