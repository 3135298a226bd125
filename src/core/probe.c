/* core/probe.c - a flat table of spots; a worker has few lanes, so linear walks are fine. */
#include "core/probe.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

enum { PRIOS = PROBE_PRIO_LAST - PROBE_PRIO_FIRST + 1, REVERSE_EVERY = 16, SLACK_US = 200 * 1000 };

void probe_init(struct probe *p, int shards, unsigned home)
{
    assert(shards >= 1 && shards <= PROBE_SHARDS_MAX);
    *p = (struct probe){ .shards = shards, .home = home % (unsigned)shards };
}

void probe_release(struct probe *p)
{
    mem_free(p->spots);
    p->spots = NULL;
    p->count = 0;
}

static size_t lane_size(const struct probe *p)
{
    assert(p->shards >= 1 && p->shards <= PROBE_SHARDS_MAX);
    return (size_t)p->shards * PRIOS;
}

/* The first spot of a lane, or NULL. */
static struct probe_spot *lane_spots(const struct probe *p, int32_t lane)
{
    assert(p->count % lane_size(p) == 0);
    for (size_t i = 0; i < p->count; i += lane_size(p))
        if (p->spots[i].lane == lane)
            return &p->spots[i];
    return NULL;
}

static struct probe_spot *spot(const struct probe *p, int32_t lane, int16_t shard, int16_t prio)
{
    struct probe_spot *first = lane_spots(p, lane), *found;

    if (!first || shard < 0 || shard >= p->shards || prio < PROBE_PRIO_FIRST ||
        prio > PROBE_PRIO_LAST)
        return NULL;
    found = first + (prio - PROBE_PRIO_FIRST) * p->shards + shard;
    assert(found->lane == lane && found->shard == shard && found->prio == prio);
    return found;
}

int probe_set_lanes(struct probe *p, const int32_t *lanes, size_t n)
{
    size_t count = n * lane_size(p), at = 0;
    struct probe_spot *spots = mem_resize(NULL, count ? count : 1, sizeof(*spots));

    if (!spots)
        return IFP_ENOMEM;
    for (size_t l = 0; l < n; l++)
        for (int prio = PROBE_PRIO_FIRST; prio <= PROBE_PRIO_LAST; prio++)
            for (int shard = 0; shard < p->shards; shard++) {
                struct probe_spot *old = spot(p, lanes[l], (int16_t)shard, (int16_t)prio);

                spots[at++] = old ? *old
                                  : (struct probe_spot){ .lane = lanes[l],
                                                         .shard = (int16_t)shard,
                                                         .prio = (int16_t)prio,
                                                         .marked = true,
                                                         .from_us = PROBE_FROM_START,
                                                         .next_us = PROBE_NEVER };
            }
    assert(at == count);
    mem_free(p->spots);
    p->spots = spots;
    p->count = count;
    return 0;
}

static void mark(struct probe_spot *s)
{
    s->marked = true;
    s->marks++;
}

void probe_mark_lane(struct probe *p, int32_t lane)
{
    assert(lane >= 0);
    for (size_t i = 0; i < p->count; i++)
        if (lane == 0 || p->spots[i].lane == lane)
            mark(&p->spots[i]);
}

void probe_mark(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us)
{
    struct probe_spot *s = spot(p, lane, shard, prio);

    if (!s)
        return;
    mark(s);
    if (ready_us < s->from_us)
        s->from_us = ready_us;
}

void probe_expect(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us)
{
    struct probe_spot *s = spot(p, lane, shard, prio);

    if (s)
        s->next_us = MIN(s->next_us, ready_us);
}

int64_t probe_pass(struct probe *p, int64_t now_us)
{
    int64_t next = PROBE_NEVER;

    for (size_t i = 0; i < p->count; i++) {
        struct probe_spot *s = &p->spots[i];

        if (s->next_us <= now_us) {
            mark(s);
            s->next_us = PROBE_NEVER;
        }
        next = MIN(next, s->next_us);
    }
    return next;
}

bool probe_any(const struct probe *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->spots[i].marked)
            return true;
    return false;
}

/* Marked spots of one priority over all lanes, from the home shard on. */
static size_t gather(const struct probe *p, int prio, struct probe_spot *ret, size_t room)
{
    size_t n = 0;

    assert(prio >= PROBE_PRIO_FIRST && prio <= PROBE_PRIO_LAST);
    assert(room <= PROBE_BATCH_MAX && p->home < (unsigned)p->shards);
    for (int k = 0; k < p->shards; k++) {
        int shard = (int)((p->home + (unsigned)k) % (unsigned)p->shards);

        for (size_t i = 0; i < p->count && n < room; i += lane_size(p)) {
            const struct probe_spot *s =
                &p->spots[i + (size_t)((prio - PROBE_PRIO_FIRST) * p->shards + shard)];

            assert(s->shard == shard && s->prio == prio);
            if (s->marked)
                ret[n++] = *s;
        }
    }
    return n;
}

size_t probe_next(struct probe *p, struct probe_spot ret[PROBE_BATCH_MAX])
{
    bool reverse = ++p->turns % REVERSE_EVERY == 0;
    size_t n = 0;

    for (int k = 0; k < PRIOS; k++) {
        int prio = reverse ? PROBE_PRIO_LAST - k : PROBE_PRIO_FIRST + k;

        n += gather(p, prio, ret + n, PROBE_BATCH_MAX - n);
    }
    assert(n <= PROBE_BATCH_MAX);
    return n;
}

void probe_took(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us)
{
    struct probe_spot *s = spot(p, lane, shard, prio);

    assert(ready_us > PROBE_FROM_START + SLACK_US);
    if (s)
        s->from_us = ready_us - SLACK_US;
}

void probe_done(struct probe *p, const struct probe_spot *spots, size_t n, bool full)
{
    assert(n <= PROBE_BATCH_MAX);
    if (full)
        return;
    for (size_t i = 0; i < n; i++) {
        struct probe_spot *s = spot(p, spots[i].lane, spots[i].shard, spots[i].prio);

        if (s && s->marks == spots[i].marks)
            s->marked = false;
    }
}
