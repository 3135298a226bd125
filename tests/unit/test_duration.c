/* tests/unit/test_duration.c - durations as people write them, right and wrong. */
#include "base/duration.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void right_ones_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "0s", 0 },
        { "0ms", 0 },
        { "500ms", 500 },
        { "1s", 1000 },
        { "5m", 300000 },
        { "1h30m", 5400000 },
        { "48h", 172800000 },
        { "1d", 86400000 },
        { "2w", 1209600000 },
        { "1m1ms", 60001 },
        { "90m", 5400000 },
        { "1w2d3h4m5s6ms", 788645006 },
        { "007s", 7000 },
        { "36525d", DURATION_MAX_MS },
        { "3155760000000ms", DURATION_MAX_MS },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = -1;
        struct err e;

        assert_int_equal(duration_parse(rows[i].text, &ms, &e), 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void wrong_ones_are_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "",
        "5",
        "s",
        "-5s",
        "+5s",
        "1.5h",
        " 5s",
        "5s ",
        "5 s",
        "5S",
        "5sec",
        "1m1h",
        "1s1s",
        "5ms1s",
        "1h30",
        "1h,3m",
        "0x5s",
        "5\xc2\xb5s",
        "36526d",
        "36525d1ms",
        "3155760000001ms",
        "99999999999999999999999s",
        "5219w",
        "9223372036854775807w",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ms = 77;
        struct err e;

        assert_int_equal(duration_parse(bad[i], &ms, &e), IFP_EINVALID);
        assert_int_equal(e.code, IFP_EINVALID);
        assert_non_null(strstr(e.text, bad[i]));
        assert_int_equal(ms, 77);
    }
}

static void formatting_is_exact_and_reads_back(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "0s" },
        { 1, "1ms" },
        { 1000, "1s" },
        { 90000, "1m30s" },
        { 604800000, "1w" },
        { 60001, "1m1ms" },
        { 788645006, "1w2d3h4m5s6ms" },
        { DURATION_MAX_MS, "5217w6d" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[32];
        int64_t back = -1;
        struct err e;

        duration_format(rows[i].ms, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(duration_parse(text, &back, &e), 0);
        assert_int_equal(back, rows[i].ms);
    }
}

static void the_largest_number_fits_its_text(void **state)
{
    char text[32];

    (void)state;
    duration_format(INT64_MAX, text, sizeof(text));
    assert_string_equal(text, "15250284452w3d7h12m55s807ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_are_read),
        cmocka_unit_test(wrong_ones_are_refused_by_name),
        cmocka_unit_test(formatting_is_exact_and_reads_back),
        cmocka_unit_test(the_largest_number_fits_its_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
