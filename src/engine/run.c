/*
 * engine/run.c - the life of one execution in this process; see the header for the picture.
 *
 * Cancel and deadline are marks that the next pass looks at first; a run that only waits is made
 * ready for it, a step under way is told (cancel) or left behind (deadline).  Waits under a second
 * stay in memory, longer ones are parked: the row in the database carries the wake time and this
 * struct is freed.
 */
#include "engine/run.h"

#include "base/crash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/branch.h"
#include "engine/defaults.h"
#include "engine/generation.h"
#include "engine/internal.h"
#include "engine/observe.h"
#include "engine/outcome.h"
#include "engine/patch.h"
#include "engine/replay.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
enum { MEMORY_PAUSE_US = 100 * 1000 };

static const struct sm_state run_states[RUN_STATES] = {
    [RUN_LOADING] = { "loading", SM_TO(RUN_READY) | SM_TO(RUN_DIRTY) | SM_TO(RUN_GONE) },
    [RUN_READY] = { "ready", SM_TO(RUN_READY) | SM_TO(RUN_STEP) | SM_TO(RUN_BRANCHES) |
                                 SM_TO(RUN_PAUSED) | SM_TO(RUN_HELD) | SM_TO(RUN_DIRTY) |
                                 SM_TO(RUN_GONE) },
    [RUN_STEP] = { "step", SM_TO(RUN_READY) | SM_TO(RUN_DIRTY) | SM_TO(RUN_GONE) },
    [RUN_BRANCHES] = { "branches",
                       SM_TO(RUN_READY) | SM_TO(RUN_PAUSED) | SM_TO(RUN_DIRTY) | SM_TO(RUN_GONE) },
    [RUN_PAUSED] = { "paused", SM_TO(RUN_READY) | SM_TO(RUN_GONE) },
    [RUN_HELD] = { "held", SM_TO(RUN_READY) | SM_TO(RUN_GONE) },
    [RUN_DIRTY] = { "dirty", SM_TO(RUN_FLIGHT) | SM_TO(RUN_GONE) },
    [RUN_FLIGHT] = { "flight", SM_TO(RUN_READY) | SM_TO(RUN_STEP) | SM_TO(RUN_BRANCHES) |
                                   SM_TO(RUN_PAUSED) | SM_TO(RUN_DIRTY) | SM_TO(RUN_GONE) },
    [RUN_GONE] = { "gone", 0 },
};

static void on_timer(void *ctx);
static void on_deadline(void *ctx);

/* ---- birth, moves, death -------------------------------------------------------------------- */

void run_move(struct ifp_run *run, enum run_state to)
{
    struct engine *e = run->engine;

    assert((run->job != NULL) == (to == RUN_STEP));
    assert(!timer_armed(&run->timer) || to == RUN_STEP || to == RUN_PAUSED);
    assert(!run->failure.set || to == RUN_DIRTY || to == RUN_FLIGHT || to == RUN_GONE);
    sm_move(&run->sm, (int)to);
    list_del(&run->link);
    list_del(&run->ends);
    switch (to) {
    case RUN_READY:
        list_push(&e->ready, &run->link);
        break;
    case RUN_DIRTY:
        list_push(run->suspect ? &e->suspects : &e->dirty, &run->link);
        break;
    case RUN_LOADING:
    case RUN_STEP:
    case RUN_BRANCHES:
    case RUN_PAUSED:
    case RUN_HELD:
        list_push(&e->idle, &run->link);
        break;
    case RUN_FLIGHT:
    case RUN_GONE:
    case RUN_STATES:
        break; /* a batch's list, or none */
    }
    if (to == RUN_BRANCHES)
        ends_watch(run);
    if (to == RUN_READY || to == RUN_DIRTY)
        engine_poke(e);
}

void run_free(struct ifp_run *run)
{
    assert(list_empty(&run->link) && !run->job && !run->names && list_empty(&run->ends));
    assert(!timer_armed(&run->timer) && !timer_armed(&run->deadline));
    notes_clear(&run->notes);
    arena_release(&run->keep);
    arena_release(&run->pass);
    mem_free(run);
}

void run_drop(struct ifp_run *run)
{
    struct engine *e = run->engine;

    assert(map_get(&e->runs, (uint64_t)run->exec_id) == run);
    if (run->job)
        job_detach(run->job);
    run->job = NULL;
    branch_drop(run);
    timer_stop(&run->timer);
    timer_stop(&run->deadline);
    run_move(run, RUN_GONE);
    map_del(&e->runs, (uint64_t)run->exec_id);
    quotas_count(e, run->lane, -1);
    observe_held(-1);
    if (e->alone == run)
        e->alone = NULL;
    claim_released(e, run->exec_id);
    run_free(run);
    engine_run_gone(e);
}

struct ifp_run *run_new(struct engine *e, const struct store_claimed *row)
{
    struct ifp_run *run = mem_zalloc(sizeof(*run));

    assert(row->exec_id > 0 && row->fence > 0 && row->lane > 0);
    if (!run)
        return NULL;
    run->engine = e;
    sm_init(&run->sm, run_states, RUN_LOADING);
    run->exec_id = row->exec_id;
    run->created_us = row->created_us;
    run->fence = row->fence;
    run->lane = row->lane;
    run->shard = row->shard;
    run->prio = row->prio;
    run->seed = row->seed;
    run->canceled = (row->flags & STORE_FLAG_CANCEL) != 0;
    run->alone = (row->flags & STORE_FLAG_ALONE) != 0;
    run->load_after = INT64_MIN;
    ids_execution_format(row->exec_id, run->id);
    run->trace = traceparent_of(row->exec_id, row->traceparent);
    traceparent_trace_id(&run->trace, run->trace_id);
    list_init(&run->link);
    list_init(&run->branches);
    list_init(&run->ends);
    notes_init(&run->notes);
    arena_init(&run->keep, (size_t)engine_limit(e, CONFIG_RUN_MEMORY));
    arena_init(&run->pass, (size_t)engine_limit(e, CONFIG_RUN_MEMORY));
    value_owner_init(&run->owner, &run->pass);
    journal_init(&run->journal, &run->keep, (uint32_t)engine_limit(e, CONFIG_JOURNAL_MAX));
    timer_init(&run->timer, e->loop, on_timer, run);
    timer_init(&run->deadline, e->loop, on_deadline, run);
    return run;
}

static const struct engine_workflow *workflow_of(const struct engine *e, int32_t lane)
{
    for (size_t i = 0; i < e->claim.lane_count; i++)
        if (e->claim.lanes[i].id == lane)
            return e->claim.lanes[i].workflow;
    return NULL;
}

static int arm_deadline(struct ifp_run *run, int64_t deadline_us)
{
    int64_t left = deadline_us - engine_db_now(run->engine);

    assert(deadline_us >= 0 && !timer_armed(&run->deadline));
    if (deadline_us == 0)
        return 0;
    if (left <= 0) {
        run->expired = true;
        return 0;
    }
    return timer_start(&run->deadline, left);
}

static int admit(struct ifp_run *run, const struct store_claimed *row)
{
    struct engine *e = run->engine;
    int rc;

    run->workflow = workflow_of(e, row->lane);
    if (!run->workflow)
        return IFP_ENOTFOUND;
    defaults_set(&run->workflow->step, row->options, &run->step_defaults);
    run->input = value_copy(&run->keep, row->input);
    if (!run->input && !run->keep.full)
        return IFP_ENOMEM;
    rc = arm_deadline(run, row->deadline_us);
    if (rc != 0)
        return rc;
    rc = map_put(&e->runs, (uint64_t)run->exec_id, run);
    if (rc != 0) {
        timer_stop(&run->deadline);
        return rc;
    }
    quotas_count(e, run->lane, 1);
    observe_held(1);
    return 0;
}

int run_adopt(struct engine *e, const struct store_claimed *row, struct ifp_run **ret)
{
    struct ifp_run *old = map_get(&e->runs, (uint64_t)row->exec_id), *run;
    int rc;

    *ret = NULL;
    if (old && old->fence >= row->fence) { /* the same claim, seen twice */
        if (old->fence == row->fence && !old->canceled && (row->flags & STORE_FLAG_CANCEL) != 0)
            run_cancel(old);
        return 0;
    }
    if (old)
        run_drop(old);
    run = run_new(e, row);
    if (!run)
        return IFP_ENOMEM;
    rc = admit(run, row);
    if (rc != 0) {
        run_free(run);
        return rc;
    }
    assert(run->workflow && map_get(&e->runs, (uint64_t)run->exec_id) == run);
    list_push(&e->idle, &run->link);
    if (run->alone && !e->alone)
        e->alone = run;
    if (!run->input)
        run_fail(run, ifp_error_name(IFP_ETOOLARGE), INPUT_FULL);
    else if (!row->has_journal)
        run_move(run, RUN_READY);
    *ret = run;
    return 0;
}

/* ---- what a pass leads to ------------------------------------------------------------------- */

static void commit(struct ifp_run *run)
{
    run_move(run, RUN_DIRTY);
}

void run_fail(struct ifp_run *run, const char *code, const char *text)
{
    assert(code && text && !run->job);
    branch_drop(run);
    timer_stop(&run->timer);
    run->failure.set = false;
    run->action = (struct action){
        .kind = ACT_END, .status = FLUSH_FAILED, .error_code = code, .error = text
    };
    if (!sm_is(&run->sm, RUN_DIRTY))
        commit(run);
}

void run_give_back(struct ifp_run *run)
{
    assert(!run->job && !run->failure.set);
    branch_drop(run);
    timer_stop(&run->timer);
    run->action = (struct action){ .kind = ACT_BACK };
    commit(run);
}

/* A cancel or a passed deadline that the next pass is to meet. */
static bool must_stop(const struct ifp_run *run)
{
    return (run->canceled || run->expired) && run->journal.marker == 0;
}

/* Waits in memory, unless the time has come meanwhile, or a mark or a drain wants the next pass; a
 * timer that cannot be had only costs a pass.  A pass itself has met the mark already. */
static void pause_for(struct ifp_run *run, int64_t us)
{
    bool marked = must_stop(run) && !sm_is(&run->sm, RUN_READY);

    assert(!timer_armed(&run->timer) && !run->job);
    if (us <= 0 || marked || engine_draining(run->engine) || timer_start(&run->timer, us) != 0)
        run_move(run, RUN_READY);
    else
        run_move(run, RUN_PAUSED);
}

/* Short waits stay in memory, unless this worker is about to leave. */
static bool keeps(const struct ifp_run *run, int64_t us)
{
    return us < SECOND_US && !engine_draining(run->engine);
}

static void start_attempt(struct ifp_run *run)
{
    struct journal_slot *slot = journal_slot(&run->journal, run->action.call.seq);
    int64_t wait = slot && slot->next_us ? slot->next_us - engine_db_now(run->engine) : 0;

    assert(run->action.kind == ACT_STEP && !run->failure.set);
    assert(run->journal.pending == 0);
    if (wait > 0 && keeps(run, wait)) {
        pause_for(run, wait);
    } else if (wait > 0) {
        run->action.wake_us = slot->next_us;
        commit(run);
    } else if (engine_draining(run->engine)) {
        run_give_back(run);
    } else if (!slot || job_start(run, NULL) != 0) {
        LOG_WARN("no memory for a step, trying again", LOG_RUN(run));
        pause_for(run, MEMORY_PAUSE_US);
    }
}

/* Something is to be committed before anything else begins. */
static bool has_news(const struct ifp_run *run)
{
    return run->journal.pending > 0 || notes_any(&run->notes);
}

/* The attempt has failed and another one follows after the delay: that is to be known first. */
static void commit_failure(struct ifp_run *run, int attempt, int64_t delay_ms, const char *code,
                           const char *text)
{
    const struct journal_call *call = &run->action.call;

    assert(run->action.kind == ACT_STEP && attempt >= 1 && delay_ms >= 0);
    run->failure = (struct failed_attempt){ .set = true,
                                            .step_key = call->step_key,
                                            .delay_ms = delay_ms,
                                            .seq = call->seq,
                                            .attempt = attempt,
                                            .code = code,
                                            .text = text };
    commit(run);
}

/* Another program is to go on with it: until then this was a failed attempt. */
static void leave(struct ifp_run *run)
{
    const struct journal_call *call = &run->action.call;
    const char *code = run->action.error_code, *text = run->action.error;
    int64_t delay_ms = 0;
    int attempt = patch_attempt(run, &delay_ms);

    assert(code && text && !run->failure.set && delay_ms > 0);
    LOG_WARN("it took a patch that this program does not have", LOG_RUN(run),
             LOG_STR("patch", call->name), LOG_INT("attempt", attempt));
    branch_drop(run);
    if (!outcome_clean(run, &code, &text)) {
        run_give_back(run);
        return;
    }
    run->action.kind = ACT_STEP; /* of which this was an attempt */
    commit_failure(run, attempt, delay_ms, code, text);
}

void run_act(struct ifp_run *run)
{
    int64_t left;

    switch (run->action.kind) {
    case ACT_STEP:
        if (has_news(run))
            commit(run);
        else
            start_attempt(run);
        break;
    case ACT_SLEEP:
        assert(run->action.wake_us != 0 || run->journal.pending > 0);
        left = run->action.wake_us - engine_db_now(run->engine);
        if (run->action.wake_us != 0 && !has_news(run) && keeps(run, left))
            pause_for(run, left);
        else
            commit(run);
        break;
    case ACT_RECEIVE:
    case ACT_AWAIT:
    case ACT_COMMIT:
    case ACT_CONTINUE:
        commit(run);
        break;
    case ACT_END:
    case ACT_BACK:
        branch_drop(run);
        commit(run);
        break;
    case ACT_LEAVE:
        leave(run);
        break;
    case ACT_AGAIN:
        LOG_WARN("no memory for a pass, trying again", LOG_RUN(run));
        if (engine_draining(run->engine))
            run_give_back(run);
        else
            pause_for(run, MEMORY_PAUSE_US);
        break;
    case ACT_NONE:
        assert(run->action.kind != ACT_NONE);
        break;
    }
}

static void act(struct ifp_run *run)
{
    enum action_kind kind = run->action.kind;

    if (branch_any(run) && kind != ACT_END && kind != ACT_BACK && kind != ACT_AGAIN &&
        kind != ACT_LEAVE)
        branch_act(run);
    else
        run_act(run);
}

void run_pass(struct ifp_run *run)
{
    struct engine *e = run->engine;

    assert(sm_is(&run->sm, RUN_READY) && !run->job && !run->failure.set);
    if (branch_give_up(run))
        return;
    if (run->alone && !e->alone)
        e->alone = run; /* the one that was alone when it came has left */
    assert(!e->alone || e->alone->alone);
    if (run->canceled && must_stop(run)) {
        if (!run->expired && branch_live(run)) { /* they were told, and their results still count */
            run_move(run, RUN_BRANCHES);
            return;
        }
        crash_here(CRASH_CANCEL_SEEN);
    }
    if (e->alone && (e->alone != run || engine_draining(e))) {
        run_give_back(run);
    } else if (e->alone == run && e->runs.count > 1) {
        run_move(run, RUN_HELD);
    } else {
        replay_pass(run);
        act(run);
    }
}

/* ---- what an attempt leads to --------------------------------------------------------------- */

/* A row of the journal that waits for its commit; one over the journal's limits ends the run. */
static void record(struct ifp_run *run, const struct journal_row *row)
{
    int rc = journal_add(&run->journal, row);

    assert(row->seq >= 1 && !run->job);
    if (rc == 0)
        run_move(run, RUN_READY);
    else if (rc == IFP_ETOOLARGE || run->keep.full)
        run_fail(run, ifp_error_name(IFP_ETOOLARGE), JOURNAL_FULL);
    else
        run_give_back(run); /* out of memory: nothing is recorded, the step will run again */
}

static void attempt_failed(struct ifp_run *run, int attempt, const char *code, const char *text,
                           bool final)
{
    const struct journal_call *call = &run->action.call;
    int64_t delay_ms = 0;

    assert(sm_is(&run->sm, RUN_STEP) && run->action.kind == ACT_STEP);
    assert(attempt >= 1 && !run->job && !run->failure.set);
    if (!outcome_clean(run, &code, &text)) {
        run_give_back(run);
        return;
    }
    if (final || !outcome_retries(run, &run->action, attempt, &delay_ms)) {
        struct journal_row row = outcome_row(call, attempt);

        observe_step_failed(run, call, attempt, code);
        row.status = JOURNAL_FAILED;
        row.error_code = code;
        row.error = text;
        record(run, &row);
        return;
    }
    commit_failure(run, attempt, delay_ms, code, text);
}

static void attempt_worked(struct ifp_run *run, const struct ifp_step_ctx *job)
{
    struct journal_row row = outcome_row(&run->action.call, job->attempt);

    assert(job->rc == 0 && job->attempt >= 1);
    assert(!job->committed || job->tx_fn);
    row.result = value_slice(job->output);
    row.took_us = job->took_us;
    row.pending = !job->committed;
    record(run, &row);
}

void run_attempt_done(struct ifp_run *run, struct ifp_step_ctx *job)
{
    assert(sm_is(&run->sm, RUN_STEP) && run->job == job);
    assert(run->action.kind == ACT_STEP && job->exec_id == run->exec_id);
    timer_stop(&run->timer);
    run->job = NULL;
    observe_attempt(run, job);
    if (job->skipped)
        run_move(run, RUN_READY);
    else if (job->rc == 0)
        attempt_worked(run, job);
    else if (job->unknown)
        run_give_back(run); /* whoever claims it next reads in the journal how it ended */
    else if (job->lost)
        run_drop(run);
    else
        attempt_failed(run, job->attempt, job->code, job->text ? job->text : job->err.text,
                       job->final);
}

/* ---- what a commit leads to ----------------------------------------------------------------- */

/* It leaves this process until then (0: not by a timer). */
static void wakes_at(const struct ifp_run *run, int64_t us)
{
    if (us != 0)
        claim_expect(run->engine, run->lane, run->shard, run->prio, us);
}

static void received(struct ifp_run *run, const struct flush_answer *answer)
{
    const struct journal_call *call = &run->action.call;
    bool timed_out = answer->got == FLUSH_GOT_TIMEOUT;

    assert(answer->got >= FLUSH_GOT_NOTHING && answer->got <= FLUSH_GOT_TIMEOUT);
    if (answer->got == FLUSH_GOT_NOTHING) {
        wakes_at(run, answer->wake_us);
        run_drop(run);
        return;
    }
    record(run, &(struct journal_row){ .step_key = call->step_key,
                                       .seq = call->seq,
                                       .kind = JOURNAL_MESSAGE,
                                       .status = timed_out ? JOURNAL_TIMED_OUT : JOURNAL_OK,
                                       .attempts = 1,
                                       .name = call->name,
                                       .result = answer->payload,
                                       .sleep_ms = -1 });
}

static void slept(struct ifp_run *run, const struct flush_answer *answer)
{
    struct journal_slot *slot = journal_slot(&run->journal, run->action.call.seq);

    assert(slot && slot->row.kind == JOURNAL_SLEEP);
    if (slot->row.wake_us == 0)
        slot->row.wake_us = answer->wake_us;
    assert(slot->row.wake_us > 0);
    pause_for(run, slot->row.wake_us - engine_db_now(run->engine));
}

static void retry_later(struct ifp_run *run)
{
    struct journal_slot *slot = journal_slot(&run->journal, run->failure.seq);
    int64_t delay_us = run->failure.delay_ms * 1000;

    assert(run->failure.set && run->failure.attempt >= 1 && delay_us >= 0);
    crash_here(CRASH_RETRY_WAIT);
    run->failure.set = false;
    if (slot) {
        slot->attempts = run->failure.attempt;
        slot->next_us = engine_db_now(run->engine) + delay_us;
    }
    pause_for(run, delay_us);
}

/* The time of a sleep, or of the timer of a wait, is known with its first commit. */
static void kept_beside(struct ifp_run *run, const struct flush_answer *answer)
{
    struct action *a = &run->action;
    bool timed = a->kind == ACT_SLEEP || (a->kind == ACT_AWAIT && a->wait_ms >= 0);

    assert(!run->failure.set && !run->parks);
    if (timed && a->wake_us == 0 && answer->wake_us != 0) {
        struct journal_slot *slot =
            journal_find(&run->journal, a->kind == ACT_SLEEP ? a->call.seq : a->call.seq - 1);

        assert(slot && slot->row.kind == JOURNAL_SLEEP);
        slot->row.wake_us = a->wake_us = answer->wake_us;
    }
    branch_act(run);
}

void run_committed(struct ifp_run *run, const struct flush_answer *answer)
{
    enum action_kind kind = run->action.kind;

    assert(sm_is(&run->sm, RUN_FLIGHT) && answer->exec_id == run->exec_id);
    assert(!run->failure.set || kind == ACT_STEP);
    assert(!run->parks || kind == ACT_STEP || kind == ACT_SLEEP || kind == ACT_AWAIT);
    observe_commit(run);
    journal_committed(&run->journal);
    notes_acked(&run->notes, run->notes.sent);
    run->locked = 0;
    run->suspect = 0;
    run->spawned = 0;
    branch_committed(run);
    if ((answer->flags & STORE_FLAG_CANCEL) != 0 && !run->canceled) {
        run->canceled = true;
        branch_cancel(run);
    }
    if (run->beside) {
        kept_beside(run, answer);
    } else if (kind == ACT_CONTINUE) {
        generation_begin(run);
    } else if (run->parks || kind == ACT_END || kind == ACT_BACK) {
        if (run->parks)
            wakes_at(run, answer->wake_us);
        run_drop(run);
    } else if (run->failure.set) {
        retry_later(run);
    } else if (kind == ACT_RECEIVE) {
        received(run, answer);
    } else if (kind == ACT_SLEEP) {
        slept(run, answer);
    } else if (kind == ACT_COMMIT || must_stop(run) || !lease_fresh(run->engine)) {
        assert(kind == ACT_STEP || kind == ACT_COMMIT);
        run_move(run, RUN_READY);
    } else {
        start_attempt(run);
    }
}

/* ---- what comes from outside ---------------------------------------------------------------- */

void run_wake(struct ifp_run *run)
{
    if (sm_is(&run->sm, RUN_BRANCHES)) {
        branch_wake(run);
        return;
    }
    if (!sm_is(&run->sm, RUN_PAUSED) && !sm_is(&run->sm, RUN_HELD))
        return;
    assert(!run->job && !run->failure.set);
    timer_stop(&run->timer);
    run_move(run, RUN_READY);
}

void run_cancel(struct ifp_run *run)
{
    assert(!sm_is(&run->sm, RUN_GONE));
    run->canceled = true;
    if (run->journal.marker)
        return; /* it is ending already */
    branch_cancel(run);
    if (!sm_is(&run->sm, RUN_STEP)) {
        run_wake(run);
    } else if (job_cancel(run->job)) {
        timer_stop(&run->timer);
        run->job = NULL;
        run_move(run, RUN_READY);
    }
}

static void on_deadline(void *ctx)
{
    struct ifp_run *run = ctx;

    assert(!sm_is(&run->sm, RUN_GONE) && !run->expired);
    run->expired = true;
    if (run->journal.marker)
        return;
    if (sm_is(&run->sm, RUN_STEP)) {
        job_detach(run->job);
        run->job = NULL;
        timer_stop(&run->timer);
        run_move(run, RUN_READY);
    } else {
        run_wake(run);
    }
}

/* Its run goes on without it. */
static void leave_behind(struct ifp_run *run, const char *why)
{
    int attempt = run->job->attempt;

    assert(sm_is(&run->sm, RUN_STEP));
    timer_stop(&run->timer);
    observe_timeout(run, run->job);
    job_detach(run->job);
    run->job = NULL;
    attempt_failed(run, attempt, ifp_error_name(IFP_ETIMEOUT), why, false);
}

void run_attempt_silent(struct ifp_run *run)
{
    leave_behind(run, "no heartbeat came in time");
}

static void on_timer(void *ctx)
{
    struct ifp_run *run = ctx;

    assert(sm_is(&run->sm, RUN_STEP) || sm_is(&run->sm, RUN_PAUSED) ||
           sm_is(&run->sm, RUN_BRANCHES));
    if (sm_is(&run->sm, RUN_STEP))
        leave_behind(run, "the attempt's time has passed");
    else
        run_wake(run);
}
