/*
 * tests/sim/worker.h - one worker process: an engine with a loop, connections and threads of its
 * own, which may stall, lose the network, or die.
 */
#ifndef TESTS_SIM_WORKER_H
#define TESTS_SIM_WORKER_H

#include "base/config.h"
#include "base/list.h"
#include "engine/engine.h"
#include "sim/sim.h"

struct loop;
struct work_pool;

struct sim_worker {
    int number;
    struct config config;
    struct loop *loop;     /* owned */
    struct engine *engine; /* owned */
    struct list ports;     /* of struct port.link: its connections */
    struct work_pool *pool;
    int64_t ahead_us;      /* its clocks', of the world's */
    int64_t stalled_until; /* it gets no processor until then */
    int64_t cut_until;     /* the network between it and the database is down until then */
    int64_t turn_us;       /* when its next turn is planned; INT64_MAX: not */
    bool dead;             /* nothing of it happens any more, but for taking it apart */
    bool stopped;          /* its engine has stopped */
};

struct sim_worker *worker_open(int number);
/* Takes it apart without a trace in the database: what it still sends is lost. */
void worker_kill(struct sim_worker *w);
/* As on SIGTERM. */
void worker_drain(struct sim_worker *w);
void worker_stall(struct sim_worker *w, int64_t us);
bool worker_stalled(const struct sim_worker *w);

/* Around each call into a worker's code: its clocks are in force, and then its next turn is
 * planned. */
void worker_enter(struct sim_worker *w);
void worker_leave(void);
/* Calls fn as the worker: now, or when it is no longer stalled; never once it is dead. */
void worker_call(struct sim_worker *w, sim_fn *fn, void *ctx, int64_t arg);

/* net.c: the server would answer the worker now. */
bool net_reachable(const struct sim_worker *w);
/* The worker died. */
void net_kill(struct sim_worker *w);
/* Ends everything that a dead worker waits for; false: it waited for nothing. */
bool net_drop_all(struct sim_worker *w);
/* Breaks the worker's connections: those of `which` bit, counted over all its connections. */
void net_reset(struct sim_worker *w, unsigned which);
/* The server goes down with all that it has not committed; it answers again at that time.  The
 * caller then breaks the connections of all workers. */
void net_server_down(int64_t until_us);
void net_open(void); /* before a schedule */
/* A notification for the worker if it listens; some are lost. */
void net_notify(struct sim_worker *w, int64_t lane);

/* pool.c: ends the running jobs of a dead worker. */
bool pool_finish_all(struct sim_worker *w);

#endif
