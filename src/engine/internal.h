/*
 * engine/internal.h - struct engine, made of the parts that the files of engine/ own.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/sm.h"
#include "engine/batch.h"
#include "engine/claim.h"
#include "engine/ends.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/lease.h"
#include "engine/local.h"
#include "engine/quotas.h"
#include "engine/run.h"
#include "engine/tell.h"
#include "store/store.h"

enum engine_state {
    ENGINE_STARTING, /* no lease yet (or lost): registering */
    ENGINE_WORKING,
    ENGINE_DRAINING, /* finishing, handing back, then leaving */
    ENGINE_STOPPED,
    ENGINE_STATES
};

struct engine {
    struct loop *loop; /* borrowed */
    struct engine_options o;
    struct sm sm;
    struct store *store;             /* owned */
    struct store_workflow *registry; /* owned: the workflows as the store wants them */
    struct deferred turn;            /* engine_turn at the end of a loop turn */
    struct timer drain_timer;
    bool leaving;    /* the lease is being released */
    bool leave_late; /* the time of the drain is over */
    bool stop_due;   /* the store is to be closed, then `stopped` */
    bool opened;
    bool store_closed; /* only asynchronous attempts are waited for */

    struct map runs;                          /* exec_id -> struct ifp_run, owned */
    struct list ready, dirty, suspects, idle; /* what the runs are in, by state */
    struct ifp_run *alone;                    /* borrowed: while set, nothing else runs */
    int64_t db_ahead_us;                      /* the database's clock minus our monotonic one */

    struct lease lease;
    struct claim claim;
    struct ends ends;
    struct local local;
    struct quotas quotas;
    struct batches batches;
    struct jobs jobs;
    struct tell tell;
    int stop_code;
    struct err stop_error;
};

/* The database's time now, as far as we know it. */
int64_t engine_db_now(const struct engine *e);
/* A newer reading of the database's clock. */
void engine_db_clock(struct engine *e, int64_t db_us);
/* Work may be possible: have a turn soon. */
void engine_poke(struct engine *e);
/* Forgets all runs (the lease is lost) and starts over. */
void engine_restart(struct engine *e);
/* An error that no retry mends. */
void engine_give_up(struct engine *e, const struct err *err);
/* A run was freed: drains and lonely runs look at it. */
void engine_run_gone(struct engine *e);
/* An asynchronous attempt is gone: who closes may wait for it. */
void engine_async_gone(struct engine *e);
/* The lease is released. */
void engine_left(struct engine *e);
bool engine_draining(const struct engine *e);
/* Reads a limit of the configuration. */
int64_t engine_limit(const struct engine *e, enum config_id id);

#endif
