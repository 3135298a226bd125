/* tests/unit/test_jsonscan.c - what the checker takes, refuses and where; storable text. */
#include "base/jsonscan.h"

#include "base/fault.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LITERAL(s)                                                                                 \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static const struct slice good[] = {
    /* scalars and white space */
    LITERAL("null"),
    LITERAL("true"),
    LITERAL("false"),
    LITERAL("0"),
    LITERAL("\"\""),
    LITERAL(" \t\r\n1 \t\r\n"),
    LITERAL("{}"),
    LITERAL("[]"),
    LITERAL("[ ]"),
    LITERAL("{ }"),
    /* numbers */
    LITERAL("-0"),
    LITERAL("-1"),
    LITERAL("10"),
    LITERAL("0.0"),
    LITERAL("1.0"),
    LITERAL("-0.1"),
    LITERAL("1e1"),
    LITERAL("1E+1"),
    LITERAL("0e-0"),
    LITERAL("1.5e-10"),
    LITERAL("1e400"),
    LITERAL("9007199254740993"),
    LITERAL("123456789012345678901234567890"),
    LITERAL("0e99999999999"),
    /* structures */
    LITERAL("[1,2]"),
    LITERAL("[[],{}]"),
    LITERAL("[ 1 , 2 ]"),
    LITERAL("{\"a\":1}"),
    LITERAL("{ \"a\" : 1 , \"b\" : [ ] }"),
    LITERAL("{\"\":0}"),
    LITERAL("[null,true,false,\"x\",-1]"),
    LITERAL("{\"a\":{\"a\":{\"a\":1}}}"),
    LITERAL("[{\"a\":1},{\"a\":1}]"),
    LITERAL("{\"a\":1,\"A\":1,\"aa\":1,\"\":1}"),
    LITERAL("{\"b\":{\"a\":1},\"a\":{\"b\":1}}"),
    LITERAL("{\"a\":{\"b\":1},\"b\":1}"),
    /* strings */
    LITERAL("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    LITERAL("\"\\u0001\\uFFFF\\uabCD\""),
    LITERAL("\"\\ud800\\udc00\""),
    LITERAL("\"\\uDBFF\\uDFFF\""),
    LITERAL("\"\x7f\""),
    LITERAL("\"\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    LITERAL("\"/'\""),
    LITERAL("\"\xef\xbf\xbe\xe2\x80\xa8\""),
    LITERAL("\"\\\\u0000\""),
};

static void texts_within_the_grammar_pass(void **state)
{
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (jsonscan_check(good[i].text, good[i].len, &e) != 0)
            fail_msg("%s: %s", good[i].text, e.text);
    }
}

static const struct {
    struct slice text;
    size_t offset;
} bad[] = {
    /* nothing, or no value */
    { LITERAL(""), 0 },
    { LITERAL(" "), 1 },
    { LITERAL("\xef\xbb\xbf"
              "1"),
      0 },
    { LITERAL("\0"), 0 },
    { LITERAL("\v1"), 0 },
    { LITERAL("\xc2\xa0"
              "1"),
      0 },
    { LITERAL("nul"), 0 },
    { LITERAL("nulL"), 0 },
    { LITERAL("True"), 0 },
    { LITERAL("NaN"), 0 },
    { LITERAL("Infinity"), 0 },
    { LITERAL("'a'"), 0 },
    { LITERAL("undefined"), 0 },
    { LITERAL("a"), 0 },
    { LITERAL("/**/1"), 0 },
    { LITERAL("]"), 0 },
    /* text behind */
    { LITERAL("1 2"), 2 },
    { LITERAL("[]]"), 2 },
    { LITERAL("{}}"), 2 },
    { LITERAL("1\0"), 1 },
    { LITERAL("nullx"), 4 },
    { LITERAL("[]//"), 2 },
    { LITERAL("\"a\"\"b\""), 3 },
    { LITERAL("1,"), 1 },
    /* numbers */
    { LITERAL("-"), 1 },
    { LITERAL("+1"), 0 },
    { LITERAL("01"), 1 },
    { LITERAL("-01"), 2 },
    { LITERAL("1."), 2 },
    { LITERAL(".5"), 0 },
    { LITERAL("1.e1"), 2 },
    { LITERAL("1e"), 2 },
    { LITERAL("1e+"), 3 },
    { LITERAL("1e1.5"), 3 },
    { LITERAL("0x1"), 1 },
    { LITERAL("1_0"), 1 },
    { LITERAL("--1"), 1 },
    { LITERAL("1e+-1"), 3 },
    { LITERAL("-Infinity"), 1 },
    { LITERAL("00"), 1 },
    { LITERAL("\xef\xbc\x91"), 0 },
    /* structures */
    { LITERAL("["), 1 },
    { LITERAL("[1"), 2 },
    { LITERAL("[1,"), 3 },
    { LITERAL("[1,]"), 3 },
    { LITERAL("[,1]"), 1 },
    { LITERAL("[1,,2]"), 3 },
    { LITERAL("[1 2]"), 3 },
    { LITERAL("[1:2]"), 2 },
    { LITERAL("[1}"), 2 },
    { LITERAL("{"), 1 },
    { LITERAL("{]"), 1 },
    { LITERAL("{\"a\""), 4 },
    { LITERAL("{\"a\":"), 5 },
    { LITERAL("{\"a\":1"), 6 },
    { LITERAL("{\"a\":1,"), 7 },
    { LITERAL("{\"a\":1,}"), 7 },
    { LITERAL("{a:1}"), 1 },
    { LITERAL("{1:1}"), 1 },
    { LITERAL("{\"a\" 1}"), 5 },
    { LITERAL("{\"a\",1}"), 4 },
    { LITERAL("{\"a\"::1}"), 5 },
    { LITERAL("{,}"), 1 },
    { LITERAL("{\"a\":1 \"b\":2}"), 7 },
    { LITERAL("{null:1}"), 1 },
    /* strings */
    { LITERAL("\""), 1 },
    { LITERAL("\"a"), 2 },
    { LITERAL("\"\\"), 2 },
    { LITERAL("\"\\\""), 3 },
    { LITERAL("\"\\a\""), 2 },
    { LITERAL("\"\\x41\""), 2 },
    { LITERAL("\"\\U0041\""), 2 },
    { LITERAL("\"\\\0\""), 2 },
    { LITERAL("\"\n\""), 1 },
    { LITERAL("\"\t\""), 1 },
    { LITERAL("\"a\0b\""), 2 },
    { LITERAL("\"\x1f\""), 1 },
    { LITERAL("\"\\'\""), 2 },
    { LITERAL("\"\\u\""), 1 },
    { LITERAL("\"\\u004\""), 1 },
    { LITERAL("\"\\u004g\""), 1 },
    { LITERAL("\"\\u00 1\""), 1 },
    { LITERAL("\"x\\u0000\""), 2 },
    { LITERAL("\"\\u00"), 1 },
    { LITERAL("\"\\ud800\""), 1 },
    { LITERAL("\"\\udc00\""), 1 },
    { LITERAL("\"\\udc00\\ud800\""), 1 },
    { LITERAL("\"\\ud800\\ud800\""), 1 },
    { LITERAL("\"\\ud800x\""), 1 },
    { LITERAL("\"\\ud800\\n\""), 1 },
    { LITERAL("\"\\ud800\\u0041\""), 1 },
    { LITERAL("\"\\ud800\\u\""), 1 },
    { LITERAL("\"\\ud83d\\"), 1 },
    /* UTF-8 */
    { LITERAL("\"\x80\""), 1 },
    { LITERAL("\"\xc0\x80\""), 1 },
    { LITERAL("\"\xc1\xbf\""), 1 },
    { LITERAL("\"\xe0\x9f\xbf\""), 1 },
    { LITERAL("\"\xf0\x8f\xbf\xbf\""), 1 },
    { LITERAL("\"\xed\xa0\x80\""), 1 },
    { LITERAL("\"\xed\xbf\xbf\""), 1 },
    { LITERAL("\"\xf4\x90\x80\x80\""), 1 },
    { LITERAL("\"\xf5\x80\x80\x80\""), 1 },
    { LITERAL("\"a\xc3\""), 2 },
    { LITERAL("\"\xe2\x82\""), 1 },
    { LITERAL("\"\xc3"), 1 },
    { LITERAL("\"\xff\""), 1 },
    { LITERAL("{\"\xff\":1}"), 2 },
    /* duplicate keys, however they are spelled: the offset is the second one's */
    { LITERAL("{\"a\":1,\"a\":2}"), 7 },
    { LITERAL("{\"a\":1,\"\\u0061\":2}"), 7 },
    { LITERAL("{\"\":1,\"b\":2,\"\":3}"), 12 },
    { LITERAL("[{\"k\":{\"a\":1,\"b\":1,\"a\":1}}]"), 19 },
    { LITERAL("{\"\xc3\xa9\":1,\"\\u00E9\":2}"), 8 },
    { LITERAL("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}"), 10 },
    { LITERAL("{\"/\":1,\"\\/\":2}"), 7 },
    { LITERAL("{\"a\":1,\"b\":{\"a\":0},\"a\":2}"), 19 },
    { LITERAL("{\"b\":0,\"c\":0,\"c\":0,\"b\":0}"), 13 },
};

static void texts_outside_the_grammar_are_refused_with_their_offset(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char want[64];
        struct err e;

        err_clear(&e);
        (void)snprintf(want, sizeof(want), "invalid JSON at byte %zu: ", bad[i].offset);
        if (jsonscan_check(bad[i].text.text, bad[i].text.len, &e) != IFP_EINVALID)
            fail_msg("passed: %s", bad[i].text.text);
        if (strncmp(e.text, want, strlen(want)) != 0)
            fail_msg("%s: %s, want byte %zu", bad[i].text.text, e.text, bad[i].offset);
    }
}

/* Each text ends at the end of its memory, so that ASan sees a read behind it. */
static void no_byte_behind_the_text_is_read(void **state)
{
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        for (size_t len = 0; len <= good[i].len; len++) {
            char *exact = mem_alloc(len);

            assert_non_null(exact);
            memcpy(exact, good[i].text, len);
            (void)!jsonscan_check(exact, len, &e);
            mem_free(exact);
        }
    }
}

static void the_limit_of_depth_is_exact(void **state)
{
    char text[4 * JSONSCAN_DEPTH_MAX];
    struct err e;

    (void)state;
    for (size_t depth = JSONSCAN_DEPTH_MAX; depth <= JSONSCAN_DEPTH_MAX + 1; depth++) {
        int want = depth > JSONSCAN_DEPTH_MAX ? IFP_EINVALID : 0;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(jsonscan_check(text, 2 * depth, &e), want);
    }
    assert_string_equal(e.text, "invalid JSON at byte 64: nested too deep");
    assert_int_equal(jsonscan_check("[[],[],{},{\"a\":[]}]", 19, &e),
                     0); /* siblings do not add up */
}

static void a_text_over_four_gigabytes_is_refused_unread(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(jsonscan_check("1", (size_t)UINT32_MAX + 1, &e), IFP_ETOOLARGE);
}

/* An object with `count` keys, each "k<number>" by `stride`; the last one again when `twice`. */
static void put_object(struct buf *b, size_t count, size_t stride, bool twice)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%s\"k%zu\":0", i ? "," : "", i * stride % 1000003);
    if (twice)
        buf_printf(b, ",\"k0\":0");
    buf_putc(b, '}');
}

/* An object of `count` one-letter keys where the key at `second` repeats the one at `first`. */
static size_t put_twins(struct buf *b, size_t count, size_t first, size_t second)
{
    size_t offset = 0;

    buf_reset(b);
    for (size_t i = 0; i < count; i++) {
        buf_putc(b, i == 0 ? '{' : ',');
        if (i == second)
            offset = b->len;
        buf_printf(b, "\"%c\":0", (char)('A' + (i == second ? first : i)));
    }
    buf_putc(b, '}');
    return offset;
}

static void a_duplicate_is_found_wherever_it_stands(void **state)
{
    enum { COUNT = 25 };
    struct buf b;

    (void)state;
    buf_init(&b);
    for (size_t second = 1; second < COUNT; second++) {
        for (size_t first = 0; first < second; first++) {
            size_t offset = put_twins(&b, COUNT, first, second);
            char want[64];
            struct err e;

            (void)snprintf(want, sizeof(want), "invalid JSON at byte %zu: a duplicate key", offset);
            assert_int_equal(jsonscan_check(b.data, b.len, &e), IFP_EINVALID);
            assert_string_equal(e.text, want);
        }
    }
    buf_release(&b);
}

static double seconds_of_check(const struct buf *b, int want)
{
    struct timespec start, end;
    struct err e;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    assert_int_equal(jsonscan_check(b->data, b->len, &e), want);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* A quadratic search would take 10^10 comparisons, that is more than a minute. */
static void a_hundred_thousand_keys_take_no_quadratic_time(void **state)
{
    static const size_t strides[] = { 1, 999983 };
    struct buf b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strides); i++) {
        buf_init(&b);
        put_object(&b, 100000, strides[i], false);
        assert_true(seconds_of_check(&b, 0) < 10);
        buf_reset(&b);
        put_object(&b, 100000, strides[i], true);
        assert_true(seconds_of_check(&b, IFP_EINVALID) < 10);
        buf_release(&b);
    }
}

/* Pairs with equal 32-bit FNV-1a hashes, found by search.  They differ, so they must pass. */
static void keys_whose_hashes_collide_are_told_apart(void **state)
{
    static const char *const pairs[][2] = { { "c693596", "c1170850" },
                                            { "c693597", "c1170851" },
                                            { "c693594", "c1170852" } };
    char text[64];
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int len = snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", pairs[i][0], pairs[i][1]);

        assert_int_equal(jsonscan_check(text, (size_t)len, &e), 0);
        len = snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2,\"%s\":3}", pairs[i][0], pairs[i][1],
                       pairs[i][0]);
        assert_int_equal(jsonscan_check(text, (size_t)len, &e), IFP_EINVALID);
    }
}

static void out_of_memory_for_keys_is_told_and_leaks_nothing(void **state)
{
    struct buf b;
    bool done = false;

    (void)state;
    buf_init(&b);
    put_object(&b, 1000, 1, false);
    for (uint64_t n = 1; !done; n++) {
        struct err e;
        int rc;

        fault_arm(FAULT_ALLOC, n, false);
        rc = jsonscan_check(b.data, b.len, &e);
        done = fault_count(FAULT_ALLOC) < n;
        assert_int_equal(rc, done ? 0 : IFP_ENOMEM);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(n < 10);
    }
    buf_release(&b);
}

static void texts_without_objects_take_no_memory(void **state)
{
    struct err e;

    (void)state;
    fault_arm(FAULT_ALLOC, 1, true);
    assert_int_equal(jsonscan_check("[[1,2],{},\"x\"]", 14, &e), 0);
    fault_arm(FAULT_ALLOC, 0, false);
}

static void quoting_escapes_what_must_be(void **state)
{
    static const char text[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9";
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b);
    assert_true(jsonscan_quote(&b, text, sizeof(text) - 1));
    assert_string_equal(buf_cstr(&b), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\"");
    assert_int_equal(jsonscan_check(b.data, b.len, &e), 0);
    buf_reset(&b);
    assert_true(jsonscan_quote(&b, "", 0));
    assert_string_equal(buf_cstr(&b), "\"\"");
    buf_release(&b);
}

static void quoting_refuses_what_cannot_be_stored(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_false(jsonscan_quote(&b, "a\xff", 2));
    assert_false(jsonscan_quote(&b, "a\0b", 3));
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

static void utf8_is_checked_to_the_last_byte(void **state)
{
    (void)state;
    assert_true(jsonscan_utf8_ok("", 0));
    assert_true(jsonscan_utf8_ok("a\xf0\x9f\x98\x80z", 6));
    assert_false(jsonscan_utf8_ok("a\xf0\x9f\x98\x80z", 4));
    assert_false(jsonscan_utf8_ok("\xed\xa0\x80", 3));
}

static void cleaning_replaces_and_cuts_between_characters(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *want;
    } rows[] = {
        { "plain", 100, "plain" },
        { "plain", 5, "plain" },
        { "plain", 4, "plai" },
        { "plain", 0, "" },
        { "", 10, "" },
        { "a\xff"
          "b",
          10,
          "a\xef\xbf\xbd"
          "b" },
        { "a\xff"
          "b",
          4, "a\xef\xbf\xbd" },
        { "a\xff"
          "b",
          3, "a" },
        { "\xc3\xa9\xc3\xa9", 3, "\xc3\xa9" },
        { "\xf0\x9f\x98\x80", 3, "" },
        { "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
        { "\xf0\x9f", 9, "\xef\xbf\xbd\xef\xbf\xbd" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(jsonscan_clean(&a, rows[i].text, rows[i].max), rows[i].want);
    arena_release(&a);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_null(jsonscan_clean(&a, "x", 1));
    fault_arm(FAULT_ALLOC, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_within_the_grammar_pass),
        cmocka_unit_test(texts_outside_the_grammar_are_refused_with_their_offset),
        cmocka_unit_test(no_byte_behind_the_text_is_read),
        cmocka_unit_test(the_limit_of_depth_is_exact),
        cmocka_unit_test(a_text_over_four_gigabytes_is_refused_unread),
        cmocka_unit_test(a_duplicate_is_found_wherever_it_stands),
        cmocka_unit_test(a_hundred_thousand_keys_take_no_quadratic_time),
        cmocka_unit_test(keys_whose_hashes_collide_are_told_apart),
        cmocka_unit_test(out_of_memory_for_keys_is_told_and_leaks_nothing),
        cmocka_unit_test(texts_without_objects_take_no_memory),
        cmocka_unit_test(quoting_escapes_what_must_be),
        cmocka_unit_test(quoting_refuses_what_cannot_be_stored),
        cmocka_unit_test(utf8_is_checked_to_the_last_byte),
        cmocka_unit_test(cleaning_replaces_and_cuts_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
