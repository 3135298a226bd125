/*
 * engine/engine.h - the worker of one process: claims executions, runs their workflow functions and
 * steps, commits what happened, and leaves in order.
 *
 *   STARTING -> WORKING -> DRAINING -> STOPPED        WORKING -> STARTING when the lease was lost
 *
 * src/engine/README.md follows one execution from claim to commit.  Loop thread only.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/base.h"
#include "base/config.h"
#include "base/err.h"
#include "base/span.h"
#include "loop/loop.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

struct engine_workflow {
    const char *name, *version, *queue; /* borrowed, must outlive the engine */
    int64_t deadline_ms;                /* 0: none */
    ifp_workflow_fn *fn;
    ifp_step_options step; /* defaults for its steps */
    void *ctx;             /* borrowed; of its asynchronous steps (async.h) */
};

struct store;

/* What a tick of a working engine has seen, for those that work beside it on its store. */
struct engine_look {
    struct store *store; /* borrowed, until a look of NULL comes */
    int64_t worker;
    int64_t now_us;       /* the database's clock */
    bool cron;            /* there are schedules that run ... */
    int64_t cron_next_us; /* ... when the next one is due, */
    bool cron_waits;      /* whether ticks wait to be started, */
    int64_t cron_holder;  /* and who holds their lock; 0: nobody */
};
/* From the loop.  NULL: the store is about to close; nothing may be begun on it any more. */
typedef void engine_looked_fn(void *ctx, const struct engine_look *look);

struct engine_options {
    const struct config *config;             /* borrowed */
    const char *program;                     /* shown in `worker list` */
    const struct engine_workflow *workflows; /* borrowed */
    size_t workflow_count;
    int64_t worker_id; /* 0: drawn; later incarnations are drawn in any case */
    /* Once, from the loop: after a drain with 0, or with an error that no retry mends. */
    void (*stopped)(void *ctx, int err, const struct err *e);
    void *ctx;
    engine_looked_fn *looked; /* may be NULL */
    void *look_ctx;
    span_fn *span; /* is told of executions, steps and attempts that have ended; may be NULL */
    void *span_ctx;
    bool rehearsal; /* of passes alone (rehearse.h): what they say is not said */
};

/* Begins to work as soon as the database answers. */
int engine_open(struct loop *l, const struct engine_options *o, struct engine **ret,
                struct err *e) MUSTCHECK;
/* It works: its lease holds, it claims. */
bool engine_ready(const struct engine *e);
/* Stops claiming, lets running steps finish for at most CONFIG_DRAIN, hands the rest back, releases
 * the lease, then `stopped` comes.  Twice is fine. */
void engine_drain(struct engine *e);
/* After `stopped`, from outside its call; NULL is fine.  Threads whose step ignores everything are
 * left behind: the process is about to end. */
void engine_close(struct engine *e);

#endif
