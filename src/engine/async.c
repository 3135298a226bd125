/*
 * engine/async.c - attempts that end by a call; see the header.
 *
 * job.c makes and frees them like all others; here is only what stands in place of the pool thread.
 * Once detached from its run an attempt still ends by async_done, which frees it: until then the
 * engine counts it (jobs.async) and does not say that it has stopped.
 */
#include "engine/async.h"

#include "base/clock.h"
#include "base/crash.h"
#include "engine/internal.h"
#include "engine/replay.h"

#include <assert.h>

int async_step(ifp_run *run, const char *name, async_begin_fn *begin, const ifp_json *input,
               const ifp_json **ret_output, const ifp_step_options *options)
{
    struct action action = { .call = { .kind = JOURNAL_STEP, .name = name },
                             .begin = begin,
                             .input = input };

    assert(begin && ret_output);
    assert(!options || (options->flags & IFP_INLINE) == 0);
    return replay_step(run, &action, ret_output, options);
}

void async_begin(ifp_step_ctx *job)
{
    int rc;

    assert(job->begin && job->run && !job->async.begun);
    job->async.begun = true;
    if (!lease_fresh(job->engine)) {
        job->skipped = true;
        job_ended(job);
        return;
    }
    job_notes_begin(job);
    crash_here(CRASH_STEP_BEFORE);
    job->async.from_us = clock_mono_us();
    rc = job->begin(job, job->input);
    assert(rc <= 0);
    if (rc != 0)
        async_done(job, rc, NULL); /* it was not begun, so nobody else calls this */
}

void async_on_stop(ifp_step_ctx *step, void (*stop)(void *ctx), void *ctx)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC && step->begin);
    step->async.stop = stop;
    step->async.stop_ctx = ctx;
}

void async_stop(ifp_step_ctx *job)
{
    void (*stop)(void *ctx) = job->async.stop;

    assert(job->begin && job->async.begun && !job->async.stopping);
    job->async.stop = NULL;
    if (!stop)
        return;
    job->async.stopping = true;
    stop(job->async.stop_ctx);
    job->async.stopping = false;
}

void async_done(ifp_step_ctx *step, int rc, const ifp_json *output)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC && step->begin);
    assert(step->async.begun && !step->async.stopping && !step->finished);
    step->rc = rc;
    step->output = output;
    step->took_us = clock_mono_us() - step->async.from_us;
    step->async.stop = NULL;
    crash_here(CRASH_STEP_AFTER);
    job_ended(step);
}

void *async_ctx(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC && step->begin);
    return step->async.ctx;
}

struct traceparent async_trace(const ifp_step_ctx *step)
{
    assert(traceparent_any(&step->trace) && step->trace.span != 0);
    return step->trace;
}
