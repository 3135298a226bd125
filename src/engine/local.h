/*
 * engine/local.h - executions that this process starts for itself: they are born owned, so nothing
 * is queued, claimed or announced.  For programs that start work where it is to run.
 */
#ifndef ENGINE_LOCAL_H
#define ENGINE_LOCAL_H

#include "base/jsonscan.h"
#include "store/store.h"

#include <stddef.h>

struct engine;

struct local { /* part of struct engine */
    struct store_op op;
    int64_t started_as; /* who sent what is in flight */
};

void local_open(struct engine *e);
void local_close(struct engine *e);
/* Starts up to n executions of a workflow of this engine, all with one input (JSON, at most the
 * inline limit), as many as there are free slots; gives how many.  0: not now, as the slots are
 * full, the engine drains or has no lease yet, or such a start is under way.  They are durable once
 * they run. */
size_t local_start(struct engine *e, const char *workflow, struct slice input, size_t n);

#endif
