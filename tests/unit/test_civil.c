/* tests/unit/test_civil.c - times of RFC 3339, right and wrong. */
#include "core/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void right_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01", 0 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "2000-02-29T12:34:56Z", INT64_C(951827696000) },
        { "2026-03-08T07:00:00z", INT64_C(1772953200000) },
        { "2026-03-08t09:00:00+02:00", INT64_C(1772953200000) },
        { "2026-03-07T23:30:00-07:30", INT64_C(1772953200000) },
        { "2026-03-08T07:00:00.5Z", INT64_C(1772953200500) },
        { "2026-03-08T07:00:00.1239999999999+00:00", INT64_C(1772953200123) },
        { "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
        { "0000-01-01", INT64_C(-62167219200000) },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 7;

        if (!civil_parse(rows[i].text, &ms) || ms != rows[i].ms)
            fail_msg("%s gives %lld", rows[i].text, (long long)ms);
    }
}

static void wrong_times_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "tomorrow",
        "2026",
        "2026-3-08",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-04-31T00:00:00Z",
        "2026-03-08T",
        "2026-03-08T07:00:00",
        "2026-03-08T07:00Z",
        "2026-03-08T24:00:00Z",
        "2026-03-08T07:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-03-08T07:00:00.Z",
        "2026-03-08T07:00:00,5Z",
        "2026-03-08 07:00:00Z",
        "2026-03-08T07:00:00+0200",
        "2026-03-08T07:00:00+24:00",
        "2026-03-08T07:00:00+02:60",
        "2026-03-08T07:00:00Z ",
        " 2026-03-08",
        "+026-03-08",
        "20260-03-08",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ms = 7;

        if (civil_parse(bad[i], &ms) || ms != 7)
            fail_msg("\"%s\" gives %lld", bad[i], (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_times_are_read),
        cmocka_unit_test(wrong_times_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
