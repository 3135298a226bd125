/* tests/unit/test_jsontext.c - UTF-8 at its borders, and every escape. */
#include "base/jsontext.h"

#include <stdbool.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void sequences_at_the_borders_are_told_apart(void **state)
{
    static const struct {
        const char *bytes;
        size_t want;
    } rows[] = {
        { "a", 1 },
        { "\x7f", 1 },
        { "\x80", 0 }, /* a continuation alone */
        { "\xbf", 0 },
        { "\xc0\x80", 0 }, /* overlong U+0000 */
        { "\xc1\xbf", 0 }, /* overlong U+007F */
        { "\xc2\x80", 2 }, /* U+0080 */
        { "\xdf\xbf", 2 }, /* U+07FF */
        { "\xc2\x7f", 0 },
        { "\xc2\xc0", 0 },
        { "\xe0\x9f\xbf", 0 }, /* overlong U+07FF */
        { "\xe0\xa0\x80", 3 }, /* U+0800 */
        { "\xed\x9f\xbf", 3 }, /* U+D7FF */
        { "\xed\xa0\x80", 0 }, /* U+D800 */
        { "\xed\xbf\xbf", 0 }, /* U+DFFF */
        { "\xee\x80\x80", 3 }, /* U+E000 */
        { "\xef\xbf\xbf", 3 }, /* U+FFFF */
        { "\xe1\x80\x41", 0 },
        { "\xf0\x8f\xbf\xbf", 0 }, /* overlong U+FFFF */
        { "\xf0\x90\x80\x80", 4 }, /* U+10000 */
        { "\xf4\x8f\xbf\xbf", 4 }, /* U+10FFFF */
        { "\xf4\x90\x80\x80", 0 }, /* U+110000 */
        { "\xf5\x80\x80\x80", 0 },
        { "\xf8\x88\x80\x80\x80", 0 },
        { "\xff", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);

        assert_int_equal(jsontext_utf8(rows[i].bytes, len), rows[i].want);
        for (size_t cut = 0; cut < rows[i].want; cut++)
            assert_int_equal(jsontext_utf8(rows[i].bytes, cut), 0);
    }
}

static void every_escape_decodes_and_moves_behind_itself(void **state)
{
    static const struct {
        const char *raw, *want;
    } rows[] = {
        { "\\\"", "\"" },
        { "\\\\", "\\" },
        { "\\/", "/" },
        { "\\b", "\b" },
        { "\\f", "\f" },
        { "\\n", "\n" },
        { "\\r", "\r" },
        { "\\t", "\t" },
        { "\\u0041", "A" },
        { "\\u007f", "\x7f" },
        { "\\u0080", "\xc2\x80" },
        { "\\u07FF", "\xdf\xbf" },
        { "\\u0800", "\xe0\xa0\x80" },
        { "\\uffFF", "\xef\xbf\xbf" },
        { "\\ud800\\udc00", "\xf0\x90\x80\x80" },
        { "\\uDBFF\\uDFFF", "\xf4\x8f\xbf\xbf" },
        { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = rows[i].raw;
        char bytes[4];

        assert_int_equal(jsontext_unescape(&at, bytes), strlen(rows[i].want));
        assert_memory_equal(bytes, rows[i].want, strlen(rows[i].want));
        assert_int_equal(*at, '\0');
    }
}

static void only_quotes_backslashes_and_controls_need_escapes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool needs = c < 0x20 || c == '"' || c == '\\';

        assert_int_equal(jsontext_escape((unsigned char)c) != 0, needs);
    }
    assert_int_equal(jsontext_escape('\n'), 'n');
    assert_int_equal(jsontext_escape('/'), 0);
    assert_int_equal(jsontext_escape(1), 'u');
}

static void bytes_are_walked_up_to_the_quote_or_the_end(void **state)
{
    static const char raw[] = "a\\u00e9\\\"z\"more";
    static const char want[] = "a\xc3\xa9\"z";
    struct jsontext_bytes b;

    (void)state;
    jsontext_bytes_init(&b, raw, raw + sizeof(raw) - 1);
    for (size_t i = 0; i < sizeof(want) - 1; i++)
        assert_int_equal(jsontext_bytes_next(&b), (unsigned char)want[i]);
    assert_int_equal(jsontext_bytes_next(&b), -1);
    assert_int_equal(jsontext_bytes_next(&b), -1);
    jsontext_bytes_init(&b, raw, raw + 1);
    assert_int_equal(jsontext_bytes_next(&b), 'a');
    assert_int_equal(jsontext_bytes_next(&b), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_at_the_borders_are_told_apart),
        cmocka_unit_test(every_escape_decodes_and_moves_behind_itself),
        cmocka_unit_test(only_quotes_backslashes_and_controls_need_escapes),
        cmocka_unit_test(bytes_are_walked_up_to_the_quote_or_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
