/*
 * engine/batch.h - the group commit: results of many executions leave in one statement, one fsync.
 *
 * Natural batching, no timer: a batch leaves when none is in flight, or when a full one is waiting
 * and a lane is free.
 * A run has at most one commit in flight, so batches may overtake each other.
 *
 * When the answer is lost the same rows go again: the statement knows its own rows.  When the
 * database refuses a batch for what is in it (SQLSTATE class 22, 23 or 54), the batch is halved
 * until the execution that fails alone is found and fails alone.
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "base/list.h"
#include "loop/loop.h"
#include "store/flush.h"

struct engine;

/* Three: while one batch waits for the disk and the answer to another is worked off, a third keeps
 * the server busy.  By default there is a connection for each, and one for claims. */
enum { BATCH_LANES = 3 };

struct batch {
    struct flush flush;
    struct engine *engine; /* borrowed */
    struct list runs;      /* in flight with it, in the flush's order */
    int count;
    int64_t sent_us; /* when it was sent; clock_mono_us */
    bool busy;
};

struct batches { /* part of struct engine */
    struct batch lanes[BATCH_LANES];
    struct timer again; /* runs whose row was locked by another, or after a lost connection */
    struct list held;   /* ... wait here */
};

void batch_open(struct engine *e);
void batch_close(struct engine *e);
/* Sends what may be sent. */
void batch_send(struct engine *e);
/* A batch is in flight. */
bool batch_busy(const struct engine *e);

#endif
