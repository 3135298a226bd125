/*
 * prim/schedule.h - a cron expression and its time zone, read and ready to be asked.
 *
 * Zones are kept, so that a thousand jobs in one zone read its file once.  A zone is read again
 * when an hour has passed: then an update of the tz data reaches a process that runs for months.
 * One thread.
 */
#ifndef PRIM_SCHEDULE_H
#define PRIM_SCHEDULE_H

#include "base/base.h"
#include "base/err.h"
#include "core/cron.h"

#include <stdint.h>

enum { SCHEDULE_ZONES_MAX = 1024 };

struct schedule_zone;

struct schedule_zones {
    struct schedule_zone *first; /* owned */
    int count;
};

struct schedule {
    struct cron cron;
    const struct zone *zone; /* borrowed from the zones, until the next schedule_open */
};

void schedule_zones_init(struct schedule_zones *zones);
void schedule_zones_release(struct schedule_zones *zones);
/* IFP_EINVALID names what is wrong: the schedule's field and rule, or the zone. */
int schedule_open(struct schedule_zones *zones, const char *expression, const char *timezone,
                  struct schedule *ret, struct err *e) MUSTCHECK;
/* The first instant after `utc`.  IFP_EINVALID: there is none. */
int schedule_next(const struct schedule *s, int64_t utc, int64_t *ret, struct err *e) MUSTCHECK;

#endif
