/*
 * engine/engine.c - puts the parts together: one bounded turn per turn of the loop.
 *
 * Events only note what is wanted and poke; engine_turn then runs ready passes, sends commits, and
 * claims.  Draining is the same machinery with another answer: passes that want a step give the run
 * back, and when no run is left the lease is released.
 */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "engine/internal.h"
#include "engine/observe.h"

#include <assert.h>

enum { PASSES_PER_TURN = 256, POLL_US = 50 * 1000, LEAVE_US = 5 * 1000 * 1000 };

static const struct sm_state engine_states[ENGINE_STATES] = {
    [ENGINE_STARTING] = { "starting",
                          SM_TO(ENGINE_WORKING) | SM_TO(ENGINE_DRAINING) | SM_TO(ENGINE_STOPPED) },
    [ENGINE_WORKING] = { "working",
                         SM_TO(ENGINE_STARTING) | SM_TO(ENGINE_DRAINING) | SM_TO(ENGINE_STOPPED) },
    [ENGINE_DRAINING] = { "draining", SM_TO(ENGINE_STOPPED) },
    [ENGINE_STOPPED] = { "stopped", 0 },
};

static void on_turn(void *ctx);
static void on_store_closed(void *ctx);
static void on_drain_timer(void *ctx);

/* ---- small services for the parts ----------------------------------------------------------- */

int64_t engine_db_now(const struct engine *e)
{
    assert(e->db_ahead_us != 0); /* whatever needs it comes after the first answer that tells it */
    return clock_mono_us() + e->db_ahead_us;
}

void engine_db_clock(struct engine *e, int64_t db_us)
{
    assert(db_us > 0);
    e->db_ahead_us = db_us - clock_mono_us();
}

void engine_poke(struct engine *e)
{
    deferred_call(&e->turn);
}

bool engine_draining(const struct engine *e)
{
    return sm_is(&e->sm, ENGINE_DRAINING);
}

int64_t engine_limit(const struct engine *e, enum config_id id)
{
    return config_int(e->o.config, id);
}

static void stop(struct engine *e, int code)
{
    if (sm_is(&e->sm, ENGINE_STOPPED))
        return;
    assert(code <= 0 && !e->stop_due);
    sm_move(&e->sm, ENGINE_STOPPED);
    timer_stop(&e->drain_timer);
    timer_stop(&e->lease.timer);
    e->stop_code = code;
    e->stop_due = true;
    engine_poke(e);
}

void engine_give_up(struct engine *e, const struct err *err)
{
    assert(err->code < 0);
    if (sm_is(&e->sm, ENGINE_STOPPED))
        return;
    e->stop_error = *err;
    stop(e, err->code);
}

static void drop_list(struct list *runs)
{
    while (!list_empty(runs))
        run_drop(CONTAINER_OF(runs->next, struct ifp_run, link));
}

static void drop_all(struct engine *e)
{
    struct list *lists[] = { &e->ready, &e->dirty,        &e->suspects,
                             &e->idle,  &e->batches.held, &e->claim.loading };

    e->alone = NULL; /* else the last but one that goes would make it ready behind our back */
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        drop_list(lists[i]);
    for (size_t i = 0; i < BATCH_LANES; i++)
        drop_list(&e->batches.lanes[i].runs);
    assert(e->runs.count == 0);
}

void engine_restart(struct engine *e)
{
    LOG_WARN("the lease was lost, starting over as a new worker",
             LOG_INT("worker", e->lease.worker_id), LOG_INT("executions", (int64_t)e->runs.count));
    metrics_add(METRIC_LEASES_LOST, NULL, 1);
    e->lease.acked_us = 0;
    drop_all(e);
    if (engine_draining(e) || sm_is(&e->sm, ENGINE_STOPPED)) {
        engine_left(e);
        return;
    }
    if (ids_worker(&e->lease.worker_id) != 0) {
        engine_give_up(e, &(struct err){ .code = IFP_ESERVER, .text = "no random numbers" });
        return;
    }
    assert(e->lease.worker_id > 0 && !e->leaving);
    quotas_restart(e);
    if (!sm_is(&e->sm, ENGINE_STARTING))
        sm_move(&e->sm, ENGINE_STARTING);
    lease_hurry(e);
}

/* ---- the turn ------------------------------------------------------------------------------- */

static void run_passes(struct engine *e)
{
    assert(sm_is(&e->sm, ENGINE_WORKING) || engine_draining(e));
    for (int i = 0; i < PASSES_PER_TURN && !list_empty(&e->ready); i++)
        run_pass(CONTAINER_OF(e->ready.next, struct ifp_run, link));
    if (!list_empty(&e->ready))
        engine_poke(e);
}

static void on_turn(void *ctx)
{
    struct engine *e = ctx;

    assert(e->opened && e->store);
    if (e->stop_due) {
        assert(sm_is(&e->sm, ENGINE_STOPPED));
        e->stop_due = false;
        drop_all(e);
        if (e->o.looked)
            e->o.looked(e->o.look_ctx, NULL);
        store_close(e->store, on_store_closed, e);
        return;
    }
    if (sm_is(&e->sm, ENGINE_STOPPED))
        return;
    if (lease_fresh(e))
        run_passes(e);
    batch_send(e);
    tell_turn(e);
    claim_turn(e);
    quotas_turn(e);
    if (engine_draining(e) && e->runs.count == 0 && !e->leaving && !store_op_busy(&e->claim.op) &&
        !local_busy(e) && !store_op_busy(&e->quotas.op)) {
        e->leaving = true;
        crash_here(CRASH_DRAIN_HANDED);
        lease_leave(e);
    }
}

void engine_run_gone(struct engine *e)
{
    assert(!e->alone || e->runs.count > 0);
    if (e->alone && e->runs.count == 1)
        run_wake(e->alone);
    engine_poke(e);
}

/* ---- leaving -------------------------------------------------------------------------------- */

static void wake_all(struct engine *e)
{
    assert(engine_draining(e));
    LIST_EACH(it, &e->idle)
        run_wake(CONTAINER_OF(it, struct ifp_run, link));
}

bool engine_ready(const struct engine *e)
{
    return sm_is(&e->sm, ENGINE_WORKING) && lease_fresh(e);
}

void engine_drain(struct engine *e)
{
    int64_t wait_us = engine_limit(e, CONFIG_DRAIN) * 1000;

    assert(e->opened && wait_us >= 0);
    if (engine_draining(e) || sm_is(&e->sm, ENGINE_STOPPED))
        return;
    crash_here(CRASH_DRAIN_BEGIN);
    LOG_INFO("draining", LOG_INT("executions", (int64_t)e->runs.count));
    sm_move(&e->sm, ENGINE_DRAINING);
    wake_all(e);
    if (timer_start(&e->drain_timer, wait_us) != 0)
        on_drain_timer(e);
    engine_poke(e);
}

/* The time is over: steps that still run are left behind, their executions go to others. */
static void on_drain_timer(void *ctx)
{
    struct engine *e = ctx;

    assert(engine_draining(e));
    if (e->leave_late) {
        LOG_WARN("the database did not answer in time, the lease will run out");
        stop(e, 0);
        return;
    }
    e->leave_late = true;
    LIST_EACH(it, &e->idle) {
        struct ifp_run *run = CONTAINER_OF(it, struct ifp_run, link);

        if (sm_is(&run->sm, RUN_BRANCHES)) {
            run_give_back(run);
            continue;
        }
        if (!sm_is(&run->sm, RUN_STEP))
            continue;
        assert(run->job && run->action.kind == ACT_STEP);
        LOG_WARN("a step did not end in time, its execution is handed back", LOG_RUN(run));
        job_detach(run->job);
        run->job = NULL;
        timer_stop(&run->timer);
        run_give_back(run);
    }
    if (timer_start(&e->drain_timer, LEAVE_US) != 0)
        stop(e, 0);
    engine_poke(e);
}

void engine_left(struct engine *e)
{
    assert(engine_draining(e) || sm_is(&e->sm, ENGINE_STOPPED));
    stop(e, 0);
}

/* ---- opening and closing -------------------------------------------------------------------- */

static void on_store_up(void *ctx)
{
    lease_up(ctx);
}

static void on_store_down(void *ctx, const struct err *err)
{
    (void)ctx;
    LOG_WARN("the database is out of reach, trying again", LOG_ERR(err));
}

static void on_store_wake(void *ctx, int32_t lane)
{
    claim_wake(ctx, lane);
}

static int open_store(struct engine *e, struct err *err)
{
    const struct config *c = e->o.config;
    struct store_options o = {
        .conninfo = config_text(c, CONFIG_DATABASE_URL),
        .workspace = config_text(c, CONFIG_WORKSPACE),
        .program = e->o.program,
        .connections = (int)config_int(c, CONFIG_CONNECTIONS),
        .queue_max = (int)config_int(c, CONFIG_DB_QUEUE),
        .connect_timeout_ms = config_int(c, CONFIG_CONNECT_TIMEOUT),
        .statement_timeout_ms = config_int(c, CONFIG_STATEMENT_TIMEOUT),
        .lease_ms = config_int(c, CONFIG_LEASE),
        .listen = config_int(c, CONFIG_LISTEN) != 0,
        .prepare = config_int(c, CONFIG_PREPARE) != 0,
        .on_up = on_store_up,
        .on_down = on_store_down,
        .on_wake = on_store_wake,
        .ctx = e,
    };

    assert(!e->store);
    return store_open(e->loop, &o, &e->store, err);
}

static int fill_registry(struct engine *e, struct err *err)
{
    e->registry = mem_resize(NULL, e->o.workflow_count + 1, sizeof(*e->registry));
    if (!e->registry)
        return err_set(err, IFP_ENOMEM, "out of memory");
    for (size_t i = 0; i < e->o.workflow_count; i++) {
        const struct engine_workflow *w = &e->o.workflows[i];

        assert(w->name && w->version && w->queue && w->fn);
        assert(w->deadline_ms >= 0);
        e->registry[i] = (struct store_workflow){ w->name, w->version, w->queue, w->deadline_ms };
    }
    return 0;
}

static void init(struct engine *e, struct loop *l, const struct engine_options *o)
{
    e->loop = l;
    e->o = *o;
    sm_init(&e->sm, engine_states, ENGINE_STARTING);
    deferred_init(&e->turn, l, on_turn, e);
    timer_init(&e->drain_timer, l, on_drain_timer, e);
    map_init(&e->runs);
    list_init(&e->ready);
    list_init(&e->dirty);
    list_init(&e->suspects);
    list_init(&e->idle);
    list_init(&e->ends.runs);
}

int engine_open(struct loop *l, const struct engine_options *o, struct engine **ret,
                struct err *err)
{
    struct engine *e = mem_zalloc(sizeof(*e));
    int64_t worker_id = o->worker_id;
    int rc;

    assert(o->config && o->program && o->stopped);
    assert(o->worker_id >= 0 && (o->workflows || o->workflow_count == 0));
    if (!e)
        return err_set(err, IFP_ENOMEM, "out of memory");
    init(e, l, o);
    rc = fill_registry(e, err);
    if (rc == 0)
        rc = job_open(e, err);
    if (rc == 0 && worker_id == 0 && ids_worker(&worker_id) != 0)
        rc = err_set(err, IFP_ESERVER, "no random numbers");
    if (rc == 0)
        rc = open_store(e, err);
    if (rc != 0) {
        engine_close(e);
        return rc;
    }
    lease_open(e, worker_id);
    claim_open(e);
    ends_open(e);
    local_open(e);
    quotas_open(e);
    batch_open(e);
    tell_open(e);
    e->opened = true;
    observe_slots(engine_limit(e, CONFIG_SLOTS));
    *ret = e;
    return 0;
}

/* The last one to end says that the engine has stopped. */
void engine_async_gone(struct engine *e)
{
    if (!e->store_closed || e->jobs.async > 0)
        return;
    e->store_closed = false;
    e->o.stopped(e->o.ctx, e->stop_code, &e->stop_error);
}

/* Nothing of ours is in flight any more, but for attempts that were told to stop. */
static void on_store_closed(void *ctx)
{
    struct engine *e = ctx;

    assert(sm_is(&e->sm, ENGINE_STOPPED) && !e->stop_due);
    assert(e->runs.count == 0 && !e->alone);
    e->store = NULL;
    observe_slots(-engine_limit(e, CONFIG_SLOTS));
    deferred_cancel(&e->turn);
    tell_close(e);
    batch_close(e);
    quotas_close(e);
    ends_close(e);
    claim_close(e);
    local_close(e);
    lease_close(e);
    e->store_closed = true;
    engine_async_gone(e);
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    assert(!e->store && e->runs.count == 0 && e->jobs.async == 0);
    assert(!e->opened || sm_is(&e->sm, ENGINE_STOPPED));
    deferred_cancel(&e->turn);
    timer_stop(&e->drain_timer);
    map_release(&e->runs);
    mem_free(e->registry);
    if (job_close(e))
        mem_free(e);
}
