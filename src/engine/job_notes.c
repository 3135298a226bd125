/*
 * engine/job_notes.c - the calls by which a step tells of itself.
 *
 * A cost is the attempt's: it is written with the row of the attempt, also when that failed, so a
 * step's cost is what all of its attempts have spent.  Of progress only the newest counts.
 */
#include "engine/job_notes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/branch.h"
#include "engine/internal.h"
#include "store/client.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

#define NANOS INT64_C(1000000000)
#define TOKENS_MAX INT64_C(1000000000000)
#define USD_MAX 1e9
enum { AGAIN_US = 10 * 1000 };
enum { WAITING_MAX = 1 << 20 }; /* bytes of events, in the attempt and in its run each */

static void on_pulse(void *ctx);

void job_notes_init(struct ifp_step_ctx *job)
{
    struct job_notes *n = &job->notes;
    int rc;

    *n = (struct job_notes){ .known = job->run->notes.events };
    rc = pthread_mutex_init(&n->lock, NULL);
    assert(rc == 0); /* of a default mutex */
    rc = pthread_cond_init(&n->room, NULL);
    assert(rc == 0);
    (void)rc;
    list_init(&n->events);
    timer_init(&n->pulse, job->engine->loop, on_pulse, job);
}

void job_notes_release(struct ifp_step_ctx *job)
{
    struct job_notes *n = &job->notes;
    struct list *link;

    timer_stop(&n->pulse);
    while ((link = list_pop(&n->events)) != NULL)
        mem_free(CONTAINER_OF(link, struct note, link));
    mem_free(n->progress);
    pthread_cond_destroy(&n->room);
    pthread_mutex_destroy(&n->lock);
}

/* ---- from the step to its run --------------------------------------------------------------- */

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

    assert(n->tokens >= 0 && n->nanos >= 0);
    if (n->tokens == 0 && n->nanos == 0)
        return 0;
    n->tokens = 0;
    n->nanos = 0;
    return notes_add(&job->run->notes, &note);
}

static void take_events(struct ifp_step_ctx *job, size_t room)
{
    struct job_notes *n = &job->notes;
    struct notes *to = &job->run->notes;

    while (!list_empty(&n->events) && to->bytes < room) {
        struct note *note = CONTAINER_OF(list_pop(&n->events), struct note, link);

        assert(n->bytes >= note->body.data.len);
        n->bytes -= note->body.data.len;
        notes_push(to, note);
    }
    assert(!list_empty(&n->events) || n->bytes == 0);
    n->known = to->events;
    pthread_cond_broadcast(&n->room);
}

static int take_progress(struct ifp_step_ctx *job)
{
    struct job_notes *n = &job->notes;

    if (!n->progress_new)
        return 0;
    n->progress_new = false;
    return notes_add(&job->run->notes, &n->progress->body);
}

static void take(struct ifp_step_ctx *job, bool last)
{
    int rc;

    assert(job->run);
    pthread_mutex_lock(&job->notes.lock);
    take_events(job, last ? SIZE_MAX : WAITING_MAX);
    rc = take_progress(job);
    if (rc == 0 && last)
        rc = take_cost(job);
    job->notes.cut = last;
    pthread_mutex_unlock(&job->notes.lock);
    if (rc != 0)
        LOG_WARN("no memory for what a step said", LOG_STR("execution", job->id));
}

void job_notes_take(struct ifp_step_ctx *job)
{
    take(job, false);
}

void job_notes_end(struct ifp_step_ctx *job)
{
    struct journal_slot *slot = journal_slot(&job->run->journal, job->seq);
    const struct note *progress;

    timer_stop(&job->notes.pulse);
    take(job, true);
    assert(list_empty(&job->notes.events)); /* and nothing comes after a cut */
    notes_make_due(&job->run->notes);
    progress = job->notes.progress;
    /* Out of memory: the next attempt begins without, or the pass counts for nothing. */
    if (slot && progress)
        slot->progress = (struct slice){ arena_strndup(&job->run->keep, progress->body.data.text,
                                                       progress->body.data.len),
                                         progress->body.data.len };
}

/* Any thread: the loop is to look soon. */
static void poke(struct ifp_step_ctx *job)
{
    work_poke(job->engine->jobs.pool);
}

/* ---- beats ---------------------------------------------------------------------------------- */

void job_notes_begin(struct ifp_step_ctx *job)
{
    atomic_store(&job->notes.beat_us, clock_mono_us());
}

int job_notes_watch(struct ifp_step_ctx *job)
{
    assert(job->heartbeat_ms >= 0 && !timer_armed(&job->notes.pulse));
    return job->heartbeat_ms == 0 ? 0 : timer_start(&job->notes.pulse, job->heartbeat_ms * 1000);
}

/* False: a branch cannot be left just now. */
static bool leave_silent(struct ifp_step_ctx *job)
{
    if (job->branch)
        return branch_silent(job->branch);
    run_attempt_silent(job->run);
    return true;
}

static void on_pulse(void *ctx)
{
    struct ifp_step_ctx *job = ctx;
    int64_t now = clock_mono_us(), beat = atomic_load(&job->notes.beat_us), left;

    assert(job->run && (job->branch || job->run->job == job));
    if (job->finished)
        return;
    left = job->heartbeat_ms * 1000 - (beat == 0 ? 0 : now - beat);
    if (left <= 0 && leave_silent(job))
        return;
    if (timer_start(&job->notes.pulse, MAX(left, AGAIN_US)) != 0)
        LOG_WARN("no memory to look for beats", LOG_STR("execution", job->id));
}

int ifp_step_heartbeat(ifp_step_ctx *step, const ifp_json *progress)
{
    struct slice data = value_slice(progress);
    struct job_notes *n = &step->notes;
    struct note *note;

    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    atomic_store(&n->beat_us, clock_mono_us());
    if (!progress)
        return 0;
    if ((int64_t)data.len > engine_limit(step->engine, CONFIG_STATE_MAX))
        return err_set(&step->err, IFP_ETOOLARGE,
                       "progress: %zu bytes are over the limit (state-max)", data.len);
    note = notes_copy(&(struct flush_note){ .what = FLUSH_PROGRESS,
                                            .step_key = step->step_key,
                                            .seq = step->seq,
                                            .attempt = step->attempt,
                                            .name = step->name,
                                            .data = data });
    if (!note)
        return IFP_ENOMEM;
    pthread_mutex_lock(&n->lock);
    mem_free(n->progress);
    n->progress = note;
    n->progress_new = !n->cut;
    pthread_mutex_unlock(&n->lock);
    poke(step);
    return 0;
}

const ifp_json *ifp_step_progress(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return step->progress;
}

/* ---- events --------------------------------------------------------------------------------- */

static int check_event(ifp_step_ctx *step, const char *kind, struct slice data)
{
    int64_t max = engine_limit(step->engine, CONFIG_EVENT_MAX);

    if (client_check_slug("emit: kind", kind ? kind : "", &step->err) != 0)
        return step->err.code;
    if ((int64_t)data.len > max)
        return err_set(&step->err, IFP_ETOOLARGE,
                       "emit: %zu bytes are over the limit of %" PRId64 " (event-max)", data.len,
                       max);
    return 0;
}

/* Under the lock.  An inlined step has the loop's thread: it cannot wait for the loop. */
static int push_event(ifp_step_ctx *step, struct note *note)
{
    struct job_notes *n = &step->notes;

    while (n->bytes >= WAITING_MAX && !n->cut && !step->on_loop && !ifp_step_canceled(step))
        pthread_cond_wait(&n->room, &n->lock);
    if (n->cut)
        return IFP_ECANCELED;
    if (n->bytes >= WAITING_MAX && step->on_loop)
        return err_set(&step->err, IFP_ETOOLARGE,
                       "emit: %zu bytes are waiting, which an inlined step cannot", n->bytes);
    if (n->known >= engine_limit(step->engine, CONFIG_EVENTS_MAX))
        return err_set(&step->err, IFP_ETOOLARGE,
                       "emit: the execution has %d events already (events-max)", n->known);
    n->known++;
    n->bytes += note->body.data.len;
    list_push(&n->events, &note->link);
    return 0;
}

int ifp_step_emit(ifp_step_ctx *step, const char *kind, const ifp_json *data)
{
    struct slice text = value_slice(data);
    struct note *note;
    int rc;

    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    atomic_store(&step->notes.beat_us, clock_mono_us());
    rc = check_event(step, kind, text);
    if (rc != 0)
        return rc;
    note = notes_copy(&(struct flush_note){ .what = FLUSH_EVENT,
                                            .seq = step->seq,
                                            .attempt = step->attempt,
                                            .name = step->name,
                                            .kind = kind,
                                            .data = text });
    if (!note)
        return IFP_ENOMEM;
    pthread_mutex_lock(&step->notes.lock);
    rc = push_event(step, note);
    pthread_mutex_unlock(&step->notes.lock);
    if (rc == 0)
        poke(step);
    else
        mem_free(note);
    return rc;
}

/* ---- costs ---------------------------------------------------------------------------------- */

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
