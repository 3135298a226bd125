/*
 * engine/tell.h - notes of running steps leave at once: events, and progress.
 *
 * One statement for all runs whose steps have said something, one in flight at a time: what comes
 * meanwhile goes with the next, so chunks that come quickly leave together.  It is fenced like a
 * commit; a row that another transaction holds, and a lost answer, are tried again.
 */
#ifndef ENGINE_TELL_H
#define ENGINE_TELL_H

#include "loop/loop.h"
#include "store/flush.h"

struct engine;

struct tell { /* part of struct engine */
    struct flush flush;
    struct timer again;
    uint32_t turn; /* numbers the statements */
    bool wanted;   /* a step has said something */
};

void tell_open(struct engine *e);
void tell_close(struct engine *e);
/* There may be something to send. */
void tell_soon(struct engine *e);
/* Sends what steps have said, if anything and if nothing is in flight. */
void tell_turn(struct engine *e);

#endif
