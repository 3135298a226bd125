/*
 * core/zone.h - a time zone from the bytes of its compiled file (TZif, RFC 8536, versions 1 to 4),
 * and the way between UTC and local time.  Times are whole seconds since 1970; "local" is the same
 * count for what a clock on the wall shows.
 *
 * A zone is a list of changes, each with the offset that holds from there on; behind the last one
 * the POSIX rule at the end of the file goes on for ever.  Files with leap seconds are refused:
 * PostgreSQL's time has none.  Pure: who reads the file is base/tzfile.h.
 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_NEVER INT64_MAX

/* One day of a year on which the rule changes the offset, and the second of that day. */
struct zone_day {
    enum { ZONE_JULIAN, ZONE_DAY_OF_YEAR, ZONE_MONTH } kind;
    int month, week, day; /* of kind month: week 5 is the last; else `day` alone */
    int32_t seconds;      /* local time of the change, -167 to 167 hours */
};

struct zone {
    int64_t *changes; /* owned, ascending, UTC */
    int32_t *offsets; /* owned; seconds east of UTC: before the first change, then after each */
    size_t count;     /* of changes */
    bool has_rule, has_summer;
    int32_t standard, summer; /* offsets of the rule */
    struct zone_day starts, ends;
};

/* On success *ret is released by zone_release.  IFP_EINVALID: not such a file. */
int zone_parse(const void *data, size_t len, struct zone *ret, struct err *e) MUSTCHECK;
void zone_utc(struct zone *ret); /* UTC, without a file and without memory */
void zone_release(struct zone *z);

/* Seconds east of UTC at that instant. */
int32_t zone_offset(const struct zone *z, int64_t utc);
/* The first instant after `utc` at which the offset changes, or ZONE_NEVER. */
int64_t zone_change(const struct zone *z, int64_t utc);
/* The first instant at which the wall shows `local` or later: for a time that occurs twice the
 * first one, for a time that is skipped the first instant after the gap. */
int64_t zone_instant(const struct zone *z, int64_t local);

#endif
