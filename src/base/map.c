/*
 * base/map.c - linear probing over a power of two of slots; a slot without a value is free.
 *
 * Deleting moves later members of the same cluster back instead of leaving a mark, so the length of
 * a search depends on what is in the map, not on what was.  Keys are mixed first: ids of ours come
 * in runs.  Invariant: between the home slot of a member and its place no slot is free.
 */
#include "base/map.h"

#include "base/mem.h"

#include <assert.h>
#include <inferpipe.h>

enum { MAP_CAP_MIN = 16 };

struct map_slot {
    uint64_t key;
    void *value; /* borrowed; NULL when the slot is free */
};

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
}

void map_release(struct map *m)
{
    mem_free(m->slots);
    map_init(m);
}

static size_t home(uint64_t key, size_t cap)
{
    key = (key ^ (key >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(key ^ (key >> 32)) & (cap - 1);
}

/* The slot with the key, else the free one where it belongs. */
static struct map_slot *probe(struct map_slot *slots, size_t cap, uint64_t key)
{
    size_t i = home(key, cap);

    while (slots[i].value && slots[i].key != key)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static int grow(struct map *m)
{
    size_t cap = m->cap ? m->cap * 2 : MAP_CAP_MIN;
    struct map_slot *slots;

    if (cap < m->cap || cap > SIZE_MAX / sizeof(*slots))
        return IFP_ENOMEM;
    slots = mem_zalloc(cap * sizeof(*slots));
    if (!slots)
        return IFP_ENOMEM;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            *probe(slots, cap, m->slots[i].key) = m->slots[i];
    mem_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return 0;
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->cap ? probe(m->slots, m->cap, key)->value : NULL;
}

int map_put(struct map *m, uint64_t key, void *value)
{
    struct map_slot *slot = m->cap ? probe(m->slots, m->cap, key) : NULL;

    assert(value != NULL);
    if (slot && slot->value) {
        slot->value = value;
        return 0;
    }
    if (m->count + 1 > m->cap / 4 * 3) {
        if (grow(m) != 0)
            return IFP_ENOMEM;
        slot = probe(m->slots, m->cap, key);
    }
    assert(slot != NULL && !slot->value);
    *slot = (struct map_slot){ .key = key, .value = value };
    m->count++;
    return 0;
}

void *map_del(struct map *m, uint64_t key)
{
    struct map_slot *slot = m->cap ? probe(m->slots, m->cap, key) : NULL;
    size_t mask = m->cap - 1;
    size_t hole;
    void *value;

    if (!slot || !slot->value)
        return NULL;
    value = slot->value;
    hole = (size_t)(slot - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        /* a member may move back to the hole unless its home lies behind it */
        if (((i - home(m->slots[i].key, m->cap)) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){ 0 };
    assert(m->count > 0);
    m->count--;
    return value;
}

void *map_next(const struct map *m, size_t *pos, uint64_t *ret_key)
{
    while (*pos < m->cap) {
        const struct map_slot *slot = &m->slots[(*pos)++];

        if (!slot->value)
            continue;
        *ret_key = slot->key;
        return slot->value;
    }
    return NULL;
}
