/*
 * core/civil.c - years are counted from March, so that the leap day is the last one of a year and
 * the lengths of the months follow one formula.
 */
#include "core/civil.h"

#include <assert.h>
#include <stdbool.h>

enum { YEAR_DAYS = 365, CYCLE_YEARS = 400, EPOCH_SHIFT = 719468 /* 0000-03-01 to 1970-01-01 */ };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t civil_days(int64_t year, int month, int day)
{
    int64_t from_march = (month + 9) % 12, shifted = month <= 2 ? year - 1 : year;
    int64_t cycle = floor_div(shifted, CYCLE_YEARS), in_cycle = shifted - cycle * CYCLE_YEARS;
    int64_t in_year = (153 * from_march + 2) / 5 + day - 1;

    assert(month >= 1 && month <= 12 && day >= 1 && day <= 31);
    return cycle * CIVIL_CYCLE_DAYS + in_cycle * YEAR_DAYS + in_cycle / 4 - in_cycle / 100 +
           in_year - EPOCH_SHIFT;
}

struct civil civil_date(int64_t days)
{
    int64_t shifted = days + EPOCH_SHIFT, cycle = floor_div(shifted, CIVIL_CYCLE_DAYS);
    int64_t in_cycle = shifted - cycle * CIVIL_CYCLE_DAYS;
    int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / YEAR_DAYS;
    int64_t in_year = in_cycle - (YEAR_DAYS * year + year / 4 - year / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);

    assert(in_cycle >= 0 && in_year >= 0 && in_year <= YEAR_DAYS);
    return (struct civil){
        .year = year + cycle * CYCLE_YEARS + (month <= 2),
        .month = month,
        .day = (int)(in_year - (153 * from_march + 2) / 5 + 1),
    };
}

int civil_weekday(int64_t days)
{
    int64_t since_thursday = days % 7;

    return (int)((since_thursday + 4 + 7) % 7);
}

int civil_month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && leap);
}

int64_t civil_day_of(int64_t seconds)
{
    return floor_div(seconds, CIVIL_DAY);
}
