/*
 * core/civil.h - days of the proleptic Gregorian calendar, counted from 1970-01-01 (pure).
 * The calendar repeats every 400 years, weekdays included.
 */
#ifndef CORE_CIVIL_H
#define CORE_CIVIL_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define CIVIL_DAY INT64_C(86400)         /* seconds */
#define CIVIL_CYCLE_DAYS INT64_C(146097) /* of 400 years */

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

int64_t civil_days(int64_t year, int month, int day);
struct civil civil_date(int64_t days);
int civil_weekday(int64_t days); /* 0 is Sunday */
int civil_month_days(int64_t year, int month);
/* The day that a second since 1970 lies in. */
int64_t civil_day_of(int64_t seconds);
/*
 * Reads a time of RFC 3339 into milliseconds since 1970: "2026-03-08T07:00:00Z", with a fraction
 * (what is below a millisecond is dropped) and an offset such as +02:00 if wanted; or a day, which
 * is its midnight in UTC.  False, with nothing written, for anything else: also for a day that the
 * month does not have, and for leap seconds.
 */
bool civil_parse(const char *text, int64_t *ret_ms) MUSTCHECK;

#endif
