/*
 * engine/lease.h - keeps this worker's lease, watches the other workers, takes over from dead ones.
 *
 * One statement a tick does it all: the heartbeat, a look at the others, cancels for us, and (when
 * a sweep is due) what is ready and when the next timer is.  A lease that was lost, or not
 * acknowledged for 0.8 of its length, stops new steps; safety does not need it (every write is
 * fenced), it only saves work that would be refused.
 */
#ifndef ENGINE_LEASE_H
#define ENGINE_LEASE_H

#include "core/watch.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct victim {
    int64_t worker, beats; /* as it was seen: it is marked only if it has not beaten since */
    const char *why;
};

struct lease { /* part of struct engine */
    int64_t worker_id;
    int64_t length_us;
    /* When the last acknowledged beat had left; 0: not registered.  Written by the loop alone. */
    _Atomic int64_t acked_us;
    struct beat {
        int64_t worker, sent_us;
    } ticked, beaten;               /* who sent what is in flight, when */
    int64_t sweep_us;               /* the next sweep, monotonic */
    int64_t maintain_us, retain_us; /* when the chores are due, monotonic */
    int64_t roster_us;
    int64_t lanes_seen;  /* generation of the lane table */
    int64_t queues_seen; /* and of the settings of queues */
    struct watch watch;
    struct timer timer;
    struct store_op tick, mark, release, other, retain;
    struct victim victims[8]; /* to be marked, one after the other */
    int victim_count;
    struct engine_look look; /* what the present tick says for `looked` */
    bool to_release;         /* there are dead workers whose runs are not free yet */
    bool suspect;            /* look again soon */
    bool leave_next;         /* once the operation on `other` is done */
    bool swept;              /* the tick in flight does a sweep */
};

void lease_open(struct engine *e, int64_t worker_id);
void lease_close(struct engine *e);
/* The control connection is up: register (again), then tick. */
void lease_up(struct engine *e);
/* A tick as soon as possible. */
void lease_hurry(struct engine *e);
/* New steps may begin.  Any thread. */
bool lease_fresh(const struct engine *e);
/* Ends it: what is left is released, then engine_left is called. */
void lease_leave(struct engine *e);

#endif
