/*
 * engine/notes.h - what an execution says beside its journal: costs of its steps, its live state.
 *
 * Notes wait in their run, oldest first, and leave with its next commit; a step does not start
 * while some wait.  Every commit carries all that are not acknowledged, so they arrive in order,
 * and what was sent twice writes the same once more.
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
    int32_t sent;       /* ... of the newest one in the commit in flight */
    int64_t state_mark; /* what the newest state is known by */
};

void notes_init(struct notes *n);
/* Forgets all of them. */
void notes_clear(struct notes *n);
/* Copies the note and numbers it; IFP_ENOMEM. */
int notes_add(struct notes *n, const struct flush_note *note) MUSTCHECK;
bool notes_any(const struct notes *n);
/* Adds all to the run that was added last. */
void notes_fill(struct notes *n, struct flush *f);
/* What notes_fill added is durable. */
void notes_acked(struct notes *n);

#endif
