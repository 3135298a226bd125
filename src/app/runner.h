/*
 * app/runner.h - the engine of this process with the ticker beside it: what `worker` and `serve`
 * run.  Loop thread only.
 */
#ifndef APP_RUNNER_H
#define APP_RUNNER_H

#include "api/hooks.h"
#include "app/cli.h"
#include "engine/engine.h"
#include "http/tracer.h"
#include "prim/ticker.h"

struct runner {
    struct engine *engine;             /* owned; NULL: none runs */
    struct ticker *ticker;             /* owned; NULL: schedules are fired by others */
    struct api_hooks *hooks;           /* owned; NULL: webhooks are delivered by others */
    struct engine_workflow *workflows; /* owned: the program's, and those that are ours */
    struct tracer *tracer;             /* owned; NULL: no traces are exported */
    struct monitor *monitor;           /* owned; NULL: no metrics-port */
    const struct config *config;       /* borrowed */
    void (*stopped)(void *ctx, int err, const struct err *e);
    void *ctx;
    int stop_code;
    struct err stop_error;
};

/* A database that is there and will never do (IFP_ESCHEMA and the like) is told at once, before
 * anything is started.  One that is away may come: that is 0. */
int runner_check_database(const struct cli *c, struct err *e) MUSTCHECK;
/* Opens both for the program's workflows; `stopped` as in engine_options.  Zeroed before; on
 * failure runner_close is still due.  The runner stays where it is until then. */
int runner_open(struct runner *r, struct loop *l, const struct cli *c,
                void (*stopped)(void *ctx, int err, const struct err *e), void *ctx,
                struct err *e) MUSTCHECK;
/* After `stopped`, or when there is no engine. */
void runner_close(struct runner *r);

#endif
