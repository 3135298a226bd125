/* tests/unit/test_probe.c - which spots a claim looks at, in which order; what it learns there. */
#include "core/probe.h"

#include "base/err.h"
#include "base/fault.h"
#include "lib/deathtest.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PRIOS = 5, CANARY = 0x7a7a7a7a };

struct taken {
    size_t n;
    struct probe_spot spots[PROBE_BATCH_MAX];
    int32_t canary;
};

static int close_probe(void **state)
{
    fault_arm(FAULT_ALLOC, 0, false);
    probe_release(*state);
    return 0;
}

static int open_probe(void **state)
{
    static struct probe p;

    p = (struct probe){ .spots = NULL };
    *state = &p;
    return 0;
}

static void lanes(struct probe *p, int shards, unsigned home, size_t n)
{
    static const int32_t numbers[] = { 11, 22, 33 };

    probe_init(p, shards, home);
    assert_int_equal(probe_set_lanes(p, numbers, n), 0);
    assert_int_equal(p->count, n * (size_t)shards * PRIOS);
}

static struct taken next(struct probe *p)
{
    struct taken t = { .canary = CANARY };

    t.n = probe_next(p, t.spots);
    assert_true(t.n <= PROBE_BATCH_MAX);
    assert_int_equal(t.canary, CANARY);
    return t;
}

/* A claim that found nothing more anywhere: no spot stays marked. */
static void empty_all(struct probe *p)
{
    while (probe_any(p)) {
        struct taken t = next(p);

        probe_done(p, t.spots, t.n, false);
    }
}

static void assert_spot(const struct probe_spot *s, int32_t lane, int shard, int prio)
{
    assert_int_equal(s->lane, lane);
    assert_int_equal(s->shard, shard);
    assert_int_equal(s->prio, prio);
    assert_true(s->marked);
}

/* The next claim looks at just this one spot; gives where its watermark stands. */
static int64_t only_spot(struct probe *p, int32_t lane, int16_t shard, int16_t prio)
{
    struct taken t = next(p);

    assert_int_equal(t.n, 1);
    assert_spot(&t.spots[0], lane, shard, prio);
    return t.spots[0].from_us;
}

/* ---- order ---------------------------------------------------------------------------------- */

static void without_lanes_there_is_nothing_to_look_at(void **state)
{
    struct probe *p = *state;

    lanes(p, 8, 0, 0);
    assert_false(probe_any(p));
    probe_mark_lane(p, 0);
    probe_mark(p, 11, 0, 1, 5);
    probe_took(p, 11, 0, 1, 5);
    assert_false(probe_any(p));
    assert_int_equal(next(p).n, 0);
}

static void a_new_lane_is_looked_at_whole_by_priority_then_from_the_home_shard(void **state)
{
    static const int shards[] = { 2, 0, 1 };
    struct probe *p = *state;
    struct taken t;
    size_t at = 0;

    lanes(p, 3, 5, 2); /* 5 modulo 3 shards: at home in shard 2 */
    assert_true(probe_any(p));
    t = next(p);
    assert_int_equal(t.n, 30);
    for (int prio = 1; prio <= 5; prio++)
        for (size_t k = 0; k < ARRAY_LEN(shards); k++)
            for (int32_t lane = 11; lane <= 22; lane += 11)
                assert_spot(&t.spots[at++], lane, shards[k], prio);
    for (at = 0; at < t.n; at++)
        assert_true(t.spots[at].from_us == PROBE_FROM_START);
}

static void every_16th_claim_goes_through_the_priorities_in_reverse(void **state)
{
    static const int shards[] = { 1, 2, 0 };
    struct probe *p = *state;

    lanes(p, 3, 1, 1);
    for (int turn = 1; turn <= 48; turn++) {
        struct taken t = next(p);
        size_t at = 0;

        assert_int_equal(t.n, 15);
        for (int k = 0; k < PRIOS; k++)
            for (size_t i = 0; i < ARRAY_LEN(shards); i++)
                assert_spot(&t.spots[at++], 11, shards[i], turn % 16 == 0 ? 5 - k : 1 + k);
    }
}

static void a_claim_looks_at_80_spots_at_most(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 16, 0, 1);
    assert_int_equal(next(p).n, 80);
    probe_release(p);
    lanes(p, 17, 0, 1); /* 85 spots */
    t = next(p);
    assert_int_equal(t.n, 80);
    assert_spot(&t.spots[67], 11, 16, 4);
    assert_spot(&t.spots[68], 11, 0, 5);
    assert_spot(&t.spots[79], 11, 11, 5);
    probe_release(p);
    lanes(p, 64, 63, 3);
    t = next(p);
    assert_int_equal(t.n, 80);
    assert_spot(&t.spots[0], 11, 63, 1);
    assert_spot(&t.spots[79], 22, 25, 1);
}

static void what_did_not_fit_comes_with_the_next_claim(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 17, 0, 1);
    t = next(p);
    probe_done(p, t.spots, t.n, false);
    t = next(p);
    assert_int_equal(t.n, 5);
    assert_spot(&t.spots[0], 11, 12, 5);
    assert_spot(&t.spots[4], 11, 16, 5);
    probe_done(p, t.spots, t.n, false);
    assert_false(probe_any(p));
}

/* ---- marks ---------------------------------------------------------------------------------- */

static void a_claim_that_got_less_than_it_asked_for_emptied_its_spots(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 2);
    t = next(p);
    probe_done(p, t.spots, 3, false);
    assert_int_equal(next(p).n, 17);
    t = next(p);
    probe_done(p, t.spots, t.n, false);
    assert_false(probe_any(p));
    assert_int_equal(next(p).n, 0);
}

static void a_claim_that_got_all_looks_there_again(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 1);
    t = next(p);
    probe_done(p, t.spots, t.n, true);
    assert_int_equal(next(p).n, 10);
}

static void marks_that_come_during_a_claim_survive_it(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 2);
    t = next(p);
    probe_mark(p, 22, 1, 4, 1000);
    probe_done(p, t.spots, t.n, false);
    (void)only_spot(p, 22, 1, 4);
    t = next(p);
    probe_mark_lane(p, 22);
    probe_done(p, t.spots, t.n, false);
    assert_int_equal(next(p).n, 10);
}

static void a_mark_names_one_spot(void **state)
{
    static const int16_t corners[][2] = { { 0, 1 }, { 0, 5 }, { 3, 1 }, { 3, 5 }, { 2, 3 } };
    struct probe *p = *state;

    lanes(p, 4, 0, 3);
    empty_all(p);
    for (int32_t lane = 11; lane <= 33; lane += 11)
        for (size_t i = 0; i < ARRAY_LEN(corners); i++) {
            probe_mark(p, lane, corners[i][0], corners[i][1], 0);
            assert_true(probe_any(p));
            (void)only_spot(p, lane, corners[i][0], corners[i][1]);
            empty_all(p);
        }
}

static void a_mark_of_an_unknown_spot_does_nothing(void **state)
{
    static const int16_t unknown[][2] = {
        { -1, 1 }, { 4, 1 }, { 0, 0 }, { 0, 6 }, { INT16_MIN, 3 }, { 3, INT16_MAX },
    };
    struct probe *p = *state;

    lanes(p, 4, 0, 2);
    empty_all(p);
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        probe_mark(p, 11, unknown[i][0], unknown[i][1], 0);
        probe_mark(p, 22, unknown[i][0], unknown[i][1], 0);
    }
    probe_mark(p, 33, 0, 1, 0);
    probe_mark(p, 0, 0, 1, 0);
    assert_false(probe_any(p));
}

static void a_lane_is_marked_whole_and_zero_means_all(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 3);
    empty_all(p);
    probe_mark_lane(p, 44);
    assert_false(probe_any(p));
    probe_mark_lane(p, 22);
    t = next(p);
    assert_int_equal(t.n, 10);
    for (size_t i = 0; i < t.n; i++)
        assert_int_equal(t.spots[i].lane, 22);
    empty_all(p);
    probe_mark_lane(p, 0);
    assert_int_equal(next(p).n, 30);
}

/* ---- watermarks ----------------------------------------------------------------------------- */

static void a_watermark_stands_200_ms_before_what_was_taken_last(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 1);
    empty_all(p);
    probe_mark(p, 11, 1, 2, 5);
    assert_true(only_spot(p, 11, 1, 2) == PROBE_FROM_START);
    probe_took(p, 11, 1, 2, 9000000);
    assert_int_equal(only_spot(p, 11, 1, 2), 8800000);
    probe_took(p, 11, 1, 2, 7000000);
    assert_int_equal(only_spot(p, 11, 1, 2), 6800000);
    probe_took(p, 11, 1, 2, 8000000);
    assert_int_equal(only_spot(p, 11, 1, 2), 7800000);
}

static void a_mark_lowers_the_watermark_and_never_raises_it(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 1);
    empty_all(p);
    probe_took(p, 11, 0, 5, 1200000);
    probe_mark(p, 11, 0, 5, 1000001);
    assert_int_equal(only_spot(p, 11, 0, 5), 1000000);
    probe_mark(p, 11, 0, 5, 1000000);
    assert_int_equal(only_spot(p, 11, 0, 5), 1000000);
    probe_mark(p, 11, 0, 5, 999999);
    assert_int_equal(only_spot(p, 11, 0, 5), 999999);
    probe_mark_lane(p, 11); /* says nothing about times */
    assert_int_equal(next(p).spots[8].from_us, 999999);
}

static void a_watermark_belongs_to_one_spot(void **state)
{
    struct probe *p = *state;
    struct taken t;
    size_t moved = 0;

    lanes(p, 2, 0, 2);
    probe_took(p, 22, 0, 3, 500000);
    probe_took(p, 22, 2, 3, 600000); /* no such shard */
    probe_took(p, 33, 0, 3, 600000);
    t = next(p);
    assert_int_equal(t.n, 20);
    for (size_t i = 0; i < t.n; i++)
        if (t.spots[i].from_us != PROBE_FROM_START) {
            assert_spot(&t.spots[i], 22, 0, 3);
            assert_int_equal(t.spots[i].from_us, 300000);
            moved++;
        }
    assert_int_equal(moved, 1);
}

static void taking_marks_nothing(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 1);
    empty_all(p);
    probe_took(p, 11, 0, 1, 500000);
    assert_false(probe_any(p));
}

/* ---- times ---------------------------------------------------------------------------------- */

static void a_spot_is_marked_when_its_time_has_come(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 2);
    empty_all(p);
    assert_true(probe_pass(p, INT64_MAX - 1) == PROBE_NEVER);
    assert_false(probe_any(p));
    probe_expect(p, 11, 1, 2, 1000);
    probe_expect(p, 22, 0, 3, 2000);
    assert_int_equal(probe_pass(p, 999), 1000);
    assert_false(probe_any(p));
    assert_int_equal(probe_pass(p, 1000), 2000);
    assert_true(only_spot(p, 11, 1, 2) == PROBE_FROM_START);
    empty_all(p);
    assert_true(probe_pass(p, 2000) == PROBE_NEVER);
    assert_true(only_spot(p, 22, 0, 3) == PROBE_FROM_START);
    empty_all(p);
    assert_true(probe_pass(p, 3000) == PROBE_NEVER); /* once */
    assert_false(probe_any(p));
}

static void the_earliest_time_of_a_spot_counts(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 1);
    empty_all(p);
    probe_expect(p, 11, 0, 1, 2000);
    probe_expect(p, 11, 0, 1, 1000);
    probe_expect(p, 11, 0, 1, 3000);
    probe_expect(p, 33, 0, 1, 500); /* no such lane, shard, priority */
    probe_expect(p, 11, 2, 1, 500);
    probe_expect(p, 11, 0, 0, 500);
    assert_int_equal(probe_pass(p, 0), 1000);
    assert_int_equal(probe_set_lanes(p, (const int32_t[]){ 11, 22 }, 2), 0);
    empty_all(p);
    assert_int_equal(probe_pass(p, 0), 1000); /* a lane that stays keeps it */
}

static void a_time_that_comes_during_a_claim_outlives_it(void **state)
{
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 1);
    t = next(p);
    probe_expect(p, 11, 1, 4, 1000);
    assert_true(probe_pass(p, 1000) == PROBE_NEVER);
    probe_done(p, t.spots, t.n, false);
    (void)only_spot(p, 11, 1, 4);
}

/* ---- other lanes ---------------------------------------------------------------------------- */

static void lanes_that_stay_keep_what_is_known_of_them(void **state)
{
    static const int32_t others[] = { 44, 22 };
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 2);
    empty_all(p);
    probe_took(p, 22, 1, 3, 1200000);
    probe_mark(p, 22, 1, 3, 2000000);
    assert_int_equal(probe_set_lanes(p, others, 2), 0);
    t = next(p);
    assert_int_equal(t.n,
                     11); /* the new one whole and that spot, which is the 3rd of its priority */
    assert_spot(&t.spots[5], 44, 1, 3);
    assert_true(t.spots[5].from_us == PROBE_FROM_START);
    assert_spot(&t.spots[6], 22, 1, 3);
    assert_int_equal(t.spots[6].from_us, 1000000);
}

static void a_claim_may_end_after_its_lanes_were_replaced(void **state)
{
    static const int32_t others[] = { 22, 33 };
    struct probe *p = *state;
    struct taken t;

    lanes(p, 2, 0, 2);
    t = next(p);
    assert_int_equal(probe_set_lanes(p, others, 2), 0);
    probe_done(p, t.spots, t.n, false);
    t = next(p);
    assert_int_equal(t.n, 10);
    for (size_t i = 0; i < t.n; i++)
        assert_int_equal(t.spots[i].lane, 33);
}

static void a_lane_that_left_and_came_back_is_new(void **state)
{
    static const int32_t one[] = { 11 };
    struct probe *p = *state;

    lanes(p, 2, 0, 1);
    probe_took(p, 11, 0, 1, 500000);
    empty_all(p);
    assert_int_equal(probe_set_lanes(p, NULL, 0), 0);
    assert_false(probe_any(p));
    assert_int_equal(probe_set_lanes(p, one, 1), 0);
    assert_int_equal(next(p).n, 10);
    assert_true(next(p).spots[0].from_us == PROBE_FROM_START);
}

static void out_of_memory_leaves_the_lanes_as_they_were(void **state)
{
    static const int32_t one[] = { 33 };
    struct probe *p = *state;

    lanes(p, 2, 0, 2);
    empty_all(p);
    probe_mark(p, 22, 0, 1, 0);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(probe_set_lanes(p, one, 1), IFP_ENOMEM);
    assert_int_equal(p->count, 20);
    (void)only_spot(p, 22, 0, 1);
    assert_int_equal(probe_set_lanes(p, one, 1), 0);
    assert_int_equal(p->count, 10);
}

static void release_leaves_nothing_and_may_come_twice(void **state)
{
    struct probe *p = *state;

    lanes(p, 2, 0, 2);
    probe_release(p);
    assert_false(probe_any(p));
    assert_int_equal(next(p).n, 0);
    probe_release(p);
}

/* ---- shards --------------------------------------------------------------------------------- */

static void one_shard_and_64_are_fine(void **state)
{
    struct probe *p = *state;

    probe_init(p, 1, UINT32_MAX);
    assert_int_equal(p->home, 0);
    probe_init(p, PROBE_SHARDS_MAX, 64 + 7);
    assert_int_equal(p->home, 7);
}

static void init_without_shards(void)
{
    struct probe p;

    probe_init(&p, 0, 0);
}

static void init_with_too_many_shards(void)
{
    struct probe p;

    probe_init(&p, PROBE_SHARDS_MAX + 1, 0);
}

static void other_numbers_of_shards_abort(void **state)
{
    (void)state;
    assert_true(deathtest_aborts(init_without_shards));
    assert_true(deathtest_aborts(init_with_too_many_shards));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_probe, close_probe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_lanes_there_is_nothing_to_look_at),
        TEST(a_new_lane_is_looked_at_whole_by_priority_then_from_the_home_shard),
        TEST(every_16th_claim_goes_through_the_priorities_in_reverse),
        TEST(a_claim_looks_at_80_spots_at_most),
        TEST(what_did_not_fit_comes_with_the_next_claim),
        TEST(a_claim_that_got_less_than_it_asked_for_emptied_its_spots),
        TEST(a_claim_that_got_all_looks_there_again),
        TEST(marks_that_come_during_a_claim_survive_it),
        TEST(a_mark_names_one_spot),
        TEST(a_mark_of_an_unknown_spot_does_nothing),
        TEST(a_lane_is_marked_whole_and_zero_means_all),
        TEST(a_watermark_stands_200_ms_before_what_was_taken_last),
        TEST(a_mark_lowers_the_watermark_and_never_raises_it),
        TEST(a_watermark_belongs_to_one_spot),
        TEST(taking_marks_nothing),
        TEST(a_spot_is_marked_when_its_time_has_come),
        TEST(the_earliest_time_of_a_spot_counts),
        TEST(a_time_that_comes_during_a_claim_outlives_it),
        TEST(lanes_that_stay_keep_what_is_known_of_them),
        TEST(a_claim_may_end_after_its_lanes_were_replaced),
        TEST(a_lane_that_left_and_came_back_is_new),
        TEST(out_of_memory_leaves_the_lanes_as_they_were),
        TEST(release_leaves_nothing_and_may_come_twice),
        TEST(one_shard_and_64_are_fine),
        TEST(other_numbers_of_shards_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
