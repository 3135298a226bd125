/*
 * core/cron.h - cron expressions: reading them, and the instants that they name.
 *
 *   [second] minute hour day-of-month month day-of-week      or      @daily, @every 5m, ...
 *
 * Fields: `*`, numbers, names (JAN, MON), a-b, lists, steps (a-b/n, a/n, each n-th of a range).
 * Day of month: also `?`, L (last day), L-3, LW (last working day), 15W (working day nearest to
 * the 15th, in the same month).  Day of week (0 and 7 are Sunday): also `?`, 5L (last Friday), 5#3
 * (third Friday).  When both day fields are restricted, either of them makes a day match; a field
 * that begins with `*` or `?` counts as not restricted, as in Vixie cron.
 *
 * Daylight saving: a schedule whose minute or hour field begins with `*` follows real time: it
 * fires at each instant at which the wall clock matches.  Any other one fires once for each local
 * time: at the first instant after the gap when it is skipped, at the first when it occurs twice.
 *
 * Times are seconds since 1970.  Pure.
 */
#ifndef CORE_CRON_H
#define CORE_CRON_H

#include "base/base.h"
#include "base/err.h"
#include "core/zone.h"

#include <stdbool.h>
#include <stdint.h>

enum { CRON_TEXT_MAX = 255, CRON_TICKS_MAX = 100 };
#define CRON_NEVER INT64_MAX

/* Sets of values are bits. */
struct cron {
    int64_t every_s; /* @every: at its multiples since 1970; 0: the fields count */
    uint64_t seconds, minutes;
    uint32_t hours, days /* 1 to 31 */, months /* 1 to 12 */, weekdays /* 0 to 6 */;
    uint32_t nearest;              /* 15W: bit 15 */
    uint32_t from_end;             /* L: bit 0, L-3: bit 3 */
    bool last_working;             /* LW */
    uint32_t last_of;              /* 5L: bit 5 */
    uint32_t nth[7];               /* 5#3: bit 3 of nth[5] */
    bool days_open, weekdays_open; /* not restricted */
    bool real_time;
};

/* IFP_EINVALID names the field, the position and the rule; so for one that never fires. */
int cron_parse(const char *text, struct cron *ret, struct err *e) MUSTCHECK;
/* The first instant after `utc`; CRON_NEVER when the zone's gaps eat all of them. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t utc);
/* The last instant not after `utc` and not before `from`; CRON_NEVER: none. */
int64_t cron_last(const struct cron *c, const struct zone *z, int64_t from, int64_t utc);
/* The next local time that the fields match, and whatever the zone makes of it. */
int64_t cron_match(const struct cron *c, int64_t local);

enum cron_catchup { CRON_CATCHUP_LAST, CRON_CATCHUP_SKIP, CRON_CATCHUP_ALL };

/* What is to be done about a job whose next instant has come. */
struct cron_due {
    int64_t next, now; /* next <= now */
    int64_t grace_s;   /* what is not later than that was not missed, and always fires */
    enum cron_catchup catchup;
    int catchup_max; /* of CRON_CATCHUP_ALL: so many of the missed, the newest */
};
struct cron_plan {
    int64_t ticks[CRON_TICKS_MAX]; /* these fire, ascending */
    int count;
    bool missed;  /* some from `next` on do not fire */
    int64_t next; /* from here on; still due when there was more than fits; or CRON_NEVER */
};
void cron_plan(const struct cron *c, const struct zone *z, const struct cron_due *due,
               struct cron_plan *ret);

#endif
