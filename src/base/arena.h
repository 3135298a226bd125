/*
 * base/arena.h - memory that is freed all at once: one arena per turn of an execution, per attempt
 * of a step, per request.
 *
 * Fails sticky: after one failed allocation `broken` stays set and all later ones give NULL, so a
 * builder checks once at its end.  Freed and unused parts are poisoned for ASan.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* owned, newest first */
    size_t used;              /* bytes handed out */
    size_t limit;             /* of `used`; 0 means none */
    bool broken;
    bool full; /* broken by the limit, not by want of memory */
};

void arena_init(struct arena *a, size_t limit);
/* Aligned for any type; not cleared.  NULL when memory is out or over the limit. */
void *arena_alloc(struct arena *a, size_t size) MUSTCHECK;
void *arena_zalloc(struct arena *a, size_t size) MUSTCHECK;
char *arena_strndup(struct arena *a, const char *s, size_t len) MUSTCHECK;
char *arena_printf(struct arena *a, const char *format, ...) MUSTCHECK PRINTF_LIKE(2, 3);
/* Everything handed out is gone; keeps the first block for reuse; clears `broken` and `full`. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
