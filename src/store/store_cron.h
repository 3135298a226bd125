/*
 * store/store_cron.h - the operations of a worker that looks after the schedules of its
 * workspace, on the pool: what they write must be durable.  For the rest see store/store.h.
 */
#ifndef STORE_STORE_CRON_H
#define STORE_STORE_CRON_H

#include "pg/pgargs.h"
#include "store/cronjob.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes or renews the workspace's lock; store_cron_locked tells inside done. */
void store_cron_lock(struct store_op *op, int64_t worker, int64_t lease_ms, store_done_fn *done);
bool store_cron_locked(const struct store_op *op);

/* The jobs of a program's code; their next_us are set. */
void store_cron_declare(struct store_op *op, const char *program, const struct cronjob *jobs,
                        size_t n, store_done_fn *done);

/* Jobs whose instant has come, but for those in `skip`, the oldest first. */
struct store_cron_job {
    int32_t id;
    int64_t next_us, now_us;
    int catchup, catchup_max;
    const char *name, *schedule, *timezone;
};
void store_cron_due(struct store_op *op, const int32_t *skip, size_t n, int limit,
                    store_done_fn *done);
struct store_cron_job store_cron_job_at(const struct store_op *op, int row);

/* What is to be fired, job by job: the columns of one statement. */
struct store_cron_batch {
    struct pgarray job, expect, next, missed, tick_job, tick_at;
    int ticks;
};
void store_cron_batch_init(struct store_cron_batch *b);
void store_cron_batch_release(struct store_cron_batch *b);
/* `expect_us`: next_us as it was read; `missed`: instants from there on were passed over. */
void store_cron_batch_job(struct store_cron_batch *b, int32_t job, int64_t expect_us,
                          int64_t next_us, bool missed);
void store_cron_batch_tick(struct store_cron_batch *b, int32_t job, int64_t at_us);
void store_cron_fire(struct store_op *op, const struct store_cron_batch *b, store_done_fn *done);
struct store_cron_fired {
    int fired, started;
    int64_t next_us; /* the earliest of all jobs, afterwards; INT64_MIN: none */
};
struct store_cron_fired store_cron_fired(const struct store_op *op);

/* Starts ticks that waited for the execution before them. */
void store_cron_release(struct store_op *op, int limit, store_done_fn *done);

#endif
