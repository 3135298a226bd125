/* tests/unit/test_json.c - documents of ours, byte by byte, and out of memory at every point. */
#include "base/json.h"

#include "base/fault.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_prints(struct jsondoc *doc, const char *want)
{
    char *text = jsondoc_print(doc, false);

    assert_string_equal(text, want);
    mem_free(text);
    jsondoc_free(doc);
}

static void all_kinds_are_printed_in_order(void **state)
{
    struct jsondoc *doc = jsondoc_object(), *list = jsondoc_array();

    (void)state;
    assert_true(jsondoc_add_str(doc, "s", "a\"\n\xc3\xa9"));
    assert_true(jsondoc_add_str(doc, "none", NULL));
    assert_true(jsondoc_add_bool(doc, "yes", true));
    assert_true(jsondoc_add_raw(doc, "raw", "{\"n\":1.0}"));
    assert_true(jsondoc_add_int(list, NULL, -1));
    assert_true(jsondoc_add_str(list, NULL, ""));
    assert_true(jsondoc_add(doc, "list", list));
    assert_true(jsondoc_add(doc, "empty", jsondoc_object()));
    assert_prints(doc, "{\"s\":\"a\\\"\\n\xc3\xa9\",\"none\":null,\"yes\":true,"
                       "\"raw\":{\"n\":1.0},\"list\":[-1,\"\"],\"empty\":{}}");
}

static void integers_keep_all_their_digits(void **state)
{
    struct jsondoc *doc = jsondoc_array();

    (void)state;
    assert_true(jsondoc_add_int(doc, NULL, INT64_MAX));
    assert_true(jsondoc_add_int(doc, NULL, INT64_MIN));
    assert_true(jsondoc_add_int(doc, NULL, (INT64_C(1) << 53) + 1));
    assert_prints(doc, "[9223372036854775807,-9223372036854775808,9007199254740993]");
}

static void doubles_are_short_and_exact(void **state)
{
    struct jsondoc *doc = jsondoc_array();

    (void)state;
    assert_true(jsondoc_add_double(doc, NULL, 0.1));
    assert_true(jsondoc_add_double(doc, NULL, 1.0 / 3));
    assert_true(jsondoc_add_double(doc, NULL, 1e300));
    assert_true(jsondoc_add_double(doc, NULL, (double)NAN));
    assert_true(jsondoc_add_double(doc, NULL, (double)-INFINITY));
    assert_prints(doc, "[0.1,0.3333333333333333,1e+300,null,null]");
}

static void invalid_utf8_is_repaired(void **state)
{
    struct jsondoc *doc = jsondoc_array();

    (void)state;
    assert_true(jsondoc_add_str(doc, NULL, "a\xff\xffz"));
    assert_prints(doc, "[\"a\xef\xbf\xbd\xef\xbf\xbdz\"]");
}

static void pretty_differs_only_in_white_space(void **state)
{
    struct jsondoc *doc = jsondoc_object();
    char *text;

    (void)state;
    assert_true(jsondoc_add_int(doc, "a", 1));
    text = jsondoc_print(doc, true);
    assert_non_null(strchr(text, '\n'));
    assert_non_null(strstr(text, "\"a\":"));
    mem_free(text);
    jsondoc_free(doc);
}

static void null_documents_are_harmless(void **state)
{
    (void)state;
    assert_false(jsondoc_add_str(NULL, "a", "b"));
    assert_false(jsondoc_add_int(NULL, "a", 1));
    assert_false(jsondoc_add_double(NULL, "a", 1));
    assert_false(jsondoc_add_bool(NULL, "a", true));
    assert_false(jsondoc_add_raw(NULL, "a", "1"));
    assert_false(jsondoc_add(NULL, "a", jsondoc_array())); /* freed: ASan would tell */
    assert_null(jsondoc_print(NULL, false));
    jsondoc_free(NULL);
}

static void a_missing_child_spoils_the_document(void **state)
{
    struct jsondoc *doc = jsondoc_object(), *inner = jsondoc_array();

    (void)state;
    assert_false(jsondoc_add(inner, NULL, NULL));
    assert_true(jsondoc_add(doc, "inner", inner));
    assert_null(jsondoc_print(doc, false));
    jsondoc_free(doc);
}

/* As callers do: no result is looked at but the last. */
static char *build(void)
{
    struct jsondoc *doc = jsondoc_object(), *list = jsondoc_array();
    char *text;

    (void)jsondoc_add_str(doc, "s", "plain");
    (void)jsondoc_add_str(doc, "bad", "\xff");
    (void)jsondoc_add_int(doc, "i", 1);
    (void)jsondoc_add_double(list, NULL, 1.5);
    (void)jsondoc_add_bool(list, NULL, true);
    (void)jsondoc_add_raw(list, NULL, "{}");
    (void)jsondoc_add(doc, "list", list);
    (void)jsondoc_add(doc, "object", jsondoc_object());
    text = jsondoc_print(doc, false);
    jsondoc_free(doc);
    return text;
}

static void out_of_memory_anywhere_gives_no_document(void **state)
{
    char *text = NULL;

    (void)state;
    for (uint64_t n = 1; !text; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        text = build();
        assert_int_equal(text != NULL, fault_count(FAULT_ALLOC) < n);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(n < 100);
    }
    assert_string_equal(text, "{\"s\":\"plain\",\"bad\":\"\xef\xbf\xbd\",\"i\":1,"
                              "\"list\":[1.5,true,{}],\"object\":{}}");
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_are_printed_in_order),
        cmocka_unit_test(integers_keep_all_their_digits),
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(invalid_utf8_is_repaired),
        cmocka_unit_test(pretty_differs_only_in_white_space),
        cmocka_unit_test(null_documents_are_harmless),
        cmocka_unit_test(a_missing_child_spoils_the_document),
        cmocka_unit_test(out_of_memory_anywhere_gives_no_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
