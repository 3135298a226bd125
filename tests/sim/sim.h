/*
 * tests/sim/sim.h - the engine in a world of its own: virtual time, a modelled database, a network
 * that loses things, workers that crash and stall; one seed is one schedule, and repeats exactly.
 *
 * Real: src/engine, src/core, src/store (all but the blocking client), timers and deferred calls of
 * src/loop.  Modelled: the database (db.c: the tables and the functions that workers call), the
 * connections (net.c stands for src/pg), the pool of threads (pool.c), the clocks, getrandom.
 *
 *   schedule.c  makes workers, executions, messages, cancels and faults out of the seed
 *   world.c     the clock and the queue of what happens next
 *   flows.c     the workflows and their steps, which write down what they did
 *   check.c     what must be true: while it runs and when all is quiet
 *
 * Everything happens on one thread, one schedule at a time in a process.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/arena.h"
#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mistake put into the database on purpose: the checker must find it. */
enum sim_mutation {
    MUTATION_NONE,
    MUTATION_NO_FENCE,        /* writes are taken from whoever sends them */
    MUTATION_EARLY_ACK,       /* the answer comes before the commit is durable */
    MUTATION_NO_UNIQUE,       /* the journal takes a second row of one call */
    MUTATION_LOST_RUN,        /* a dead worker is forgotten, and what it had with it */
    MUTATION_STALE_JOURNAL,   /* the journal is read from an old snapshot */
    MUTATION_LOST_WAKE,       /* a message does not wake who waits for it */
    MUTATION_TORN_TX,         /* what a step wrote stays although its transaction does not */
    MUTATION_CONTINUED_TWICE, /* a continuation that comes again is done again */
    MUTATIONS
};
const char *sim_mutation_name(enum sim_mutation m);

struct sim_options {
    uint64_t seed;
    enum sim_mutation mutation;
    bool trace; /* one line on stderr for each thing that happens */
};

enum { SIM_TEXT_SIZE = 200 };

struct sim_result {
    char violation[SIM_TEXT_SIZE]; /* the first one; "" for none */
    uint64_t digest;               /* of all that happened: equal seeds give equal digests */
    int64_t events, statements, bodies, takeovers, faults;
    int completed, canceled, failed;
};

/* Runs one schedule from its beginning until nothing is left to do. */
void sim_run(const struct sim_options *o, struct sim_result *ret);

/* ---- for the parts of the world -------------------------------------------------------------- */

struct sim_worker;
typedef void sim_fn(void *ctx, int64_t arg);

extern struct sim {
    struct sim_options o;
    struct sim_result result;
    struct arena arena;    /* of this schedule */
    int64_t now_us;        /* virtual time */
    uint64_t random;       /* state of the schedule's numbers */
    uint64_t ids;          /* state of getrandom's */
    struct sim_worker *at; /* whose code runs now, or NULL */
    bool over;             /* a violation was found: nothing more happens */
} sim;

void world_open(const struct sim_options *o);
void world_close(void);
/* Calls fn(ctx, arg) at that time, after what is due earlier or was asked for before. */
void world_at(int64_t at_us, sim_fn *fn, void *ctx, int64_t arg);
void world_after(int64_t delay_us, sim_fn *fn, void *ctx, int64_t arg);
/* Goes on to the next event; false: there is none up to `until_us`. */
bool world_step(int64_t until_us);
/* Zeroed memory of this schedule. */
void *world_alloc(size_t size);

uint64_t world_random(void);
int64_t world_between(int64_t low, int64_t high); /* both included */
bool world_chance(int per_mille);
/* Mostly `usual` at most, now and then up to `rare`: how delays are spread. */
int64_t world_delay(int64_t usual_us, int64_t rare_us);

/* Remembers what happened, in the digest and, when asked, on stderr. */
void world_note(const char *what, int64_t a, int64_t b, int64_t c);
void sim_violation(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
