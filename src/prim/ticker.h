/*
 * prim/ticker.h - fires the schedules of a workspace, in each worker, beside its engine.
 *
 * The engine's tick tells when the next schedule is due and who holds the lock of the schedules (so
 * an idle worker asks nothing more).  Who holds it reads the due jobs, works out what fires and
 * what comes next, and writes both in one statement; a timer then waits for the next
 * instant, so a tick is late by milliseconds.  The others only watch: when the lock is free they
 * take it, and when a tick is over 3 s late they fire it themselves.
 *
 *   (look) -> lock -> release waiting ticks -> read what is due -> fire -> read again, or wait
 *
 * One statement at a time.  Exactly once is the database's affair (cron_fire.sql): a worker that
 * dies or stalls anywhere leaves the tick to another one, and what it sends late changes nothing.
 * A job that this machine cannot compute (no such zone here), or whose row the database refuses, is
 * left out for an hour and logged: it never stops the others.  Loop thread only.
 */
#ifndef PRIM_TICKER_H
#define PRIM_TICKER_H

#include "base/base.h"
#include "base/config.h"
#include "base/err.h"
#include "engine/engine.h"
#include "store/cronjob.h"

#include <stddef.h>

struct ticker;

struct ticker_options {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    const char *program;         /* borrowed; under which the jobs are declared */
    const struct cronjob *jobs;  /* borrowed; of the program's code, checked */
    size_t job_count;
};

/* IFP_EINVALID: a job's schedule or time zone cannot be used on this machine. */
int ticker_open(const struct ticker_options *o, struct ticker **ret, struct err *e) MUSTCHECK;
/* For engine_options.looked, with the ticker as its context. */
engine_looked_fn ticker_looked;
/* After the engine has stopped, or was never opened; NULL is fine. */
void ticker_close(struct ticker *t);

#endif
