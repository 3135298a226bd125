/*
 * prim/ticker.c - `next_step` decides what to send whenever nothing is in flight; each answer notes
 * what it learned and asks again.  Everything that fails is tried again at the engine's next look.
 */
#include "prim/ticker.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/cron.h"
#include "loop/loop.h"
#include "prim/schedule.h"
#include "store/store_cron.h"

#include <assert.h>
#include <string.h>

enum { TICKS_PER_BATCH = 2000, RELEASE_BATCH = 500, SKIP_MAX = 1024 };
#define LATE_US INT64_C(3000000)    /* then the holder of the lock is not waited for */
#define SKIP_US INT64_C(3600000000) /* a job that cannot be computed is tried again */
#define SECOND_US INT64_C(1000000)
#define MILLISECOND_US INT64_C(1000)

struct ticker {
    struct ticker_options o;
    struct schedule_zones zones;
    struct timer timer;
    struct store *store; /* borrowed; NULL: not before the first look, not after the last */
    struct store_op op;
    struct engine_look look;
    int64_t ahead_us;      /* the database's clock minus our monotonic one */
    int64_t held_until_us; /* monotonic; the lock is ours */
    int64_t renew_us;      /* monotonic; ask for the lock again */
    int64_t lock_sent_us;
    int64_t due_us;       /* the earliest instant known; INT64_MAX: none */
    bool declared, waits; /* `waits`: there may be ticks to release */
    struct cronjob *jobs; /* owned copy, with next_us */
    int32_t skip[SKIP_MAX];
    int skip_count;
    int64_t skip_until_us; /* monotonic */
    struct store_cron_batch batch;
    int batch_max;           /* jobs; halved while one of them makes the statement fail */
    int32_t batch_first;     /* a job of the batch */
    int batch_missed;        /* its jobs that had times which do not fire */
    int64_t batch_oldest_us; /* the earliest instant that it fires; INT64_MAX: none */
};

static void next_step(struct ticker *t);
static void on_timer(void *ctx);
static void on_declared(struct store_op *op, int rc, const struct err *err);
static void on_locked(struct store_op *op, int rc, const struct err *err);
static void on_released(struct store_op *op, int rc, const struct err *err);
static void on_due(struct store_op *op, int rc, const struct err *err);
static void on_fired(struct store_op *op, int rc, const struct err *err);

static int64_t limit(const struct ticker *t, enum config_id id)
{
    return config_int(t->o.config, id);
}

static int64_t db_now(const struct ticker *t)
{
    return clock_mono_us() + t->ahead_us;
}

static int64_t floor_seconds(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* next_us of every declared job, from `now_us` on. */
static int plan_jobs(struct ticker *t, int64_t now_us, struct err *e)
{
    for (size_t i = 0; i < t->o.job_count; i++) {
        struct cronjob *job = &t->jobs[i];
        struct schedule s;
        int64_t next;
        int rc = schedule_open(&t->zones, job->schedule, job->o.timezone, &s, e);

        if (rc == 0)
            rc = schedule_next(&s, floor_seconds(now_us), &next, e);
        if (rc != 0)
            return err_wrap(e, "schedule \"%s\"", job->name);
        job->next_us = next * SECOND_US;
    }
    return 0;
}

int ticker_open(const struct ticker_options *o, struct ticker **ret, struct err *e)
{
    struct ticker *t = mem_zalloc(sizeof(*t));
    int rc;

    assert(o->loop && o->config && o->program && (o->jobs || o->job_count == 0));
    if (!t)
        return err_set(e, IFP_ENOMEM, "out of memory");
    t->o = *o;
    schedule_zones_init(&t->zones);
    timer_init(&t->timer, o->loop, on_timer, t);
    store_cron_batch_init(&t->batch);
    t->batch_max = (int)limit(t, CONFIG_CRON_BATCH);
    t->jobs = mem_resize(NULL, o->job_count + 1, sizeof(*t->jobs));
    if (!t->jobs) {
        ticker_close(t);
        return err_set(e, IFP_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < o->job_count; i++)
        t->jobs[i] = o->jobs[i];
    rc = plan_jobs(t, clock_real_us(), e);
    if (rc != 0) {
        ticker_close(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void ticker_close(struct ticker *t)
{
    if (!t)
        return;
    assert(!t->store);
    timer_stop(&t->timer);
    if (t->op.store)
        store_op_release(&t->op);
    store_cron_batch_release(&t->batch);
    schedule_zones_release(&t->zones);
    mem_free(t->jobs);
    mem_free(t);
}

/* ---- what is next --------------------------------------------------------------------------- */

static bool holds(const struct ticker *t)
{
    return clock_mono_us() < t->held_until_us;
}

static bool may_fire(const struct ticker *t)
{
    return holds(t) || t->due_us < db_now(t) - LATE_US;
}

static void wait_for_due(struct ticker *t)
{
    int64_t wait_us = t->due_us - db_now(t);

    /* Beyond the next look nothing need be known. */
    if (t->due_us != INT64_MAX && wait_us < limit(t, CONFIG_TICK) * 2 * MILLISECOND_US &&
        timer_start(&t->timer, MAX(wait_us, 0)) != 0)
        LOG_WARN("no memory for a timer, schedules wait for the next look");
}

static void send_declare(struct ticker *t)
{
    struct err e;

    if (plan_jobs(t, db_now(t), &e) != 0) {
        LOG_ERROR("schedules of this program cannot be declared", LOG_ERR(&e));
        t->declared = true;
        next_step(t);
        return;
    }
    store_cron_declare(&t->op, t->o.program, t->jobs, t->o.job_count, on_declared);
}

static void next_step(struct ticker *t)
{
    bool free_or_ours = t->look.cron_holder == 0 || holds(t);

    if (!t->store || store_op_busy(&t->op))
        return;
    if (!t->declared) {
        send_declare(t);
        return;
    }
    if (!t->look.cron)
        return; /* no schedules: nothing is asked */
    if (free_or_ours && clock_mono_us() >= t->renew_us) {
        t->lock_sent_us = clock_mono_us();
        store_cron_lock(&t->op, t->look.worker, limit(t, CONFIG_CRON_LEASE), on_locked);
    } else if (t->waits && holds(t)) {
        t->waits = false;
        store_cron_release(&t->op, RELEASE_BATCH, on_released);
    } else if (may_fire(t) && t->due_us <= db_now(t)) {
        store_cron_due(&t->op, t->skip, (size_t)t->skip_count, t->batch_max, on_due);
    } else if (may_fire(t)) {
        wait_for_due(t);
    }
}

static void on_timer(void *ctx)
{
    next_step(ctx);
}

void ticker_looked(void *ctx, const struct engine_look *look)
{
    struct ticker *t = ctx;

    if (!look) { /* the store closes: what is in flight ends with IFP_ECANCELED */
        t->store = NULL;
        timer_stop(&t->timer);
        return;
    }
    if (!t->op.store)
        store_op_init(&t->op, look->store);
    if (look->worker != t->look.worker || (look->cron_holder && look->cron_holder != look->worker))
        t->held_until_us = 0; /* a new incarnation, or another has it */
    if (clock_mono_us() >= t->skip_until_us)
        t->skip_count = 0;
    t->store = look->store;
    t->look = *look;
    t->ahead_us = look->now_us - clock_mono_us();
    t->waits = look->cron_waits;
    t->due_us = look->cron_next_us;
    next_step(t);
}

/* An operation failed: the next look goes on. */
static bool failed(struct ticker *t, const char *what, int rc, const struct err *err)
{
    assert(rc <= 0);
    if (rc != 0 && rc != IFP_ECANCELED)
        LOG_WARN(what, LOG_ERR(err));
    return rc != 0 || !t->store;
}

static void on_declared(struct store_op *op, int rc, const struct err *err)
{
    struct ticker *t = CONTAINER_OF(op, struct ticker, op);

    if (failed(t, "schedules could not be declared", rc, err))
        return;
    t->declared = true;
    if (t->o.job_count > 0)
        LOG_INFO("schedules are declared", LOG_INT("count", (int64_t)t->o.job_count));
    next_step(t);
}

static void on_locked(struct store_op *op, int rc, const struct err *err)
{
    struct ticker *t = CONTAINER_OF(op, struct ticker, op);
    int64_t lease_us = limit(t, CONFIG_CRON_LEASE) * MILLISECOND_US;

    t->renew_us = clock_mono_us() + limit(t, CONFIG_TICK) * MILLISECOND_US;
    if (failed(t, "the lock of the schedules could not be asked for", rc, err))
        return;
    t->held_until_us = store_cron_locked(op) ? t->lock_sent_us + lease_us : 0;
    if (t->held_until_us != 0)
        t->renew_us = t->lock_sent_us + lease_us / 3;
    next_step(t);
}

static void on_released(struct store_op *op, int rc, const struct err *err)
{
    struct ticker *t = CONTAINER_OF(op, struct ticker, op);

    if (!failed(t, "waiting schedules could not be started", rc, err))
        next_step(t);
}

/* ---- what is due ---------------------------------------------------------------------------- */

static void skip(struct ticker *t, int32_t job, const char *name, const struct err *e)
{
    if (t->skip_count == SKIP_MAX)
        return;
    if (t->skip_count == 0)
        t->skip_until_us = clock_mono_us() + SKIP_US;
    t->skip[t->skip_count++] = job;
    LOG_ERROR("a schedule cannot be fired from this machine", LOG_INT("job", job),
              LOG_STR("name", name), LOG_ERR(e));
}

/* Adds one job to the batch; one that cannot be computed is skipped. */
static void add_job(struct ticker *t, const struct store_cron_job *job)
{
    struct cron_due due = {
        .next = floor_seconds(job->next_us),
        .now = floor_seconds(job->now_us),
        .grace_s = limit(t, CONFIG_CRON_GRACE) / 1000,
        .catchup = (enum cron_catchup)job->catchup,
        .catchup_max = job->catchup_max,
    };
    struct cron_plan plan;
    struct schedule s;
    struct err e;

    err_clear(&e);
    if (schedule_open(&t->zones, job->schedule, job->timezone, &s, &e) != 0) {
        skip(t, job->id, job->name, &e);
        return;
    }
    cron_plan(&s.cron, s.zone, &due, &plan);
    if (plan.next == CRON_NEVER) {
        (void)err_set(&e, IFP_EINVALID, "it never fires again");
        skip(t, job->id, job->name, &e);
        return;
    }
    t->batch_first = job->id;
    t->batch_missed += plan.missed;
    if (plan.count > 0)
        t->batch_oldest_us = MIN(t->batch_oldest_us, plan.ticks[0] * SECOND_US);
    store_cron_batch_job(&t->batch, job->id, job->next_us, plan.next * SECOND_US, plan.missed);
    for (int i = 0; i < plan.count; i++)
        store_cron_batch_tick(&t->batch, job->id, plan.ticks[i] * SECOND_US);
}

static void on_due(struct store_op *op, int rc, const struct err *err)
{
    struct ticker *t = CONTAINER_OF(op, struct ticker, op);

    if (failed(t, "due schedules could not be read", rc, err))
        return;
    store_cron_batch_release(&t->batch);
    store_cron_batch_init(&t->batch);
    t->batch_missed = 0;
    t->batch_oldest_us = INT64_MAX;
    for (int i = 0; i < op->rows && t->batch.ticks < TICKS_PER_BATCH; i++) {
        struct store_cron_job job = store_cron_job_at(op, i);

        add_job(t, &job);
    }
    if (t->batch.job.count == 0) {
        t->due_us = INT64_MAX; /* nothing, or nothing that we can do: the next look tells more */
        return;
    }
    crash_here(CRASH_CRON_DUE);
    store_cron_fire(op, &t->batch, on_fired);
}

/* A value that the database refuses (class 22, 23 or 54) is one job's fault, and must not stop the
 * others: smaller batches find it, alone it is skipped. */
static void look_for_culprit(struct ticker *t, const struct err *err)
{
    const char *class = err->sqlstate;

    if (strncmp(class, "22", 2) != 0 && strncmp(class, "23", 2) != 0 &&
        strncmp(class, "54", 2) != 0)
        return;
    if (t->batch.job.count == 1)
        skip(t, t->batch_first, "", err);
    t->batch_max = MAX(t->batch.job.count / 2, 1);
}

static void count(const struct ticker *t, const struct store_cron_fired *fired)
{
    metrics_add(METRIC_CRON_FIRED, NULL, fired->started);
    metrics_add(METRIC_STARTED, "cron", fired->started);
    metrics_add(METRIC_CRON_MISSED, NULL, t->batch_missed);
    if (fired->fired > 0 && t->batch_oldest_us != INT64_MAX)
        metrics_observe_us(METRIC_CRON_LATE, NULL, db_now(t) - t->batch_oldest_us);
}

static void on_fired(struct store_op *op, int rc, const struct err *err)
{
    struct ticker *t = CONTAINER_OF(op, struct ticker, op);
    struct store_cron_fired fired;

    if (rc != 0)
        look_for_culprit(t, err);
    if (failed(t, "schedules could not be fired", rc, err))
        return;
    t->batch_max = MIN(t->batch_max * 2, (int)limit(t, CONFIG_CRON_BATCH));
    crash_here(CRASH_CRON_FIRED);
    fired = store_cron_fired(op);
    count(t, &fired);
    LOG_DEBUG("schedules fired", LOG_INT("ticks", fired.fired), LOG_INT("started", fired.started));
    t->due_us = fired.next_us == INT64_MIN ? INT64_MAX : fired.next_us;
    next_step(t);
}
