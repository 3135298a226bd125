/*
 * engine/branch.c - the attempts beside each other, and what a run does while they are under way;
 * see the header.
 */
#include "engine/branch.h"

#include "base/ids.h"
#include "base/log.h"
#include "engine/call.h"
#include "engine/internal.h"
#include "engine/observe.h"
#include "engine/outcome.h"

#include <assert.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
enum { MEMORY_PAUSE_US = 100 * 1000 };

static void on_time_over(void *ctx);
static void settle(struct ifp_run *run);

static struct branch *first(const struct ifp_run *run)
{
    assert(!list_empty(&run->branches));
    return CONTAINER_OF(run->branches.next, struct branch, link);
}

/* ---- life ----------------------------------------------------------------------------------- */

int branch_add(struct ifp_run *run, const struct action *order, struct branch **ret)
{
    struct branch *b = arena_zalloc(&run->keep, sizeof(*b));
    const ifp_json *input = value_copy(&run->keep, value_slice(order->input));
    const char *name = arena_strndup(&run->keep, order->call.name, strlen(order->call.name));
    struct journal_slot *slot = journal_slot(&run->journal, order->call.seq);

    assert(order->kind == ACT_STEP && order->call.seq >= 1);
    if (!b || !input || !name || !slot)
        return IFP_ENOMEM;
    assert(!slot->work && slot->row.kind == JOURNAL_NONE);
    b->run = run;
    b->order = *order;
    b->order.input = input;
    b->order.call.name = name;
    b->next_us = slot->next_us;
    timer_init(&b->timer, run->engine->loop, on_time_over, b);
    list_init(&b->link);
    list_push(&run->branches, &b->link);
    slot->work = b;
    run->begun = MAX(run->begun, order->call.seq);
    *ret = b;
    return 0;
}

bool branch_any(const struct ifp_run *run)
{
    return !list_empty(&run->branches);
}

bool branch_live(const struct ifp_run *run)
{
    for (const struct list *l = run->branches.next; l != &run->branches; l = l->next)
        if (CONTAINER_OF(l, struct branch, link)->job)
            return true;
    return false;
}

static void leave_job(struct branch *b)
{
    timer_stop(&b->timer);
    if (b->job)
        job_detach(b->job);
    b->job = NULL;
}

void branch_drop(struct ifp_run *run)
{
    while (branch_any(run)) {
        struct branch *b = first(run);
        struct journal_slot *slot = journal_find(&run->journal, b->order.call.seq);

        assert(slot && slot->work == b);
        leave_job(b);
        list_del(&b->link);
        slot->work = NULL;
    }
}

void branch_cancel(struct ifp_run *run)
{
    LIST_EACH(it, &run->branches) {
        struct branch *b = CONTAINER_OF(it, struct branch, link);

        if (b->job && job_cancel(b->job)) {
            timer_stop(&b->timer);
            b->job = NULL;
        }
    }
}

/* ---- what an attempt leads to --------------------------------------------------------------- */

/* Its row is in the journal: what the function waits for may be there. */
static void ended(struct branch *b, const struct journal_row *row)
{
    struct ifp_run *run = b->run;
    struct journal_slot *slot;
    int rc = journal_add(&run->journal, row);

    assert(row->seq == b->order.call.seq && !b->job);
    if (rc != 0) {
        run->unkept = rc == IFP_ETOOLARGE || run->keep.full ? IFP_ETOOLARGE : IFP_ENOMEM;
        return;
    }
    slot = journal_find(&run->journal, row->seq);
    slot->work = NULL;
    list_del(&b->link);
    if (run->action.kind == ACT_AWAIT && slot->awaited == run->awaits)
        run->action.left--;
}

static void attempt_failed(struct branch *b, int attempt, const char *code, const char *text,
                           bool final)
{
    struct ifp_run *run = b->run;
    struct journal_row row = outcome_row(&b->order.call, attempt);
    int64_t delay_ms = 0;

    assert(!b->failure.set && !b->job);
    row.status = JOURNAL_FAILED;
    if (!outcome_clean(run, &code, &text)) {
        run->unkept = IFP_ENOMEM;
        return;
    }
    row.error_code = code;
    row.error = text;
    if (final || !outcome_retries(run, &b->order, attempt, &delay_ms)) {
        observe_step_failed(run, &b->order.call, attempt, code);
        ended(b, &row);
        return;
    }
    b->failure = (struct failed_attempt){ .set = true,
                                          .step_key = b->order.call.step_key,
                                          .delay_ms = delay_ms,
                                          .seq = b->order.call.seq,
                                          .attempt = attempt,
                                          .code = code,
                                          .text = text };
}

/* Takes the outcome in; the journal or the list of failures has it then. */
static void take_in(struct branch *b, struct ifp_step_ctx *job)
{
    struct ifp_run *run = b->run;

    assert(b->job == job && !sm_is(&run->sm, RUN_FLIGHT));
    timer_stop(&b->timer);
    b->job = NULL;
    observe_attempt(run, job);
    job_notes_end(job);
    if (job->skipped) {
        b->next_us = 0;
    } else if (job->rc == 0) {
        struct journal_row row = outcome_row(&b->order.call, job->attempt);

        row.result = value_slice(job->output);
        row.took_us = job->took_us;
        row.pending = !job->committed;
        ended(b, &row);
    } else if (job->unknown) {
        run->unkept = IFP_ENOMEM; /* whoever claims it next reads in the journal how it ended */
    } else if (job->lost) {
        run->unkept = IFP_ELEASE;
    } else {
        attempt_failed(b, job->attempt, job->code, job->text ? job->text : job->err.text,
                       job->final);
    }
}

bool branch_give_up(struct ifp_run *run)
{
    int error = run->unkept;

    if (error == 0)
        return false;
    assert(error == IFP_ELEASE || error == IFP_ETOOLARGE || error == IFP_ENOMEM);
    run->unkept = 0;
    timer_stop(&run->timer);
    if (error == IFP_ELEASE)
        run_drop(run);
    else if (error == IFP_ETOOLARGE)
        run_fail(run, ifp_error_name(IFP_ETOOLARGE), JOURNAL_FULL);
    else
        run_give_back(run);
    return true;
}

bool branch_done(struct branch *b, struct ifp_step_ctx *job)
{
    struct ifp_run *run = b->run;

    assert(b->job == job && !job->finished);
    if (sm_is(&run->sm, RUN_FLIGHT)) {
        job->finished = true;
        return false;
    }
    take_in(b, job);
    if (sm_is(&run->sm, RUN_BRANCHES) && !run->settling)
        settle(run); /* else the next pass or commit finds it */
    return true;
}

/* The run goes on without the attempt; false: the failure cannot be written now. */
static bool leave_behind(struct branch *b, const char *why)
{
    struct ifp_run *run = b->run;
    int attempt = b->job->attempt;

    if (b->job->finished)
        return true; /* it came in time */
    if (sm_is(&run->sm, RUN_FLIGHT))
        return false;
    observe_timeout(run, b->job);
    leave_job(b);
    attempt_failed(b, attempt, ifp_error_name(IFP_ETIMEOUT), why, false);
    if (sm_is(&run->sm, RUN_BRANCHES))
        settle(run);
    return true;
}

static void on_time_over(void *ctx)
{
    struct branch *b = ctx;

    if (!leave_behind(b, "the attempt's time has passed"))
        (void)!timer_start(&b->timer, MEMORY_PAUSE_US / 10);
}

bool branch_silent(struct branch *b)
{
    return leave_behind(b, "no heartbeat came in time");
}

/* ---- commits -------------------------------------------------------------------------------- */

void branch_fill(struct ifp_run *run, struct flush *flush)
{
    LIST_EACH(it, &run->branches) {
        const struct failed_attempt *f = &CONTAINER_OF(it, struct branch, link)->failure;

        if (f->set)
            flush_add_attempt(flush, &(struct flush_attempt){ .step_key = f->step_key,
                                                              .seq = f->seq,
                                                              .attempt = f->attempt,
                                                              .error_code = f->code,
                                                              .error = f->text,
                                                              .next_ms = f->delay_ms });
    }
}

void branch_committed(struct ifp_run *run)
{
    struct list *next;

    assert(run->journal.pending == 0);
    for (struct list *l = run->branches.next; l != &run->branches; l = next) {
        struct branch *b = CONTAINER_OF(l, struct branch, link);
        struct journal_slot *slot = journal_find(&run->journal, b->order.call.seq);

        next = l->next; /* taking an end in unlinks it */
        if (b->failure.set) {
            assert(slot && b->failure.attempt >= slot->attempts);
            slot->attempts = b->failure.attempt;
            slot->next_us = b->next_us = engine_db_now(run->engine) + b->failure.delay_ms * 1000;
            b->failure.set = false;
        }
    }
    if (branch_live(run))
        tell_soon(run->engine); /* what had to wait for this commit */
}

static void take_finished(struct ifp_run *run)
{
    struct list *next;

    assert(sm_is(&run->sm, RUN_BRANCHES) && !run->settling);
    for (struct list *l = run->branches.next; l != &run->branches; l = next) {
        struct branch *b = CONTAINER_OF(l, struct branch, link);
        struct ifp_step_ctx *job = b->job;

        next = l->next;
        if (!job || !job->finished)
            continue;
        take_in(b, job);
        job_free(job);
    }
}

/* ---- what the run does meanwhile ------------------------------------------------------------ */

static bool has_news(const struct ifp_run *run)
{
    for (const struct list *l = run->branches.next; l != &run->branches; l = l->next)
        if (CONTAINER_OF(l, struct branch, link)->failure.set)
            return true;
    return run->journal.pending > 0 || notes_due(&run->notes);
}

/* Starts what is due; gives the time of the earliest one that is not, 0 for none. */
static int64_t start_due(struct ifp_run *run)
{
    bool may = lease_fresh(run->engine) && !engine_draining(run->engine);
    int64_t now = engine_db_now(run->engine), earliest = 0;
    struct list *next;

    assert(!run->settling && !run->canceled);
    run->settling = true; /* a step on the loop ends before job_start returns */
    for (struct list *l = run->branches.next; l != &run->branches; l = next) {
        struct branch *b = CONTAINER_OF(l, struct branch, link);

        next = l->next;
        if (b->job || (b->next_us <= now && may && job_start(run, b) == 0))
            continue;
        b->next_us = MAX(b->next_us, now + MEMORY_PAUSE_US);
        if (earliest == 0 || b->next_us < earliest)
            earliest = b->next_us;
    }
    run->settling = false;
    return earliest;
}

/* The wait of the present action needs nothing more of what happens here. */
static bool is_satisfied(const struct ifp_run *run)
{
    const struct action *a = &run->action;
    bool is_over = a->wake_us != 0 && a->wake_us <= engine_db_now(run->engine);

    assert(a->kind != ACT_STEP && a->kind != ACT_END && a->kind != ACT_BACK);
    if (a->kind == ACT_COMMIT)
        return !has_news(run); /* the pass goes on where it stopped for the commit */
    return (a->kind == ACT_AWAIT && (a->left <= 0 || is_over)) || (a->kind == ACT_SLEEP && is_over);
}

/* No attempt is under way: leaves memory until the earliest of what it waits for. */
static void park(struct ifp_run *run, int64_t next_us)
{
    struct action *a = &run->action;

    assert(next_us != 0);
    if (a->kind == ACT_RECEIVE || (a->kind == ACT_AWAIT && a->ends == 0))
        *a = (struct action){ .kind = ACT_STEP, .call = a->call, .wake_us = next_us };
    else if (a->wake_us == 0 || next_us < a->wake_us)
        a->wake_us = next_us;
    branch_drop(run);
    run_move(run, RUN_DIRTY);
}

/* Nothing is to be written and not all branches have ended: starts what is due and waits. */
static void wait(struct ifp_run *run)
{
    int64_t next_us = run->canceled ? 0 : start_due(run);
    int64_t wake_us = next_us, now = engine_db_now(run->engine);

    assert(sm_is(&run->sm, RUN_BRANCHES) && !timer_armed(&run->timer));
    if (run->unkept != 0 || has_news(run) || !branch_any(run)) { /* steps on the loop have ended */
        settle(run);
        return;
    }
    if (!branch_live(run)) {
        if (run->canceled)
            run_move(run, RUN_READY);
        else if (engine_draining(run->engine))
            run_give_back(run);
        else if (next_us - now >= SECOND_US)
            park(run, next_us);
        if (!sm_is(&run->sm, RUN_BRANCHES))
            return;
    }
    if ((run->action.kind == ACT_AWAIT || run->action.kind == ACT_SLEEP) &&
        run->action.wake_us != 0 && (wake_us == 0 || run->action.wake_us < wake_us))
        wake_us = run->action.wake_us;
    if (wake_us != 0 && timer_start(&run->timer, MAX(wake_us - now, 1)) != 0)
        run_move(run, RUN_READY); /* no memory for a timer only costs a pass */
}

/* Looks at everything once more, after something has ended, was committed, or is due. */
static void settle(struct ifp_run *run)
{
    assert(sm_is(&run->sm, RUN_BRANCHES) && !run->settling);
    timer_stop(&run->timer);
    if (branch_give_up(run))
        return;
    if (run->expired || is_satisfied(run) || (run->canceled && !branch_live(run)))
        run_move(run, RUN_READY);
    else if (!branch_any(run) && run->action.kind != ACT_COMMIT)
        run_act(run);
    else if (has_news(run))
        run_move(run, RUN_DIRTY);
    else
        wait(run);
}

void branch_wake(struct ifp_run *run)
{
    settle(run);
}

/* A step that the function calls while branches are under way is one of them. */
static bool join(struct ifp_run *run)
{
    struct action order = run->action;
    struct journal_slot *slot = journal_slot(&run->journal, order.call.seq);
    struct branch *b;

    assert(order.kind == ACT_STEP);
    if (!slot)
        return false;
    if (!slot->work && branch_add(run, &order, &b) != 0)
        return false;
    assert(slot->work && branch_any(run));
    run->awaits++;
    slot->awaited = run->awaits;
    run->action = (struct action){ .kind = ACT_AWAIT, .call = order.call, .left = 1 };
    return true;
}

void branch_act(struct ifp_run *run)
{
    bool committed = sm_is(&run->sm, RUN_FLIGHT);

    assert(!run->job && !timer_armed(&run->timer));
    if (run->action.kind == ACT_STEP && !join(run)) {
        run_give_back(run);
        return;
    }
    run_move(run, RUN_BRANCHES);
    if (committed)
        take_finished(run);
    settle(run);
}
