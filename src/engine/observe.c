/*
 * engine/observe.c - see the header.
 *
 * A span is told when its work has ended: an attempt's and its step's by the worker that made them,
 * the execution's by the one whose commit ended it.  Times are the database's, as far as we know
 * them: spans of one trace come from several machines.
 */
#include "engine/observe.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "engine/branch.h"
#include "engine/internal.h"
#include "engine/trace.h"

#include <assert.h>

void observe_slots(int64_t n)
{
    metrics_add(METRIC_SLOTS, NULL, n);
}

void observe_held(int64_t n)
{
    assert(n == 1 || n == -1);
    metrics_add(METRIC_HELD, NULL, n);
}

void observe_claimed(const struct store_claimed *row)
{
    assert(row->exec_id > 0 && row->now_us > 0);
    metrics_add(METRIC_CLAIMED, NULL, 1);
    metrics_observe_us(METRIC_START_LAG, NULL, row->now_us - row->ready_us);
}

void observe_claim(int executions, int64_t sent_us)
{
    assert(executions >= 0);
    metrics_observe_us(METRIC_CLAIM_SECONDS, NULL, clock_mono_us() - sent_us);
    metrics_observe(METRIC_CLAIM_SIZE, NULL, executions);
}

void observe_flush(int executions, int64_t sent_us)
{
    assert(executions > 0);
    metrics_observe_us(METRIC_FLUSH_SECONDS, NULL, clock_mono_us() - sent_us);
    metrics_observe(METRIC_FLUSH_SIZE, NULL, executions);
}

/* ---- spans ---------------------------------------------------------------------------------- */

struct told {
    uint64_t span, parent;
    const char *name;
    int64_t start_us;
    const char *step; /* NULL: of the execution itself */
    int attempt;
    const char *code; /* NULL: it went well */
};

static bool is_watched(const struct ifp_run *run)
{
    return run->engine->o.span && run->trace.sampled;
}

static void tell(const struct ifp_run *run, const struct told *w)
{
    struct span_attribute attributes[] = {
        SPAN_TEXT("inferpipe.execution.id", run->id),
        SPAN_TEXT("inferpipe.workflow", run->workflow->name),
        SPAN_TEXT("inferpipe.version", run->workflow->version),
        SPAN_TEXT("inferpipe.step", w->step),
        SPAN_NUMBER("inferpipe.attempt", w->attempt),
        SPAN_TEXT("inferpipe.error.code", w->code),
    };
    struct span span = {
        .trace = run->trace,
        .parent = w->parent,
        .kind = SPAN_INTERNAL,
        .name = w->name,
        .start_us = w->start_us,
        .end_us = engine_db_now(run->engine),
        .failed = w->code != NULL,
        .error = w->code,
        .attributes = attributes,
        .attribute_count = w->step ? 5 : 3,
    };

    assert(w->span != 0 && w->span != w->parent);
    span.trace.span = w->span;
    if (w->code) {
        attributes[span.attribute_count] = attributes[ARRAY_LEN(attributes) - 1];
        span.attribute_count++;
    }
    run->engine->o.span(run->engine->o.span_ctx, &span);
}

static const struct journal_call *call_of(const struct ifp_run *run, const struct ifp_step_ctx *job)
{
    return job->branch ? &job->branch->order.call : &run->action.call;
}

static void tell_attempt(const struct ifp_run *run, const struct ifp_step_ctx *job,
                         const char *code)
{
    int64_t took_us = MAX(job->took_us, 0);

    if (!is_watched(run))
        return;
    if (took_us == 0) /* asynchronous, or left behind */
        took_us = clock_mono_us() - job->start_us;
    tell(run, &(struct told){ .span = job->trace.span,
                              .parent = trace_of_step(run, call_of(run, job)).span,
                              .name = "attempt",
                              .start_us = engine_db_now(run->engine) - took_us,
                              .step = job->name,
                              .attempt = job->attempt,
                              .code = code });
}

static void tell_step(const struct ifp_run *run, const struct journal_call *call, int attempts,
                      const char *code)
{
    const struct journal_slot *slot = journal_find(&run->journal, call->seq);

    if (!is_watched(run))
        return;
    tell(run, &(struct told){ .span = trace_of_step(run, call).span,
                              .parent = trace_of_run(run).span,
                              .name = call->name,
                              .start_us = slot && slot->begun_us ? slot->begun_us
                                                                 : engine_db_now(run->engine),
                              .step = call->name,
                              .attempt = attempts,
                              .code = code });
}

/* ---- attempts ------------------------------------------------------------------------------- */

static const char *outcome_of(const struct ifp_step_ctx *job)
{
    if (job->lost || job->unknown)
        return "lost";
    return job->rc == 0 ? "completed" : "failed";
}

void observe_attempt(const struct ifp_run *run, const struct ifp_step_ctx *job)
{
    if (job->skipped)
        return; /* it has not begun */
    assert(run->workflow && job->attempt >= 1);
    metrics_add(METRIC_ATTEMPTS, outcome_of(job), 1);
    metrics_observe_us(METRIC_STEP_SECONDS, run->workflow->name, job->took_us);
    tell_attempt(run, job, job->rc == 0 ? NULL : job->code[0] ? job->code : outcome_of(job));
    if (job->rc == 0) {
        metrics_add(METRIC_STEPS, "completed", 1);
        tell_step(run, call_of(run, job), job->attempt, NULL);
    }
}

void observe_timeout(const struct ifp_run *run, const struct ifp_step_ctx *job)
{
    assert(run->workflow && job->attempt >= 1);
    assert(job->start_us != 0);
    metrics_add(METRIC_ATTEMPTS, "timed_out", 1);
    metrics_observe_us(METRIC_STEP_SECONDS, run->workflow->name, clock_mono_us() - job->start_us);
    tell_attempt(run, job, ifp_error_name(IFP_ETIMEOUT));
}

void observe_step_failed(const struct ifp_run *run, const struct journal_call *call, int attempt,
                         const char *code)
{
    assert(code && attempt >= 1);
    metrics_add(METRIC_STEPS, "failed", 1);
    tell_step(run, call, attempt, code);
}

/* ---- commits -------------------------------------------------------------------------------- */

static const char *status_text(enum flush_status status)
{
    switch (status) {
    case FLUSH_COMPLETED:
        return "completed";
    case FLUSH_CANCELED:
        return "canceled";
    case FLUSH_FAILED:
        break;
    }
    return "failed";
}

static void tell_end(const struct ifp_run *run)
{
    const struct action *a = &run->action;

    assert(a->kind == ACT_END);
    if (!is_watched(run))
        return;
    tell(run, &(struct told){ .span = trace_of_run(run).span,
                              .parent = run->trace.span,
                              .name = run->workflow->name,
                              .start_us = run->created_us,
                              .code = a->status == FLUSH_COMPLETED ? NULL
                                      : a->error_code              ? a->error_code
                                                                   : status_text(a->status) });
}

void observe_commit(const struct ifp_run *run)
{
    if (run->spawned > 0)
        metrics_add(METRIC_STARTED, "child", run->spawned);
    if (run->beside || run->failure.set || run->action.kind != ACT_END)
        return;
    metrics_add(METRIC_ENDED, status_text(run->action.status), 1);
    metrics_observe_us(METRIC_EXECUTION_SECONDS, run->workflow->name,
                       engine_db_now(run->engine) - run->created_us);
    tell_end(run);
}
