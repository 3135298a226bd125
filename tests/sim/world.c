/*
 * tests/sim/world.c - virtual time: a heap of events, and the numbers that decide.
 *
 * Events of one time happen in the order in which they were asked for, so a schedule depends on its
 * seed alone.  The process's clocks and getrandom are the world's while it is open.
 */
#define _GNU_SOURCE 1 /* syscall */
#include "sim/sim.h"

#include "base/clock.h"
#include "sim/worker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOK_RARE_US = 3000, EVENTS_MAX = 1 << 16 };
#define BOOT_US INT64_C(1000000000)
#define REAL_US INT64_C(1767225600000000) /* 2026-01-01 */

struct sim sim;

struct event {
    int64_t at_us;
    uint64_t order;
    sim_fn *fn;
    void *ctx;
    int64_t arg;
};

static struct {
    struct event heap[EVENTS_MAX];
    size_t count;
    uint64_t order;
    bool open;
} world;

/* ---- numbers --------------------------------------------------------------------------------- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t world_random(void)
{
    return splitmix(&sim.random);
}

int64_t world_between(int64_t low, int64_t high)
{
    assert(low <= high);
    return low + (int64_t)(world_random() % (uint64_t)(high - low + 1));
}

bool world_chance(int per_mille)
{
    return world_between(0, 999) < per_mille;
}

int64_t world_delay(int64_t usual_us, int64_t rare_us)
{
    return world_between(1, world_chance(20) ? rare_us : usual_us);
}

/* The library draws the ids of workers from the kernel; in the world they come from the seed. */
ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
    uint8_t *at = buf;

    if (!world.open)
        return syscall(SYS_getrandom, buf, len, flags);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)splitmix(&sim.ids);
    return (ssize_t)len;
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* Time goes on while a worker's code runs: a little between any two looks at the clock, now and
 * then as long as a process waits for its turn. */
static int64_t mono_us(void *ctx)
{
    (void)ctx;
    if (sim.at)
        sim.now_us += world_chance(2) ? world_between(1, LOOK_RARE_US) : 1;
    return BOOT_US + sim.now_us + (sim.at ? sim.at->ahead_us : 0);
}

static int64_t real_us(void *ctx)
{
    return REAL_US - BOOT_US + mono_us(ctx);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void sift_up(size_t i)
{
    struct event e = world.heap[i];

    for (; i > 0 && before(&e, &world.heap[(i - 1) / 2]); i = (i - 1) / 2)
        world.heap[i] = world.heap[(i - 1) / 2];
    world.heap[i] = e;
}

static void sift_down(size_t i)
{
    struct event e = world.heap[i];

    for (size_t child; (child = 2 * i + 1) < world.count; i = child) {
        if (child + 1 < world.count && before(&world.heap[child + 1], &world.heap[child]))
            child++;
        if (!before(&world.heap[child], &e))
            break;
        world.heap[i] = world.heap[child];
    }
    world.heap[i] = e;
}

void world_at(int64_t at_us, sim_fn *fn, void *ctx, int64_t arg)
{
    assert(world.count < EVENTS_MAX && fn);
    world.heap[world.count] = (struct event){ MAX(at_us, sim.now_us), world.order++, fn, ctx, arg };
    sift_up(world.count++);
}

void world_after(int64_t delay_us, sim_fn *fn, void *ctx, int64_t arg)
{
    world_at(sim.now_us + delay_us, fn, ctx, arg);
}

bool world_step(int64_t until_us)
{
    struct event e;

    if (world.count == 0 || world.heap[0].at_us > until_us || sim.over)
        return false;
    e = world.heap[0];
    world.heap[0] = world.heap[--world.count];
    if (world.count > 0)
        sift_down(0);
    sim.now_us = MAX(sim.now_us, e.at_us); /* code that took long makes others late */
    sim.result.events++;
    e.fn(e.ctx, e.arg);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

void world_open(const struct sim_options *o)
{
    memset(&sim, 0, sizeof(sim));
    world.count = 0;
    world.order = 0;
    world.open = true;
    sim.o = *o;
    sim.random = o->seed * UINT64_C(0xd1342543de82ef95) + 1;
    sim.ids = ~o->seed;
    arena_init(&sim.arena, 0);
    clock_replace(mono_us, real_us, NULL);
}

void world_close(void)
{
    clock_replace(NULL, NULL, NULL);
    world.open = false;
    arena_release(&sim.arena);
}

void *world_alloc(size_t size)
{
    void *p = arena_zalloc(&sim.arena, size);

    assert(p);
    return p;
}

void world_note(const char *what, int64_t a, int64_t b, int64_t c)
{
    uint64_t words[] = { (uint64_t)sim.now_us, (uint64_t)what[0], (uint64_t)a, (uint64_t)b,
                         (uint64_t)c };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        sim.result.digest = (sim.result.digest ^ words[i]) * UINT64_C(0x100000001b3);
    if (sim.o.trace)
        fprintf(stderr, "%10.6f %-14s %lld %lld %lld\n", (double)sim.now_us / 1e6, what,
                (long long)a, (long long)b, (long long)c);
}

void sim_violation(const char *format, ...)
{
    va_list args;

    if (sim.over)
        return;
    sim.over = true;
    va_start(args, format);
    (void)vsnprintf(sim.result.violation, sizeof(sim.result.violation), format, args);
    va_end(args);
    world_note("VIOLATION", 0, 0, 0);
}

const char *sim_mutation_name(enum sim_mutation m)
{
    static const char *const names[MUTATIONS] = {
        [MUTATION_NONE] = "none",
        [MUTATION_NO_FENCE] = "no-fence",
        [MUTATION_EARLY_ACK] = "early-ack",
        [MUTATION_NO_UNIQUE] = "no-unique",
        [MUTATION_LOST_RUN] = "lost-run",
        [MUTATION_STALE_JOURNAL] = "stale-journal",
        [MUTATION_LOST_WAKE] = "lost-wake",
        [MUTATION_TORN_TX] = "torn-tx",
        [MUTATION_CONTINUED_TWICE] = "continued-twice",
    };

    assert(m < MUTATIONS);
    return names[m];
}
