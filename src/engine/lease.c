/*
 * engine/lease.c - the control side of a worker.
 *
 *   up -> register workflows -> beat -> (lanes) -> tick, tick, tick ... -> leave
 *
 * One operation at a time on `other` (register, beat, leave, maintain), one tick in flight at most:
 * a late answer can then never revive a lease already reported lost.  A failed tick changes
 * nothing: the next one, or the next connection, tries again, and lease_fresh tells how old our
 * knowledge is.
 */
#include "engine/lease.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metrics.h"
#include "engine/internal.h"
#include "store/retention.h"
#include "store/roster.h"

#include <assert.h>
#include <inttypes.h>

enum {
    SUSPECT_US = 200 * 1000, /* between the looks at a missing backend */
    SWEEP_SHARE = 20,        /* a sweep takes at most 1/20 of the time */
    RELEASE_BATCH = 1000,    /* executions freed by one statement */
};
#define SWEEP_MAX_US INT64_C(30000000)
#define MAINTAIN_US INT64_C(3600000000)
#define RETAIN_FIRST_US INT64_C(60000000) /* after the start, and after a failure */

static void on_timer(void *ctx);
static void on_registered(struct store_op *op, int rc, const struct err *err);
static void on_beat(struct store_op *op, int rc, const struct err *err);
static void on_tick(struct store_op *op, int rc, const struct err *err);
static void on_marked(struct store_op *op, int rc, const struct err *err);
static void on_released(struct store_op *op, int rc, const struct err *err);
static void on_told(struct store_op *op, int rc, const struct err *err);
static void on_maintained(struct store_op *op, int rc, const struct err *err);
static void on_retained(struct store_op *op, int rc, const struct err *err);
static void on_left(struct store_op *op, int rc, const struct err *err);

void lease_open(struct engine *e, int64_t worker_id)
{
    struct lease *l = &e->lease;

    assert(worker_id > 0);
    l->length_us = engine_limit(e, CONFIG_LEASE) * 1000;
    watch_init(&l->watch, l->length_us);
    timer_init(&l->timer, e->loop, on_timer, e);
    store_op_init(&l->tick, e->store);
    store_op_init(&l->mark, e->store);
    store_op_init(&l->release, e->store);
    store_op_init(&l->other, e->store);
    store_op_init(&l->retain, e->store);
    l->retain_us = clock_mono_us() + RETAIN_FIRST_US;
    l->worker_id = worker_id;
}

void lease_close(struct engine *e)
{
    struct lease *l = &e->lease;

    timer_stop(&l->timer);
    watch_release(&l->watch);
    store_op_release(&l->tick);
    store_op_release(&l->mark);
    store_op_release(&l->release);
    store_op_release(&l->other);
    store_op_release(&l->retain);
}

static bool is_hungry(const struct engine *e)
{
    return (e->claim.hungry || e->quotas.hungry || e->claim.lane_count == 0) &&
           sm_is(&e->sm, ENGINE_WORKING);
}

/* An operation failed: errors that no retry mends end the engine, others wait for the next try. */
static bool failed(struct engine *e, const char *what, int rc, const struct err *err)
{
    if (rc == 0)
        return false;
    assert(rc < 0 && err->code < 0);
    if (rc == IFP_ESCHEMA || rc == IFP_EFORBIDDEN)
        engine_give_up(e, err);
    else if (rc != IFP_ECANCELED)
        LOG_WARN(what, LOG_ERR(err));
    return true;
}

/* An operation that lease_leave waited for has ended. */
static bool leaves(struct engine *e)
{
    if (!e->lease.leave_next)
        return false;
    assert(e->leaving && !store_op_busy(&e->lease.other));
    e->lease.leave_next = false;
    lease_leave(e);
    return true;
}

/* ---- registration --------------------------------------------------------------------------- */

static struct beat beat_now(const struct lease *l)
{
    return (struct beat){ l->worker_id, clock_mono_us() };
}

/* The acknowledged beat was sent by the present incarnation. */
static bool acknowledge(struct lease *l, const struct beat *beat)
{
    if (beat->worker != l->worker_id)
        return false;
    assert(beat->sent_us > 0);
    l->acked_us = MAX(l->acked_us, beat->sent_us);
    return true;
}

static void send_beat(struct engine *e, bool hungry)
{
    struct lease *l = &e->lease;

    assert(!store_op_busy(&l->other));
    l->beaten = beat_now(l);
    store_beat(&l->other, l->worker_id, hungry, on_beat);
}

void lease_up(struct engine *e)
{
    struct lease *l = &e->lease;

    watch_restart(&l->watch, clock_mono_us());
    l->swept = false; /* a tick that waited for the connection says nothing of a sweep's price */
    if (store_op_busy(&l->other))
        return; /* its answer, or its failure, goes on from here */
    if (sm_is(&e->sm, ENGINE_STARTING)) {
        store_register(&l->other, e->registry, e->o.workflow_count, on_registered);
    } else if (l->acked_us != 0) {
        send_beat(e, is_hungry(e));
    }
}

static void retry_soon(struct engine *e)
{
    if (timer_start(&e->lease.timer, engine_limit(e, CONFIG_TICK) * 1000) != 0)
        LOG_ERROR("no memory for the heartbeat's timer");
}

static void on_registered(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.other);

    if (leaves(e))
        return;
    if (failed(e, "the worker could not register its workflows", rc, err)) {
        retry_soon(e);
        return;
    }
    send_beat(e, true);
}

static void on_beat(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.other);
    struct lease *l = &e->lease;

    if (l->leave_next && rc == 0 && store_beat_alive(op))
        acknowledge(l, &l->beaten); /* a drain came first: there is a lease to release */
    if (leaves(e))
        return;
    if (failed(e, "the heartbeat failed", rc, err)) {
        retry_soon(e);
        return;
    }
    if (!store_beat_alive(op) && l->beaten.worker == l->worker_id) {
        engine_restart(e);
        return;
    }
    if (!acknowledge(l, &l->beaten)) {
        lease_up(e);
        return;
    }
    if (sm_is(&e->sm, ENGINE_STARTING)) {
        assert(l->acked_us != 0 && e->runs.count == 0);
        crash_here(CRASH_REGISTERED);
        LOG_INFO("worker is up", LOG_INT("worker", l->worker_id));
        sm_move(&e->sm, ENGINE_WORKING);
        l->roster_us = 0; /* of this incarnation */
        claim_lanes(e);
    }
    lease_hurry(e);
    engine_poke(e);
}

bool lease_fresh(const struct engine *e)
{
    int64_t acked_us = e->lease.acked_us;

    return acked_us != 0 && clock_mono_us() - acked_us < e->lease.length_us * 4 / 5;
}

/* ---- the tick ------------------------------------------------------------------------------- */

void lease_hurry(struct engine *e)
{
    if (timer_start(&e->lease.timer, 0) != 0)
        retry_soon(e);
}

static void send_tick(struct engine *e)
{
    struct lease *l = &e->lease;

    assert(!store_op_busy(&l->tick) && l->acked_us != 0);
    l->suspect = false;
    l->ticked = beat_now(l);
    l->swept = l->ticked.sent_us >= l->sweep_us && sm_is(&e->sm, ENGINE_WORKING);
    store_tick(&l->tick, l->worker_id, is_hungry(e), e->claim.lane_ids, e->claim.id_count, l->swept,
               on_tick);
}

/* Small ones on the control connection; retention takes longer, so it has one of the pool's. */
static void do_chores(struct engine *e)
{
    struct lease *l = &e->lease;
    int64_t now = clock_mono_us();

    assert(l->acked_us != 0 && !e->leaving);
    if (now >= l->roster_us && !store_op_busy(&l->other)) {
        l->roster_us = now + MAINTAIN_US;
        roster_tell(&l->other, l->worker_id, e->registry, e->o.workflow_count, on_told);
    }
    if (now >= l->maintain_us && !store_op_busy(&l->other)) {
        l->maintain_us = now + MAINTAIN_US;
        store_maintain(&l->other, on_maintained);
    }
    if (now >= l->retain_us && !store_op_busy(&l->retain) && sm_is(&e->sm, ENGINE_WORKING)) {
        l->retain_us = now + MAINTAIN_US;
        retention_start(&l->retain, on_retained);
    }
}

static void on_timer(void *ctx)
{
    struct engine *e = ctx;
    struct lease *l = &e->lease;

    retry_soon(e);
    if (sm_is(&e->sm, ENGINE_STARTING)) {
        lease_up(e);
        return;
    }
    if (l->acked_us == 0 || e->leaving)
        return;
    if (!store_op_busy(&l->tick))
        send_tick(e);
    do_chores(e);
}

static void on_told(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.other);

    if (!leaves(e))
        (void)failed(e, "the roster could not be told", rc, err);
}

/* While there is more to do it goes on with each tick. */
static void on_maintained(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.other);

    if (!leaves(e) && !failed(e, "maintenance failed", rc, err) && store_maintain_more(op))
        e->lease.maintain_us = 0;
}

/* While there is more to do it goes on with each tick; another worker may do the next piece. */
static void on_retained(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.retain);
    int64_t removed;
    bool more;

    if (failed(e, "the retention policy could not be carried out", rc, err)) {
        e->lease.retain_us = clock_mono_us() + RETAIN_FIRST_US;
        return;
    }
    removed = retention_removed(op, &more);
    assert(removed >= 0);
    if (removed > 0)
        LOG_INFO("executions left by the retention policy", LOG_INT("count", removed));
    if (more)
        e->lease.retain_us = 0;
}

/* While one is being marked the list stays: the last is the one in flight, and the next tick finds
 * the others again. */
static void add_victim(struct lease *l, int64_t worker, int64_t beats, const char *why)
{
    assert(worker > 0 && worker != l->worker_id);
    assert(l->victim_count >= 0 && l->victim_count <= (int)ARRAY_LEN(l->victims));
    if (!store_op_busy(&l->mark) && l->victim_count < (int)ARRAY_LEN(l->victims))
        l->victims[l->victim_count++] = (struct victim){ worker, beats, why };
}

static void look_at_peer(struct engine *e, const struct store_tick_row *row)
{
    struct lease *l = &e->lease;
    struct watch_look look = {
        .worker = row->id,
        .beats = row->n,
        .backend = (enum watch_backend)row->m,
        .backend_start = row->at_us == INT64_MIN ? 0 : row->at_us,
    };

    assert(row->id > 0 && row->id != l->worker_id);
    if (engine_limit(e, CONFIG_LISTEN) == 0)
        look.backend = WATCH_UNKNOWN; /* behind a pooler backends come and go */
    switch (watch_peer(&l->watch, clock_mono_us(), &look)) {
    case WATCH_ALIVE:
        break;
    case WATCH_SUSPECT:
        l->suspect = true;
        break;
    case WATCH_DEAD_SILENT:
        add_victim(l, row->id, row->n, "silent for a lease");
        break;
    case WATCH_DEAD_GONE:
        add_victim(l, row->id, row->n, "its connection is gone");
        break;
    }
}

/* Schedules are another's affair (prim/ticker.h). */
static void note_schedules(struct engine_look *look, const struct store_tick_row *row)
{
    look->cron = true;
    look->cron_next_us = row->at_us;
    look->cron_waits = row->n != 0;
    look->cron_holder = row->id;
}

static void on_row(struct engine *e, const struct store_tick_row *row)
{
    struct ifp_run *run;

    assert(row->kind != STORE_TICK_SELF); /* the first row alone */
    switch (row->kind) {
    case STORE_TICK_SELF:
        break;
    case STORE_TICK_PEER:
        look_at_peer(e, row);
        break;
    case STORE_TICK_CANCEL:
        run = map_get(&e->runs, (uint64_t)row->id);
        if (run)
            run_cancel(run);
        else if (store_op_busy(&e->claim.op) || store_op_busy(&e->quotas.op))
            claim_adopt_soon(e); /* perhaps that claim's: its flags will tell */
        break;
    case STORE_TICK_DUE:
        probe_mark(&e->claim.probe, (int32_t)row->id, (int16_t)row->n, (int16_t)row->m, row->at_us);
        quotas_wake(e, (int32_t)row->id);
        break;
    case STORE_TICK_LANES:
        claim_shards(e, (int)row->n);
        if (row->id != e->lease.lanes_seen || row->m != e->lease.queues_seen)
            claim_lanes(e);
        e->lease.lanes_seen = row->id;
        e->lease.queues_seen = row->m;
        break;
    case STORE_TICK_NEXT:
        claim_expect(e, (int32_t)row->id, (int16_t)row->n, (int16_t)row->m, row->at_us);
        break;
    case STORE_TICK_DEAD:
        e->lease.to_release = true;
        break;
    case STORE_TICK_CRON:
        note_schedules(&e->lease.look, row);
        break;
    case STORE_TICK_QUEUE:
        quotas_expect(e, (int32_t)row->id, row->at_us);
        break;
    }
}

/* A sweep over many dead index entries is slow: then it comes less often. */
static void plan_sweep(struct lease *l, int64_t took_us)
{
    int64_t wait = took_us * SWEEP_SHARE;

    assert(took_us >= 0);
    if (l->swept)
        l->sweep_us = clock_mono_us() + MIN(wait, SWEEP_MAX_US);
}

static void reap(struct engine *e)
{
    struct lease *l = &e->lease;

    if (l->victim_count > 0 && !store_op_busy(&l->mark)) {
        struct victim *v = &l->victims[l->victim_count - 1];

        store_reap_mark(&l->mark, v->worker, v->beats, v->why, on_marked);
    }
    if (l->to_release && !store_op_busy(&l->release)) {
        l->to_release = false;
        store_reap_release(&l->release, (int)engine_limit(e, CONFIG_CRASH_LIMIT), RELEASE_BATCH,
                           on_released);
    }
}

static void on_tick(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.tick);
    struct lease *l = &e->lease;
    struct store_tick_row self;

    if (failed(e, "the heartbeat failed", rc, err)) {
        if (op->req.sent)
            claim_adopt_soon(e); /* cancels that it had taken are flags of our executions */
        return;
    }
    self = store_tick_at(op, 0);
    assert(self.kind == STORE_TICK_SELF && self.id == l->ticked.worker);
    if (l->ticked.worker != l->worker_id)
        return; /* an answer to the incarnation before */
    if (self.n == 0) {
        engine_restart(e);
        return;
    }
    acknowledge(l, &l->ticked);
    assert(l->acked_us >= l->ticked.sent_us);
    engine_db_clock(e, self.at_us);
    plan_sweep(l, clock_mono_us() - l->ticked.sent_us);
    watch_begin(&l->watch, clock_mono_us(), self.m);
    l->look = (struct engine_look){ .store = e->store, .worker = self.id, .now_us = self.at_us };
    for (int i = 1; i < op->rows; i++) {
        struct store_tick_row row = store_tick_at(op, i);

        on_row(e, &row);
    }
    watch_end(&l->watch);
    reap(e);
    ends_look(e);
    if (e->o.looked && sm_is(&e->sm, ENGINE_WORKING))
        e->o.looked(e->o.look_ctx, &l->look);
    if (l->suspect && timer_start(&l->timer, SUSPECT_US) != 0)
        retry_soon(e);
    engine_poke(e);
}

/* ---- taking over ---------------------------------------------------------------------------- */

static void on_marked(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.mark);
    struct lease *l = &e->lease;
    struct victim v;

    assert(l->victim_count > 0 && l->victim_count <= (int)ARRAY_LEN(l->victims));
    v = l->victims[--l->victim_count];
    if (failed(e, "a dead worker could not be marked", rc, err))
        return;
    if (store_reap_marked(op)) {
        crash_here(CRASH_REAP_MARKED);
        metrics_add(METRIC_TAKEOVERS, NULL, 1);
        LOG_WARN("a worker is dead, its executions are taken over", LOG_INT("worker", v.worker),
                 LOG_STR("why", v.why));
        l->to_release = true;
    }
    reap(e);
}

static void on_released(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.release);
    int released = 0, remaining = 0;

    if (failed(e, "executions of a dead worker could not be freed", rc, err))
        return;
    crash_here(CRASH_REAP_RELEASED);
    store_reap_counts(op, &released, &remaining);
    assert(released >= 0 && remaining >= 0);
    if (released > 0) {
        metrics_add(METRIC_TAKEN_OVER, NULL, released);
        LOG_INFO("executions were freed", LOG_INT("count", released));
        claim_mark(e, 0);
        engine_poke(e);
    }
    if (released > 0 && remaining > 0)
        e->lease.to_release = true; /* what is locked by others waits for the next tick */
    reap(e);
}

/* ---- the end -------------------------------------------------------------------------------- */

void lease_leave(struct engine *e)
{
    assert(e->leaving && !e->lease.leave_next);
    timer_stop(&e->lease.timer);
    if (store_op_busy(&e->lease.other))
        e->lease.leave_next = true;
    else if (e->lease.acked_us == 0)
        engine_left(e);
    else
        store_leave(&e->lease.other, e->lease.worker_id, on_left);
}

static void on_left(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, lease.other);

    assert(e->leaving);
    (void)failed(e, "the lease could not be released, it will run out", rc, err);
    engine_left(e);
}
