/*
 * core/zone.c - looking up what core/zone_parse.c has read.
 *
 * Behind the last listed change the rule is worked out for the years around the instant asked for;
 * nothing is kept, so a zone is immutable once read.
 */
#include "core/zone.h"

#include "base/mem.h"
#include "core/civil.h"

#include <assert.h>

/* More than any offset or any two offsets differ by, in seconds. */
#define OFFSET_SPAN (27 * INT64_C(3600))

enum { RULE_YEARS = 4, RULE_CHANGES = 2 * RULE_YEARS };

struct change {
    int64_t utc;
    int32_t offset; /* from there on */
};

void zone_utc(struct zone *ret)
{
    *ret = (struct zone){ .has_rule = true };
}

void zone_release(struct zone *z)
{
    mem_free(z->changes);
    mem_free(z->offsets);
    zone_utc(z);
}

/* ---- the rule ------------------------------------------------------------------------------- */

/* Day of the change in that year, since 1970. */
static int64_t rule_day(const struct zone_day *d, int64_t year)
{
    int64_t first = civil_days(year, 1, 1), days;
    bool leap = civil_month_days(year, 2) == 29;

    switch (d->kind) {
    case ZONE_JULIAN: /* 1 to 365, February 29 is never counted */
        return first + d->day - 1 + (leap && d->day >= 60);
    case ZONE_DAY_OF_YEAR: /* 0 to 365 */
        return first + d->day;
    case ZONE_MONTH:
        break;
    }
    assert(d->week >= 1 && d->week <= 5);
    first = civil_days(year, d->month, 1);
    days = (d->day - civil_weekday(first) + 7) % 7 + INT64_C(7) * (d->week - 1);
    return first + (days >= civil_month_days(year, d->month) ? days - 7 : days);
}

/* The rule's changes in the years around `utc`, ascending.  Where summer time never ends, the end
 * of one year and the start of the next are one instant, and the later entry holds. */
static size_t rule_changes(const struct zone *z, int64_t utc, struct change ret[RULE_CHANGES])
{
    int64_t year = civil_date(civil_day_of(utc)).year - 1;
    size_t n = 0;

    assert(z->has_rule && z->has_summer);
    for (int i = 0; i < RULE_YEARS; i++, year++) {
        struct change starts = {
            rule_day(&z->starts, year) * CIVIL_DAY + z->starts.seconds - z->standard, z->summer
        };
        struct change ends = { rule_day(&z->ends, year) * CIVIL_DAY + z->ends.seconds - z->summer,
                               z->standard };
        bool north = starts.utc <= ends.utc;

        ret[n++] = north ? starts : ends;
        ret[n++] = north ? ends : starts;
    }
    assert(n == RULE_CHANGES);
    return n;
}

static int32_t rule_offset(const struct zone *z, int64_t utc)
{
    struct change changes[RULE_CHANGES];
    int32_t offset = z->standard;
    size_t n;

    assert(z->has_rule);
    if (!z->has_summer)
        return offset;
    n = rule_changes(z, utc, changes);
    for (size_t i = 0; i < n && changes[i].utc <= utc; i++)
        offset = changes[i].offset;
    return offset;
}

static int64_t rule_next(const struct zone *z, int64_t utc)
{
    struct change changes[RULE_CHANGES];
    size_t n;

    if (!z->has_rule || !z->has_summer)
        return ZONE_NEVER;
    n = rule_changes(z, utc, changes);
    for (size_t i = 0; i < n; i++)
        if (changes[i].utc > utc && zone_offset(z, changes[i].utc) != zone_offset(z, utc))
            return changes[i].utc;
    return ZONE_NEVER;
}

/* ---- look-ups ------------------------------------------------------------------------------- */

/* How many listed changes are not after `utc`. */
static size_t passed(const struct zone *z, int64_t utc)
{
    size_t low = 0, high = z->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (z->changes[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= z->count);
    return low;
}

int32_t zone_offset(const struct zone *z, int64_t utc)
{
    size_t n = passed(z, utc);

    if (n == z->count && z->has_rule)
        return rule_offset(z, utc);
    assert(z->offsets);
    return z->offsets[n];
}

int64_t zone_change(const struct zone *z, int64_t utc)
{
    int32_t offset = zone_offset(z, utc);

    for (size_t i = passed(z, utc); i < z->count; i++)
        if (zone_offset(z, z->changes[i]) != offset)
            return z->changes[i];
    return rule_next(z,
                     z->count && z->changes[z->count - 1] > utc ? z->changes[z->count - 1] : utc);
}

int64_t zone_instant(const struct zone *z, int64_t local)
{
    int64_t begins = local - OFFSET_SPAN, ends;

    for (;;) {
        int64_t utc = local - zone_offset(z, begins);

        ends = zone_change(z, begins);
        if (utc < ends)
            return MAX(utc, begins); /* the wall jumped over it: the instant of the jump */
        assert(ends > begins);
        begins = ends;
    }
}
