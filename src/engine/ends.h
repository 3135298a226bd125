/*
 * engine/ends.h - a parent that stays in memory beside parallel steps hears of children that end.
 *
 * One that waits for children alone leaves memory: the end of a child wakes its row.  Beside an
 * attempt under way it stays, and nobody tells its worker.  So the worker asks: after each tick,
 * one statement for all such waits, about the children that they name and that are not known to
 * have ended.  What it learns goes into the journal in memory, as if it had been loaded.
 *
 * Nothing is lost when an answer is: the next tick asks the same again.
 */
#ifndef ENGINE_ENDS_H
#define ENGINE_ENDS_H

#include "base/list.h"
#include "store/store.h"

struct engine;
struct ifp_run;

struct ends { /* part of struct engine */
    struct store_op op;
    struct list runs; /* by struct ifp_run.ends: in RUN_BRANCHES, waiting for children */
};

void ends_open(struct engine *e);
void ends_close(struct engine *e);
/* The run comes into RUN_BRANCHES: from now on its wait is asked about, if it is for children.  Any
 * other move takes it out again. */
void ends_watch(struct ifp_run *run);
/* Asks, if there is something to ask and nothing in flight. */
void ends_look(struct engine *e);

#endif
