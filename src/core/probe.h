/*
 * core/probe.h - where the next claim looks.  Pure.
 *
 * Ready executions are indexed by (lane, shard, priority).  A spot is one such triple; it is marked
 * when something may be there: a notification came for its lane, the due check of the tick named
 * it, or a claim took as many as it asked for.  A claim probes marked spots only: first by
 * priority, then from a shard that differs from worker to worker, so that workers seldom meet.
 * Every 16th claim goes through the priorities in reverse, so that none starves.
 *
 * A spot also knows when something will be due there next, as far as it was told: by the tick for
 * every spot, by a claim that found it too early, by a commit of this worker that let a run sleep.
 * When that time has come the spot is marked, by itself: timers of one spot cost no look elsewhere.
 *
 * The watermark of a spot keeps a claim from walking over dead index entries: look from 200 ms
 * before the earliest ready time seen last.  It only affects latency: the tick's due check looks
 * from the beginning and lowers it again.
 */
#ifndef CORE_PROBE_H
#define CORE_PROBE_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_PRIO_FIRST = 1, PROBE_PRIO_LAST = 5, PROBE_SHARDS_MAX = 64, PROBE_BATCH_MAX = 80 };
#define PROBE_FROM_START INT64_MIN
#define PROBE_NEVER INT64_MAX

struct probe_spot {
    int32_t lane;
    int16_t shard, prio;
    bool marked;
    uint32_t marks; /* how often it was marked: a mark during a claim outlives the claim */
    int64_t from_us;
    int64_t next_us; /* PROBE_NEVER: not known */
};

struct probe {
    struct probe_spot *spots; /* owned; lane by lane, priority by priority, shard by shard */
    size_t count;
    int shards;
    unsigned home;  /* the first shard that this worker looks at */
    unsigned turns; /* claims so far */
};

void probe_init(struct probe *p, int shards, unsigned home);
void probe_release(struct probe *p);
/* Sets the lanes to look at; keeps what is known of those that stay, marks new ones whole. */
int probe_set_lanes(struct probe *p, const int32_t *lanes, size_t n) MUSTCHECK;
/* Work may be anywhere in the lane (0: in all lanes). */
void probe_mark_lane(struct probe *p, int32_t lane);
/* A ready execution is known to be here; an unknown spot does nothing. */
void probe_mark(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us);
/* Something will be ready here then; the earliest time counts. An unknown spot does nothing. */
void probe_expect(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us);
/* Marks the spots whose time has come; gives the next time of the others, or PROBE_NEVER. */
int64_t probe_pass(struct probe *p, int64_t now_us);
bool probe_any(const struct probe *p);
/* The spots of the next claim into `ret`; gives their number, at most PROBE_BATCH_MAX. */
size_t probe_next(struct probe *p, struct probe_spot ret[PROBE_BATCH_MAX]);
/* The claim's answer: a ready time that was taken at a spot (last call: the earliest) ... */
void probe_took(struct probe *p, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us);
/* ... and whether it took all that it asked for: if not, these spots are empty, but for those
 * marked again since probe_next. */
void probe_done(struct probe *p, const struct probe_spot *spots, size_t n, bool full);

#endif
