/* tests/unit/test_fault.c - which hit fails, and how the environment arms a fault. */
#include "base/fault.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int disarm(void **state)
{
    (void)state;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        fault_arm((enum fault_kind)kind, 0, false);
    unsetenv("INFERPIPE_FAULT");
    return 0;
}

static void nothing_armed_never_fails_nor_counts(void **state)
{
    (void)state;
    assert_false(fault_hit(FAULT_WRITE));
    assert_int_equal(fault_count(FAULT_WRITE), 0);
}

static void only_the_nth_hit_fails(void **state)
{
    (void)state;
    fault_arm(FAULT_STATEMENT, 3, false);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(fault_hit(FAULT_STATEMENT), i == 3);
    assert_int_equal(fault_count(FAULT_STATEMENT), 5);
}

static void a_sticky_fault_fails_from_the_nth_on(void **state)
{
    (void)state;
    fault_arm(FAULT_REPLY, 2, true);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(fault_hit(FAULT_REPLY), i >= 2);
}

static void kinds_do_not_disturb_each_other(void **state)
{
    (void)state;
    fault_arm(FAULT_WRITE, 1, false);
    assert_false(fault_hit(FAULT_REPLY));
    assert_false(fault_hit(FAULT_STATEMENT));
    assert_true(fault_hit(FAULT_WRITE));
}

static void arming_again_starts_the_count_over(void **state)
{
    (void)state;
    fault_arm(FAULT_WRITE, 2, false);
    assert_false(fault_hit(FAULT_WRITE));
    fault_arm(FAULT_WRITE, 2, false);
    assert_int_equal(fault_count(FAULT_WRITE), 0);
    assert_false(fault_hit(FAULT_WRITE));
    assert_true(fault_hit(FAULT_WRITE));
}

static void the_environment_arms_each_kind(void **state)
{
    static const struct {
        const char *text;
        enum fault_kind kind;
        int first, last; /* hits that fail */
    } rows[] = {
        { "alloc:1", FAULT_ALLOC, 1, 1 },
        { "statement:3+", FAULT_STATEMENT, 3, 20 },
        { "reply:2", FAULT_REPLY, 2, 2 },
        { "write:17", FAULT_WRITE, 17, 17 },
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        setenv("INFERPIPE_FAULT", rows[i].text, 1);
        assert_int_equal(fault_arm_from_env(&e), 0);
        for (int hit = 1; hit <= 20; hit++)
            assert_int_equal(fault_hit(rows[i].kind), hit >= rows[i].first && hit <= rows[i].last);
        fault_arm(rows[i].kind, 0, false);
    }
}

static void an_absent_or_empty_variable_arms_nothing(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(fault_arm_from_env(&e), 0);
    setenv("INFERPIPE_FAULT", "", 1);
    assert_int_equal(fault_arm_from_env(&e), 0);
}

static void a_malformed_variable_is_refused(void **state)
{
    static const char *const bad[] = { "alloc",     "alloc:",   "alloc:0",
                                       "alloc:-1",  "alloc:x",  "alloc:1x",
                                       "alloc:1++", ":1",       "allo:1",
                                       "allocs:1",  "alloc: 1", "alloc:99999999999999999999" };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("INFERPIPE_FAULT", bad[i], 1);
        err_clear(&e);
        assert_int_equal(fault_arm_from_env(&e), IFP_EINVALID);
        assert_int_equal(e.code, IFP_EINVALID);
        assert_false(fault_hit(FAULT_ALLOC));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_armed_never_fails_nor_counts, disarm),
        cmocka_unit_test_teardown(only_the_nth_hit_fails, disarm),
        cmocka_unit_test_teardown(a_sticky_fault_fails_from_the_nth_on, disarm),
        cmocka_unit_test_teardown(kinds_do_not_disturb_each_other, disarm),
        cmocka_unit_test_teardown(arming_again_starts_the_count_over, disarm),
        cmocka_unit_test_teardown(the_environment_arms_each_kind, disarm),
        cmocka_unit_test_teardown(an_absent_or_empty_variable_arms_nothing, disarm),
        cmocka_unit_test_teardown(a_malformed_variable_is_refused, disarm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
