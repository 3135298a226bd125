/*
 * core/cron.c - the instants of a schedule: first on the calendar, then in a time zone.
 *
 * The calendar side (cron_match) knows no zone: month by month it makes the set of days that match,
 * so a search of all 400 years that the calendar has is a few thousand steps.  The zone side walks
 * from one change of offset to the next; between two changes local time and UTC differ by a
 * constant.
 */
#include "core/cron.h"

#include "core/civil.h"

#include <assert.h>

enum { SATURDAY = 6, SUNDAY = 0, CYCLE_MONTHS = 4800 };

/* ---- days of a month ------------------------------------------------------------------------ */

struct month {
    int64_t year;
    int month, length, first_weekday; /* of the 1st */
};

static struct month month_of(int64_t year, int month)
{
    return (struct month){ .year = year,
                           .month = month,
                           .length = civil_month_days(year, month),
                           .first_weekday = civil_weekday(civil_days(year, month, 1)) };
}

static int weekday_of(const struct month *m, int day)
{
    return (m->first_weekday + day - 1) % 7;
}

/* The working day nearest to `day`, within the month. */
static int nearest_working(const struct month *m, int day)
{
    int weekday = weekday_of(m, day);

    assert(day >= 1 && day <= m->length);
    if (weekday == SATURDAY)
        day = day > 1 ? day - 1 : day + 2;
    else if (weekday == SUNDAY)
        day = day < m->length ? day + 1 : day - 2;
    assert(day >= 1 && day <= m->length);
    return day;
}

/* The last working day: never later than the last day. */
static int last_working(const struct month *m)
{
    int weekday = weekday_of(m, m->length);

    assert(m->length >= 28);
    return m->length - (weekday == SATURDAY ? 1 : weekday == SUNDAY ? 2 : 0);
}

static uint32_t days_by_date(const struct cron *c, const struct month *m)
{
    uint32_t days = c->days;

    for (int day = 1; day <= m->length; day++) {
        if (c->nearest >> day & 1)
            days |= UINT32_C(1) << nearest_working(m, day);
        if (c->from_end >> (m->length - day) & 1)
            days |= UINT32_C(1) << day;
    }
    if (c->last_working)
        days |= UINT32_C(1) << last_working(m);
    return days;
}

static uint32_t days_by_weekday(const struct cron *c, const struct month *m)
{
    uint32_t days = 0;

    for (int day = 1; day <= m->length; day++) {
        int weekday = weekday_of(m, day), nth = (day - 1) / 7 + 1;
        bool last = day + 7 > m->length && c->last_of >> weekday & 1;

        if (c->weekdays >> weekday & 1 || c->nth[weekday] >> nth & 1 || last)
            days |= UINT32_C(1) << day;
    }
    return days;
}

/* Bits 1 to 31: the days of that month on which the schedule fires. */
static uint32_t days_of(const struct cron *c, int64_t year, int month)
{
    struct month m = month_of(year, month);
    uint32_t whole = (uint32_t)((UINT64_C(2) << m.length) - 2), by_date, by_weekday;

    if (!(c->months >> month & 1))
        return 0;
    by_date = days_by_date(c, &m) & whole;
    by_weekday = days_by_weekday(c, &m);
    assert((by_weekday & ~whole) == 0);
    return c->days_open || c->weekdays_open ? by_date & by_weekday : by_date | by_weekday;
}

/* ---- the calendar --------------------------------------------------------------------------- */

/* The lowest member not under `from`, or -1. */
static int first_from(uint64_t set, int from)
{
    assert(from >= 0 && from <= 64);
    set = from < 64 ? set & UINT64_MAX << from : 0;
    return set ? __builtin_ctzll(set) : -1;
}

/* The first second of a day, not before `from`, that matches; -1: none. */
static int64_t second_of_day(const struct cron *c, int64_t from)
{
    int hour = (int)(from / 3600), minute = (int)(from / 60 % 60), second = (int)(from % 60);
    int at = first_from(c->hours, hour), to;

    assert(from >= 0 && from < CIVIL_DAY);
    for (; at >= 0; at = first_from(c->hours, at + 1), minute = second = 0) {
        if (at > hour)
            minute = second = 0;
        for (to = first_from(c->minutes, minute); to >= 0; to = first_from(c->minutes, to + 1)) {
            int s = first_from(c->seconds, at == hour && to == minute ? second : 0);

            if (s >= 0)
                return at * INT64_C(3600) + to * 60 + s;
        }
    }
    return -1;
}

int64_t cron_match(const struct cron *c, int64_t local)
{
    int64_t from = local + 1, day = civil_day_of(from), second;
    struct civil date = civil_date(day);
    int low = date.day;

    second = second_of_day(c, from - day * CIVIL_DAY);
    if (second >= 0 && days_of(c, date.year, date.month) >> low & 1)
        return day * CIVIL_DAY + second;
    low++; /* from the next day on, the first second of a day is the same for all */
    second = second_of_day(c, 0);
    assert(second >= 0);
    for (int i = 0; i <= CYCLE_MONTHS; i++, low = 1) {
        int found = first_from(days_of(c, date.year, date.month), low);

        if (found >= 0)
            return civil_days(date.year, date.month, found) * CIVIL_DAY + second;
        date.year += date.month == 12;
        date.month = date.month % 12 + 1;
    }
    return CRON_NEVER;
}

/* ---- the zone ------------------------------------------------------------------------------- */

/* After so many years a search ends: the calendar has come round. */
static int64_t horizon(int64_t utc)
{
    return utc + (CIVIL_CYCLE_DAYS + 366) * CIVIL_DAY;
}

/* Each instant at which the wall matches: within each stretch of one offset. */
static int64_t next_real(const struct cron *c, const struct zone *z, int64_t utc)
{
    int64_t begins = utc + 1;

    while (begins < horizon(utc)) {
        int32_t offset = zone_offset(z, begins);
        int64_t ends = zone_change(z, begins), local = cron_match(c, begins + offset - 1);

        assert(ends > begins);
        if (local == CRON_NEVER)
            break;
        if (local - offset < ends)
            return local - offset;
        begins = ends;
    }
    return CRON_NEVER;
}

/* Each local time once.  zone_instant never goes back while `local` goes on, so the first local
 * time whose instant is after `utc` is the one; none before the wall's present time can be. */
static int64_t next_local(const struct cron *c, const struct zone *z, int64_t utc)
{
    int64_t local = cron_match(c, utc + zone_offset(z, utc)), instant;

    for (; local != CRON_NEVER; local = cron_match(c, local)) {
        instant = zone_instant(z, local);
        if (instant > utc)
            return instant;
    }
    return CRON_NEVER;
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t utc)
{
    int64_t next;

    if (c->every_s) {
        int64_t within = utc % c->every_s;

        return utc - (within < 0 ? within + c->every_s : within) + c->every_s;
    }
    next = c->real_time ? next_real(c, z, utc) : next_local(c, z, utc);
    assert(next > utc);
    return next;
}

/* cron_next(t) <= utc holds for every t before the last instant and for none after: halve. */
int64_t cron_last(const struct cron *c, const struct zone *z, int64_t from, int64_t utc)
{
    int64_t low = from - 1, high = utc;

    if (from > utc || cron_next(c, z, low) > utc)
        return CRON_NEVER;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (cron_next(c, z, middle) <= utc)
            low = middle;
        else
            high = middle;
    }
    assert(cron_next(c, z, low) == high);
    return high;
}

/* ---- catching up ---------------------------------------------------------------------------- */

/* The oldest of the newest `max` instants in [from, to]; CRON_NEVER: there is none. */
static int64_t newest_from(const struct cron *c, const struct zone *z, int64_t from, int64_t to,
                           int max)
{
    int64_t oldest = CRON_NEVER, at = to;

    for (int i = 0; i < max; i++) {
        int64_t instant = cron_last(c, z, from, at);

        if (instant == CRON_NEVER)
            break;
        oldest = instant;
        at = instant - 1;
    }
    return oldest;
}

/* The first instant that fires: of the missed ones what the policy leaves, else the first that is
 * not late; behind `now` when none is left. */
static int64_t first_tick(const struct cron *c, const struct zone *z, const struct cron_due *due)
{
    int64_t fresh_from = due->now - due->grace_s;
    int64_t fresh = due->next >= fresh_from ? due->next : cron_next(c, z, fresh_from - 1);
    int64_t missed = CRON_NEVER;

    assert(due->grace_s >= 0);
    if (due->next >= fresh_from)
        return fresh;
    switch (due->catchup) {
    case CRON_CATCHUP_LAST:
        if (fresh > due->now)
            missed = newest_from(c, z, due->next, fresh_from - 1, 1);
        break;
    case CRON_CATCHUP_ALL:
        missed = newest_from(c, z, due->next, fresh_from - 1, due->catchup_max);
        break;
    case CRON_CATCHUP_SKIP:
        break;
    }
    return missed == CRON_NEVER ? fresh : missed;
}

void cron_plan(const struct cron *c, const struct zone *z, const struct cron_due *due,
               struct cron_plan *ret)
{
    int64_t at;

    assert(due->next <= due->now && due->grace_s >= 0 && due->catchup_max >= 0);
    at = first_tick(c, z, due);
    ret->missed = at != due->next;
    ret->count = 0;
    while (at <= due->now && ret->count < CRON_TICKS_MAX) {
        ret->ticks[ret->count++] = at;
        at = cron_next(c, z, at);
    }
    ret->next = at;
}
