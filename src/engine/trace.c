/* engine/trace.c - see the header; what user code may ask of it is here, too. */
#include "engine/trace.h"

#include "engine/internal.h"

#include <assert.h>

static struct traceparent with_span(const struct ifp_run *run, uint64_t span)
{
    struct traceparent t = run->trace;

    assert(span != 0);
    t.span = span;
    return t;
}

struct traceparent trace_of_run(const struct ifp_run *run)
{
    assert(run->exec_id > 0);
    return with_span(run, traceparent_execution(run->exec_id));
}

struct traceparent trace_of_step(const struct ifp_run *run, const struct journal_call *call)
{
    assert(call->seq >= 1);
    return with_span(run, traceparent_step(run->exec_id, run->journal.generation, call->step_key));
}

struct traceparent trace_of_attempt(const struct ifp_run *run, const struct journal_call *call,
                                    int attempt)
{
    assert(attempt >= 1);
    return with_span(run, traceparent_attempt(trace_of_step(run, call).span, attempt));
}

/* Without memory for the text there is no context: better than an answer that may be NULL. */
static const char *text_in(struct arena *a, const struct traceparent *t)
{
    char *text = arena_alloc(a, TRACEPARENT_SIZE);

    if (!text)
        return "";
    traceparent_format(t, text);
    return text;
}

const char *ifp_run_traceparent(ifp_run *run)
{
    struct traceparent t;

    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    t = trace_of_run(run);
    return text_in(&run->pass, &t);
}

const char *ifp_step_traceparent(ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return text_in(&step->arena, &step->trace);
}
