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
#include "app/runner.h"
#include "app/supervise.h"
#include "base/log.h"

#include <signal.h>
#include <unistd.h>

struct worker {
    struct loop *loop;           /* owned */
    struct runner runner;        /* in a worker process */
    struct supervise *supervise; /* owned; in a supervisor */
    int signals;
    int exit_code;
    struct err *e; /* borrowed: why it ended */
};

static void on_signal(void *ctx)
{
    struct worker *w = ctx;

    if (++w->signals > 1 && w->runner.engine)
        _exit(1);
    LOG_INFO(w->signals > 1 ? "stopping at once" : "stopping");
    if (w->runner.engine)
        engine_drain(w->runner.engine);
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

static int start_supervisor(const struct cli *c, struct worker *w, struct err *e)
{
    struct supervise_options options = {
        .program = "/proc/self/exe",
        .name = c->program,
        .command = "worker",
        .config = &c->config,
        .stopped = on_children_stopped,
        .ctx = w,
    };

    return supervise_open(w->loop, &options, &w->supervise, e);
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
    rc = runner_check_database(c, e);
    if (rc == 0)
        rc = loop_open(&w.loop, e);
    if (rc != 0)
        return rc;
    rc = catch_signals(&w, e);
    if (rc == 0)
        rc = supervised ? start_supervisor(c, &w, e)
                        : runner_open(&w.runner, w.loop, c, on_engine_stopped, &w, e);
    if (rc == 0) {
        if (!supervised)
            supervise_tell_ready();
        loop_run(w.loop);
        rc = w.exit_code;
    }
    supervise_close(w.supervise);
    runner_close(&w.runner);
    loop_close(w.loop);
    return rc;
}
