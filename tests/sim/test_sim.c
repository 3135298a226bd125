/*
 * tests/sim/test_sim.c - the short version of `make sim`: schedules without a violation, a seed
 * that repeats its schedule, and every mutation of the database caught.
 *
 * The seeds are fixed, so this passes or fails for good.
 */
#include "sim/sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SCHEDULES = 1500, SEEDS_TO_CATCH = 3000, FIRST_SEED = 20001 };

static void no_schedule_violates_anything(void **state)
{
    struct sim_options o = { .seed = FIRST_SEED };
    int64_t completed = 0, canceled = 0, takeovers = 0;
    struct sim_result r;

    (void)state;
    for (; o.seed < FIRST_SEED + SCHEDULES; o.seed++) {
        sim_run(&o, &r);
        if (r.violation[0])
            fail_msg("seed %" PRIu64 ": %s", o.seed, r.violation);
        completed += r.completed;
        canceled += r.canceled;
        takeovers += r.takeovers;
    }
    /* ... and they were worth running. */
    assert_true(completed > 4 * SCHEDULES);
    assert_true(canceled > SCHEDULES / 5);
    assert_true(takeovers > SCHEDULES);
}

static void a_seed_repeats_its_schedule(void **state)
{
    struct sim_options o = { .seed = 7 };
    struct sim_result first, again, other;

    (void)state;
    sim_run(&o, &first);
    o.seed = 8;
    sim_run(&o, &other);
    o.seed = 7;
    sim_run(&o, &again);
    assert_true(first.events > 1000 && first.statements > 100);
    assert_true(first.digest == again.digest);
    assert_int_equal(first.events, again.events);
    assert_true(first.digest != other.digest);
}

/* The seed that finds it, which must find it again in the same way. */
static void is_caught(enum sim_mutation mutation)
{
    struct sim_options o = { .seed = 1, .mutation = mutation };
    struct sim_result r, again;

    for (;; o.seed++) {
        if (o.seed > SEEDS_TO_CATCH)
            fail_msg("%s: not caught by %d seeds", sim_mutation_name(mutation), SEEDS_TO_CATCH);
        sim_run(&o, &r);
        if (r.violation[0])
            break;
    }
    print_message("%s: seed %" PRIu64 ": %s\n", sim_mutation_name(mutation), o.seed, r.violation);
    sim_run(&o, &again);
    assert_string_equal(again.violation, r.violation);
    assert_true(again.digest == r.digest);
}

static void a_dropped_fence_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_NO_FENCE);
}

static void an_early_acknowledgement_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_EARLY_ACK);
}

static void a_skipped_unique_constraint_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_NO_UNIQUE);
}

static void a_lost_run_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_LOST_RUN);
}

static void a_stale_journal_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_STALE_JOURNAL);
}

static void a_lost_wake_up_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_LOST_WAKE);
}

static void a_torn_transaction_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_TORN_TX);
}

static void a_continuation_that_is_done_twice_is_caught(void **state)
{
    (void)state;
    is_caught(MUTATION_CONTINUED_TWICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_schedule_violates_anything),
        cmocka_unit_test(a_seed_repeats_its_schedule),
        cmocka_unit_test(a_dropped_fence_is_caught),
        cmocka_unit_test(an_early_acknowledgement_is_caught),
        cmocka_unit_test(a_skipped_unique_constraint_is_caught),
        cmocka_unit_test(a_lost_run_is_caught),
        cmocka_unit_test(a_stale_journal_is_caught),
        cmocka_unit_test(a_lost_wake_up_is_caught),
        cmocka_unit_test(a_torn_transaction_is_caught),
        cmocka_unit_test(a_continuation_that_is_done_twice_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
