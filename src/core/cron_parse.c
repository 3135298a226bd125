/*
 * core/cron_parse.c - from text to sets of bits.
 *
 * One table says what each field is called and how far it goes; one reader of ranges serves all
 * six, and the two day fields are asked first whether an item is one of their own forms.
 * Refused with the field, the position in the text (from 1) and the rule: what cannot be read, what
 * is out of range, and a whole that names no day of any year.
 */
#include "core/cron.h"

#include "base/duration.h"
#include "core/civil.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum field_id { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
enum { FROM_END_MAX = 30, NTH_MAX = 5, EVERY_MAX_DAYS = 366 };

static const struct field {
    const char *name;
    int min, max;
    const char *words; /* names of values, three letters each, from min on */
} fields[FIELDS] = {
    [SECOND] = { "second", 0, 59, "" },
    [MINUTE] = { "minute", 0, 59, "" },
    [HOUR] = { "hour", 0, 23, "" },
    [DAY] = { "day of month", 1, 31, "" },
    [MONTH] = { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
    [WEEKDAY] = { "day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT" },
};

static const struct nickname {
    const char *name, *text;
} nicknames[] = {
    { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
    { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
    { "@hourly", "0 * * * *" },
};

struct parser {
    const char *text, *at;
    enum field_id id;
    struct cron c;
    struct err *e;
};

/* ---- errors --------------------------------------------------------------------------------- */

static int refuse(struct parser *p, const char *at, const char *format, ...) PRINTF_LIKE(3, 4);
static int refuse(struct parser *p, const char *at, const char *format, ...)
{
    char why[160];
    va_list args;

    assert(at >= p->text);
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return err_set(p->e, IFP_EINVALID, "schedule: %s, position %d: %s", fields[p->id].name,
                   (int)(at - p->text) + 1, why);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_end(char c)
{
    return c == '\0' || c == ' ' || c == '\t' || c == ',';
}

/* The value of a name like MON, or -1. */
static int word_value(const struct field *f, const char *at)
{
    for (int i = 0; f->words[i * 3]; i++) {
        bool same = true;

        for (int k = 0; k < 3; k++)
            same = same && is_letter(at[k]) && (at[k] & ~0x20) == f->words[i * 3 + k];
        if (same && !is_letter(at[3]))
            return f->min + i;
    }
    return -1;
}

/* Digits; -1 when there is none.  A number over 9999 stays there. */
static int read_digits(struct parser *p)
{
    int number = is_digit(*p->at) ? 0 : -1;

    for (; is_digit(*p->at); p->at++)
        number = MIN(number * 10 + (*p->at - '0'), 9999);
    assert(number >= -1 && number <= 9999);
    return number;
}

/* A number or a name within the field's range. */
static int read_value(struct parser *p, int *ret)
{
    const struct field *f = &fields[p->id];
    const char *from = p->at;
    int value = word_value(f, from);

    assert(p->id < FIELDS && p->at >= p->text);
    if (value >= 0) {
        p->at += 3;
        *ret = value;
        return 0;
    }
    value = read_digits(p);
    if (value < 0)
        return refuse(p, from, "want %d to %d%s", f->min, f->max,
                      *f->words ? " or a name of three letters" : "");
    if (value < f->min || value > f->max)
        return refuse(p, from, "%d is not within %d to %d", value, f->min, f->max);
    *ret = value;
    return 0;
}

/* ---- ranges, in every field ----------------------------------------------------------------- */

static uint64_t *field_bits64(struct parser *p)
{
    assert(p->id == SECOND || p->id == MINUTE);
    return p->id == SECOND ? &p->c.seconds : &p->c.minutes;
}

static void add_value(struct parser *p, int value)
{
    assert(value >= fields[p->id].min && value <= fields[p->id].max);
    switch (p->id) {
    case SECOND:
    case MINUTE:
        *field_bits64(p) |= UINT64_C(1) << value;
        break;
    case HOUR:
        p->c.hours |= UINT32_C(1) << value;
        break;
    case DAY:
        p->c.days |= UINT32_C(1) << value;
        break;
    case MONTH:
        p->c.months |= UINT32_C(1) << value;
        break;
    case WEEKDAY:
        p->c.weekdays |= UINT32_C(1) << value % 7;
        break;
    case FIELDS:
        break;
    }
}

static int read_step(struct parser *p, int span, int *ret)
{
    const char *from;
    int step = 1;

    assert(span >= 0);
    if (*p->at == '/') {
        from = ++p->at;
        step = read_digits(p);
        if (step < 1 || step > MAX(span, 1))
            return refuse(p, from, "the step must be 1 to %d", MAX(span, 1));
    }
    *ret = step;
    return 0;
}

/* `*` or a or a-b, then perhaps /n.  a/n goes on to the end of the field. */
static int read_range(struct parser *p)
{
    const struct field *f = &fields[p->id];
    const char *from = p->at;
    int first = f->min, last = p->id == WEEKDAY ? 6 : f->max, step = 1, rc;

    if (*p->at == '*') {
        p->at++;
    } else {
        rc = read_value(p, &first);
        if (rc != 0)
            return rc;
        if (*p->at == '-') {
            p->at++;
            rc = read_value(p, &last);
            if (rc != 0)
                return rc;
            if (p->id == WEEKDAY && last == 0 && first > 0)
                last = 7; /* FRI-SUN */
        } else if (*p->at != '/') {
            last = first;
        }
    }
    if (last < first)
        return refuse(p, from, "the range runs backwards");
    rc = read_step(p, last - first, &step);
    if (rc != 0)
        return rc;
    assert(first >= f->min && last <= f->max && step >= 1);
    for (int value = first; value <= last; value += step)
        add_value(p, value);
    return 0;
}

/* ---- the forms of the day fields: 1 when the item was one, 0 when it is a range ------------- */

static int read_end_of_month(struct parser *p)
{
    const char *from = p->at++;
    int back = 0;

    assert(p->id == DAY);
    if ((*p->at & ~0x20) == 'W') {
        p->at++;
        p->c.last_working = true;
        return 1;
    }
    if (*p->at == '-') {
        p->at++;
        back = read_digits(p);
        if (back < 1 || back > FROM_END_MAX)
            return refuse(p, from, "want L-1 to L-%d", FROM_END_MAX);
    }
    p->c.from_end |= UINT32_C(1) << back;
    return 1;
}

static int read_day_form(struct parser *p)
{
    const char *from = p->at;
    int day;

    assert(p->id == DAY);
    if ((*p->at & ~0x20) == 'L')
        return read_end_of_month(p);
    day = read_digits(p);
    if (day >= 0 && (*p->at & ~0x20) == 'W') {
        p->at++;
        if (day < 1 || day > 31)
            return refuse(p, from, "want 1W to 31W");
        p->c.nearest |= UINT32_C(1) << day;
        return 1;
    }
    p->at = from;
    return 0;
}

static int read_weekday_form(struct parser *p)
{
    const char *from = p->at;
    int day = word_value(&fields[WEEKDAY], from), nth;

    assert(p->id == WEEKDAY);
    if ((*from & ~0x20) == 'L' && is_end(from[1]))
        return refuse(p, from, "L needs its day, as in 5L");
    if (day >= 0)
        p->at += 3;
    else
        day = read_digits(p);
    if (day >= 0 && day <= 7 && (*p->at & ~0x20) == 'L') {
        p->at++;
        p->c.last_of |= UINT32_C(1) << day % 7;
        return 1;
    }
    if (day >= 0 && day <= 7 && *p->at == '#') {
        p->at++;
        nth = read_digits(p);
        if (nth < 1 || nth > NTH_MAX)
            return refuse(p, from, "want a day and #1 to #%d", NTH_MAX);
        p->c.nth[day % 7] |= UINT32_C(1) << nth;
        return 1;
    }
    p->at = from;
    return 0;
}

/* ---- fields and the whole ------------------------------------------------------------------- */

static int read_item(struct parser *p)
{
    int rc = 0;

    if (*p->at == '?') {
        if (p->id != DAY && p->id != WEEKDAY)
            return refuse(p, p->at, "? is for the two day fields");
        p->at++;
        for (int value = fields[p->id].min; value <= fields[p->id].max; value++)
            add_value(p, value);
        return 0;
    }
    if (p->id == DAY)
        rc = read_day_form(p);
    else if (p->id == WEEKDAY)
        rc = read_weekday_form(p);
    if (rc != 0)
        return MIN(rc, 0);
    return read_range(p);
}

/* A field that begins with a star: what that means for it. */
static void note_star(struct parser *p)
{
    bool open = *p->at == '*' || *p->at == '?';

    if (p->id == DAY)
        p->c.days_open = open;
    else if (p->id == WEEKDAY)
        p->c.weekdays_open = open;
    else if (p->id == MINUTE || p->id == HOUR)
        p->c.real_time = p->c.real_time || open;
}

static int read_field(struct parser *p)
{
    int rc;

    note_star(p);
    for (;;) {
        rc = read_item(p);
        if (rc != 0)
            return rc;
        if (*p->at != ',')
            break;
        p->at++;
    }
    if (!is_end(*p->at))
        return refuse(p, p->at, "what is \"%.20s\"?", p->at);
    return 0;
}

static void skip_blanks(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

static int count_fields(const char *at)
{
    int n = 0;

    for (at += strspn(at, " \t"); *at; at += strspn(at, " \t")) {
        at += strcspn(at, " \t");
        n++;
    }
    return n;
}

static int read_fields(struct parser *p)
{
    int n = count_fields(p->at), rc;

    if (n != 5 && n != 6)
        return err_set(p->e, IFP_EINVALID,
                       "schedule: want 5 fields (minute hour day-of-month month day-of-week) or 6 "
                       "(second first), there are %d",
                       n);
    if (n == 5)
        p->c.seconds = 1;
    for (int id = n == 5 ? MINUTE : SECOND; id < FIELDS; id++) {
        p->id = (enum field_id)id;
        skip_blanks(p);
        rc = read_field(p);
        if (rc != 0)
            return rc;
    }
    if (cron_match(&p->c, 0) == CRON_NEVER)
        return err_set(p->e, IFP_EINVALID, "schedule: it never fires: no such day in any year");
    return 0;
}

static int read_every(struct parser *p)
{
    int64_t ms;
    int rc;

    skip_blanks(p);
    rc = duration_parse(p->at, &ms, p->e);
    if (rc != 0)
        return err_wrap(p->e, "schedule: @every");
    if (ms < 1000 || ms % 1000 != 0 || ms > EVERY_MAX_DAYS * CIVIL_DAY * 1000)
        return err_set(p->e, IFP_EINVALID, "schedule: @every: want whole seconds, 1s to %dd",
                       EVERY_MAX_DAYS);
    p->c.every_s = ms / 1000;
    p->c.real_time = true;
    return 0;
}

static int read_nickname(struct parser *p)
{
    size_t len = strcspn(p->at, " \t");

    assert(*p->at == '@');
    if (len == strlen("@every") && memcmp(p->at, "@every", len) == 0) {
        p->at += len;
        return read_every(p);
    }
    for (size_t i = 0; i < ARRAY_LEN(nicknames); i++) {
        if (strcmp(nicknames[i].name, p->at) == 0) {
            p->text = p->at = nicknames[i].text;
            return read_fields(p);
        }
    }
    return err_set(p->e, IFP_EINVALID,
                   "schedule: \"%.20s\" is not @yearly, @annually, @monthly, @weekly, @daily, "
                   "@midnight, @hourly or @every with a duration",
                   p->at);
}

int cron_parse(const char *text, struct cron *ret, struct err *e)
{
    struct parser p = { .text = text, .at = text, .e = e };
    int rc;

    assert(text && ret && e);
    if (strlen(text) > CRON_TEXT_MAX)
        return err_set(e, IFP_EINVALID, "schedule: at most %d bytes", CRON_TEXT_MAX);
    skip_blanks(&p);
    rc = *p.at == '@' ? read_nickname(&p) : read_fields(&p);
    if (rc != 0)
        return rc;
    assert(p.c.every_s > 0 || (p.c.seconds && p.c.minutes && p.c.hours && p.c.months));
    *ret = p.c;
    return 0;
}
