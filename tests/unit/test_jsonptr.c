/* tests/unit/test_jsonptr.c - pointers, walks, strings and numbers: exact slices of the text. */
#include "base/fault.h"
#include "base/jsonscan.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct slice slice_of(const char *text)
{
    struct err e;

    assert_int_equal(jsonscan_check(text, strlen(text), &e), 0);
    return (struct slice){ .text = text, .len = strlen(text) };
}

static void assert_slice(struct slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.text, want, got.len);
}

static void types_are_told_by_the_first_character(void **state)
{
    (void)state;
    assert_int_equal(jsonscan_type((struct slice){ 0 }), IFP_JSON_NONE);
    assert_int_equal(jsonscan_type(slice_of(" null")), IFP_JSON_NULL);
    assert_int_equal(jsonscan_type(slice_of("true")), IFP_JSON_BOOL);
    assert_int_equal(jsonscan_type(slice_of("false")), IFP_JSON_BOOL);
    assert_int_equal(jsonscan_type(slice_of("-1")), IFP_JSON_NUMBER);
    assert_int_equal(jsonscan_type(slice_of("7")), IFP_JSON_NUMBER);
    assert_int_equal(jsonscan_type(slice_of("\"\"")), IFP_JSON_STRING);
    assert_int_equal(jsonscan_type(slice_of("\n[]")), IFP_JSON_ARRAY);
    assert_int_equal(jsonscan_type(slice_of("{}")), IFP_JSON_OBJECT);
}

static const char document[] =
    " { \"a\" : [ 1.0 , {\"b\":\"x\"}, [] , \"]\" ] , \"\" : 2, \"m/n\":3,\"t~u\":4,\"q\\\"\":5,"
    "\"\\u00e9\":6,\"e\xc3\xa9\":7,\"01\":8,\"big\":9007199254740993,\"huge\":1e400,"
    "\"s p\":\"\\\"}\",\"o\":{ } , \"-\":9, \"aa\":10,\"~1\":11 } ";

static void pointers_find_exact_slices(void **state)
{
    static const struct {
        const char *pointer, *want;
    } rows[] = {
        { "/a/0", "1.0" },
        { "/a/1", "{\"b\":\"x\"}" },
        { "/a/1/b", "\"x\"" },
        { "/a/2", "[]" },
        { "/a/3", "\"]\"" },
        { "/", "2" },
        { "/m~1n", "3" },
        { "/t~0u", "4" },
        { "/q\"", "5" },
        { "/\xc3\xa9", "6" },
        { "/e\xc3\xa9", "7" },
        { "/01", "8" },
        { "/big", "9007199254740993" },
        { "/huge", "1e400" },
        { "/s p", "\"\\\"}\"" },
        { "/o", "{ }" },
        { "/-", "9" },
        { "/aa", "10" },
        { "/~01", "11" },
    };
    struct slice doc = slice_of(document), got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(jsonscan_find(doc, rows[i].pointer, &got), 0);
        assert_slice(got, rows[i].want);
    }
    assert_int_equal(jsonscan_find(doc, "", &got), 0);
    assert_int_equal(got.len, strlen(document) - 2);
    assert_int_equal(got.text[0], '{');
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const pointers[] = {
        "/b",     "/a/4",     "/a/-", "/a/x",   "/a/",
        "/a/0/0", "/a/1/b/c", "//",   "/m",     "/m/n",
        "/aaa",   "/A",       "/o/a", "/big/0", "/a/99999999999999999999999",
        "/a/-1",  "/a/1e0",   "/q",
    };
    struct slice doc = slice_of(document), got = { "kept", 4 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
        assert_int_equal(jsonscan_find(doc, pointers[i], &got), IFP_ENOTFOUND);
    assert_int_equal(jsonscan_find((struct slice){ 0 }, "/a", &got), IFP_ENOTFOUND);
    assert_slice(got, "kept");
}

static void malformed_pointers_are_refused(void **state)
{
    static const char *const pointers[] = { "a",    "a/0", "/~",    "/~2",  "/nope/~",
                                            "/t~u", "#/a", "/a/01", "/a/00" };
    struct slice doc = slice_of(document), got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
        assert_int_equal(jsonscan_find(doc, pointers[i], &got), IFP_EINVALID);
}

static void a_walk_gives_members_with_their_raw_keys(void **state)
{
    struct slice doc = slice_of(" { \"a\\n\" : 1 ,\"b\":[2,{\"c\":\",\"}],\"\": \"x:y\" } ");
    struct slice key, value;
    size_t pos = 0;

    (void)state;
    assert_true(jsonscan_each(doc, &pos, &key, &value));
    assert_slice(key, "a\\n");
    assert_slice(value, "1");
    assert_true(jsonscan_each(doc, &pos, &key, &value));
    assert_slice(key, "b");
    assert_slice(value, "[2,{\"c\":\",\"}]");
    assert_true(jsonscan_each(doc, &pos, &key, &value));
    assert_slice(key, "");
    assert_slice(value, "\"x:y\"");
    assert_false(jsonscan_each(doc, &pos, &key, &value));
    assert_false(jsonscan_each(doc, &pos, &key, &value));
}

static void a_walk_gives_elements_with_empty_keys(void **state)
{
    struct slice doc = slice_of("[\"a\" , null,[ ]\n]"), key, value;
    static const char *const want[] = { "\"a\"", "null", "[ ]" };
    size_t pos = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(jsonscan_each(doc, &pos, &key, &value));
        assert_int_equal(key.len, 0);
        assert_slice(value, want[i]);
    }
    assert_false(jsonscan_each(doc, &pos, &key, &value));
}

static void lengths_count_items_and_are_zero_for_scalars(void **state)
{
    static const struct {
        const char *text;
        size_t want;
    } rows[] = {
        { "[]", 0 },
        { " [ ] ", 0 },
        { "{}", 0 },
        { "[1]", 1 },
        { "[[1,2],3]", 2 },
        { "{\"a\":1}", 1 },
        { "\"[1]\"", 0 },
        { "12", 0 },
        { "null", 0 },
        { "[\"a\",\"b\"]", 2 },
        { "{\"a\":{\"b\":1,\"c\":2},\"d\":[]}", 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(jsonscan_len(slice_of(rows[i].text)), rows[i].want);
    assert_int_equal(jsonscan_len((struct slice){ 0 }), 0);
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "\"\"", "" },
        { " \"plain\" ", "plain" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"a\\u00e9z\"", "a\xc3\xa9z" },
        { "\"\\ud83d\\ude00\\ud83d\\ude00\"", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80" },
        { "\"\xc3\xa9\\\\n\"", "\xc3\xa9\\n" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text;
        size_t len;

        assert_int_equal(jsonscan_string(slice_of(rows[i].text), &a, &text, &len), 0);
        assert_string_equal(text, rows[i].want);
        assert_int_equal(len, strlen(rows[i].want));
    }
    arena_release(&a);
}

static void strings_fail_on_other_types_and_without_memory(void **state)
{
    struct arena a;
    char *text = NULL;
    size_t len;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(jsonscan_string(slice_of("1"), &a, &text, &len), IFP_EINVALID);
    assert_int_equal(jsonscan_string((struct slice){ 0 }, &a, &text, &len), IFP_EINVALID);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(jsonscan_string(slice_of("\"x\""), &a, &text, &len), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    assert_null(text);
    arena_release(&a);
}

static void whole_numbers_are_read_in_any_spelling(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        { "0", 0 },
        { "-0", 0 },
        { "0.000", 0 },
        { "0e999999999999999999999", 0 },
        { "10", 10 },
        { "1e1", 10 },
        { "1.0e1", 10 },
        { "1.50E1", 15 },
        { "100e-2", 1 },
        { "-12.0", -12 },
        { "1e18", INT64_C(1000000000000000000) },
        { "0.001e3", 1 },
        { "1E+2", 100 },
        { "120e-1", 12 },
        { "0.0000000000000000000000000012e28", 12 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "9223372036854775807.000", INT64_MAX },
        { "922337203685477580.7e1", INT64_MAX },
        { "-92233720368547758080e-1", INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 77;

        assert_int_equal(jsonscan_int(slice_of(rows[i].text), &v), 0);
        assert_int_equal(v, rows[i].want);
    }
}

static void fractions_overflows_and_other_types_are_refused(void **state)
{
    static const char *const bad[] = {
        "1.5",
        "1e-1",
        "10e-2",
        "0.0000000000000000000000000012e27",
        "9223372036854775808",
        "-9223372036854775809",
        "1e19",
        "1e400",
        "18446744073709551616",
        "99999999999999999999",
        "1e999999999999999999999",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "1e-999999999999999999999",
        "92233720368547758071e-1",
        "10000000000000000000",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t v = 77;

        assert_int_equal(jsonscan_int(slice_of(bad[i]), &v), IFP_EINVALID);
        assert_int_equal(v, 77);
    }
}

static void assert_double(const char *text, double want)
{
    double v = -77;

    assert_int_equal(jsonscan_double(slice_of(text), &v), 0);
    assert_memory_equal(&v, &want, sizeof(v));
}

static void doubles_are_the_nearest_ones(void **state)
{
    char longest[200];
    double v = 77;

    (void)state;
    assert_double("0", 0.0);
    assert_double("-0.0", -0.0);
    assert_double(" 0.1 ", 0.1);
    assert_double("1e-400", 0.0);
    assert_double("1.7976931348623157e308", 1.7976931348623157e308);
    assert_double("123456789012345678901234567890", 123456789012345678901234567890.0);
    memset(longest, '1', sizeof(longest) - 1);
    longest[1] = '.';
    longest[sizeof(longest) - 1] = '\0';
    assert_double(longest, 1.1111111111111111);
    assert_int_equal(jsonscan_double(slice_of("1e400"), &v), IFP_EINVALID);
    assert_int_equal(jsonscan_double(slice_of("-1e400"), &v), IFP_EINVALID);
    assert_int_equal(jsonscan_double(slice_of("\"1\""), &v), IFP_EINVALID);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(jsonscan_double(slice_of(longest), &v), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    assert_true(fabs(v - 77) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_told_by_the_first_character),
        cmocka_unit_test(pointers_find_exact_slices),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(malformed_pointers_are_refused),
        cmocka_unit_test(a_walk_gives_members_with_their_raw_keys),
        cmocka_unit_test(a_walk_gives_elements_with_empty_keys),
        cmocka_unit_test(lengths_count_items_and_are_zero_for_scalars),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(strings_fail_on_other_types_and_without_memory),
        cmocka_unit_test(whole_numbers_are_read_in_any_spelling),
        cmocka_unit_test(fractions_overflows_and_other_types_are_refused),
        cmocka_unit_test(doubles_are_the_nearest_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
