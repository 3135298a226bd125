/* tests/unit/test_err.c - the error table, and texts that are wrapped and cut. */
#include "base/err.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_error_has_all_its_columns(void **state)
{
    (void)state;
#define CHECK_ROW(id, number, wire, http, retry, text)                                             \
    assert_int_equal(id, number);                                                                  \
    assert_string_equal(ifp_error_name(id), wire);                                                 \
    assert_string_equal(ifp_error_text(id), text);                                                 \
    assert_int_equal(err_http_status(id), http);                                                   \
    assert_int_equal(err_retryable(id), retry);                                                    \
    assert_int_equal(err_from_name(wire), id);
    IFP_ERROR_MAP(CHECK_ROW)
#undef CHECK_ROW
}

static void unknown_numbers_are_answered_like_a_server_error(void **state)
{
    (void)state;
    assert_string_equal(ifp_error_name(-9999), "UNKNOWN");
    assert_true(strlen(ifp_error_text(-9999)) > 0);
    assert_int_equal(err_http_status(-9999), 500);
    assert_true(err_retryable(-9999));
    assert_int_equal(err_exit_code(-9999), 1);
    assert_int_equal(err_from_name("NO_SUCH_ERROR"), 0);
    assert_int_equal(err_from_name(""), 0);
}

static void success_and_suspension_are_no_errors(void **state)
{
    (void)state;
    assert_string_equal(ifp_error_name(IFP_OK), "OK");
    assert_string_equal(ifp_error_name(IFP_SUSPENDED), "SUSPENDED");
    assert_int_equal(err_http_status(0), 200);
    assert_false(err_retryable(0));
    assert_false(err_retryable(IFP_SUSPENDED));
    assert_int_equal(err_exit_code(0), 0);
}

static void exit_codes_tell_usage_missing_refused_and_timeout_apart(void **state)
{
    (void)state;
    assert_int_equal(err_exit_code(IFP_EINVALID), 2);
    assert_int_equal(err_exit_code(IFP_ENOTFOUND), 3);
    assert_int_equal(err_exit_code(IFP_ECONFLICT), 4);
    assert_int_equal(err_exit_code(IFP_EFORBIDDEN), 4);
    assert_int_equal(err_exit_code(IFP_ETIMEOUT), 5);
    assert_int_equal(err_exit_code(IFP_EUNAVAILABLE), 1);
}

static void set_fills_code_and_text_and_drops_the_sqlstate(void **state)
{
    struct err e = { .code = -1, .sqlstate = "40001", .text = "old" };

    (void)state;
    assert_int_equal(err_set(&e, IFP_ENOTFOUND, "no %s %d", "row", 7), IFP_ENOTFOUND);
    assert_int_equal(e.code, IFP_ENOTFOUND);
    assert_string_equal(e.text, "no row 7");
    assert_string_equal(e.sqlstate, "");
    err_clear(&e);
    assert_int_equal(e.code, 0);
    assert_string_equal(e.text, "");
}

static void set_may_use_the_old_text(void **state)
{
    struct err e;

    (void)state;
    err_set(&e, IFP_EINVALID, "inner");
    err_set(&e, IFP_ESERVER, "[%s]", e.text);
    assert_string_equal(e.text, "[inner]");
}

static void wrap_puts_contexts_in_front_and_keeps_the_code(void **state)
{
    struct err e;

    (void)state;
    err_set(&e, IFP_ETIMEOUT, "timed out");
    memcpy(e.sqlstate, "57014", 6);
    assert_int_equal(err_wrap(&e, "connect"), IFP_ETIMEOUT);
    assert_int_equal(err_wrap(&e, "claim %d", 3), IFP_ETIMEOUT);
    assert_string_equal(e.text, "claim 3: connect: timed out");
    assert_string_equal(e.sqlstate, "57014");
}

/* Texts of 'x' and two-byte characters of every length around the limit end on a whole one. */
static void a_long_text_is_cut_between_characters(void **state)
{
    char longest[2 * ERR_TEXT_SIZE];

    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        static const char *const chars[] = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

        for (size_t k = 0; k < ARRAY_LEN(chars); k++) {
            size_t size = strlen(chars[k]);
            size_t len = pad;
            struct err e;

            memset(longest, 'x', pad);
            for (; len + size < sizeof(longest); len += size)
                memcpy(longest + len, chars[k], size);
            longest[len] = '\0';
            err_set(&e, IFP_EINVALID, "%s", longest);
            assert_int_equal((strlen(e.text) - pad) % size, 0);
            assert_true(strlen(e.text) > ERR_TEXT_SIZE - 1 - size);
            err_wrap(&e, "ctx");
            assert_int_equal((strlen(e.text) - pad - 5) % size, 0);
            assert_true(strlen(e.text) > ERR_TEXT_SIZE - 1 - size);
        }
    }
}

static void a_context_that_fills_everything_leaves_no_half_separator(void **state)
{
    char context[ERR_TEXT_SIZE + 10];
    struct err e;

    (void)state;
    for (size_t len = ERR_TEXT_SIZE - 6; len < sizeof(context); len++) {
        memset(context, 'c', len);
        context[len] = '\0';
        err_set(&e, IFP_EINVALID, "text");
        err_wrap(&e, "%s", context);
        assert_true(strlen(e.text) <= ERR_TEXT_SIZE - 1);
        assert_int_equal(memcmp(e.text, context, MIN(len, ERR_TEXT_SIZE - 1)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_all_its_columns),
        cmocka_unit_test(unknown_numbers_are_answered_like_a_server_error),
        cmocka_unit_test(success_and_suspension_are_no_errors),
        cmocka_unit_test(exit_codes_tell_usage_missing_refused_and_timeout_apart),
        cmocka_unit_test(set_fills_code_and_text_and_drops_the_sqlstate),
        cmocka_unit_test(set_may_use_the_old_text),
        cmocka_unit_test(wrap_puts_contexts_in_front_and_keeps_the_code),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(a_context_that_fills_everything_leaves_no_half_separator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
