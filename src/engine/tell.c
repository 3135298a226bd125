/*
 * engine/tell.c - see the header.
 *
 * A run may have its commit in flight as well, with the same notes: whichever comes first writes
 * them, the other one is known as a repeat.  Runs are found again by id, as they may be gone when
 * the answer comes.
 */
#include "engine/tell.h"

#include "base/log.h"
#include "engine/internal.h"

#include <assert.h>

enum { AGAIN_US = 10 * 1000, RETRY_US = 200 * 1000, BYTES_MAX = 8 << 20 };

static void on_again(void *ctx);
static void on_told(struct store_op *op, int rc, const struct err *err);

/* A step has said something.  One that was left behind may do so at any time. */
static void on_poke(void *ctx)
{
    tell_soon(ctx);
}

void tell_soon(struct engine *e)
{
    if (sm_is(&e->sm, ENGINE_STOPPED))
        return;
    e->tell.wanted = true;
    engine_poke(e);
}

void tell_open(struct engine *e)
{
    work_on_poke(e->jobs.pool, on_poke, e);
    timer_init(&e->tell.again, e->loop, on_again, e);
    flush_init(&e->tell.flush, e->store, 0);
}

void tell_close(struct engine *e)
{
    timer_stop(&e->tell.again);
    flush_release(&e->tell.flush);
}

/* A run with several steps comes several times, but goes once: the rest with the next statement. */
static void add(struct ifp_run *run, struct flush *f)
{
    uint32_t turn = run->engine->tell.turn;

    assert(run->exec_id > 0 && run->fence > 0);
    if (!notes_early(&run->notes) || run->notes.told_turn == turn)
        return;
    run->notes.told_turn = turn;
    flush_add_run(f, &(struct flush_run){ .exec_id = run->exec_id, .fence = run->fence });
    run->notes.told = notes_fill_early(&run->notes, f);
    assert(run->notes.told <= run->notes.last);
}

void tell_turn(struct engine *e)
{
    struct flush *f = &e->tell.flush;

    if (!e->tell.wanted || store_op_busy(&f->op) || e->lease.acked_us == 0)
        return;
    e->tell.wanted = false;
    e->tell.turn++;
    flush_reset(f);
    for (struct list *l = e->jobs.live.next; l != &e->jobs.live; l = l->next) {
        struct ifp_step_ctx *job = CONTAINER_OF(l, struct ifp_step_ctx, link);

        if (!job->run)
            continue;
        if (f->bytes > BYTES_MAX || f->runs >= (int)engine_limit(e, CONFIG_FLUSH_BATCH)) {
            e->tell.wanted = true;
            break;
        }
        job_notes_take(job);
        add(job->run, f);
    }
    assert(f->runs <= (int)engine_limit(e, CONFIG_FLUSH_BATCH));
    if (f->runs > 0)
        flush_send_notes(f, e->lease.worker_id, on_told);
}

static void again(struct engine *e, int64_t us)
{
    if (timer_start(&e->tell.again, us) != 0)
        on_again(e);
}

static void on_again(void *ctx)
{
    on_poke(ctx);
}

static void on_told(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, tell.flush.op);
    bool locked = false;

    if (rc == IFP_ECANCELED)
        return;
    if (rc != 0) {
        LOG_WARN("what steps say could not be written, trying again", LOG_ERR(err));
        again(e, RETRY_US);
        return;
    }
    assert(op->rows <= e->tell.flush.runs);
    for (int i = 0; i < op->rows; i++) {
        struct flush_told told = flush_told_at(&e->tell.flush, i);
        struct ifp_run *run = map_get(&e->runs, (uint64_t)told.exec_id);

        if (run && told.verdict == FLUSH_WRITTEN)
            notes_acked(&run->notes, run->notes.told);
        locked |= told.verdict == FLUSH_LOCKED;
    }
    if (locked)
        again(e, AGAIN_US);
    else
        on_poke(e); /* more may have been said, or waits for room */
}
