/*
 * engine/batch.c - group commit; see the header for when a batch leaves and how one is halved.
 *
 * Answers come in the batch's order; a run that was dropped meanwhile has left the batch's list, so
 * the two are walked side by side and matched by id.
 */
#include "engine/batch.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "engine/branch.h"
#include "engine/internal.h"
#include "engine/observe.h"

#include <assert.h>
#include <string.h>

enum {
    BATCH_BYTES_MAX = 32 << 20,
    AGAIN_US = 10 * 1000,
    RETRY_US = 100 * 1000,
    REFUSED_US = 1000 * 1000
};

static void on_again(void *ctx);
static void on_flushed(struct store_op *op, int rc, const struct err *err);

void batch_open(struct engine *e)
{
    assert(e->store && e->lease.worker_id > 0);
    list_init(&e->batches.held);
    timer_init(&e->batches.again, e->loop, on_again, e);
    for (int i = 0; i < BATCH_LANES; i++) {
        struct batch *b = &e->batches.lanes[i];

        b->engine = e;
        list_init(&b->runs);
        flush_init(&b->flush, e->store, engine_limit(e, CONFIG_PAYLOAD_INLINE));
    }
}

void batch_close(struct engine *e)
{
    timer_stop(&e->batches.again);
    assert(list_empty(&e->batches.held));
    for (int i = 0; i < BATCH_LANES; i++) {
        assert(!e->batches.lanes[i].busy && list_empty(&e->batches.lanes[i].runs));
        flush_release(&e->batches.lanes[i].flush);
    }
}

/* ---- filling -------------------------------------------------------------------------------- */

static void fill_retry(struct ifp_run *run, struct flush_run *f)
{
    assert(run->action.kind == ACT_STEP && run->failure.seq == run->action.call.seq);
    assert(run->failure.delay_ms >= 0 && run->failure.attempt >= 1);
    run->parks = run->failure.delay_ms >= 1000 || engine_draining(run->engine);
    f->move = run->parks ? FLUSH_PARK : FLUSH_KEEP;
    f->state = FLUSH_RETRY;
    f->wake_ms = run->failure.delay_ms;
}

static void fill_sleep(struct ifp_run *run, struct flush_run *f)
{
    const struct action *a = &run->action;

    assert(a->wake_us != 0 || run->journal.pending > 0); /* a new one leaves with its row */
    run->parks = a->wake_us != 0 || a->wait_ms >= 1000 || engine_draining(run->engine);
    f->move = run->parks ? FLUSH_PARK : FLUSH_KEEP;
    f->state = FLUSH_TIMER;
    f->wake_us = a->wake_us;
    f->wake_ms = a->wake_us != 0 ? -1 : a->wait_ms;
}

/* A step waits for the commit of what is before it, or for its next attempt. */
static void fill_step(struct ifp_run *run, struct flush_run *f)
{
    assert(run->action.wake_us != 0 || run->journal.pending > 0 || notes_any(&run->notes));
    run->parks = run->action.wake_us != 0;
    f->move = run->parks ? FLUSH_PARK : FLUSH_KEEP;
    f->state = FLUSH_RETRY;
    f->wake_us = run->action.wake_us;
}

static void fill_await(struct ifp_run *run, struct flush_run *f)
{
    const struct action *a = &run->action;

    assert(a->end_key != 0 || a->ends > 0);
    run->parks = true;
    f->move = FLUSH_AWAIT;
    f->wait_key = a->end_key;
    f->wait_seq = a->ends;
    f->wake_us = a->wake_us;
    f->wake_ms = a->wake_us != 0 ? -1 : a->wait_ms;
}

/* Parallel steps are under way, or what they have ended by now is enough to go on. */
static bool stays(const struct ifp_run *run)
{
    const struct action *a = &run->action;

    if (a->kind == ACT_END || a->kind == ACT_BACK)
        return false;
    return branch_any(run) || (a->kind == ACT_AWAIT && a->left <= 0);
}

static void fill_action(struct ifp_run *run, struct flush_run *f)
{
    const struct action *a = &run->action;

    switch (a->kind) {
    case ACT_STEP:
        fill_step(run, f);
        break;
    case ACT_SLEEP:
        fill_sleep(run, f);
        break;
    case ACT_RECEIVE:
        assert(a->call.seq >= 1 && a->wait_ms >= 0);
        f->move = FLUSH_RECEIVE;
        f->wait_key = a->call.step_key;
        f->wait_intent = a->intent_key;
        f->wait_seq = a->call.seq;
        f->wait_name = a->call.name;
        f->wait_ms = a->wait_ms;
        break;
    case ACT_AWAIT:
        fill_await(run, f);
        break;
    case ACT_COMMIT:
        break; /* nothing but its rows */
    case ACT_CONTINUE:
        f->move = FLUSH_CONTINUE;
        f->output = value_slice(a->input);
        break;
    case ACT_END:
        assert(a->status >= FLUSH_COMPLETED && a->status <= FLUSH_CANCELED);
        f->move = FLUSH_END;
        f->status = a->status;
        f->output = a->output;
        f->error_code = a->error_code;
        f->error = a->error;
        break;
    case ACT_BACK:
        f->move = FLUSH_BACK;
        break;
    case ACT_LEAVE: /* it became a failed attempt */
    case ACT_AGAIN:
    case ACT_NONE:
        assert(a->kind != ACT_NONE && a->kind != ACT_AGAIN && a->kind != ACT_LEAVE);
        break;
    }
}

static void fill_rows(struct ifp_run *run, struct flush *flush)
{
    uint32_t pos = 0, rows = 0;

    for (struct journal_row *row; (row = journal_next_pending(&run->journal, &pos)) != NULL;
         rows++) {
        if (row->kind == JOURNAL_CHILD) {
            flush_add_child(flush, journal_find(&run->journal, row->seq)->work);
            continue;
        }
        flush_add_row(flush, &(struct flush_row){ .step_key = row->step_key,
                                                  .seq = row->seq,
                                                  .kind = (enum store_kind)row->kind,
                                                  .status = (enum store_row_status)row->status,
                                                  .attempts = row->attempts,
                                                  .name = row->name,
                                                  .result = row->result,
                                                  .error_code = row->error_code,
                                                  .error = row->error,
                                                  .took_us = row->took_us,
                                                  .wake_ms = row->sleep_ms });
    }
    assert(rows == run->journal.pending);
    if (run->failure.set)
        flush_add_attempt(flush, &(struct flush_attempt){ .step_key = run->failure.step_key,
                                                          .seq = run->failure.seq,
                                                          .attempt = run->failure.attempt,
                                                          .error_code = run->failure.code,
                                                          .error = run->failure.text,
                                                          .next_ms = run->failure.delay_ms });
}

static void fill(struct ifp_run *run, struct flush *flush)
{
    struct flush_run f = { .exec_id = run->exec_id, .fence = run->fence, .wake_ms = -1 };

    assert(sm_is(&run->sm, RUN_FLIGHT));
    assert(run->exec_id > 0 && run->fence > 0);
    run->parks = false;
    run->beside = stays(run);
    if (run->failure.set)
        fill_retry(run, &f);
    else if (!run->beside)
        fill_action(run, &f);
    flush_add_run(flush, &f);
    if (run->action.kind != ACT_CONTINUE) /* nothing of the old journal stays */
        fill_rows(run, flush);
    branch_fill(run, flush);
    run->notes.sent = notes_fill(&run->notes, flush);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void take(struct batch *b, struct list *from, int max)
{
    assert(max >= 1 && b->count == 0);
    while (b->count < max && b->flush.bytes < BATCH_BYTES_MAX && !list_empty(from)) {
        struct ifp_run *run = CONTAINER_OF(from->next, struct ifp_run, link);

        run_move(run, RUN_FLIGHT);
        list_push(&b->runs, &run->link);
        fill(run, &b->flush);
        b->count++;
    }
}

static void send(struct batch *b)
{
    struct engine *e = b->engine;

    assert(!b->busy && list_empty(&b->runs));
    flush_reset(&b->flush);
    b->count = 0;
    if (!list_empty(&e->suspects))
        take(b, &e->suspects, CONTAINER_OF(e->suspects.next, struct ifp_run, link)->suspect);
    else
        take(b, &e->dirty, (int)engine_limit(e, CONFIG_FLUSH_BATCH));
    assert(b->count > 0 && b->count == b->flush.runs);
    crash_here(CRASH_FLUSH_BEFORE);
    b->busy = true;
    b->sent_us = clock_mono_us();
    flush_send(&b->flush, e->lease.worker_id, on_flushed);
}

/* One batch may always be in flight; more of them only when they are full. */
static bool worth_sending(const struct engine *e, int in_flight)
{
    int64_t full = engine_limit(e, CONFIG_FLUSH_BATCH);

    assert(in_flight >= 0 && in_flight < BATCH_LANES); /* one of them is free */
    if (list_empty(&e->suspects) && list_empty(&e->dirty))
        return false;
    if (in_flight == 0 || !list_empty(&e->suspects))
        return true;
    for (const struct list *l = e->dirty.next; l != &e->dirty; l = l->next)
        if (--full == 0)
            return true;
    return false;
}

void batch_send(struct engine *e)
{
    int in_flight = 0;

    if (e->lease.acked_us == 0)
        return; /* no lease, no fence to write under */
    for (int i = 0; i < BATCH_LANES; i++) {
        assert(e->batches.lanes[i].busy == store_op_busy(&e->batches.lanes[i].flush.op));
        in_flight += e->batches.lanes[i].busy;
    }
    for (int i = 0; i < BATCH_LANES; i++) {
        if (e->batches.lanes[i].busy || !worth_sending(e, in_flight))
            continue;
        send(&e->batches.lanes[i]);
        in_flight++;
        crash_here(CRASH_FLUSH_SENT);
    }
}

bool batch_busy(const struct engine *e)
{
    bool busy = false;

    for (int i = 0; i < BATCH_LANES; i++)
        busy |= e->batches.lanes[i].busy;
    return busy;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* One timer for all that wait: the earliest wish counts. */
static void hold(struct ifp_run *run, int64_t us)
{
    struct engine *e = run->engine;
    struct timer *again = &e->batches.again;

    assert(us > 0 && sm_is(&run->sm, RUN_FLIGHT));
    run_move(run, RUN_DIRTY);
    list_del(&run->link);
    list_push(&e->batches.held, &run->link);
    if (timer_armed(again) && again->due_us <= clock_mono_us() + us)
        return;
    if (timer_start(again, us) != 0)
        on_again(e);
}

static void on_again(void *ctx)
{
    struct engine *e = ctx;

    LIST_EACH(it, &e->batches.held) {
        struct ifp_run *run = CONTAINER_OF(it, struct ifp_run, link);

        assert(sm_is(&run->sm, RUN_DIRTY));
        list_del(it);
        list_push(run->suspect ? &e->suspects : &e->dirty, it);
    }
    engine_poke(e);
}

static void on_verdict(struct ifp_run *run, const struct flush_answer *answer)
{
    assert(sm_is(&run->sm, RUN_FLIGHT) && !run->job);
    assert(answer->verdict >= FLUSH_WRITTEN && answer->verdict <= FLUSH_CONFLICT);
    switch (answer->verdict) {
    case FLUSH_WRITTEN:
        run_committed(run, answer);
        break;
    case FLUSH_LOCKED:
        run->locked++;
        hold(run, (int64_t)AGAIN_US * MIN(run->locked, 20));
        break;
    case FLUSH_NOT_OURS:
        metrics_add(METRIC_FENCED, NULL, 1);
        if (run->action.kind == ACT_CONTINUE) /* perhaps it was done, and we have not heard of it */
            claim_adopt_soon(run->engine);
        LOG_WARN("another worker owns this execution now", LOG_RUN(run),
                 LOG_INT("fence", run->fence));
        run_drop(run);
        break;
    case FLUSH_CONFLICT:
        LOG_WARN("the journal has another row for this step, reading it again", LOG_RUN(run));
        claim_adopt_soon(run->engine);
        run_drop(run);
        break;
    }
}

static void answer_all(struct batch *b)
{
    assert(b->flush.op.rows == b->flush.runs && b->flush.runs == b->count);
    for (int i = 0; i < b->flush.op.rows; i++) {
        struct flush_answer answer = flush_answer_at(&b->flush, i);
        struct ifp_run *run;

        if (list_empty(&b->runs))
            break;
        run = CONTAINER_OF(b->runs.next, struct ifp_run, link);
        if (run->exec_id != answer.exec_id)
            continue; /* dropped while the batch was in flight */
        on_verdict(run, &answer);
    }
    assert(list_empty(&b->runs));
}

/* Something in the batch is refused by the database: look for it by halves. */
static void halve(struct batch *b, const struct err *err)
{
    int parts = b->count / 2;

    assert(b->count > 0);
    while (!list_empty(&b->runs)) {
        struct ifp_run *run = CONTAINER_OF(b->runs.next, struct ifp_run, link);

        assert(sm_is(&run->sm, RUN_FLIGHT));
        if (b->count > 1) {
            run->suspect = MAX(parts, 1);
            run_move(run, RUN_DIRTY);
            continue;
        }
        LOG_ERROR("an execution cannot be written", LOG_RUN(run), LOG_ERR(err));
        if (run->action.kind == ACT_BACK) {
            run_drop(run); /* stays owned; it is taken over when this worker ends */
        } else if (run->action.kind == ACT_END && run->action.status == FLUSH_FAILED) {
            run->action = (struct action){ .kind = ACT_BACK };
            hold(run, REFUSED_US); /* tried again now and then: it must not be lost silently */
        } else {
            journal_committed(&run->journal); /* drops what could not be written */
            notes_clear(&run->notes);
            run_fail(run, ifp_error_name(err->code), "the database refused what was recorded");
        }
    }
}

static void send_again(struct batch *b)
{
    while (!list_empty(&b->runs))
        hold(CONTAINER_OF(b->runs.next, struct ifp_run, link), RETRY_US);
}

/* A refusal because of what is in the rows: data exception, constraint, limit exceeded. */
static bool blames_data(const struct err *err)
{
    return strncmp(err->sqlstate, "22", 2) == 0 || strncmp(err->sqlstate, "23", 2) == 0 ||
           strncmp(err->sqlstate, "54", 2) == 0;
}

static void on_flushed(struct store_op *op, int rc, const struct err *err)
{
    struct batch *b = CONTAINER_OF(op, struct batch, flush.op);
    struct engine *e = b->engine;

    assert(b->busy && !store_op_busy(op));
    b->busy = false;
    if (rc == 0) {
        crash_here(CRASH_FLUSH_DONE);
        observe_flush(b->count, b->sent_us);
        answer_all(b);
    } else if (rc == IFP_ECANCELED) {
        send_again(b); /* the store is closing: engine_close frees them */
    } else if (blames_data(err)) {
        halve(b, err);
    } else {
        metrics_add(METRIC_FLUSH_ERRORS, NULL, 1);
        LOG_WARN("a commit failed, it is sent again", LOG_ERR(err),
                 LOG_INT("executions", b->count));
        send_again(b);
        if (rc == IFP_EUNAVAILABLE)
            claim_adopt_soon(e);
        if (rc == IFP_ESCHEMA || rc == IFP_EFORBIDDEN)
            engine_give_up(e, err);
    }
    assert(list_empty(&b->runs));
    engine_poke(e);
}
