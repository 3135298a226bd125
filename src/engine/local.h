/*
 * engine/local.h - executions that this process starts for itself: they are born owned, so nothing
 * is queued, claimed or announced.  For programs that start work where it is to run.
 */
#ifndef ENGINE_LOCAL_H
#define ENGINE_LOCAL_H

#include "base/jsonscan.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;

/* Two: while what one start gave is worked off, the next one is on its way. */
enum { LOCAL_STARTS = 2 };

struct local_op {
    struct store_op op;
    struct engine *engine; /* borrowed */
    int64_t started_as;    /* who sent it */
    size_t asked;          /* while in flight: how many may come */
};

struct local { /* part of struct engine */
    struct local_op ops[LOCAL_STARTS];
};

void local_open(struct engine *e);
void local_close(struct engine *e);
/* Starts up to n executions of a workflow of this engine, all with one input (JSON, at most the
 * inline limit), as many as there are free slots; gives how many.  0: not now, as the slots are
 * full, the engine drains or has no lease yet, or two such starts are under way.  They are durable
 * once they run. */
size_t local_start(struct engine *e, const char *workflow, struct slice input, size_t n);
/* A start is in flight. */
bool local_busy(const struct engine *e);

#endif
