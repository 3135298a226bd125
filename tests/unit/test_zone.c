/*
 * tests/unit/test_zone.c - compiled time zones: what is refused, that no damaged file does harm;
 * the calendar.  That the offsets are right is shown beside PostgreSQL: integration/test_zones.
 */
#include "core/zone.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/ids.h"
#include "base/tzfile.h"
#include "core/civil.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct buf file(const char *name)
{
    struct buf bytes;
    struct err e;

    buf_init(&bytes);
    if (tzfile_read(name, &bytes, &e) != 0)
        fail_msg("%s", e.text);
    return bytes;
}

/* A copy of its own size, so that a sanitizer sees every byte read too many. */
static int parse_copy(const char *data, size_t len, struct zone *ret)
{
    char *copy = malloc(len);
    struct err e = { .code = 0 };
    int rc;

    assert_true(copy || len == 0);
    memcpy(copy, data, len);
    rc = zone_parse(copy, len, ret, &e);
    free(copy);
    return rc;
}

static void a_file_that_is_cut_short_is_refused(void **state)
{
    struct buf bytes = file("Europe/Berlin");

    (void)state;
    for (size_t len = 0; len < bytes.len; len++) {
        struct zone zone;

        assert_int_equal(parse_copy(bytes.data, len, &zone), IFP_EINVALID);
    }
    buf_release(&bytes);
}

static void a_damaged_file_is_refused_or_answers(void **state)
{
    struct buf bytes = file("America/New_York");

    (void)state;
    for (uint64_t i = 0; i < 4000; i++) {
        size_t at = ids_derive(1, i, 0) % (i % 2 ? bytes.len : 64);
        char before = bytes.data[at];
        struct zone zone;

        bytes.data[at] = (char)ids_derive(1, i, 1);
        if (parse_copy(bytes.data, bytes.len, &zone) == 0) {
            assert_true(zone_change(&zone, 0) > 0);
            zone_release(&zone);
        }
        bytes.data[at] = before;
    }
    buf_release(&bytes);
}

static void want_of_memory_is_an_error(void **state)
{
    struct buf bytes = file("Europe/Berlin");
    struct zone zone;
    struct err e;
    uint64_t n = 0;
    int rc;

    (void)state;
    do {
        fault_arm(FAULT_ALLOC, ++n, false);
        rc = zone_parse(bytes.data, bytes.len, &zone, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
    } while (rc != 0);
    assert_true(n > 1);
    zone_release(&zone);
    buf_release(&bytes);
}

static void utc_needs_no_file(void **state)
{
    struct zone zone;

    (void)state;
    zone_utc(&zone);
    assert_int_equal(zone_offset(&zone, 1), 0);
    assert_true(zone_change(&zone, -5) == ZONE_NEVER);
    assert_int_equal(zone_instant(&zone, 77), 77);
    zone_release(&zone);
}

static void leap_seconds_are_refused(void **state)
{
    struct buf bytes = file("right/Europe/Berlin");
    struct zone zone;
    struct err e;

    (void)state;
    assert_int_equal(zone_parse(bytes.data, bytes.len, &zone, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "leap seconds"));
    buf_release(&bytes);
}

static void only_names_of_zones_are_read(void **state)
{
    static const char *const bad[] = {
        "",         "/etc/passwd", "../zoneinfo/UTC", "a//b",          "Europe/", "/Europe/Berlin",
        "zone.tab", "Europe",      "Mars/Crater",     "Europe/Berlin "
    };
    char longest[TZFILE_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf bytes;
        struct err e;

        buf_init(&bytes);
        if (tzfile_read(bad[i], &bytes, &e) != IFP_EINVALID)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(strncmp(e.text, "timezone: ", 10), 0);
        buf_release(&bytes);
    }
    memset(longest, 'a', sizeof(longest));
    longest[TZFILE_NAME_MAX + 1] = '\0';
    assert_false(tzfile_name_ok(longest));
    longest[TZFILE_NAME_MAX] = '\0';
    assert_true(tzfile_name_ok(longest));
}

static void the_calendar_counts_every_day(void **state)
{
    int64_t first = civil_days(-1, 1, 1), last = civil_days(2500, 1, 1);
    struct civil before = civil_date(first - 1);

    (void)state;
    assert_int_equal(civil_days(1970, 1, 1), 0);
    assert_int_equal(civil_weekday(0), 4); /* a Thursday */
    for (int64_t day = first; day < last; day++) {
        struct civil d = civil_date(day);
        bool new_month = d.day == 1;

        assert_true(civil_days(d.year, d.month, d.day) == day);
        assert_true(new_month ? before.day == civil_month_days(before.year, before.month)
                              : d.day == before.day + 1 && d.month == before.month);
        assert_int_equal(civil_weekday(day + 1), (civil_weekday(day) + 1) % 7);
        before = d;
    }
    assert_int_equal(civil_day_of(-1), -1);
    assert_int_equal(civil_day_of(86399), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_cut_short_is_refused),
        cmocka_unit_test(a_damaged_file_is_refused_or_answers),
        cmocka_unit_test(want_of_memory_is_an_error),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(leap_seconds_are_refused),
        cmocka_unit_test(only_names_of_zones_are_read),
        cmocka_unit_test(the_calendar_counts_every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
