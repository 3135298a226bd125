/* tests/unit/test_failures.c - failed attempts by address: a limit a minute, and a bound. */
#include "api/failures.h"

#include "base/clock.h"
#include "base/fault.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t now_us = 1000;

static int64_t clock_now(void *ctx)
{
    (void)ctx;
    return now_us;
}

static int set_up(void **state)
{
    clock_replace(clock_now, NULL, NULL);
    *state = failures_new(3);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    clock_replace(NULL, NULL, NULL);
    failures_free(*state);
    return 0;
}

static void an_address_has_so_many_a_minute(void **state)
{
    struct failures *f = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(failures_wait_us(f, "10.0.0.1"), 0);
        failures_add(f, "10.0.0.1");
        now_us += 1000000;
    }
    assert_int_equal(failures_wait_us(f, "10.0.0.1"), 57000000);
    assert_int_equal(failures_wait_us(f, "10.0.0.2"), 0);
    now_us += 57000000;
    assert_int_equal(failures_wait_us(f, "10.0.0.1"), 0);
    failures_add(f, "10.0.0.1");
    assert_int_equal(failures_wait_us(f, "10.0.0.1"), 0);
}

static void addresses_are_bounded(void **state)
{
    struct failures *f = *state;
    char address[32];

    for (int i = 0; i < 3; i++)
        failures_add(f, "first");
    for (int i = 0; i < FAILURES_ADDRESSES - 1; i++) {
        (void)snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
        failures_add(f, address);
    }
    assert_true(failures_wait_us(f, "first") > 0);
    failures_add(f, "one more");
    assert_int_equal(failures_wait_us(f, "first"), 0); /* the least recent went */
}

static void missing_memory_counts_nothing(void **state)
{
    struct failures *f = *state;

    fault_arm(FAULT_ALLOC, 1, true);
    failures_add(f, "10.0.0.1");
    assert_null(failures_new(1));
    fault_arm(FAULT_ALLOC, 0, false);
    assert_int_equal(failures_wait_us(f, "10.0.0.1"), 0);
    failures_free(NULL);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_address_has_so_many_a_minute),
        CASE(addresses_are_bounded),
        CASE(missing_memory_counts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
