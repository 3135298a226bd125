/* tests/unit/test_defaults.c - what a start asks for its steps, on top of the workflow's. */
#include "engine/defaults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const ifp_step_options workflow = {
    .attempts = 7, .backoff = IFP_EXPONENTIAL, .delay_ms = 50, .timeout_ms = 9
};
static const ifp_step_options plain;

static void without_options_the_workflow_s_stay(void **state)
{
    ifp_step_options o;

    (void)state;
    defaults_set(&workflow, NULL, &o);
    assert_int_equal(o.attempts, 7);
    defaults_set(&workflow, "{\"tags\": {\"retry\": \"x\"}}", &o);
    assert_int_equal(o.attempts, 7);
    assert_int_equal(o.delay_ms, 50);
}

static void what_was_asked_for_goes_on_top(void **state)
{
    ifp_step_options o;

    (void)state;
    defaults_set(&workflow, "{\"retry\": {\"attempts\": 2, \"backoff\": \"fixed\"}}", &o);
    assert_int_equal(o.attempts, 2);
    assert_int_equal(o.backoff, IFP_FIXED);
    assert_int_equal(o.delay_ms, 50);
    assert_int_equal(o.timeout_ms, 9);
    assert_int_equal(o.max_delay_ms, 0);
}

static void no_delay_is_longer_than_the_longest(void **state)
{
    ifp_step_options o;

    (void)state;
    defaults_set(&workflow, "{\"retry\": {\"attempts\": 1, \"maxDelayMs\": 20}}", &o);
    assert_int_equal(o.max_delay_ms, 20);
    assert_int_equal(o.delay_ms, 20);
    defaults_set(&plain, "{\"retry\": {\"maxDelayMs\": 999}}", &o);
    assert_int_equal(o.delay_ms, 999);
    defaults_set(&plain, "{\"retry\": {\"maxDelayMs\": 1001}}", &o);
    assert_int_equal(o.delay_ms, 1000);
}

static void what_is_not_understood_changes_nothing(void **state)
{
    ifp_step_options o;

    (void)state;
    defaults_set(&workflow, "{\"retry\": {\"attempts\": \"2\", \"maxDelayMs\": -1}}", &o);
    assert_int_equal(o.attempts, 7);
    assert_int_equal(o.max_delay_ms, 0);
    defaults_set(&workflow, "{\"retry\": {\"attempts\": 10001}}", &o);
    assert_int_equal(o.attempts, 7);
    defaults_set(&workflow, "{\"retry\": 5}", &o);
    assert_int_equal(o.attempts, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_the_workflow_s_stay),
        cmocka_unit_test(what_was_asked_for_goes_on_top),
        cmocka_unit_test(no_delay_is_longer_than_the_longest),
        cmocka_unit_test(what_is_not_understood_changes_nothing),
    };

    return cmocka_run_group_tests_name("defaults", tests, NULL, NULL);
}
