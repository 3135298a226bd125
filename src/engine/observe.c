/* engine/observe.c - see the header. */
#include "engine/observe.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "engine/internal.h"

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
    metrics_observe_us(METRIC_CLAIM_SECONDS, NULL, clock_mono_us() - sent_us);
    metrics_observe(METRIC_CLAIM_SIZE, NULL, executions);
}

void observe_flush(int executions, int64_t sent_us)
{
    assert(executions > 0);
    metrics_observe_us(METRIC_FLUSH_SECONDS, NULL, clock_mono_us() - sent_us);
    metrics_observe(METRIC_FLUSH_SIZE, NULL, executions);
}

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
    metrics_add(METRIC_ATTEMPTS, outcome_of(job), 1);
    metrics_observe_us(METRIC_STEP_SECONDS, run->workflow->name, job->took_us);
    if (job->rc == 0)
        metrics_add(METRIC_STEPS, "completed", 1);
}

void observe_timeout(const struct ifp_run *run, const struct ifp_step_ctx *job)
{
    assert(run->workflow && job->attempt >= 1);
    metrics_add(METRIC_ATTEMPTS, "timed_out", 1);
    metrics_observe_us(METRIC_STEP_SECONDS, run->workflow->name, clock_mono_us() - job->start_us);
}

void observe_step_failed(void)
{
    metrics_add(METRIC_STEPS, "failed", 1);
}

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

void observe_commit(const struct ifp_run *run)
{
    if (run->spawned > 0)
        metrics_add(METRIC_STARTED, "child", run->spawned);
    if (run->beside || run->failure.set || run->action.kind != ACT_END)
        return;
    metrics_add(METRIC_ENDED, status_text(run->action.status), 1);
    metrics_observe_us(METRIC_EXECUTION_SECONDS, run->workflow->name,
                       engine_db_now(run->engine) - run->created_us);
}
