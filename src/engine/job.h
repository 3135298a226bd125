/*
 * engine/job.h - one attempt of a step: the public ifp_step_ctx.
 *
 * It has memory of its own and outlives its run when user code does not return: job->run is NULL
 * then and its result is dropped.  Transactional attempts wait for one of a few connections.
 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include "base/arena.h"
#include "base/list.h"
#include "base/value.h"
#include "engine/job_notes.h"
#include "engine/run.h"
#include "loop/work.h"
#include "store/txstep.h"

#include <stdatomic.h>

struct tx_slot {       /* a connection, used by one attempt at a time */
    struct list link;  /* in jobs->free */
    struct pgsync *db; /* owned; NULL until first used */
};

struct jobs {               /* part of struct engine */
    struct work_pool *pool; /* owned */
    struct list live;       /* all there are */
    struct list waiting;    /* transactional ones without a connection */
    struct list free;       /* tx_slot */
    struct tx_slot *slots;  /* owned */
    int slot_count;
    int async; /* asynchronous ones among `live` */
};

struct job_async {           /* of an asynchronous attempt: async.c */
    void (*stop)(void *ctx); /* NULL: none, or told */
    void *stop_ctx, *ctx;
    int64_t from_us;
    bool begun, stopping;
};

struct ifp_step_ctx {
    struct value_owner owner; /* first; its arena is `arena` */
    struct work work;
    struct list link, wait_link;
    struct engine *engine; /* borrowed */
    struct ifp_run *run;   /* borrowed; NULL once detached */
    struct branch *branch; /* borrowed; NULL: the run's one step */
    struct tx_slot *slot;  /* borrowed; while a transactional attempt runs */
    struct arena arena;
    ifp_step_fn *fn;
    ifp_step_tx_fn *tx_fn;
    async_begin_fn *begin;
    struct job_async async;
    struct txstep tx;
    int64_t exec_id, step_key, timeout_ms, heartbeat_ms;
    int64_t start_us; /* when it began, or began to wait for a thread; 0: nobody will ask */
    int32_t seq;
    int attempt;
    bool on_loop;
    const char *name; /* in the arena */
    const ifp_json *progress;
    struct job_notes notes;
    char id[IFP_ID_SIZE];
    char key[40];
    char lease[64];           /* id.worker.fence */
    struct traceparent trace; /* the attempt's own span */
    atomic_bool canceled;

    /* written by the pool thread, read on the loop after `done` */
    int rc;
    const ifp_json *input, *output;
    int64_t took_us;
    bool committed; /* transactional: the row is in the journal */
    bool unknown;   /* transactional: only the journal knows */
    bool lost;      /* transactional: the execution is another worker's now */
    bool finished;  /* of a branch: it waits for the answer of a commit */
    bool skipped;   /* its turn came when the lease had gone stale: nothing ran */
    bool final;
    char code[64];
    const char *text; /* in the arena; NULL: none */
    struct err err;
};

int job_open(struct engine *e, struct err *err) MUSTCHECK;
/* Abandons what still runs user code; false: such threads are left and may look at the engine. */
bool job_close(struct engine *e) MUSTCHECK;
/* Starts the attempt that the branch (or, NULL, run->action) asks for; IFP_ENOMEM starts nothing.
 * A step on the loop has ended when this returns. */
int job_start(struct ifp_run *run, struct branch *branch) MUSTCHECK;
/* Cuts it from its run: it is told to stop and its result will be dropped. */
void job_detach(struct ifp_step_ctx *job);
/* Tells it to stop; its result still counts.  True: it had not begun, and is freed. */
bool job_cancel(struct ifp_step_ctx *job) MUSTCHECK;
/* It has ended, on the loop: its run takes the outcome, and it is freed. */
void job_ended(struct ifp_step_ctx *job);
/* Frees a finished job of a branch. */
void job_free(struct ifp_step_ctx *job);

#endif
