/*
 * engine/job.c - attempts of steps: from the loop to a pool thread and back.
 *
 * Happy path: job_start copies what the attempt needs into an arena of its own, the pool runs the
 * user's function, on_done hands the outcome to the run.  A transactional attempt takes one of the
 * connections first; BEGIN, the user's writes, the step's row and COMMIT happen on its thread.
 * Failure: user code that does not return keeps its thread; its run goes on without it.
 */
#include "engine/job.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/branch.h"
#include "engine/internal.h"
#include "engine/trace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { JOB_MEMORY_MAX = 256 << 20, FAIL_TEXT_MAX = 4096, TX_CONNECT_MS = 10000 };

/* ---- opening and closing -------------------------------------------------------------------- */

int job_open(struct engine *e, struct err *err)
{
    struct jobs *j = &e->jobs;

    list_init(&j->live);
    list_init(&j->waiting);
    list_init(&j->free);
    j->slot_count = (int)engine_limit(e, CONFIG_TX_CONNECTIONS);
    assert(j->slot_count >= 1);
    j->slots = mem_zalloc((size_t)j->slot_count * sizeof(*j->slots));
    if (!j->slots)
        return err_set(err, IFP_ENOMEM, "out of memory");
    for (int i = 0; i < j->slot_count; i++) {
        list_init(&j->slots[i].link);
        list_push(&j->free, &j->slots[i].link);
    }
    return work_pool_open(e->loop, (int)engine_limit(e, CONFIG_THREADS), 0, &j->pool, err);
}

bool job_close(struct engine *e)
{
    struct jobs *j = &e->jobs;
    bool stuck = j->pool && !list_empty(&j->live);

    assert(!j->pool || list_empty(&j->waiting)); /* no run is left whose step could wait */
    if (stuck) {
        LOG_WARN("steps that did not stop are left behind");
        work_pool_abandon(j->pool);
        return false; /* their threads may still use the connections */
    }
    work_pool_close(j->pool);
    for (int i = 0; j->slots && i < j->slot_count; i++)
        pgsync_close(j->slots[i].db);
    mem_free(j->slots);
    return true;
}

static void destroy(struct ifp_step_ctx *job)
{
    struct engine *e = job->engine;
    bool counted = job->begin && !list_empty(&job->link);

    assert(!job->slot && list_empty(&job->wait_link));
    list_del(&job->link);
    job_notes_release(job);
    arena_release(&job->arena);
    mem_free(job);
    if (!counted)
        return;
    assert(e->jobs.async > 0);
    e->jobs.async--;
    engine_async_gone(e);
}

/* ---- on the pool thread --------------------------------------------------------------------- */

static int64_t call_user(struct ifp_step_ctx *job, struct pg_conn *db)
{
    int64_t from = clock_mono_us();

    assert((db != NULL) == (job->tx_fn != NULL));
    job_notes_begin(job);
    crash_here(job->tx_fn ? CRASH_TX_BEGIN : CRASH_STEP_BEFORE);
    job->rc = job->tx_fn ? job->tx_fn(job, db, job->input, &job->output)
                         : job->fn(job, job->input, &job->output);
    crash_here(job->tx_fn ? CRASH_TX_BODY : CRASH_STEP_AFTER);
    return clock_mono_us() - from;
}

static int tx_connect(struct ifp_step_ctx *job)
{
    struct pgsync_options o = {
        .conninfo = config_text(job->engine->o.config, CONFIG_DATABASE_URL),
        .application = job->engine->o.program,
        .connect_timeout_ms = TX_CONNECT_MS,
    };

    return job->slot->db ? 0 : pgsync_open(&o, &job->slot->db, &job->err);
}

static int tx_limit_time(struct ifp_step_ctx *job)
{
    char sql[64];

    if (job->timeout_ms == 0)
        return 0;
    snprintf(sql, sizeof(sql), "set local statement_timeout = %" PRId64,
             MIN(job->timeout_ms, (int64_t)INT32_MAX)); /* PostgreSQL's own limit, 24 days */
    return pgsync_script(job->slot->db, sql, &job->err);
}

static bool is_too_large(const struct ifp_step_ctx *job)
{
    return value_slice(job->output).len > (size_t)engine_limit(job->engine, CONFIG_PAYLOAD_MAX);
}

static int too_large(struct ifp_step_ctx *job)
{
    return err_set(&job->err, IFP_ETOOLARGE,
                   "output: %zu bytes are over the limit of %" PRId64 " (payload-max)",
                   value_slice(job->output).len, engine_limit(job->engine, CONFIG_PAYLOAD_MAX));
}

/* The user's function has succeeded: its writes and the step's row become durable together. */
static void tx_commit(struct ifp_step_ctx *job)
{
    struct pgsync *db = job->slot->db;

    assert(job->rc == 0 && !job->committed);
    if (job->timeout_ms != 0 && job->took_us > job->timeout_ms * 1000) {
        job->rc = err_set(&job->err, IFP_ETIMEOUT, "the attempt's time has passed");
        return;
    }
    if (is_too_large(job)) {
        job->rc = too_large(job);
        return;
    }
    job->tx.took_us = job->took_us;
    job->rc = txstep_record(db, &job->tx, value_slice(job->output), &job->err);
    job->lost = job->rc == IFP_ELEASE;
    job->unknown = job->rc == IFP_ECONFLICT; /* an earlier attempt has recorded it after all */
    if (job->rc != 0)
        return;
    crash_here(CRASH_TX_RECORDED);
    job->rc = txstep_commit(db, &job->err);
    job->committed = job->rc == 0;
    job->unknown = job->rc == IFP_EUNAVAILABLE;
    if (job->committed)
        crash_here(CRASH_TX_COMMITTED);
}

static void run_tx(struct ifp_step_ctx *job)
{
    struct pgsync *db;

    job->rc = tx_connect(job);
    if (job->rc != 0)
        return;
    db = job->slot->db;
    assert(db);
    job->rc = txstep_begin(db, &job->tx, &job->err);
    if (job->rc == 0)
        job->rc = tx_limit_time(job);
    if (job->rc == 0) {
        job->took_us = call_user(job, pgsync_raw(db));
        if (job->rc == 0)
            tx_commit(job);
    }
    if (!job->committed)
        txstep_rollback(db);
}

static void on_run(struct work *w)
{
    struct ifp_step_ctx *job = CONTAINER_OF(w, struct ifp_step_ctx, work);

    assert((job->tx_fn != NULL) == (job->slot != NULL));
    if (!lease_fresh(job->engine))
        job->skipped = true;
    else if (job->tx_fn)
        run_tx(job);
    else
        job->took_us = call_user(job, NULL);
}

/* ---- back on the loop ----------------------------------------------------------------------- */

static void start_work(struct ifp_step_ctx *job)
{
    assert(list_empty(&job->wait_link));
    assert((job->tx_fn != NULL) == (job->slot != NULL));
    work_start(job->engine->jobs.pool, &job->work);
}

static void release_slot(struct ifp_step_ctx *job)
{
    struct jobs *j = &job->engine->jobs;
    struct list *next;

    if (!job->slot)
        return;
    assert(job->tx_fn);
    list_push(&j->free, &job->slot->link);
    job->slot = NULL;
    next = list_pop(&j->waiting);
    if (next) {
        struct ifp_step_ctx *other = CONTAINER_OF(next, struct ifp_step_ctx, wait_link);

        assert(other->tx_fn && !other->slot && other->run);
        other->slot = CONTAINER_OF(list_pop(&j->free), struct tx_slot, link);
        start_work(other);
    }
}

static void fail_with(struct ifp_step_ctx *job, int error, const char *text, bool final)
{
    assert(error < 0);
    job->rc = error;
    job->final = final;
    snprintf(job->code, sizeof(job->code), "%s", ifp_error_name(error));
    if (text)
        job->text = text;
}

/* Makes one of the outcomes that run_attempt_done knows out of whatever the user returned. */
static void settle(struct ifp_step_ctx *job)
{
    if (job->rc > 0) {
        fail_with(job, IFP_EINVALID, "the step returned a positive number", true);
    } else if (job->rc == 0 && is_too_large(job)) {
        fail_with(job, too_large(job), NULL, true);
    } else if (job->rc < 0 && job->code[0] == '\0') {
        if (job->err.code == 0)
            err_set(&job->err, job->rc, "%s", ifp_error_text(job->rc));
        fail_with(job, job->rc, NULL, !err_retryable(job->rc) && job->rc != IFP_ESTEP_FAILED);
    }
    assert(job->rc <= 0 && (job->rc == 0 || job->code[0] != '\0'));
}

static bool is_under_way(const struct ifp_step_ctx *job)
{
    return job->run && (job->branch ? job->branch->job == job : job->run->job == job);
}

void job_ended(struct ifp_step_ctx *job)
{
    assert(!job->run || is_under_way(job));
    assert(!job->committed || job->rc == 0);
    assert(!(job->committed && (job->unknown || job->lost)));
    release_slot(job);
    if (!job->skipped)
        settle(job);
    if (job->run && job->branch) {
        if (!branch_done(job->branch, job))
            return;
    } else if (job->run) {
        job_notes_end(job);
        run_attempt_done(job->run, job);
    }
    destroy(job);
}

static void on_done(struct work *w)
{
    job_ended(CONTAINER_OF(w, struct ifp_step_ctx, work));
}

/* ---- starting and stopping ------------------------------------------------------------------ */

static const struct action *order_of(const struct ifp_run *run, const struct branch *branch)
{
    return branch ? &branch->order : &run->action;
}

static struct ifp_step_ctx *create(struct ifp_run *run, struct branch *branch)
{
    const struct action *a = order_of(run, branch);
    struct ifp_step_ctx *job = mem_zalloc(sizeof(*job));

    assert((a->fn != NULL) + (a->tx_fn != NULL) + (a->begin != NULL) == 1);
    if (!job)
        return NULL;
    job->engine = run->engine;
    job->run = run;
    job->branch = branch;
    job->work = (struct work){ .run = on_run, .done = on_done };
    list_init(&job->work.link);
    list_init(&job->link);
    list_init(&job->wait_link);
    arena_init(&job->arena, JOB_MEMORY_MAX);
    value_owner_init(&job->owner, &job->arena);
    atomic_init(&job->canceled, false);
    job->fn = a->fn;
    job->tx_fn = a->tx_fn;
    job->begin = a->begin;
    job->async.ctx = run->workflow->ctx;
    job->exec_id = run->exec_id;
    job->step_key = a->call.step_key;
    job->seq = a->call.seq;
    job->heartbeat_ms = a->tx_fn ? 0 : a->retry.heartbeat_ms;
    job->on_loop = a->on_loop || a->begin;
    job->name = arena_strndup(&job->arena, a->call.name, strlen(a->call.name));
    job_notes_init(job);
    job->timeout_ms = a->retry.timeout_ms;
    memcpy(job->id, run->id, sizeof(job->id));
    snprintf(job->key, sizeof(job->key), "%s-%016" PRIx64, run->id, (uint64_t)a->call.step_key);
    snprintf(job->lease, sizeof(job->lease), "%s.%" PRId64 ".%d", run->id,
             run->engine->lease.worker_id, run->fence);
    return job;
}

/* What a transactional attempt needs to write its row. */
static bool prepare_tx(struct ifp_step_ctx *job)
{
    const struct ifp_run *run = job->run;
    const struct journal_call *call = &order_of(run, job->branch)->call;

    assert(run->fence > 0 && call->seq >= 1 && job->attempt >= 1);
    job->tx = (struct txstep){
        .worker = run->engine->lease.worker_id,
        .exec_id = run->exec_id,
        .step_key = call->step_key,
        .fence = run->fence,
        .seq = call->seq,
        .name = job->name,
        .attempts = job->attempt,
        .inline_max = engine_limit(run->engine, CONFIG_PAYLOAD_INLINE),
    };
    return job->name != NULL;
}

static void launch(struct ifp_step_ctx *job)
{
    struct jobs *j = &job->engine->jobs;

    assert(is_under_way(job));
    if (!job->tx_fn) {
        start_work(job);
    } else if (list_empty(&j->free)) {
        list_push(&j->waiting, &job->wait_link);
    } else {
        job->slot = CONTAINER_OF(list_pop(&j->free), struct tx_slot, link);
        start_work(job);
    }
}

/* Somebody may ask how long it was under way; for most attempts nobody does. */
static bool is_timed(const struct ifp_step_ctx *job)
{
    return job->timeout_ms != 0 || job->heartbeat_ms != 0 || job->engine->o.span;
}

int job_start(struct ifp_run *run, struct branch *branch)
{
    const struct action *a = order_of(run, branch);
    struct journal_slot *slot = journal_slot(&run->journal, a->call.seq);
    struct timer *timer = branch ? &branch->timer : &run->timer;
    struct ifp_step_ctx *job = create(run, branch);

    assert(a->kind == ACT_STEP && (branch || run->journal.pending == 0));
    assert(!run->job && !run->failure.set && !timer_armed(timer));
    assert(!a->on_loop || !a->tx_fn);
    if (!job)
        return IFP_ENOMEM;
    /* The column ends there; who tries without end goes on with that number. */
    job->attempt = slot ? MIN(slot->attempts + 1, INT16_MAX) : 1;
    if (is_timed(job))
        job->start_us = clock_mono_us();
    job->trace = trace_of_attempt(run, &a->call, job->attempt);
    job->input = value_copy(&job->arena, value_slice(a->input));
    if (slot && slot->progress.text)
        job->progress = value_copy(&job->arena, slot->progress);
    if (!slot || !job->input || !prepare_tx(job) || job->arena.broken ||
        job_notes_watch(job) != 0 ||
        (job->timeout_ms != 0 && !job->tx_fn && timer_start(timer, job->timeout_ms * 1000) != 0)) {
        destroy(job);
        return IFP_ENOMEM;
    }
    if (run->engine->o.span && slot->begun_us == 0)
        slot->begun_us = engine_db_now(run->engine);
    list_push(&run->engine->jobs.live, &job->link);
    run->engine->jobs.async += a->begin != NULL;
    if (branch) {
        branch->job = job;
    } else {
        run->job = job;
        run_move(run, RUN_STEP);
    }
    if (job->begin) {
        async_begin(job);
    } else if (job->on_loop) {
        on_run(&job->work);
        on_done(&job->work);
    } else {
        launch(job);
    }
    return 0;
}

/* True when no thread has it and none will. */
static bool take_back(struct ifp_step_ctx *job)
{
    if (!list_empty(&job->wait_link)) {
        assert(job->tx_fn && !job->slot);
        list_del(&job->wait_link);
        return true;
    }
    return work_cancel(job->engine->jobs.pool, &job->work);
}

void job_detach(struct ifp_step_ctx *job)
{
    assert(is_under_way(job));
    atomic_store(&job->canceled, true);
    job_notes_end(job);
    job->run = NULL;
    if (job->finished) {
        destroy(job);
    } else if (job->begin) {
        async_stop(job); /* it comes back by async_done */
    } else if (take_back(job)) {
        release_slot(job);
        destroy(job);
    }
}

bool job_cancel(struct ifp_step_ctx *job)
{
    assert(is_under_way(job));
    atomic_store(&job->canceled, true);
    if (job->begin && !job->finished)
        async_stop(job);
    if (job->begin || job->finished || !take_back(job))
        return false;
    release_slot(job);
    destroy(job);
    return true;
}

void job_free(struct ifp_step_ctx *job)
{
    assert(job->finished && job->branch);
    destroy(job);
}

/* ---- what a step may call ------------------------------------------------------------------- */

int ifp_step_fail(ifp_step_ctx *step, const char *code, int finality, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;

    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(step->code, sizeof(step->code), "%s", code && *code ? code : "STEP_FAILED");
    step->text = jsonscan_clean(&step->arena, text, sizeof(text));
    step->final = finality == IFP_FINAL;
    return IFP_ESTEP_FAILED;
}

const char *ifp_step_key(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return step->key;
}

const char *ifp_step_lease(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return step->lease;
}

int ifp_step_attempt(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return step->attempt;
}

const char *ifp_step_execution(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return step->id;
}

bool ifp_step_canceled(const ifp_step_ctx *step)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return atomic_load(&step->canceled);
}

void *ifp_step_alloc(ifp_step_ctx *step, size_t size)
{
    assert(step->owner.magic == VALUE_OWNER_MAGIC);
    return arena_alloc(&step->arena, size);
}
