/*
 * tests/chaos/draw.h - random choices that a seed repeats on every machine (xorshift64*).  Each
 * user has a stream of its own, so that what one of them does never changes what another one draws.
 */
#ifndef CHAOS_DRAW_H
#define CHAOS_DRAW_H

#include <stdbool.h>
#include <stdint.h>

struct draw {
    uint64_t state;
};

static inline uint64_t draw_bits(struct draw *d)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return d->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline void draw_seed(struct draw *d, uint64_t seed, uint64_t stream)
{
    d->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (stream + 1) << 32;
    if (d->state == 0)
        d->state = 1;
    for (int i = 0; i < 8; i++) /* seeds that lie side by side soon go different ways */
        (void)draw_bits(d);
}

/* From `from` to `to`, both included. */
static inline int64_t draw_between(struct draw *d, int64_t from, int64_t to)
{
    return from + (int64_t)((draw_bits(d) >> 11) % (uint64_t)(to - from + 1));
}

static inline bool draw_chance(struct draw *d, int percent)
{
    return draw_between(d, 1, 100) <= percent;
}

#endif
