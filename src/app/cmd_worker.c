/*
 * app/cmd_worker.c - `worker`: the engine in this process, or a supervisor with children that are
 * such workers.
 *
 * SIGTERM or SIGINT asks for the ordered end: no new claims, running steps finish or are handed
 * back, the lease is released, exit 0.  A second signal ends at once with exit code 1: then it is
 * up to the other workers, as after a crash.
 */
#include "app/app.h"
#include "app/cmd.h"
#include "app/supervise.h"
#include "base/log.h"
#include "engine/engine.h"
#include "prim/ticker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
    struct loop *loop;           /* owned */
    struct engine *engine;       /* owned; in a worker process */
    struct ticker *ticker;       /* owned; in a worker process, unless switched off */
    struct supervise *supervise; /* owned; in a supervisor */
    int signals;
    int exit_code;
    struct err *e; /* borrowed: why it ended */
};

static void on_signal(void *ctx)
{
    struct worker *w = ctx;

    if (++w->signals > 1 && w->engine)
        _exit(1);
    LOG_INFO(w->signals > 1 ? "stopping at once" : "stopping");
    if (w->engine)
        engine_drain(w->engine);
    if (w->supervise)
        supervise_stop(w->supervise, w->signals > 1);
}

static void on_engine_stopped(void *ctx, int err, const struct err *e)
{
    struct worker *w = ctx;

    if (err != 0)
        *w->e = *e;
    w->exit_code = err;
    loop_stop(w->loop);
}

static void on_child(void *ctx)
{
    struct worker *w = ctx;

    if (w->supervise)
        supervise_reap(w->supervise);
}

static void on_children_stopped(void *ctx, int exit_code)
{
    struct worker *w = ctx;

    w->exit_code = exit_code;
    loop_stop(w->loop);
}

static int catch_signals(struct worker *w, struct err *e)
{
    int rc;

    signal(SIGPIPE, SIG_IGN); /* a closed log must not end a worker */
    rc = loop_on_signal(w->loop, SIGTERM, on_signal, w, e);
    if (rc == 0)
        rc = loop_on_signal(w->loop, SIGINT, on_signal, w, e);
    if (rc == 0)
        rc = loop_on_signal(w->loop, SIGCHLD, on_child, w, e);
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

static int open_ticker(const struct cli *c, struct worker *w, struct err *e)
{
    struct ticker_options options = {
        .loop = w->loop,
        .config = &c->config,
        .program = c->app->name,
        .jobs = c->app->schedules,
        .job_count = c->app->schedule_count,
    };

    return ticker_open(&options, &w->ticker, e);
}

static int start_engine(const struct cli *c, struct worker *w, struct err *e)
{
    struct engine_options options = {
        .config = &c->config,
        .program = c->app->name,
        .workflows = c->app->workflows,
        .workflow_count = c->app->workflow_count,
        .stopped = on_engine_stopped,
        .ctx = w,
    };
    int rc = given_worker_id(&options.worker_id, e);

    if (rc == 0 && config_int(&c->config, CONFIG_CRON) != 0)
        rc = open_ticker(c, w, e);
    if (w->ticker) {
        options.looked = ticker_looked;
        options.look_ctx = w->ticker;
    }
    if (rc == 0)
        rc = engine_open(w->loop, &options, &w->engine, e);
    if (rc == 0 && c->app->started)
        c->app->started(w->loop, w->engine);
    return rc;
}

static int start_supervisor(const struct cli *c, struct worker *w, struct err *e)
{
    struct supervise_options options = {
        .program = "/proc/self/exe",
        .name = c->program,
        .config = &c->config,
        .stopped = on_children_stopped,
        .ctx = w,
    };

    return supervise_open(w->loop, &options, &w->supervise, e);
}

/* A database that is there and will never do is told at once, before any process is started.  One
 * that is away may come: that is waited for. */
static int check_database(const struct cli *c, struct err *e)
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

int cmd_worker_run(struct cli *c, struct err *e)
{
    bool supervised = cli_value(c, "supervise") || config_int(&c->config, CONFIG_PROCESSES) > 1;
    struct worker w = { .e = e };
    int rc;

    if (c->app->workflow_count == 0)
        return err_set(e, IFP_EINVALID,
                       "this program has no workflows: link yours with libinferpipe and run the "
                       "`worker` command of that program");
    rc = check_database(c, e);
    if (rc == 0)
        rc = loop_open(&w.loop, e);
    if (rc != 0)
        return rc;
    rc = catch_signals(&w, e);
    if (rc == 0)
        rc = supervised ? start_supervisor(c, &w, e) : start_engine(c, &w, e);
    if (rc == 0) {
        loop_run(w.loop);
        rc = w.exit_code;
    }
    supervise_close(w.supervise);
    ticker_close(w.ticker);
    engine_close(w.engine);
    loop_close(w.loop);
    return rc;
}
