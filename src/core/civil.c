/*
 * core/civil.c - years are counted from March, so that the leap day is the last one of a year and
 * the lengths of the months follow one formula.
 */
#include "core/civil.h"

#include <assert.h>

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

/* ---- RFC 3339 ------------------------------------------------------------------------------- */

/* Reads exactly `digits` of them as a number from `min` to `max`, and steps over; false: not so. */
static bool take_number(const char **at, int digits, int min, int max, int *ret)
{
    int n = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        n = n * 10 + (**at - '0');
    }
    *ret = n;
    return n >= min && n <= max;
}

static bool take_char(const char **at, char upper, char lower)
{
    if (**at != upper && **at != lower)
        return false;
    (*at)++;
    return true;
}

/* The fraction of a second, if there is one. */
static bool take_fraction(const char **at, int *ret_ms)
{
    int unit = 100;

    *ret_ms = 0;
    if (!take_char(at, '.', '.'))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *ret_ms += unit * (**at - '0');
    return true;
}

/* "Z" or "+02:00", in seconds east of UTC; the end of the text. */
static bool take_offset(const char **at, int *ret)
{
    int hours = 0, minutes = 0, sign = **at == '-' ? -1 : 1;

    *ret = 0;
    if (take_char(at, 'Z', 'z'))
        return **at == '\0';
    if (!take_char(at, '+', '-') || !take_number(at, 2, 0, 23, &hours) ||
        !take_char(at, ':', ':') || !take_number(at, 2, 0, 59, &minutes))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return **at == '\0';
}

bool civil_parse(const char *text, int64_t *ret_ms)
{
    int year, month, day, hour = 0, minute = 0, second = 0, ms = 0, offset = 0;
    const char *at = text;

    if (!take_number(&at, 4, 0, 9999, &year) || !take_char(&at, '-', '-') ||
        !take_number(&at, 2, 1, 12, &month) || !take_char(&at, '-', '-') ||
        !take_number(&at, 2, 1, civil_month_days(year, month), &day))
        return false;
    if (*at != '\0' && (!take_char(&at, 'T', 't') || !take_number(&at, 2, 0, 23, &hour) ||
                        !take_char(&at, ':', ':') || !take_number(&at, 2, 0, 59, &minute) ||
                        !take_char(&at, ':', ':') || !take_number(&at, 2, 0, 59, &second) ||
                        !take_fraction(&at, &ms) || !take_offset(&at, &offset)))
        return false;
    *ret_ms =
        (civil_days(year, month, day) * CIVIL_DAY + hour * 3600 + minute * 60 + second - offset) *
            1000 +
        ms;
    return true;
}
