/*
 * engine/notes.h - what an execution says beside its journal: costs and progress of its steps, its
 * live state, its stream of events.
 *
 * Notes wait in their run, oldest first.  They leave with its next commit, and a step does not
 * start while some wait; what a running step says leaves at once, by a statement of its own
 * (tell.h). Either way carries all that are not acknowledged, so they arrive in order whichever
 * comes first, and what arrives twice is written once.
 */
#ifndef ENGINE_NOTES_H
#define ENGINE_NOTES_H

#include "base/list.h"
#include "store/flush.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct note {
    struct list link;
    struct flush_note body; /* its texts lie behind it */
};

struct notes { /* part of struct ifp_run */
    struct list list;
    int32_t last;       /* number of the newest note */
    int32_t due;        /* ... of the newest one that no running step has said */
    int32_t sent;       /* ... of the newest one in the commit in flight */
    int32_t told;       /* ... of the newest one that the statement in flight carries */
    uint32_t told_turn; /* the number of that statement */
    int32_t events;     /* of the execution so far, as far as this process knows */
    size_t bytes;       /* of data that waits */
    int64_t state_mark; /* what the newest state is known by */
};

void notes_init(struct notes *n);
/* Forgets all of them. */
void notes_clear(struct notes *n);
/* A copy in memory of its own, not numbered and in no list; NULL when memory is out. */
struct note *notes_copy(const struct flush_note *note) MUSTCHECK;
/* Numbers it and takes it over. */
void notes_push(struct notes *n, struct note *note);
int notes_add(struct notes *n, const struct flush_note *note) MUSTCHECK;
bool notes_any(const struct notes *n);
/* All that there are become due: the next commit is for them, no step starts before it. */
void notes_make_due(struct notes *n);
bool notes_due(const struct notes *n);
/* Adds all to the run that was added last; gives the number of the newest. */
int32_t notes_fill(const struct notes *n, struct flush *f);
/* Some may leave before the run's next commit. */
bool notes_early(const struct notes *n);
/* The same for those: all in front of the first cost, which goes with the row of its attempt. */
int32_t notes_fill_early(const struct notes *n, struct flush *f);
/* Those up to this number are durable. */
void notes_acked(struct notes *n, int32_t upto);

#endif
