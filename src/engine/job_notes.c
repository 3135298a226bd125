/*
 * engine/job_notes.c - the calls by which a step tells of itself.
 *
 * A cost is the attempt's: it is written with the row of the attempt, also when that failed, so a
 * step's cost is what all of its attempts have spent.
 */
#include "engine/job_notes.h"

#include "base/log.h"
#include "engine/internal.h"

#include <assert.h>
#include <math.h>

#define NANOS INT64_C(1000000000)
#define TOKENS_MAX INT64_C(1000000000000)
#define USD_MAX 1e9

void job_notes_init(struct job_notes *n)
{
    int rc;

    *n = (struct job_notes){ .tokens = 0 };
    rc = pthread_mutex_init(&n->lock, NULL);
    assert(rc == 0); /* of a default mutex */
    (void)rc;
}

void job_notes_release(struct job_notes *n)
{
    pthread_mutex_destroy(&n->lock);
}

/* The attempt's number goes along: its row is among the failed attempts, or it is the step's. */
static int take_cost(struct ifp_step_ctx *job)
{
    struct job_notes *n = &job->notes;
    struct flush_note note = { .what = FLUSH_COST,
                               .step_key = job->step_key,
                               .attempt = job->attempt,
                               .name = "",
                               .tokens = n->tokens,
                               .nanos = n->nanos };

    if (n->tokens == 0 && n->nanos == 0)
        return 0;
    n->tokens = 0;
    n->nanos = 0;
    return notes_add(&job->run->notes, &note);
}

void job_notes_take(struct ifp_step_ctx *job)
{
    int rc;

    assert(job->run);
    pthread_mutex_lock(&job->notes.lock);
    rc = take_cost(job);
    pthread_mutex_unlock(&job->notes.lock);
    if (rc != 0)
        LOG_WARN("no memory for what a step said", LOG_STR("execution", job->id));
}

int ifp_step_cost(ifp_step_ctx *step, int64_t tokens, double usd)
{
    struct job_notes *n = &step->notes;
    int rc = IFP_EINVALID;

    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    if (tokens < 0 || tokens > TOKENS_MAX || !(usd >= 0 && usd <= USD_MAX))
        return IFP_EINVALID;
    pthread_mutex_lock(&n->lock);
    if (n->tokens <= TOKENS_MAX && n->nanos <= (int64_t)USD_MAX * NANOS) {
        n->tokens += tokens;
        n->nanos += (int64_t)llround(usd * (double)NANOS);
        rc = 0;
    }
    pthread_mutex_unlock(&n->lock);
    return rc;
}
