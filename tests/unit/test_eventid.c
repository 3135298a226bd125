/* tests/unit/test_eventid.c - what Last-Event-ID may hold, and what it may not. */
#include "http/eventid.h"

#include <inferpipe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, int64_t *ret)
{
    return eventid_parse((struct slice){ text, text ? strlen(text) : 0 }, ret);
}

static void numbers_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        { NULL, 0 },
        { "", 0 },
        { "0", 0 },
        { "1", 1 },
        { "907", 907 },
        { "9007199254740990", EVENTID_MAX - 1 },
        { "9007199254740991", EVENTID_MAX },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;

        assert_int_equal(parse(cases[i].text, &value), 0);
        assert_int_equal(value, cases[i].value);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const cases[] = {
        "9007199254740992",
        "9007199254741000",
        "18446744073709551617",
        "99999999999999999999999",
        "-1",
        "+1",
        " 1",
        "1 ",
        "01",
        "00",
        "1.0",
        "1e3",
        "0x1",
        "1,2",
        "a",
        "\xd9\xa1",
        "1\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;

        assert_int_equal(parse(cases[i], &value), IFP_EINVALID);
        assert_int_equal(value, 0);
    }
    assert_int_equal(eventid_parse((struct slice){ "1\0", 2 }, &(int64_t){ 0 }), IFP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
