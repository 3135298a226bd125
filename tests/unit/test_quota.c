/* tests/unit/test_quota.c - which limited queue a worker asks next, and what it tells. */
#include "core/quota.h"

#include "base/err.h"
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct quota q;

static int setup(void **state)
{
    static const int32_t queues[] = { 7, 8, 9 };

    (void)state;
    quota_init(&q);
    return quota_set(&q, queues, 3);
}

static int teardown(void **state)
{
    (void)state;
    quota_release(&q);
    return 0;
}

/* Asks the next queue, which must be this one (0: none), and answers. */
static void ask(int32_t queue, int taken, int limit, int64_t again_us)
{
    struct quota_queue *k = quota_next(&q, 1000);

    assert_int_equal(k ? k->queue : 0, queue);
    if (!k)
        return;
    quota_sent(k);
    quota_answer(k, taken, limit, again_us);
    for (int i = 0; i < taken; i++)
        quota_count(k, 1);
}

static void drain_all(void)
{
    ask(7, 0, 10, 0);
    ask(8, 0, 10, 0);
    ask(9, 0, 10, 0);
    ask(0, 0, 0, 0);
}

static void new_queues_are_asked_in_turn(void **state)
{
    (void)state;
    drain_all();
}

static void a_queue_that_gave_all_is_asked_again_after_the_others(void **state)
{
    (void)state;
    ask(7, 10, 10, 0);
    ask(8, 10, 10, 0);
    ask(9, 3, 10, 0);
    ask(7, 10, 10, 0);
    ask(8, 0, 10, 0);
    ask(7, 0, 10, 0);
    ask(0, 0, 0, 0);
}

static void a_mark_makes_one_or_all_due(void **state)
{
    (void)state;
    drain_all();
    quota_mark(&q, 8);
    ask(8, 0, 10, 0);
    ask(0, 0, 0, 0);
    quota_mark(&q, 5);
    ask(0, 0, 0, 0);
    quota_mark(&q, 0);
    ask(9, 0, 10, 0);
    ask(7, 0, 10, 0);
    ask(8, 0, 10, 0);
}

static void a_mark_during_a_claim_outlives_it(void **state)
{
    struct quota_queue *k;

    (void)state;
    drain_all();
    quota_mark(&q, 7);
    k = quota_next(&q, 1000);
    quota_sent(k);
    quota_mark(&q, 7);
    quota_answer(k, 0, 10, 0);
    ask(7, 0, 10, 0);
    ask(0, 0, 0, 0);
}

static void it_asks_again_at_the_earliest_time(void **state)
{
    (void)state;
    ask(7, 0, 10, 1500);
    ask(8, 0, 10, 1200);
    ask(9, 0, 10, 0);
    quota_expect(quota_find(&q, 8), 1300);
    assert_int_equal(quota_earliest(&q), 1200);
    assert_null(quota_next(&q, 1199));
    assert_int_equal(quota_next(&q, 1200)->queue, 8);
    quota_sent(quota_find(&q, 8));
    assert_int_equal(quota_earliest(&q), 1500);
}

static void an_execution_that_left_is_a_reason_to_ask_and_to_tell(void **state)
{
    struct quota_queue *k = quota_find(&q, 7);

    (void)state;
    ask(7, 2, 10, 0);
    ask(8, 0, 10, 0);
    ask(9, 0, 10, 0);
    assert_int_equal(k->held, 2);
    assert_int_equal(k->told, 2);
    assert_null(quota_untold(&q));
    quota_count(k, -1);
    assert_ptr_equal(quota_untold(&q), k);
    ask(7, 0, 10, 0); /* the claim tells it */
    assert_null(quota_untold(&q));
}

static void what_stays_is_kept_when_the_queues_change(void **state)
{
    static const int32_t queues[] = { 8, 10 };

    (void)state;
    ask(7, 0, 10, 0);
    ask(8, 4, 10, 9000);
    assert_int_equal(quota_set(&q, queues, 2), 0);
    assert_null(quota_find(&q, 7));
    assert_int_equal(quota_find(&q, 8)->held, 4);
    assert_int_equal(quota_find(&q, 8)->told, 4);
    assert_int_equal(quota_find(&q, 10)->held, 0);
    ask(8, 0, 10, 0); /* its limits may have changed */
    ask(10, 0, 10, 0);
    ask(0, 0, 0, 0);
}

static void another_worker_id_has_told_nothing(void **state)
{
    (void)state;
    ask(7, 1, 10, 0);
    quota_count(quota_find(&q, 7), -1);
    quota_restart(&q);
    assert_null(quota_untold(&q));
    assert_non_null(quota_next(&q, 0));
}

static void without_memory_the_queues_stay(void **state)
{
    static const int32_t queues[] = { 1 };

    (void)state;
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(quota_set(&q, queues, 1), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    assert_int_equal(q.count, 3);
    assert_non_null(quota_find(&q, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_queues_are_asked_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_gave_all_is_asked_again_after_the_others,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_mark_makes_one_or_all_due, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mark_during_a_claim_outlives_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_asks_again_at_the_earliest_time, setup, teardown),
        cmocka_unit_test_setup_teardown(an_execution_that_left_is_a_reason_to_ask_and_to_tell,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_stays_is_kept_when_the_queues_change, setup, teardown),
        cmocka_unit_test_setup_teardown(another_worker_id_has_told_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_the_queues_stay, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
