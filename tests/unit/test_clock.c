/* tests/unit/test_clock.c - real clocks move forward, replaced ones do as told. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t give_mono(void *ctx)
{
    return *(int64_t *)ctx;
}

static int64_t give_real(void *ctx)
{
    return *(int64_t *)ctx * 2;
}

static void the_system_clocks_make_sense(void **state)
{
    int64_t before = clock_mono_us();

    (void)state;
    assert_true(clock_mono_us() >= before);
    assert_true(clock_real_us() > INT64_C(1700000000000000)); /* the year 2023 */
}

static void a_test_can_replace_and_restore_both(void **state)
{
    int64_t now = 7;

    (void)state;
    clock_replace(give_mono, give_real, &now);
    assert_int_equal(clock_mono_us(), 7);
    assert_int_equal(clock_real_us(), 14);
    now = 8;
    assert_int_equal(clock_mono_us(), 8);
    clock_replace(give_mono, NULL, &now);
    assert_true(clock_real_us() > 16);
    clock_replace(NULL, NULL, NULL);
    assert_true(clock_real_us() > INT64_C(1700000000000000));
}

static void times_are_formatted_in_utc_with_milliseconds(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 999, "1970-01-01T00:00:00.000Z" },
        { INT64_C(1795188600123456), "2026-11-20T15:30:00.123Z" },
        { INT64_C(951868799999999), "2000-02-29T23:59:59.999Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000000, "1969-12-31T23:59:59.000Z" },
        { INT64_MAX, "9999-12-31T23:59:59.775Z" },
        { INT64_MIN, "0000-01-01T00:00:00.224Z" },
    };
    char text[25];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        clock_format_utc(rows[i].us, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clocks_make_sense),
        cmocka_unit_test(a_test_can_replace_and_restore_both),
        cmocka_unit_test(times_are_formatted_in_utc_with_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
