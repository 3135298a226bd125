/*
 * tests/unit/test_cron.c - cron expressions: what is read, what is refused and how, the instants of
 * each form, daylight saving, catching up; and properties that hold for expressions made at random.
 */
#include "core/cron.h"

#include "base/buf.h"
#include "base/ids.h"
#include "base/tzfile.h"
#include "core/civil.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct zone utc, new_york, berlin, lord_howe;

static void open_zone(const char *name, struct zone *ret)
{
    struct buf bytes;
    struct err e;

    buf_init(&bytes);
    if (tzfile_read(name, &bytes, &e) != 0 || zone_parse(bytes.data, bytes.len, ret, &e) != 0)
        fail_msg("%s: %s", name, e.text);
    buf_release(&bytes);
}

static int setup(void **state)
{
    (void)state;
    zone_utc(&utc);
    open_zone("America/New_York", &new_york);
    open_zone("Europe/Berlin", &berlin);
    open_zone("Australia/Lord_Howe", &lord_howe); /* half an hour of summer time */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_release(&new_york);
    zone_release(&berlin);
    zone_release(&lord_howe);
    return 0;
}

static struct cron parsed(const char *text)
{
    struct cron c;
    struct err e;

    if (cron_parse(text, &c, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    return c;
}

static int64_t at(const char *text)
{
    int year, month, day, hour, minute, second;

    assert_int_equal(
        sscanf(text, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second), 6);
    return civil_days(year, month, day) * CIVIL_DAY + hour * 3600 + minute * 60 + second;
}

static const char *shown(int64_t utc_s)
{
    static char text[40];
    struct civil d = civil_date(civil_day_of(utc_s));
    int64_t in_day = utc_s - civil_day_of(utc_s) * CIVIL_DAY;

    (void)snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d", (int)d.year, d.month, d.day,
                   (int)(in_day / 3600), (int)(in_day / 60 % 60), (int)(in_day % 60));
    return text;
}

/* ---- the calendar --------------------------------------------------------------------------- */

static const struct {
    const char *text, *from, *next[3];
} forms[] = {
    { "* * * * *",
      "2026-01-01 00:00:00",
      { "2026-01-01 00:01:00", "2026-01-01 00:02:00", "2026-01-01 00:03:00" } },
    { "* * * * * *",
      "2026-12-31 23:59:58",
      { "2026-12-31 23:59:59", "2027-01-01 00:00:00", "2027-01-01 00:00:01" } },
    { "*/20 10 9-17/4 * * *",
      "2026-01-01 00:00:00",
      { "2026-01-01 09:10:00", "2026-01-01 09:10:20", "2026-01-01 09:10:40" } },
    { "*/15 * * * *",
      "2026-01-01 00:50:00",
      { "2026-01-01 01:00:00", "2026-01-01 01:15:00", "2026-01-01 01:30:00" } },
    { "5/20 6 * * *",
      "2026-01-01 06:05:00",
      { "2026-01-01 06:25:00", "2026-01-01 06:45:00", "2026-01-02 06:05:00" } },
    { "0 9 * * MON-FRI",
      "2026-01-02 09:00:00",
      { "2026-01-05 09:00:00", "2026-01-06 09:00:00", "2026-01-07 09:00:00" } },
    { "0 0 * * fri-sun",
      "2026-01-01 00:00:00",
      { "2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00" } },
    { "0 0 * * 7",
      "2026-01-01 00:00:00",
      { "2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00" } },
    { "0 0 29 FEB *",
      "2026-01-01 00:00:00",
      { "2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00" } },
    { "0 0 29 2 *",
      "2096-02-29 00:00:00", /* 2100 has none */
      { "2104-02-29 00:00:00", "2108-02-29 00:00:00", "2112-02-29 00:00:00" } },
    { "0 0 13 * 5",
      "2026-01-01 00:00:00", /* both restricted: either */
      { "2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00" } },
    { "0 0 */2 * 1",
      "2026-01-01 00:00:00", /* a star in front: both */
      { "2026-01-05 00:00:00", "2026-01-19 00:00:00", "2026-02-09 00:00:00" } },
    { "0 0 L * ?",
      "2026-01-01 00:00:00",
      { "2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-31 00:00:00" } },
    { "0 0 L-3 * *",
      "2026-02-01 00:00:00",
      { "2026-02-25 00:00:00", "2026-03-28 00:00:00", "2026-04-27 00:00:00" } },
    { "0 0 LW * *",
      "2026-01-01 00:00:00",
      { "2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-31 00:00:00" } },
    { "0 0 1W * *",
      "2026-01-30 00:00:00", /* Sunday February 1, Sunday March 1 */
      { "2026-02-02 00:00:00", "2026-03-02 00:00:00", "2026-04-01 00:00:00" } },
    { "0 0 15W * *",
      "2026-02-01 00:00:00",
      { "2026-02-16 00:00:00", "2026-03-16 00:00:00", "2026-04-15 00:00:00" } },
    { "0 0 31W * *",
      "2026-01-01 00:00:00", /* months without a 31st have none */
      { "2026-01-30 00:00:00", "2026-03-31 00:00:00", "2026-05-29 00:00:00" } },
    { "0 0 ? * 5L",
      "2026-01-01 00:00:00",
      { "2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-27 00:00:00" } },
    { "0 0 * * FRI#3",
      "2026-01-01 00:00:00",
      { "2026-01-16 00:00:00", "2026-02-20 00:00:00", "2026-03-20 00:00:00" } },
    { "0 0 * * 0#5",
      "2026-01-01 00:00:00",
      { "2026-03-29 00:00:00", "2026-05-31 00:00:00", "2026-08-30 00:00:00" } },
    { "0 0 1,L * *",
      "2026-01-01 00:00:00",
      { "2026-01-31 00:00:00", "2026-02-01 00:00:00", "2026-02-28 00:00:00" } },
    { "@hourly",
      "2026-01-01 00:00:00",
      { "2026-01-01 01:00:00", "2026-01-01 02:00:00", "2026-01-01 03:00:00" } },
    { "@daily",
      "2026-01-01 00:00:00",
      { "2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00" } },
    { "@midnight",
      "2026-01-01 00:00:00",
      { "2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00" } },
    { "@weekly",
      "2026-01-01 00:00:00",
      { "2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00" } },
    { "@monthly",
      "2026-01-01 00:00:00",
      { "2026-02-01 00:00:00", "2026-03-01 00:00:00", "2026-04-01 00:00:00" } },
    { "@yearly",
      "2026-01-01 00:00:00",
      { "2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00" } },
    { "@annually",
      "2026-01-01 00:00:00",
      { "2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00" } },
    { "@every 1h30m",
      "2026-01-01 00:00:00",
      { "2026-01-01 01:30:00", "2026-01-01 03:00:00", "2026-01-01 04:30:00" } },
    { "  0\t0  1 1 * ",
      "2026-01-01 00:00:00",
      { "2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00" } },
};

static void each_form_names_its_instants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct cron c = parsed(forms[i].text);
        int64_t now = at(forms[i].from);

        for (int k = 0; k < 3; k++) {
            now = cron_next(&c, &utc, now);
            if (strcmp(shown(now), forms[i].next[k]) != 0)
                fail_msg("%s: %d: %s, not %s", forms[i].text, k, shown(now), forms[i].next[k]);
        }
    }
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "schedule: want 5 fields" },
        { "* * * *", "there are 4" },
        { "* * * * * * *", "there are 7" },
        { "60 * * * *", "schedule: minute, position 1: 60 is not within 0 to 59" },
        { "0 24 * * *", "schedule: hour, position 3: 24 is not within 0 to 23" },
        { "0 0 0 * *", "schedule: day of month, position 5: 0 is not within 1 to 31" },
        { "0 0 1 13 *", "schedule: month, position 7: 13 is not within 1 to 12" },
        { "0 0 * * 8", "schedule: day of week, position 9: 8 is not within 0 to 7" },
        { "61 0 0 * * *", "schedule: second, position 1: 61" },
        { "0 9-5 * * *", "schedule: hour, position 3: the range runs backwards" },
        { "*/0 * * * *", "schedule: minute, position 3: the step must be 1 to 59" },
        { "*/60 * * * *", "the step must be 1 to 59" },
        { "1,,2 * * * *", "schedule: minute, position 3: want 0 to 59" },
        { "1, * * * *", "want 0 to 59" },
        { "1- * * * *", "want 0 to 59" },
        { "-1 * * * *", "want 0 to 59" },
        { "x * * * *", "want 0 to 59" },
        { "0 0 1 JANU *", "schedule: month, position 7: want 1 to 12 or a name" },
        { "0 0 * * MONDAY", "or a name of three letters" },
        { "5x * * * *", "schedule: minute, position 2: what is \"x" },
        { "? * * * *", "? is for the two day fields" },
        { "0 0 L-31 * *", "want L-1 to L-30" },
        { "0 0 32W * *", "want 1W to 31W" },
        { "0 0 * * L", "L needs its day, as in 5L" },
        { "0 0 * * 5#6", "want a day and #1 to #5" },
        { "0 0 * * 5#0", "want a day and #1 to #5" },
        { "0 0 1-5W * *", "what is \"W" },
        { "0 0 30 2 ?", "schedule: it never fires" },
        { "0 0 31 4,6,9,11 *", "schedule: it never fires" },
        { "0 0 31W 2 *", "schedule: it never fires" },
        { "@dayly", "is not @yearly" },
        { "@reboot", "is not @yearly" },
        { "@every", "schedule: @every" },
        { "@every 1500ms", "want whole seconds" },
        { "@every 0s", "want whole seconds" },
        { "@every 367d", "1s to 366d" },
        { "99999999999999999999 * * * *", "9999 is not within" },
        { "0 0 * * *\n", "what is" },
    };
    char longest[CRON_TEXT_MAX + 2];
    struct cron c;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (cron_parse(rows[i].text, &c, &e) != IFP_EINVALID)
            fail_msg("\"%s\" was taken", rows[i].text);
        if (!strstr(e.text, rows[i].why))
            fail_msg("\"%s\": %s", rows[i].text, e.text);
    }
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, "@daily", 6);
    longest[CRON_TEXT_MAX + 1] = '\0';
    assert_int_equal(cron_parse(longest, &c, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "at most 255 bytes"));
    memset(longest, ' ', CRON_TEXT_MAX);
    memcpy(longest + CRON_TEXT_MAX - 9, "* * * * *", 9);
    longest[CRON_TEXT_MAX] = '\0';
    assert_int_equal(cron_parse(longest, &c, &e), 0);
}

/* ---- daylight saving ------------------------------------------------------------------------ */

static void check_series(const char *text, const struct zone *z, const char *from,
                         const char *const *next)
{
    struct cron c = parsed(text);
    int64_t now = at(from);

    for (int k = 0; next[k]; k++) {
        now = cron_next(&c, z, now);
        if (strcmp(shown(now), next[k]) != 0)
            fail_msg("%s: %d: %s UTC, not %s", text, k, shown(now), next[k]);
    }
}

/* New York 2026: March 8, 07:00 UTC, 02:00 becomes 03:00; November 1, 06:00 UTC, 02:00 becomes
 * 01:00. */
static void a_time_that_is_skipped_runs_once_after_the_gap(void **state)
{
    (void)state;
    check_series("30 2 * * *", &new_york, "2026-03-07 00:00:00",
                 (const char *[]){ "2026-03-07 07:30:00", "2026-03-08 07:00:00",
                                   "2026-03-09 06:30:00", NULL });
    check_series("10,50 2,3 * * *", &new_york, "2026-03-08 06:00:00",
                 (const char *[]){ "2026-03-08 07:00:00", "2026-03-08 07:10:00",
                                   "2026-03-08 07:50:00", "2026-03-09 06:10:00", NULL });
    check_series("* 30 2 * * *", &new_york, "2026-03-08 06:00:00",
                 (const char *[]){ "2026-03-08 07:00:00", "2026-03-09 06:30:00", NULL });
    check_series("15 2 * * *", &lord_howe, "2026-10-03 14:00:00", /* 02:00 becomes 02:30 */
                 (const char *[]){ "2026-10-03 15:30:00", "2026-10-04 15:15:00", NULL });
}

static void a_time_that_occurs_twice_runs_once_at_the_first(void **state)
{
    (void)state;
    check_series("30 1 * * *", &new_york, "2026-10-31 12:00:00",
                 (const char *[]){ "2026-11-01 05:30:00", "2026-11-02 06:30:00", NULL });
    check_series("0 0,1,2 * * *", &new_york, "2026-11-01 03:00:00",
                 (const char *[]){ "2026-11-01 04:00:00", "2026-11-01 05:00:00",
                                   "2026-11-01 07:00:00", "2026-11-02 05:00:00", NULL });
    check_series("30 2 * * *", &berlin, "2026-10-24 12:00:00",
                 (const char *[]){ "2026-10-25 00:30:00", "2026-10-26 01:30:00", NULL });
}

static void every_n_minutes_or_hours_follows_real_time(void **state)
{
    (void)state;
    check_series("*/30 * * * *", &new_york, "2026-03-08 06:00:00",
                 (const char *[]){ "2026-03-08 06:30:00", "2026-03-08 07:00:00",
                                   "2026-03-08 07:30:00", NULL });
    check_series("*/30 * * * *", &new_york, "2026-11-01 05:00:00",
                 (const char *[]){ "2026-11-01 05:30:00", "2026-11-01 06:00:00",
                                   "2026-11-01 06:30:00", "2026-11-01 07:00:00", NULL });
    check_series("30 * * * *", &new_york, "2026-03-08 06:00:00",
                 (const char *[]){ "2026-03-08 06:30:00", "2026-03-08 07:30:00", NULL });
    check_series("@hourly", &new_york, "2026-11-01 04:30:00",
                 (const char *[]){ "2026-11-01 05:00:00", "2026-11-01 06:00:00",
                                   "2026-11-01 07:00:00", NULL });
    check_series("@every 45m", &new_york, "2026-11-01 05:00:00",
                 (const char *[]){ "2026-11-01 05:15:00", "2026-11-01 06:00:00",
                                   "2026-11-01 06:45:00", NULL });
}

/* ---- properties ----------------------------------------------------------------------------- */

static uint64_t seed;

static unsigned draw(unsigned below)
{
    static uint64_t n;

    return (unsigned)(ids_derive(seed, n++, 0) % below);
}

static void random_field(char *into, size_t size, unsigned min, unsigned max)
{
    unsigned a = min + draw(max - min + 1), b = a + draw(max - a + 1);

    switch (draw(5)) {
    case 0:
        (void)snprintf(into, size, "*");
        break;
    case 1:
        (void)snprintf(into, size, "%u", a);
        break;
    case 2:
        (void)snprintf(into, size, "%u-%u", a, b);
        break;
    case 3:
        (void)snprintf(into, size, "*/%u", 1 + draw(max - min));
        break;
    default:
        (void)snprintf(into, size, "%u,%u", a, b);
        break;
    }
}

static void random_expression(char *into, size_t size)
{
    static const unsigned ranges[][2] = { { 0, 59 }, { 0, 59 }, { 0, 23 },
                                          { 1, 28 }, { 1, 12 }, { 0, 6 } };
    size_t used = 0;

    for (size_t i = draw(2); i < ARRAY_LEN(ranges); i++) {
        char field[16];

        random_field(field, sizeof(field), ranges[i][0], ranges[i][1]);
        used += (size_t)snprintf(into + used, size - used, "%s%s", used ? " " : "", field);
    }
}

static bool in(uint64_t set, int64_t value)
{
    return set >> value & 1;
}

/* By the definition, without a search: are all fields true of this local time? */
static bool matches(const struct cron *c, int64_t local)
{
    int64_t day = civil_day_of(local), second = local - day * CIVIL_DAY;
    struct civil date = civil_date(day);
    bool by_date = in(c->days, date.day), by_weekday = in(c->weekdays, civil_weekday(day));

    return in(c->seconds, second % 60) && in(c->minutes, second / 60 % 60) &&
           in(c->hours, second / 3600) && in(c->months, date.month) &&
           (c->days_open || c->weekdays_open ? by_date && by_weekday : by_date || by_weekday);
}

/* From each instant on: it is later, it matches (or ends a gap), and nothing between was missed. */
static void check_random(const char *text, const struct zone *z)
{
    struct cron c = parsed(text);
    int64_t from = at("2025-01-01 00:00:00") + (int64_t)draw(86400 * 900);

    for (int k = 0; k < 20; k++) {
        int64_t next = cron_next(&c, z, from), local = next + zone_offset(z, next);
        bool ends_gap = zone_offset(z, next - 1) != zone_offset(z, next);

        if (next <= from || !(matches(&c, local) || (!c.real_time && ends_gap)))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, text, shown(next));
        for (int64_t t = MAX(from + 1, next - 5000); c.real_time && t < next; t++)
            if (matches(&c, t + zone_offset(z, t)))
                fail_msg("seed %llu: %s: missed %s", (unsigned long long)seed, text, shown(t));
        assert_true(cron_next(&c, z, next - 1) == next);
        assert_true(cron_last(&c, z, from + 1, next) == next);
        assert_true(next == from + 1 || cron_last(&c, z, from + 1, next - 1) == CRON_NEVER);
        from = next;
    }
}

static void random_expressions_keep_their_promises(void **state)
{
    const struct zone *zones[] = { &utc, &new_york, &berlin, &lord_howe };
    struct timespec now;
    char text[120];

    (void)state;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    seed = (uint64_t)now.tv_nsec;
    for (int i = 0; i < 400; i++) {
        random_expression(text, sizeof(text));
        check_random(text, zones[draw(4)]);
    }
}

/* Bytes at random, from the letters that mean something: refused or taken, never a crash. */
static void noise_is_refused_or_taken(void **state)
{
    static const char letters[] = "0123456789*/-,?LW# \t@JANMONeveryhms";
    int taken = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[24];
        struct cron c;
        struct err e;
        unsigned len = draw(sizeof(text));

        for (unsigned k = 0; k < len; k++)
            text[k] = letters[draw(sizeof(letters) - 1)];
        text[len] = '\0';
        if (cron_parse(text, &c, &e) != 0) {
            assert_int_equal(strncmp(e.text, "schedule: ", 10), 0);
            continue;
        }
        taken++;
        assert_true(cron_next(&c, &new_york, 1) > 1);
    }
    assert_true(taken < 20000);
}

/* ---- catching up ---------------------------------------------------------------------------- */

static struct cron_plan plan(const char *text, int64_t next, int64_t now, enum cron_catchup catchup,
                             int max)
{
    struct cron c = parsed(text);
    struct cron_plan p;

    cron_plan(&c, &utc, &(struct cron_due){ next, now, 60, catchup, max }, &p);
    return p;
}

static void what_is_on_time_fires_under_every_policy(void **state)
{
    (void)state;
    for (int policy = CRON_CATCHUP_LAST; policy <= CRON_CATCHUP_ALL; policy++) {
        struct cron_plan p = plan("*/10 * * * * *", 1000, 1039, (enum cron_catchup)policy, 1);

        assert_int_equal(p.count, 4);
        assert_int_equal(p.ticks[0], 1000);
        assert_int_equal(p.ticks[3], 1030);
        assert_int_equal(p.next, 1040);
        assert_false(p.missed);
    }
}

static void missed_ticks_follow_the_policy(void **state)
{
    const int64_t day = 86400, now = 10 * day + 7200;
    struct cron_plan p = plan("@daily", day, now, CRON_CATCHUP_LAST, 0);

    (void)state;
    assert_true(p.count == 1 && p.ticks[0] == 10 * day && p.next == 11 * day && p.missed);
    p = plan("@daily", day, now, CRON_CATCHUP_SKIP, 0);
    assert_true(p.count == 0 && p.next == 11 * day && p.missed);
    p = plan("@daily", day, now, CRON_CATCHUP_ALL, 3);
    assert_true(p.count == 3 && p.ticks[0] == 8 * day && p.ticks[2] == 10 * day && p.missed);
    p = plan("@daily", day, now, CRON_CATCHUP_ALL, 50);
    assert_true(p.count == 10 && p.ticks[0] == day && !p.missed);
    p = plan("@daily", day, 10 * day + 60, CRON_CATCHUP_SKIP, 0); /* at the limit: on time */
    assert_true(p.count == 1 && p.ticks[0] == 10 * day);
    p = plan("@daily", day, 10 * day + 61, CRON_CATCHUP_SKIP, 0);
    assert_int_equal(p.count, 0);
    p = plan("* * * * *", 60, 10 * day, CRON_CATCHUP_LAST, 0); /* one on time: it is the newest */
    assert_true(p.count == 2 && p.ticks[1] == 10 * day && p.missed);
}

static void a_long_plan_comes_in_parts(void **state)
{
    struct cron_plan p = plan("* * * * * *", 1, 1 + 40 * 365 * 86400LL, CRON_CATCHUP_ALL, 250);
    int64_t now = 1 + 40 * 365 * 86400LL, total = p.count;

    (void)state;
    assert_int_equal(p.count, CRON_TICKS_MAX);
    while (p.next <= now) {
        int64_t last = p.ticks[p.count - 1];

        p = plan("* * * * * *", p.next, now, CRON_CATCHUP_ALL, 250);
        assert_int_equal(p.ticks[0], last + 1);
        assert_false(p.missed);
        total += p.count;
    }
    assert_int_equal(total, 250 + 61);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_names_its_instants),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(a_time_that_is_skipped_runs_once_after_the_gap),
        cmocka_unit_test(a_time_that_occurs_twice_runs_once_at_the_first),
        cmocka_unit_test(every_n_minutes_or_hours_follows_real_time),
        cmocka_unit_test(random_expressions_keep_their_promises),
        cmocka_unit_test(noise_is_refused_or_taken),
        cmocka_unit_test(what_is_on_time_fires_under_every_policy),
        cmocka_unit_test(missed_ticks_follow_the_policy),
        cmocka_unit_test(a_long_plan_comes_in_parts),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
