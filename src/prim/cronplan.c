/*
 * prim/cronplan.c - the next instant of a schedule, for the calls that change one.
 *
 * A schedule that somebody changes between our look and our call is refused by the database
 * (IFP_ECONFLICT): the instant was worked out from what it no longer is.
 */
#include "prim/cronplan.h"

#include "base/tzfile.h"
#include "core/cron.h"
#include "prim/schedule.h"

#include <stdio.h>

/* Sets job->next_us: the first instant after the database's now. */
static int find_next(struct client *c, struct cronjob *job, struct err *e)
{
    struct schedule_zones zones;
    struct schedule s;
    int64_t now_us, next;
    int rc;

    schedule_zones_init(&zones);
    rc = schedule_open(&zones, job->schedule, job->o.timezone, &s, e);
    if (rc == 0)
        rc = client_cron_now(c, &now_us, e);
    if (rc == 0)
        rc = schedule_next(&s, now_us / 1000000, &next, e);
    if (rc == 0)
        job->next_us = next * 1000000;
    schedule_zones_release(&zones);
    return rc;
}

int cronplan_put(struct client *c, struct cronjob *job, bool paused, bool replace, bool *ret_new,
                 struct err *e)
{
    int rc = find_next(c, job, e);

    return rc == 0 ? client_cron_put(c, job, paused, replace, ret_new, e) : rc;
}

struct found {
    struct cronjob job;
    char schedule[CRON_TEXT_MAX + 1], timezone[TZFILE_NAME_MAX + 1];
    bool there;
};

static int keep_job(void *ctx, const struct client_cron_row *r)
{
    struct found *f = ctx;

    (void)snprintf(f->schedule, sizeof(f->schedule), "%s", r->schedule);
    (void)snprintf(f->timezone, sizeof(f->timezone), "%s", r->timezone);
    f->there = true;
    return 0;
}

int cronplan_pause(struct client *c, const char *name, bool paused, bool *ret_changed,
                   struct err *e)
{
    struct found f = { .job = { .name = name, .schedule = f.schedule } };
    int rc;

    f.job.o.timezone = f.timezone;
    rc = client_cron_list(c, name, keep_job, &f, e);
    if (rc == 0 && !f.there)
        rc = err_set(e, IFP_ENOTFOUND, "there is no schedule %s", name);
    if (rc == 0 && !paused)
        rc = find_next(c, &f.job, e);
    return rc == 0 ? client_cron_pause(c, &f.job, paused, ret_changed, e) : rc;
}
