/*
 * core/watch.h - which of the other workers is dead?  Pure: looks and times are given.
 *
 * Two answers.  Silent: its heartbeat counter stood still for a full lease of our own monotonic
 * time, while we looked all along.  Gone: the backend of its control connection has left the
 * server, seen in three looks in a row; that is a hint which only saves time, and it counts only
 * when this watcher saw that very backend alive before, has itself been connected for longer than a
 * lease, and the server has not restarted since.  Being wrong costs a take-over, never correctness:
 * every write is fenced.
 *
 * A watcher that slept (two looks more than half a lease apart), reconnected, or saw the server
 * restart forgets everything: after a storm everybody gets a fresh lease.
 */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include "base/base.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { WATCH_GONE_LOOKS = 3 };

struct watch_peer;

struct watch {
    struct map peers; /* owned, worker id -> struct watch_peer */
    int64_t lease_us;
    int64_t since_us; /* connected and looking since then */
    int64_t last_look_us;
    int64_t postmaster; /* the server's start time as it was seen */
};

/* How the backend of a peer's control connection looked. */
enum watch_backend { WATCH_UNKNOWN = -1, WATCH_GONE = 0, WATCH_THERE = 1 };

struct watch_look {
    int64_t worker, beats;
    enum watch_backend backend;
    int64_t backend_start; /* 0: not known */
};

enum watch_verdict {
    WATCH_ALIVE = 0,
    WATCH_SUSPECT, /* backend gone: look again soon */
    WATCH_DEAD_SILENT,
    WATCH_DEAD_GONE
};

void watch_init(struct watch *w, int64_t lease_us);
void watch_release(struct watch *w);
/* Our own connection came (back) up. */
void watch_restart(struct watch *w, int64_t now_us);
/* Begins a round of looks. */
void watch_begin(struct watch *w, int64_t now_us, int64_t postmaster);
/* One peer of the round.  Out of memory counts as alive. */
enum watch_verdict watch_peer(struct watch *w, int64_t now_us, const struct watch_look *look);
/* Ends the round: peers that were not in it are forgotten. */
void watch_end(struct watch *w);

#endif
