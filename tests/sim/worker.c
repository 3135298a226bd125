/*
 * tests/sim/worker.c - the life of a worker process in the world.
 *
 * Its loop is src/loop's timers and deferred calls under a turn of ours: one event a turn.
 * Whatever calls into its code does so through worker_call: that waits while the process is
 * stalled, forgets what comes for a dead one, and plans the next turn.
 *
 * A crash leaves nothing behind in the database but what had been sent.  The memory of the dead
 * process is taken apart by its own code, on clocks that run ahead, with every request lost and no
 * step begun.
 */
#include "sim/worker.h"

#include "base/clock.h"
#include "loop/loopinternal.h"
#include "sim/flows.h"

#include <assert.h>
#include <stdlib.h>

enum { TURN_US = 20, TAKE_APART_TURNS = 100000 };

static void turn(void *ctx, int64_t planned_us);

/* ---- calls into its code --------------------------------------------------------------------- */

static void plan_turn(struct sim_worker *w)
{
    int64_t next = timer_next_us(w->loop);
    int64_t at_us = INT64_MAX;

    if (next != INT64_MAX)
        at_us = sim.now_us + MAX(next - clock_mono_us(), 0);
    if (!list_empty(&w->loop->deferred))
        at_us = sim.now_us;
    if (at_us == INT64_MAX || at_us + TURN_US >= w->turn_us)
        return;
    w->turn_us = at_us + TURN_US;
    world_at(w->turn_us, turn, w, w->turn_us);
}

void worker_enter(struct sim_worker *w)
{
    assert(!sim.at);
    sim.at = w;
}

void worker_leave(void)
{
    struct sim_worker *w = sim.at;

    assert(w);
    if (!w->dead && w->loop)
        plan_turn(w);
    sim.at = NULL;
}

bool worker_stalled(const struct sim_worker *w)
{
    return sim.now_us < w->stalled_until;
}

struct call {
    struct sim_worker *worker;
    sim_fn *fn;
    void *ctx;
};

static void call_again(void *ctx, int64_t arg)
{
    struct call *c = ctx;

    worker_call(c->worker, c->fn, c->ctx, arg);
}

void worker_call(struct sim_worker *w, sim_fn *fn, void *ctx, int64_t arg)
{
    if (w->dead)
        return;
    if (worker_stalled(w)) {
        struct call *c = world_alloc(sizeof(*c));

        *c = (struct call){ w, fn, ctx };
        world_at(w->stalled_until, call_again, c, arg);
        return;
    }
    if (sim.at == w) { /* a fault from inside its own call: after it */
        struct call *c = world_alloc(sizeof(*c));

        *c = (struct call){ w, fn, ctx };
        world_after(0, call_again, c, arg);
        return;
    }
    worker_enter(w);
    fn(ctx, arg);
    worker_leave();
}

static void on_turn(void *ctx, int64_t planned_us)
{
    struct sim_worker *w = ctx;

    if (planned_us != w->turn_us)
        return; /* an earlier one was planned since */
    w->turn_us = INT64_MAX;
    timer_fire_due(w->loop);
    deferred_run(w->loop);
}

static void turn(void *ctx, int64_t planned_us)
{
    worker_call(ctx, on_turn, ctx, planned_us);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void set(struct sim_worker *w, const char *flag, const char *value)
{
    struct err e;
    int rc = config_set(&w->config, (enum config_id)config_find(flag), value, CONFIG_FROM_FLAG, &e);

    assert(rc == 0);
    (void)rc;
}

static void configure(struct sim_worker *w)
{
    static const char *const settings[][2] = {
        { "lease", "2s" },        { "tick", "200ms" },     { "slots", "16" },
        { "claim-batch", "4" },   { "threads", "3" },      { "connections", "2" },
        { "drain", "500ms" },     { "journal-page", "6" }, { "crash-limit", "1000" },
        { "database-url", "sim" }
    };
    struct err e;
    int rc = config_init(&w->config, &e);

    assert(rc == 0);
    (void)rc;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        set(w, settings[i][0], settings[i][1]);
}

static void on_stopped(void *ctx, int err, const struct err *e)
{
    struct sim_worker *w = ctx;

    (void)e;
    w->stopped = true;
    world_note("stopped", w->number, err, 0);
    if (err != 0 && !w->dead)
        sim_violation("worker %d gave up: %s", w->number, e->text);
}

struct sim_worker *worker_open(int number)
{
    struct sim_worker *w = world_alloc(sizeof(*w));
    struct engine_options o = {
        .config = &w->config, .program = "sim", .stopped = on_stopped, .ctx = w
    };
    struct err e;
    int rc;

    w->number = number;
    w->turn_us = INT64_MAX;
    list_init(&w->ports);
    configure(w);
    w->loop = calloc(1, sizeof(*w->loop));
    assert(w->loop);
    list_init(&w->loop->deferred);
    list_init(&w->loop->signals);
    o.workflows = flows_all(&o.workflow_count);
    worker_enter(w);
    rc = engine_open(w->loop, &o, &w->engine, &e);
    assert(rc == 0);
    (void)rc;
    worker_leave();
    world_note("open", number, 0, 0);
    return w;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void free_all(struct sim_worker *w)
{
    assert(w->stopped && sim.at == w);
    pool_finish_all(w);
    engine_close(w->engine);
    assert(w->loop->heap_len == 0 && list_empty(&w->loop->deferred));
    free(w->loop->heap);
    free(w->loop);
    config_release(&w->config);
    w->engine = NULL;
    w->loop = NULL;
}

void worker_kill(struct sim_worker *w)
{
    if (!w->engine)
        return;
    world_note("kill", w->number, 0, 0);
    net_kill(w);
    w->dead = true;
    worker_enter(w);
    if (!w->stopped)
        engine_drain(w->engine);
    for (int i = 0; !w->stopped; i++) {
        int64_t next;

        assert(i < TAKE_APART_TURNS);
        pool_finish_all(w);
        net_drop_all(w);
        deferred_run(w->loop);
        next = timer_next_us(w->loop);
        if (list_empty(&w->loop->deferred) && next != INT64_MAX)
            w->ahead_us += MAX(next - clock_mono_us(), 0);
        timer_fire_due(w->loop);
    }
    free_all(w);
    worker_leave();
}

static void on_drain(void *ctx, int64_t arg)
{
    (void)arg;
    engine_drain(((struct sim_worker *)ctx)->engine);
}

void worker_drain(struct sim_worker *w)
{
    world_note("drain", w->number, 0, 0);
    worker_call(w, on_drain, w, 0);
}

void worker_stall(struct sim_worker *w, int64_t us)
{
    world_note("stall", w->number, us, 0);
    w->stalled_until = MAX(w->stalled_until, sim.now_us + us);
}
