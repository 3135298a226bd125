/*
 * base/map.h - a hash map from 64-bit keys to pointers, open addressing, grown at 3/4.
 * Values are borrowed and never NULL.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"

#include <stddef.h>
#include <stdint.h>

struct map_slot;

struct map {
    struct map_slot *slots; /* owned */
    size_t cap, count;
};

void map_init(struct map *m);
void map_release(struct map *m);
void *map_get(const struct map *m, uint64_t key);
/* Sets or replaces; IFP_ENOMEM leaves the map as it was. */
int map_put(struct map *m, uint64_t key, void *value) MUSTCHECK;
/* Takes the entry out and gives its value, or NULL. */
void *map_del(struct map *m, uint64_t key);
/* Walks all entries: start with *pos = 0 until NULL comes.  No changes meanwhile. */
void *map_next(const struct map *m, size_t *pos, uint64_t *ret_key);

#endif
