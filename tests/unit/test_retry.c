/* tests/unit/test_retry.c - which options hold, their ranges, and the series of delays. */
#include "core/retry.h"

#include "base/duration.h"
#include "lib/deathtest.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The random numbers at both ends and in the middle of [0, 1). */
#define RANDOM_LOW UINT64_C(0)
#define RANDOM_HALF (UINT64_C(1) << 63)
#define RANDOM_HIGH UINT64_MAX

static struct retry resolved(const ifp_step_options *step, const ifp_step_options *workflow)
{
    struct retry r;
    struct err e;

    assert_int_equal(retry_resolve(step, workflow, &r, &e), 0);
    return r;
}

static void assert_retry(struct retry got, struct retry want)
{
    assert_int_equal(got.attempts, want.attempts);
    assert_int_equal(got.fixed, want.fixed);
    assert_int_equal(got.delay_ms, want.delay_ms);
    assert_int_equal(got.max_delay_ms, want.max_delay_ms);
    assert_true(got.jitter == want.jitter);
    assert_int_equal(got.timeout_ms, want.timeout_ms);
    assert_int_equal(got.heartbeat_ms, want.heartbeat_ms);
}

static int64_t delay_after(struct retry r, int attempt, uint64_t random)
{
    int64_t delay_ms = -1;

    assert_true(retry_next(&r, attempt, random, &delay_ms));
    return delay_ms;
}

static bool is_last(struct retry r, int attempt)
{
    int64_t delay_ms = -1;
    bool again = retry_next(&r, attempt, RANDOM_LOW, &delay_ms);

    assert_true(again || delay_ms == -1);
    return !again;
}

/* ---- resolving ------------------------------------------------------------------------------ */

static void nothing_set_takes_the_defaults(void **state)
{
    const struct retry defaults = {
        .attempts = 3, .delay_ms = 1000, .max_delay_ms = 60000, .jitter = 0.2
    };
    const ifp_step_options zero = { 0 };

    (void)state;
    assert_retry(resolved(NULL, NULL), defaults);
    assert_retry(resolved(&zero, NULL), defaults);
    assert_retry(resolved(NULL, &zero), defaults);
    assert_retry(resolved(&zero, &zero), defaults);
}

static void the_step_wins_over_the_workflow_and_it_over_the_defaults(void **state)
{
    const ifp_step_options zero = { 0 };
    const ifp_step_options workflow = { 7, IFP_FIXED, 10, 20, 0.5, 30, 6, 0 };
    const ifp_step_options step = { 2, IFP_EXPONENTIAL, 1, 3, 0.25, 4, 5, 0 };
    const struct retry of_workflow = { 7, true, 10, 20, 0.5, 30, 6 };
    const struct retry of_step = { 2, false, 1, 3, 0.25, 4, 5 };

    (void)state;
    assert_retry(resolved(NULL, &workflow), of_workflow);
    assert_retry(resolved(&zero, &workflow), of_workflow);
    assert_retry(resolved(&step, &workflow), of_step);
    assert_retry(resolved(&step, NULL), of_step);
}

static void each_field_is_taken_on_its_own(void **state)
{
    const ifp_step_options step = { .attempts = 9, .max_delay_ms = 5000 };
    const ifp_step_options workflow = { .backoff = IFP_FIXED, .max_delay_ms = 1, .timeout_ms = 8 };

    (void)state;
    assert_retry(resolved(&step, &workflow), (struct retry){ 9, true, 1000, 5000, 0.2, 8, 0 });
}

static void minus_one_means_none_and_is_not_filled_in(void **state)
{
    const ifp_step_options none = { -1, IFP_BACKOFF_DEFAULT, -1, -1, -1, -1, -1, 0 };
    const ifp_step_options workflow = { 7, IFP_BACKOFF_DEFAULT, 10, 20, 0.5, 30, 6, 0 };
    const struct retry want = { 0, false, 0, DURATION_MAX_MS, 0, 0, 0 };

    (void)state;
    assert_retry(resolved(&none, &workflow), want);
    assert_retry(resolved(NULL, &none), want);
}

static void the_limits_themselves_are_fine(void **state)
{
    const ifp_step_options most = { 10000, IFP_EXPONENTIAL, DURATION_MAX_MS, DURATION_MAX_MS,
                                    1,     DURATION_MAX_MS, DURATION_MAX_MS, 0 };
    const ifp_step_options least = { 1, IFP_FIXED, 1, 1, 0x1p-60, 1, 1, 0 };

    (void)state;
    assert_retry(resolved(&most, NULL),
                 (struct retry){ 10000, false, DURATION_MAX_MS, DURATION_MAX_MS, 1, DURATION_MAX_MS,
                                 DURATION_MAX_MS });
    assert_retry(resolved(&least, NULL), (struct retry){ 1, true, 1, 1, 0x1p-60, 1, 1 });
}

#define OVER_MS (DURATION_MAX_MS + 1)

static const struct {
    ifp_step_options options;
    const char *text;
} refused[] = {
    { { .attempts = 10001 }, "attempts: 10001 is not between 1 and 10000, or -1" },
    { { .attempts = -2 }, "attempts: -2 is not between 1 and 10000, or -1" },
    { { .attempts = INT32_MIN }, "attempts: -2147483648 is not between 1 and 10000, or -1" },
    { { .backoff = (enum ifp_backoff)3 }, "backoff: 3 is not IFP_FIXED or IFP_EXPONENTIAL" },
    { { .backoff = (enum ifp_backoff) - 1 }, "backoff: -1 is not IFP_FIXED or IFP_EXPONENTIAL" },
    { { .delay_ms = -2 }, "delay_ms: -2 is not between 0 and 100 years" },
    { { .delay_ms = OVER_MS }, "delay_ms: 3155760000001 is not between 0 and 100 years" },
    { { .max_delay_ms = -2 }, "max_delay_ms: -2 is not between 0 and 100 years" },
    { { .max_delay_ms = OVER_MS }, "max_delay_ms: 3155760000001 is not between 0 and 100 years" },
    { { .timeout_ms = INT64_MIN },
      "timeout_ms: -9223372036854775808 is not between 0 and 100 years" },
    { { .timeout_ms = OVER_MS }, "timeout_ms: 3155760000001 is not between 0 and 100 years" },
    { { .jitter = -0.5 }, "jitter: -0.5 is not between 0 and 1, or -1" },
    { { .jitter = 1.25 }, "jitter: 1.25 is not between 0 and 1, or -1" },
    { { .jitter = -2 }, "jitter: -2 is not between 0 and 1, or -1" },
    { { .jitter = NAN }, "jitter: nan is not between 0 and 1, or -1" },
    { { .jitter = INFINITY }, "jitter: inf is not between 0 and 1, or -1" },
};

static void a_value_out_of_range_is_refused_with_its_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct retry r = { .attempts = 4711 };
        struct err e;

        assert_int_equal(retry_resolve(&refused[i].options, NULL, &r, &e), IFP_EINVALID);
        assert_int_equal(e.code, IFP_EINVALID);
        assert_string_equal(e.text, refused[i].text);
        assert_int_equal(retry_resolve(NULL, &refused[i].options, &r, &e), IFP_EINVALID);
        assert_string_equal(e.text, refused[i].text);
        assert_int_equal(r.attempts, 4711);
    }
}

/* ---- delays --------------------------------------------------------------------------------- */

static void attempts_count_the_first_one_too(void **state)
{
    (void)state;
    assert_true(is_last((struct retry){ .attempts = 1 }, 1));
    assert_false(is_last((struct retry){ .attempts = 3 }, 1));
    assert_false(is_last((struct retry){ .attempts = 3 }, 2));
    assert_true(is_last((struct retry){ .attempts = 3 }, 3));
    assert_true(is_last((struct retry){ .attempts = 3 }, 4));
}

static void without_a_number_of_attempts_it_goes_on_for_ever(void **state)
{
    const struct retry r = { .delay_ms = 1000, .max_delay_ms = 60000 };
    const struct retry at_once = { .max_delay_ms = 60000 };

    (void)state;
    assert_int_equal(delay_after(r, RETRY_ATTEMPTS_MAX + 1, RANDOM_LOW), 60000);
    assert_int_equal(delay_after(r, INT32_MAX, RANDOM_LOW), 60000);
    assert_int_equal(delay_after(at_once, INT32_MAX, RANDOM_LOW), 0);
}

static void a_fixed_delay_stays_and_knows_no_cap(void **state)
{
    const struct retry r = { .fixed = true, .delay_ms = 90000, .max_delay_ms = 60000 };

    (void)state;
    for (int attempt = 1; attempt <= 20; attempt++)
        assert_int_equal(delay_after(r, attempt, RANDOM_LOW), 90000);
}

static void an_exponential_delay_doubles_up_to_the_cap(void **state)
{
    static const int64_t series[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    const struct retry r = { .delay_ms = 1000, .max_delay_ms = 60000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(series); i++)
        assert_int_equal(delay_after(r, (int)i + 1, RANDOM_LOW), series[i]);
}

static void the_cap_holds_at_its_edges(void **state)
{
    const struct retry over = { .delay_ms = 60001, .max_delay_ms = 60000 };
    const struct retry met = { .delay_ms = 15000, .max_delay_ms = 60000 };

    (void)state;
    assert_int_equal(delay_after(over, 1, RANDOM_LOW), 60000);
    assert_int_equal(delay_after(over, 2, RANDOM_LOW), 60000);
    assert_int_equal(delay_after(met, 3, RANDOM_LOW), 60000);
    assert_int_equal(delay_after(met, 4, RANDOM_LOW), 60000);
}

static void no_cap_lets_the_delay_grow(void **state)
{
    const ifp_step_options options = { .attempts = -1, .max_delay_ms = -1, .jitter = -1 };
    struct retry r = resolved(&options, NULL);

    (void)state;
    assert_int_equal(delay_after(r, 1, RANDOM_HIGH), 1000);
    assert_int_equal(delay_after(r, 11, RANDOM_HIGH), 1024000);
    assert_int_equal(delay_after(r, 64, RANDOM_HIGH), DURATION_MAX_MS);
}

static void no_delay_stays_none(void **state)
{
    (void)state;
    assert_int_equal(delay_after((struct retry){ .jitter = 1 }, 1, RANDOM_HIGH), 0);
    assert_int_equal(
        delay_after((struct retry){ .max_delay_ms = 60000, .jitter = 1 }, 9, RANDOM_HIGH), 0);
}

static void jitter_takes_a_part_off_and_never_adds(void **state)
{
    struct retry r = { .fixed = true, .delay_ms = 1000, .jitter = 0.2 };

    (void)state;
    assert_int_equal(delay_after(r, 1, RANDOM_LOW), 1000);
    assert_int_equal(delay_after(r, 1, RANDOM_HALF), 900);
    assert_int_equal(delay_after(r, 1, RANDOM_HIGH), 801);
    r.jitter = 1;
    assert_int_equal(delay_after(r, 1, RANDOM_LOW), 1000);
    assert_int_equal(delay_after(r, 1, RANDOM_HALF), 500);
    assert_int_equal(delay_after(r, 1, RANDOM_HIGH), 1);
    r.jitter = 0;
    assert_int_equal(delay_after(r, 1, RANDOM_HALF), 1000);
    assert_int_equal(delay_after(r, 1, RANDOM_HIGH), 1000);
}

static void jitter_is_taken_off_the_capped_delay(void **state)
{
    const struct retry r = { .delay_ms = 1000, .max_delay_ms = 3000, .jitter = 0.5 };

    (void)state;
    assert_int_equal(delay_after(r, 2, RANDOM_HALF), 1500);
    assert_int_equal(delay_after(r, 3, RANDOM_HALF), 2250);
    assert_int_equal(delay_after(r, 3, RANDOM_HIGH), 1501);
}

static void the_longest_delays_do_not_overflow(void **state)
{
    struct retry r = { .delay_ms = DURATION_MAX_MS, .max_delay_ms = DURATION_MAX_MS, .jitter = 1 };

    (void)state;
    assert_int_equal(delay_after(r, INT32_MAX, RANDOM_LOW), DURATION_MAX_MS);
    assert_int_equal(delay_after(r, INT32_MAX, RANDOM_HALF), DURATION_MAX_MS / 2);
    assert_int_equal(delay_after(r, INT32_MAX, RANDOM_HIGH), 1);
    r.delay_ms = DURATION_MAX_MS - 1; /* one below the cap: doubled once more */
    assert_int_equal(delay_after(r, 2, RANDOM_LOW), DURATION_MAX_MS);
    r.delay_ms = 1;
    assert_int_equal(delay_after(r, 42, RANDOM_LOW), INT64_C(1) << 41);
    assert_int_equal(delay_after(r, 43, RANDOM_LOW), DURATION_MAX_MS);
}

static void ask_about_attempt_zero(void)
{
    const struct retry r = { .attempts = 3 };
    int64_t delay_ms;

    (void)retry_next(&r, 0, 0, &delay_ms);
}

static void attempts_are_counted_from_one(void **state)
{
    (void)state;
    assert_true(deathtest_aborts(ask_about_attempt_zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_takes_the_defaults),
        cmocka_unit_test(the_step_wins_over_the_workflow_and_it_over_the_defaults),
        cmocka_unit_test(each_field_is_taken_on_its_own),
        cmocka_unit_test(minus_one_means_none_and_is_not_filled_in),
        cmocka_unit_test(the_limits_themselves_are_fine),
        cmocka_unit_test(a_value_out_of_range_is_refused_with_its_field),
        cmocka_unit_test(attempts_count_the_first_one_too),
        cmocka_unit_test(without_a_number_of_attempts_it_goes_on_for_ever),
        cmocka_unit_test(a_fixed_delay_stays_and_knows_no_cap),
        cmocka_unit_test(an_exponential_delay_doubles_up_to_the_cap),
        cmocka_unit_test(the_cap_holds_at_its_edges),
        cmocka_unit_test(no_cap_lets_the_delay_grow),
        cmocka_unit_test(no_delay_stays_none),
        cmocka_unit_test(jitter_takes_a_part_off_and_never_adds),
        cmocka_unit_test(jitter_is_taken_off_the_capped_delay),
        cmocka_unit_test(the_longest_delays_do_not_overflow),
        cmocka_unit_test(attempts_are_counted_from_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
