/* tests/unit/test_scope.c - scopes by name, and sets of them as texts. */
#include "api/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_scope_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < SCOPES; i++) {
        assert_int_equal(scope_find(scope_name((enum scope)i)), i);
        assert_true(strlen(scope_text((enum scope)i)) > 0);
    }
    assert_int_equal(scope_find("*"), -1);
    assert_int_equal(scope_find(""), -1);
    assert_int_equal(scope_find("keys:rea"), -1);
    assert_int_equal(scope_find("keys:read "), -1);
}

static void a_set_comes_back_from_its_text(void **state)
{
    char text[SCOPE_TEXT_SIZE];

    (void)state;
    for (uint32_t set = 0; set <= SCOPE_ALL; set++) {
        scope_write(set, text);
        assert_int_equal(scope_read(text), set);
    }
    scope_write(SCOPE_ALL, text);
    assert_string_equal(text, "*");
}

static void what_is_no_scope_counts_nothing(void **state)
{
    (void)state;
    assert_int_equal(scope_read(""), 0);
    assert_int_equal(scope_read("   "), 0);
    assert_int_equal(scope_read("keys:reed ** keys:read,cron:read KEYS:READ"), 0);
    assert_int_equal(scope_read("  keys:read   x  "), 1u << SCOPE_KEYS_READ);
    assert_int_equal(scope_read("x *"), SCOPE_ALL);
    assert_int_equal(scope_read("keys:readkeys:readkeys:readkeys:readkeys:readkeys:readkeys:read"
                                "keys:read cron:read"),
                     1u << SCOPE_CRON_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scope_has_a_name_of_its_own),
        cmocka_unit_test(a_set_comes_back_from_its_text),
        cmocka_unit_test(what_is_no_scope_counts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
