/*
 * engine/claim.c - from the queue into memory.
 *
 *   hint (notification, tick, timer) -> claim -> journal in pages -> ready
 *
 * Timers.  The tick tells when each spot has its next one, and a claim that came too early tells it
 * too, so a worker waits for exact times. Where a timer has ended more do soon, as a rule: that
 * spot is looked at again after a pause, and all of them after the same one, so that thousands of
 * timers a second cost some hundred claims.  What begins at once needs no second look: whoever
 * starts it while we are hungry tells us.
 *
 * One claim, one journal read and one look-up of owned executions in flight at most.  The journal
 * is read by a statement after the claim's, so its snapshot holds all that an earlier owner
 * recorded. A claim whose answer was lost may have happened: the database is asked what is ours,
 * once the connection is back and again a lease later, when the old backend is surely gone.
 */
#include "engine/claim.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "engine/load.h"
#include "engine/observe.h"

#include <assert.h>
#include <string.h>

enum { POLL_US = 50 * 1000, PATIENCE_US = 10 * 1000, LOOK_AGAIN_US = 5 * 1000, SHARDS_DEFAULT = 8 };

static void on_lanes(struct store_op *op, int rc, const struct err *err);
static void on_claimed(struct store_op *op, int rc, const struct err *err);
static void on_journal(struct store_op *op, int rc, const struct err *err);
static void on_owned(struct store_op *op, int rc, const struct err *err);
static void on_wake(void *ctx);
static void on_poll(void *ctx);
static void on_adopt(void *ctx);

void claim_open(struct engine *e)
{
    struct claim *c = &e->claim;

    assert(e->store && e->lease.worker_id > 0);
    probe_init(&c->probe, SHARDS_DEFAULT, (unsigned)e->lease.worker_id);
    map_init(&c->released);
    list_init(&c->loading);
    timer_init(&c->wake, e->loop, on_wake, e);
    timer_init(&c->adopt, e->loop, on_adopt, e);
    store_op_init(&c->op, e->store);
    store_op_init(&c->load, e->store);
    store_op_init(&c->owned, e->store);
    store_op_init(&c->lanes_op, e->store);
    timer_init(&c->poll, e->loop, on_poll, e);
    if (engine_limit(e, CONFIG_LISTEN) == 0)
        on_poll(e);
}

void claim_close(struct engine *e)
{
    struct claim *c = &e->claim;

    timer_stop(&c->wake);
    timer_stop(&c->poll);
    timer_stop(&c->adopt);
    assert(list_empty(&c->loading));
    probe_release(&c->probe);
    map_release(&c->released);
    mem_free(c->lanes);
    mem_free(c->lane_ids);
    store_op_release(&c->op);
    store_op_release(&c->load);
    store_op_release(&c->owned);
    store_op_release(&c->lanes_op);
}

/* ---- lanes: the queues of the workflows that this worker knows ------------------------------ */

void claim_lanes(struct engine *e)
{
    struct claim *c = &e->claim;

    c->lanes_stale = store_op_busy(&c->lanes_op);
    if (!c->lanes_stale)
        store_lanes(&c->lanes_op, e->registry, e->o.workflow_count, on_lanes);
}

/* The probe looks at the lanes that we know; without memory for that, at none. */
static bool is_aligned(const struct claim *c)
{
    size_t spots =
        c->plain_count * (size_t)c->probe.shards * (PROBE_PRIO_LAST - PROBE_PRIO_FIRST + 1);

    return c->probe.count == 0 || c->probe.count == spots;
}

static const struct engine_workflow *find_workflow(const struct engine *e,
                                                   const struct store_lane *lane)
{
    for (size_t i = 0; i < e->o.workflow_count; i++) {
        const struct engine_workflow *w = &e->o.workflows[i];

        if (strcmp(w->name, lane->workflow) == 0 && strcmp(w->version, lane->version) == 0)
            return w;
    }
    return NULL;
}

/* The ids of the lanes that are not paused, limited ones or the others; gives the new end. */
static size_t list_ids(const struct claim_lane *lanes, size_t n, bool limited, int32_t *ids,
                       size_t end)
{
    for (size_t i = 0; ids && i < n; i++)
        if (!lanes[i].paused && (lanes[i].queue != 0) == limited)
            ids[end++] = lanes[i].id;
    return end;
}

static int set_lanes(struct engine *e, const struct store_op *op)
{
    struct claim *c = &e->claim;
    size_t n = (size_t)op->rows, count = 0, plain, open;
    struct claim_lane *lanes = mem_resize(NULL, n + 1, sizeof(*lanes));
    int32_t *ids = mem_resize(NULL, n + 1, sizeof(*ids));

    for (size_t i = 0; lanes && ids && i < n; i++) {
        struct store_lane lane = store_lane_at(op, (int)i);
        const struct engine_workflow *w = find_workflow(e, &lane);

        assert(lane.lane > 0);
        if (!w)
            continue;
        lanes[count++] = (struct claim_lane){ lane.lane, w, lane.quota, lane.paused };
    }
    plain = list_ids(lanes, count, false, ids, 0);
    open = list_ids(lanes, count, true, ids, plain);
    if (!lanes || !ids || probe_set_lanes(&c->probe, ids, plain) != 0) {
        mem_free(lanes);
        mem_free(ids);
        return IFP_ENOMEM;
    }
    mem_free(c->lanes);
    mem_free(c->lane_ids);
    c->lanes = lanes;
    c->lane_ids = ids;
    c->lane_count = count;
    c->plain_count = plain;
    c->id_count = open;
    assert(is_aligned(c) && count <= n);
    return quotas_lanes(e);
}

static void on_lanes(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, claim.lanes_op);
    struct claim *c = &e->claim;

    if (rc == IFP_ECANCELED)
        return;
    if (rc == 0)
        rc = set_lanes(e, op);
    if (rc != 0) {
        LOG_WARN("the lanes could not be read", LOG_ERR(err));
        e->lease.lanes_seen = 0; /* the next tick asks again */
    } else if (c->lanes_stale) {
        claim_lanes(e);
    }
    engine_poke(e);
}

void claim_shards(struct engine *e, int shards)
{
    struct claim *c = &e->claim;

    if (shards == c->probe.shards || shards < 1 || shards > PROBE_SHARDS_MAX)
        return;
    probe_release(&c->probe);
    probe_init(&c->probe, shards, (unsigned)e->lease.worker_id);
    if (probe_set_lanes(&c->probe, c->lane_ids, c->plain_count) != 0)
        e->lease.lanes_seen = 0; /* the next tick asks for the lanes again */
    assert(is_aligned(c) && c->probe.shards == shards);
}

/* ---- claims --------------------------------------------------------------------------------- */

bool claim_allowed(const struct engine *e)
{
    return sm_is(&e->sm, ENGINE_WORKING) && lease_fresh(e) && !e->alone && !e->claim.adopt_due &&
           e->runs.count + (size_t)quotas_asked(e) < (size_t)engine_limit(e, CONFIG_SLOTS);
}

/* A commit in flight is about to make room: a claim for a handful would cost as much as a full one.
 * Not for long, as there may be commits without end that make none. */
static bool is_worth_it(const struct engine *e)
{
    int64_t slots = engine_limit(e, CONFIG_SLOTS), room = slots - (int64_t)e->runs.count;

    assert(room > 0);
    return room >= MIN(slots, engine_limit(e, CONFIG_CLAIM_BATCH)) / 2 || !batch_busy(e) ||
           clock_mono_us() - e->claim.sent_us >= PATIENCE_US;
}

static void send_claim(struct engine *e)
{
    struct claim *c = &e->claim;
    struct store_probe probes[PROBE_BATCH_MAX];
    int64_t room = engine_limit(e, CONFIG_SLOTS) - (int64_t)e->runs.count - quotas_asked(e);

    assert(!store_op_busy(&c->op) && !store_op_busy(&c->owned));
    assert(room > 0 && is_aligned(c));
    c->limit = (int)MIN(engine_limit(e, CONFIG_CLAIM_BATCH), room);
    c->spot_count = probe_next(&c->probe, c->spots);
    assert(c->spot_count > 0 && c->spot_count <= PROBE_BATCH_MAX);
    for (size_t i = 0; i < c->spot_count; i++)
        probes[i] = (struct store_probe){ c->spots[i].lane, c->spots[i].shard, c->spots[i].prio,
                                          c->spots[i].from_us };
    c->claimed_as = e->lease.worker_id;
    c->sent_us = clock_mono_us();
    store_claim(&c->op, e->lease.worker_id, probes, c->spot_count, c->limit, on_claimed);
    crash_here(CRASH_CLAIM_SENT);
}

int claim_asked(const struct engine *e)
{
    return store_op_busy(&e->claim.op) ? e->claim.limit : 0;
}

int claim_take_in(struct engine *e, const struct store_claimed *row)
{
    struct ifp_run *run;
    int rc = run_adopt(e, row, &run);

    if (rc == IFP_ENOTFOUND)
        claim_lanes(e);
    if (rc != 0) {
        LOG_WARN("an execution could not be taken in", LOG_STR("error", ifp_error_name(rc)));
        claim_adopt_soon(e);
    } else if (run && sm_is(&run->sm, RUN_LOADING)) {
        assert(!run->load_sent && run->exec_id == row->exec_id);
        list_del(&run->link);
        list_push(&e->claim.loading, &run->link);
    }
    return rc;
}

/* On a grid, so that spots whose timers end at about the same time are looked at together. */
static void look_again(struct engine *e, int32_t lane, int16_t shard, int16_t prio)
{
    int64_t at_us = (engine_db_now(e) / LOOK_AGAIN_US + 2) * LOOK_AGAIN_US;

    claim_expect(e, lane, shard, prio, at_us);
}

/* From the last to the first: the watermark of a spot ends at its earliest row. */
static int take_rows(struct engine *e, const struct store_op *op)
{
    int taken = 0;

    for (int i = op->rows - 1; i >= 0; i--) {
        struct store_claimed row = store_claimed_at(op, i);

        engine_db_clock(e, row.now_us);
        if (row.exec_id == 0) {
            claim_expect(e, row.lane, row.shard, row.prio, row.ready_us);
            continue;
        }
        probe_took(&e->claim.probe, row.lane, row.shard, row.prio, row.ready_us);
        if (row.ready_us != row.created_us) /* it has waited for something */
            look_again(e, row.lane, row.shard, row.prio);
        observe_claimed(&row);
        (void)claim_take_in(e, &row);
        taken++;
    }
    return taken;
}

/* Tells starters that a notification is welcome; what came before they hear of it is looked for. */
static void grow_hungry(struct engine *e)
{
    lease_hurry(e);
    for (size_t i = 0; e->db_ahead_us != 0 && i < e->claim.spot_count; i++) {
        const struct probe_spot *s = &e->claim.spots[i];

        look_again(e, s->lane, s->shard, s->prio);
    }
}

static void on_claimed(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, claim.op);
    struct claim *c = &e->claim;
    int taken;

    if (rc == IFP_ECANCELED || c->claimed_as != e->lease.worker_id)
        return; /* what an earlier incarnation claimed is taken over from it */
    if (rc != 0) {
        LOG_WARN("a claim failed", LOG_ERR(err));
        if (rc == IFP_ELEASE)
            engine_restart(e);
        else if (op->req.sent)
            claim_adopt_soon(e);
        return;
    }
    crash_here(CRASH_CLAIM_DONE);
    taken = take_rows(e, op);
    assert(taken <= c->limit && c->spot_count > 0);
    observe_claim(taken, c->sent_us);
    probe_done(&c->probe, c->spots, c->spot_count, taken >= c->limit);
    if (!c->hungry && taken < c->limit)
        grow_hungry(e);
    c->hungry = taken < c->limit;
    engine_poke(e);
}

/* ---- journals ------------------------------------------------------------------------------- */

static void send_load(struct engine *e)
{
    int64_t exec[CLAIM_LOADS_MAX], after[CLAIM_LOADS_MAX];
    int page = (int)engine_limit(e, CONFIG_JOURNAL_PAGE);
    size_t n = 0;

    assert(!store_op_busy(&e->claim.load) && page >= 1);
    for (struct list *l = e->claim.loading.next; l != &e->claim.loading && n < CLAIM_LOADS_MAX;
         l = l->next) {
        struct ifp_run *run = CONTAINER_OF(l, struct ifp_run, link);

        assert(sm_is(&run->sm, RUN_LOADING));
        run->load_rows = 0;
        run->load_sent = true;
        exec[n] = run->exec_id;
        after[n++] = run->load_after;
    }
    assert(n > 0);
    e->claim.load_limit = MAX(1, page / (int)n);
    store_journal(&e->claim.load, exec, after, n, e->claim.load_limit, on_journal);
}

static void take_row(struct engine *e, const struct store_journal_row *row)
{
    struct ifp_run *run = map_get(&e->runs, (uint64_t)row->exec_id);
    int rc;

    if (!run || !run->load_sent || !sm_is(&run->sm, RUN_LOADING))
        return; /* dropped meanwhile, or claimed anew */
    rc = load_take(run, row);
    assert(run->load_rows <= e->claim.load_limit);
    if (rc == IFP_ENOMEM)
        run_give_back(run); /* somebody reads it again */
    else if (rc != 0)
        run_fail(run, ifp_error_name(rc), load_text(rc));
}

/* Runs whose page was not full are complete. */
static void end_page(struct engine *e)
{
    LIST_EACH(it, &e->claim.loading) {
        struct ifp_run *run = CONTAINER_OF(it, struct ifp_run, link);

        if (!run->load_sent)
            continue;
        assert(sm_is(&run->sm, RUN_LOADING) && run->load_rows <= e->claim.load_limit);
        run->load_sent = false;
        if (run->load_rows < e->claim.load_limit)
            run_move(run, RUN_READY);
    }
    crash_here(CRASH_JOURNAL_LOADED);
}

static void on_journal(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, claim.load);

    if (rc == IFP_ECANCELED)
        return;
    if (rc != 0) {
        LOG_WARN("journals could not be read, trying again", LOG_ERR(err));
        claim_adopt_soon(e); /* its timer brings the next turn */
        return;
    }
    for (int i = 0; i < op->rows; i++) {
        struct store_journal_row row = store_journal_at(op, i);

        take_row(e, &row);
    }
    end_page(e);
    engine_poke(e);
}

/* ---- adoption ------------------------------------------------------------------------------- */

void claim_adopt_soon(struct engine *e)
{
    struct timer *timer = &e->claim.adopt;

    e->claim.adopt_again = true;
    if (timer_armed(timer) && timer->due_us <= clock_mono_us() + POLL_US)
        return; /* soon enough; what waits for the second look must not hold up the first */
    if (timer_start(timer, POLL_US) != 0)
        e->claim.adopt_due = true;
    assert(e->claim.adopt_due || timer_armed(&e->claim.adopt));
}

static void on_adopt(void *ctx)
{
    struct engine *e = ctx;

    assert(!timer_armed(&e->claim.adopt));
    if (store_op_busy(&e->claim.owned))
        claim_adopt_soon(e); /* what is under way may be from before the wish */
    else
        e->claim.adopt_due = true;
    engine_poke(e);
}

static void send_owned(struct engine *e)
{
    assert(e->claim.adopt_due && e->lease.acked_us != 0);
    assert(!store_op_busy(&e->claim.owned) && !store_op_busy(&e->claim.op));
    map_release(&e->claim.released);
    map_init(&e->claim.released);
    e->claim.owned_as = e->lease.worker_id;
    store_owned(&e->claim.owned, e->lease.worker_id, on_owned);
}

void claim_released(struct engine *e, int64_t exec_id)
{
    assert(!map_get(&e->runs, (uint64_t)exec_id));
    /* Out of memory: the worst is a run that is refused at its first commit. */
    if (store_op_busy(&e->claim.owned))
        (void)!map_put(&e->claim.released, (uint64_t)exec_id, e);
}

static void on_owned(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, claim.owned);
    struct claim *c = &e->claim;
    bool missed = false;

    if (rc == IFP_ECANCELED)
        return;
    if (rc != 0) {
        LOG_WARN("own executions could not be looked up", LOG_ERR(err));
        claim_adopt_soon(e);
        return;
    }
    if (c->owned_as != e->lease.worker_id)
        return;
    assert(c->adopt_due && !store_op_busy(&c->op));
    c->adopt_due = false;
    for (int i = 0; i < op->rows; i++) {
        struct store_claimed row = store_claimed_at(op, i);

        engine_db_clock(e, row.now_us); /* no tick may have told it yet */
        if (!map_get(&c->released, (uint64_t)row.exec_id))
            missed |= claim_take_in(e, &row) != 0;
    }
    /* Once more when the old backend, and what it still carried out, is surely gone. */
    if (c->adopt_again && !missed && !timer_armed(&c->adopt) &&
        timer_start(&c->adopt, e->lease.length_us) == 0)
        c->adopt_again = false;
    engine_poke(e);
}

/* ---- hints and turns ------------------------------------------------------------------------ */

void claim_mark(struct engine *e, int32_t lane)
{
    probe_mark_lane(&e->claim.probe, lane);
    quotas_wake(e, lane);
}

/* Without memory for the timer the next tick tells what is due. */
static void wake_at(struct engine *e, int64_t us)
{
    if (timer_start(&e->claim.wake, MAX(us - engine_db_now(e), 0)) == 0)
        e->claim.wake_us = us;
}

static void on_wake(void *ctx)
{
    struct engine *e = ctx;
    int64_t next = probe_pass(&e->claim.probe, engine_db_now(e));

    assert(!timer_armed(&e->claim.wake));
    e->claim.wake_us = 0;
    if (next != PROBE_NEVER)
        wake_at(e, next);
    engine_poke(e);
}

/* Without notifications the queue is asked while there is room. */
static void on_poll(void *ctx)
{
    struct engine *e = ctx;

    assert(engine_limit(e, CONFIG_LISTEN) == 0);
    claim_mark(e, 0);
    engine_poke(e);
    if (timer_start(&e->claim.poll, POLL_US) != 0)
        LOG_ERROR("no memory for the poll timer");
}

static bool knows_lane(const struct claim *c, int32_t lane)
{
    for (size_t i = 0; i < c->lane_count; i++)
        if (c->lanes[i].id == lane)
            return true;
    return false;
}

void claim_wake(struct engine *e, int32_t lane)
{
    assert(lane >= 0);
    /* Perhaps the first start in a new queue.  Before the first beat they cannot be asked for. */
    if (lane != 0 && e->lease.acked_us != 0 && !knows_lane(&e->claim, lane))
        claim_lanes(e);
    claim_mark(e, lane);
    engine_poke(e);
}

void claim_expect(struct engine *e, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us)
{
    struct claim *c = &e->claim;

    assert(lane > 0 && ready_us > 0);
    assert((c->wake_us != 0) == timer_armed(&c->wake));
    quotas_expect_lane(e, lane, ready_us);
    probe_expect(&c->probe, lane, shard, prio, ready_us);
    if (c->wake_us == 0 || ready_us < c->wake_us)
        wake_at(e, ready_us);
}

void claim_turn(struct engine *e)
{
    struct claim *c = &e->claim;

    assert(!sm_is(&e->sm, ENGINE_STOPPED));
    if (!list_empty(&c->loading) && !store_op_busy(&c->load) && !c->adopt_due)
        send_load(e);
    if (c->adopt_due && e->lease.acked_us != 0 && !store_op_busy(&c->owned) &&
        !store_op_busy(&c->op))
        send_owned(e);
    if (claim_allowed(e) && !store_op_busy(&c->op) && probe_any(&c->probe) && is_worth_it(e))
        send_claim(e);
}
