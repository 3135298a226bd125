/*
 * tests/chaos/schedule.h - what is done to the system, when and to whom: made from the seed before
 * the run begins, so that the same seed gives the same schedule whatever happens meanwhile.
 *
 * The faults are dealt like cards: each deck holds every kind as often as its weight says, so a
 * run of a dozen seconds has seen them all.
 */
#ifndef CHAOS_SCHEDULE_H
#define CHAOS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* id, name, cards in a deck, shortest and longest duration in milliseconds */
#define HIT_MAP(X)                                                                                 \
    X(HIT_KILL, "kill -9 of a worker", 5, 0, 0)                                                    \
    X(HIT_CRASH, "death at a crash point", 5, 0, 0)                                                \
    X(HIT_PAUSE, "pause below the lease", 2, 100, 1000)                                            \
    X(HIT_FREEZE, "pause above the lease", 3, 2500, 4500)                                          \
    X(HIT_TELL, "worker told to stop", 2, 0, 0)                                                    \
    X(HIT_BACKENDS, "backends terminated", 2, 0, 0)                                                \
    X(HIT_RESTART, "server restarted", 1, 0, 0)                                                    \
    X(HIT_IMMEDIATE, "server stopped at once", 1, 0, 0)                                            \
    X(HIT_CHILD, "kill -9 of a server process", 1, 0, 0)                                           \
    X(HIT_CUT, "connections cut", 2, 0, 0)                                                         \
    X(HIT_LOSE, "replies lost", 4, 500, 2000)                                                      \
    X(HIT_DELAY, "slow network", 2, 300, 1500)                                                     \
    X(HIT_STALL, "network stalled", 2, 500, 4000)                                                  \
    X(HIT_REFUSE, "connections refused", 1, 500, 4000)                                             \
    X(HIT_TRICKLE, "bytes trickle", 1, 300, 1000)                                                  \
    X(HIT_APART, "partition, both ways", 1, 1000, 5000)                                            \
    X(HIT_DEAF, "partition, to the worker", 1, 1000, 5000)                                         \
    X(HIT_MUTE, "partition, from the worker", 1, 1000, 5000)                                       \
    X(HIT_CLOCK, "clock jump of a worker", 2, 0, 0)                                                \
    X(HIT_FAILOVER, "failover to the standby", 0, 0, 0)

#define HIT_ENUM(id, name, cards, shortest, longest) id,
enum hit_kind { HIT_MAP(HIT_ENUM) HIT_KINDS };
#undef HIT_ENUM

struct hit {
    enum hit_kind kind;
    int64_t at_us;   /* from the beginning */
    int64_t for_us;  /* how long it holds */
    uint64_t target; /* whom: each kind takes what it needs of these bits */
};

enum {
    SCHEDULE_MAX = 20000,

    SCHEDULE_GAP_MIN_MS = 150,
    SCHEDULE_GAP_MAX_MS = 550
};

/* Kinds that are dealt, as bits. */
#define SCHEDULE_ALL ((UINT64_C(1) << HIT_KINDS) - 1)

/* Gives the number of hits; a failover is put in at `failover_us` when that is not 0. */
int schedule_make(uint64_t seed, uint64_t kinds, int64_t length_us, int64_t failover_us,
                  struct hit ret[SCHEDULE_MAX]);
/* How many cards a deck has. */
int schedule_deck(uint64_t kinds);
/* Whether each deck holds this kind. */
bool schedule_deals(uint64_t kinds, enum hit_kind kind);
const char *schedule_name(enum hit_kind kind);
/* One line a hit, to stdout. */
void schedule_print(const struct hit *hits, int count);

#endif
