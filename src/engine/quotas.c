/*
 * engine/quotas.c - see the header; the decisions are core/quota.c's.
 *
 *   mark, time, free place -> claim_limited -> rows into memory -> (again at its time)
 *
 * A claim tells how many executions of the queue we have, so a place that became free goes back
 * with the next one.  While we cannot claim, because our slots are full or we drain, it is told
 * alone.
 */
#include "engine/quotas.h"

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "engine/observe.h"

#include <assert.h>

enum { PAUSE_US = 100 * 1000 };

static void on_claimed(struct store_op *op, int rc, const struct err *err);
static void on_told(struct store_op *op, int rc, const struct err *err);
static void on_timer(void *ctx);

void quotas_open(struct engine *e)
{
    struct quotas *q = &e->quotas;

    assert(e->store);
    quota_init(&q->table);
    store_op_init(&q->op, e->store);
    store_op_init(&q->tell, e->store);
    timer_init(&q->timer, e->loop, on_timer, e);
}

void quotas_close(struct engine *e)
{
    assert(e->quotas.limit == 0);
    timer_stop(&e->quotas.timer);
    quota_release(&e->quotas.table);
    store_op_release(&e->quotas.op);
    store_op_release(&e->quotas.tell);
}

/* ---- which queues --------------------------------------------------------------------------- */

static struct quota_queue *queue_of(const struct engine *e, int32_t lane)
{
    for (size_t i = 0; i < e->claim.lane_count; i++)
        if (e->claim.lanes[i].id == lane)
            return quota_find(&e->quotas.table, e->claim.lanes[i].queue);
    return NULL;
}

/* A queue may have got its first limit while executions of it were here. */
static void count_anew(struct engine *e)
{
    struct ifp_run *run;
    size_t pos = 0;

    assert(e->claim.lane_count >= e->quotas.table.count);
    for (size_t i = 0; i < e->quotas.table.count; i++)
        e->quotas.table.queues[i].held = 0;
    while ((run = map_next(&e->runs, &pos, &(uint64_t){ 0 })) != NULL) {
        struct quota_queue *k = queue_of(e, run->lane);

        if (k)
            k->held++;
    }
}

int quotas_lanes(struct engine *e)
{
    const struct claim *c = &e->claim;
    int32_t *queues = mem_resize(NULL, c->lane_count + 1, sizeof(*queues));
    size_t n = 0;
    int rc;

    if (!queues)
        return IFP_ENOMEM;
    for (size_t i = 0; i < c->lane_count; i++) {
        size_t known = 0;

        while (known < n && queues[known] != c->lanes[i].queue)
            known++;
        if (c->lanes[i].queue != 0 && known == n)
            queues[n++] = c->lanes[i].queue;
    }
    assert(n <= c->lane_count);
    rc = quota_set(&e->quotas.table, queues, n);
    mem_free(queues);
    if (rc == 0)
        count_anew(e);
    return rc;
}

void quotas_restart(struct engine *e)
{
    quota_restart(&e->quotas.table);
}

void quotas_wake(struct engine *e, int32_t lane)
{
    struct quota_queue *k = lane != 0 ? queue_of(e, lane) : NULL;

    assert(lane >= 0);
    if (lane == 0)
        quota_mark(&e->quotas.table, 0);
    else if (k)
        quota_mark(&e->quotas.table, k->queue);
}

void quotas_expect(struct engine *e, int32_t queue, int64_t at_us)
{
    struct quota_queue *k = quota_find(&e->quotas.table, queue);

    assert(queue > 0);
    if (k)
        quota_expect(k, at_us);
}

void quotas_expect_lane(struct engine *e, int32_t lane, int64_t at_us)
{
    struct quota_queue *k = e->quotas.table.count > 0 ? queue_of(e, lane) : NULL;

    if (k)
        quota_expect(k, at_us);
}

void quotas_count(struct engine *e, int32_t lane, int change)
{
    struct quota_queue *k = e->quotas.table.count > 0 ? queue_of(e, lane) : NULL;

    if (k)
        quota_count(k, change);
}

/* ---- claims --------------------------------------------------------------------------------- */

int quotas_asked(const struct engine *e)
{
    return e->quotas.limit;
}

static int room(const struct engine *e)
{
    int64_t taken = (int64_t)e->runs.count + claim_asked(e) + e->quotas.limit;
    int64_t left = engine_limit(e, CONFIG_SLOTS) - taken;

    return (int)MIN(engine_limit(e, CONFIG_CLAIM_BATCH), MAX(left, 0));
}

/* Whether what we count is what the database says that we own. */
static bool knows(const struct engine *e)
{
    const struct claim *c = &e->claim;

    return !c->adopt_due && !c->adopt_again && !timer_armed(&c->adopt) && !store_op_busy(&c->owned);
}

/* The lanes of a queue; their number. */
static size_t lanes_of(const struct engine *e, int32_t queue, int32_t *ret)
{
    size_t n = 0;

    assert(queue > 0);
    for (size_t i = 0; i < e->claim.lane_count; i++)
        if (e->claim.lanes[i].queue == queue)
            ret[n++] = e->claim.lanes[i].id;
    return n;
}

static void send_claim(struct engine *e, struct quota_queue *k)
{
    struct quotas *q = &e->quotas;
    struct store_quota ask = { .worker = e->lease.worker_id,
                               .queue = k->queue,
                               .turn = ++q->turn,
                               .seen = k->seen,
                               .limit = room(e) };
    int32_t *lanes = mem_resize(NULL, e->claim.lane_count + 1, sizeof(*lanes));

    assert(!store_op_busy(&q->op) && ask.limit > 0);
    if (!lanes) {
        q->pause = true;
        return;
    }
    ask.used = knows(e) ? k->held : STORE_QUOTA_COUNT;
    q->claimed_as = ask.worker;
    q->claim_turn = ask.turn;
    q->asked = k->queue;
    q->limit = ask.limit;
    quota_sent(k);
    store_claim_limited(&q->op, &ask, lanes, lanes_of(e, k->queue, lanes), on_claimed);
    mem_free(lanes);
    crash_here(CRASH_CLAIM_SENT);
}

/* `more`: a statement that we took for lost has claimed for us what we do not know of. */
static void answered(struct engine *e, struct quota_queue *k, int64_t turn, bool more)
{
    assert(turn > 0 && turn <= e->quotas.turn);
    if (k)
        k->seen = MAX(k->seen, turn);
    if (more)
        claim_adopt_soon(e);
}

static void on_failed(struct engine *e, const struct store_op *op, int rc, const struct err *err)
{
    assert(rc < 0 && err->code < 0);
    LOG_WARN("a claim from a limited queue failed", LOG_ERR(err));
    quota_mark(&e->quotas.table, 0);
    e->quotas.pause = true;
    if (rc == IFP_ELEASE)
        engine_restart(e);
    else if (op->req.sent)
        claim_adopt_soon(e);
    engine_poke(e);
}

static void on_claimed(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, quotas.op);
    struct quotas *q = &e->quotas;
    struct quota_queue *k = quota_find(&q->table, q->asked);
    int limit = q->limit, rows = op->rows - 1; /* the last one tells about the queue */

    q->limit = 0;
    if (rc == IFP_ECANCELED || q->claimed_as != e->lease.worker_id)
        return;
    if (rc != 0) {
        on_failed(e, op, rc, err);
        return;
    }
    crash_here(CRASH_CLAIM_DONE);
    assert(rows <= limit);
    if (rows >= 0)
        engine_db_clock(e, store_quota_now(op)); /* no tick may have told it yet */
    answered(e, k, q->claim_turn, store_quota_more(op));
    for (int i = 0; i < rows; i++) {
        struct store_claimed row = store_claimed_at(op, i);

        observe_claimed(&row);
        (void)claim_take_in(e, &row);
    }
    if (k && rows >= 0)
        quota_answer(k, rows, limit, store_quota_again(op));
    if (!q->hungry && rows < limit)
        lease_hurry(e);
    q->hungry = rows < limit;
    engine_poke(e);
}

/* ---- giving places back --------------------------------------------------------------------- */

static void send_told(struct engine *e, struct quota_queue *k)
{
    struct quotas *q = &e->quotas;

    assert(!store_op_busy(&q->tell) && knows(e));
    q->told = k->queue;
    k->told = k->held;
    q->tell_turn = ++q->turn;
    store_queue_report(&q->tell,
                       &(struct store_quota){ .worker = e->lease.worker_id,
                                              .queue = k->queue,
                                              .turn = q->tell_turn,
                                              .seen = k->seen,
                                              .used = k->held },
                       on_told);
}

static void on_told(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, quotas.tell);
    struct quota_queue *k = quota_find(&e->quotas.table, e->quotas.told);

    if (rc == IFP_ECANCELED)
        return;
    if (rc == 0) {
        answered(e, k, e->quotas.tell_turn, store_queue_report_more(op));
    } else {
        LOG_WARN("places of a limited queue could not be given back, trying again", LOG_ERR(err));
        e->quotas.pause = true;
        if (k)
            k->told = k->held + 1; /* unknown: tell again */
    }
    engine_poke(e);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct engine *e = ctx;

    assert(e->opened);
    e->quotas.pause = false;
    engine_poke(e);
}

/* Another turn when the next queue's time comes, or the pause is over. */
static void arm(struct engine *e)
{
    struct quotas *q = &e->quotas;
    int64_t at = quota_earliest(&q->table), wait = PAUSE_US;

    assert(at == 0 || e->db_ahead_us != 0);
    if (!q->pause && at == 0)
        return;
    if (!q->pause)
        wait = MAX(at - engine_db_now(e), 0);
    if (timer_start(&q->timer, wait) != 0)
        LOG_ERROR("no memory for the timer of the limited queues");
}

static bool may_claim(const struct engine *e)
{
    return sm_is(&e->sm, ENGINE_WORKING) && !e->alone && !e->claim.adopt_due && room(e) > 0;
}

void quotas_turn(struct engine *e)
{
    struct quotas *q = &e->quotas;
    struct quota_queue *k = NULL;

    if (q->table.count == 0 || !lease_fresh(e) || store_op_busy(&q->op))
        return;
    if (!q->pause && may_claim(e))
        k = quota_next(&q->table, e->db_ahead_us != 0 ? engine_db_now(e) : 0);
    if (k) {
        send_claim(e, k);
        return;
    }
    k = quota_untold(&q->table);
    if (k && !q->pause && !store_op_busy(&q->tell) && knows(e))
        send_told(e, k);
    if (q->pause || may_claim(e))
        arm(e);
}
