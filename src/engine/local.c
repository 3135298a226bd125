/*
 * engine/local.c - a start without the queue.
 *
 *   local_start -> inferpipe.start_local -> on_started: each row becomes a run, as if claimed
 *
 * Two statements in flight at most, and never for more executions than there are free slots.
 * Nobody else can run what they make, so a lost answer is cleared up like that of a claim: the
 * database is asked what is ours.
 */
#include "engine/local.h"

#include "base/log.h"
#include "base/metrics.h"
#include "engine/internal.h"
#include "store/start_local.h"

#include <assert.h>
#include <string.h>

static void on_started(struct store_op *op, int rc, const struct err *err);

void local_open(struct engine *e)
{
    assert(e->store);
    for (int i = 0; i < LOCAL_STARTS; i++) {
        e->local.ops[i].engine = e;
        store_op_init(&e->local.ops[i].op, e->store);
    }
}

void local_close(struct engine *e)
{
    for (int i = 0; i < LOCAL_STARTS; i++)
        store_op_release(&e->local.ops[i].op);
}

/* How many executions may come from starts in flight. */
static size_t asked(const struct engine *e)
{
    size_t n = 0;

    for (int i = 0; i < LOCAL_STARTS; i++)
        if (store_op_busy(&e->local.ops[i].op))
            n += e->local.ops[i].asked;
    return n;
}

bool local_busy(const struct engine *e)
{
    return asked(e) > 0;
}

static struct local_op *find_free(struct engine *e)
{
    for (int i = 0; i < LOCAL_STARTS; i++)
        if (!store_op_busy(&e->local.ops[i].op))
            return &e->local.ops[i];
    return NULL;
}

static const struct store_workflow *find(const struct engine *e, const char *workflow)
{
    for (size_t i = 0; i < e->o.workflow_count; i++)
        if (strcmp(e->registry[i].name, workflow) == 0)
            return &e->registry[i];
    return NULL;
}

size_t local_start(struct engine *e, const char *workflow, struct slice input, size_t n)
{
    const struct store_workflow *w = find(e, workflow);
    size_t slots = (size_t)engine_limit(e, CONFIG_SLOTS);
    struct local_op *op = find_free(e);

    assert(w && input.len <= (size_t)engine_limit(e, CONFIG_PAYLOAD_INLINE));
    if (!op || !claim_allowed(e) || e->runs.count + asked(e) >= slots)
        return 0;
    n = MIN(n, MIN(slots - e->runs.count - asked(e), (size_t)engine_limit(e, CONFIG_CLAIM_BATCH)));
    if (n == 0)
        return 0;
    assert(e->runs.count + asked(e) + n <= slots);
    op->started_as = e->lease.worker_id;
    op->asked = n;
    start_local_send(&op->op, e->lease.worker_id, w, input, n, on_started);
    return n;
}

static void on_started(struct store_op *op, int rc, const struct err *err)
{
    struct local_op *start = CONTAINER_OF(op, struct local_op, op);
    struct engine *e = start->engine;

    if (rc == IFP_ECANCELED || start->started_as != e->lease.worker_id)
        return; /* what an earlier incarnation started is taken over from it */
    if (rc != 0) {
        LOG_WARN("executions could not be started", LOG_ERR(err));
        if (rc == IFP_ELEASE)
            engine_restart(e);
        else if (op->req.sent)
            claim_adopt_soon(e);
        return;
    }
    assert((size_t)op->rows <= start->asked);
    metrics_add(METRIC_STARTED, "local", op->rows);
    for (int i = 0; i < op->rows; i++) {
        struct store_claimed row = store_claimed_at(op, i);

        engine_db_clock(e, row.now_us);
        (void)claim_take_in(e, &row);
    }
    engine_poke(e);
}
