/* tests/unit/test_timer.c - timers: order, never early, stopping, the heap at its limits. */
#include "base/clock.h"
#include "base/fault.h"
#include "lib/looptest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 500 };

struct shot {
    struct timer timer;
    int64_t asked_us; /* when it was started */
    int64_t delay_us;
    int64_t fired_us;
    int *count;
    int64_t *last_due; /* due time of the one that fired before */
    bool in_order;
};

static void on_shot(void *ctx)
{
    struct shot *s = ctx;

    s->fired_us = clock_mono_us();
    s->in_order = s->timer.due_us >= *s->last_due;
    *s->last_due = s->timer.due_us;
    assert_false(timer_armed(&s->timer));
    ++*s->count;
}

static void start(struct shot *s, int64_t delay_us)
{
    s->asked_us = clock_mono_us();
    s->delay_us = delay_us;
    assert_int_equal(timer_start(&s->timer, delay_us), 0);
}

/* A generator with a fixed seed: a failure can be repeated. */
static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static void timers_fire_in_order_and_never_early(void **state)
{
    static struct shot shots[MANY];
    struct loop *l = looptest_open();
    int64_t last_due = 0;
    uint32_t x = 42;
    int count = 0;

    (void)state;
    memset(shots, 0, sizeof(shots));
    for (int i = 0; i < MANY; i++) {
        shots[i].count = &count;
        shots[i].last_due = &last_due;
        timer_init(&shots[i].timer, l, on_shot, &shots[i]);
        start(&shots[i], next_random(&x) % 30000);
    }
    for (int i = 0; i < MANY; i += 3) /* moved within the heap, both ways */
        start(&shots[i], next_random(&x) % 30000);
    for (int i = 1; i < MANY; i += 3)
        timer_stop(&shots[i].timer);
    looptest_count(l, &count, MANY - (MANY + 1) / 3);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 1) {
            assert_int_equal(shots[i].fired_us, 0);
            continue;
        }
        assert_true(shots[i].in_order);
        assert_true(shots[i].fired_us >= shots[i].asked_us + shots[i].delay_us);
    }
    looptest_close(l);
}

static void on_chain(void *ctx)
{
    struct shot *s = ctx;

    assert_true(clock_mono_us() >= s->asked_us + s->delay_us);
    ++*s->count;
    start(s, 700); /* less than libuv's millisecond */
}

static void a_timer_may_arm_itself_again(void **state)
{
    struct loop *l = looptest_open();
    struct shot s;
    int count = 0;

    (void)state;
    s.count = &count;
    timer_init(&s.timer, l, on_chain, &s);
    start(&s, 0);
    assert_int_equal(count, 0); /* never from inside */
    looptest_count(l, &count, 50);
    timer_stop(&s.timer);
    timer_stop(&s.timer); /* not armed is fine */
    looptest_close(l);
}

static void on_stop_other(void *ctx)
{
    struct shot *s = ctx;

    timer_stop((struct timer *)(void *)s->last_due);
    ++*s->count;
}

static void a_timer_due_in_the_same_turn_can_still_be_stopped(void **state)
{
    struct loop *l = looptest_open();
    struct shot a, b;
    int stopped = 0, count = 0;
    int64_t last_due = 0;

    (void)state;
    b.count = &count;
    b.last_due = &last_due;
    timer_init(&b.timer, l, on_shot, &b);
    a.count = &stopped;
    a.last_due = (int64_t *)(void *)&b.timer;
    timer_init(&a.timer, l, on_stop_other, &a);
    start(&a, 0);
    start(&b, 1);
    looptest_count(l, &stopped, 1);
    assert_int_equal(count, 0);
    looptest_close(l);
}

static void a_delay_without_end_does_not_overflow(void **state)
{
    struct loop *l = looptest_open();
    struct shot far, near;
    int count = 0;
    int64_t last_due = 0;

    (void)state;
    timer_init(&far.timer, l, on_shot, &far);
    start(&far, INT64_MAX);
    assert_true(timer_armed(&far.timer));
    near.count = &count;
    near.last_due = &last_due;
    timer_init(&near.timer, l, on_shot, &near);
    start(&near, -5);
    looptest_count(l, &count, 1);
    timer_stop(&far.timer);
    looptest_close(l);
}

static void a_heap_that_cannot_grow_says_so_and_keeps_what_it_has(void **state)
{
    struct loop *l = looptest_open();
    struct shot s[64];
    int count = 0, armed = 0;
    int64_t last_due = 0;

    (void)state;
    for (int i = 0; i < 64; i++) {
        s[i].count = &count;
        s[i].last_due = &last_due;
        timer_init(&s[i].timer, l, on_shot, &s[i]);
    }
    start(&s[0], 0);
    fault_arm(FAULT_ALLOC, 1, true);
    for (armed = 1; armed < 64 && timer_start(&s[armed].timer, 0) == 0; armed++)
        ;
    assert_int_equal(timer_start(&s[0].timer, 5), 0); /* armed already: it cannot fail */
    fault_arm(FAULT_ALLOC, 0, false);
    assert_true(armed < 64);
    assert_false(timer_armed(&s[armed].timer));
    looptest_count(l, &count, armed);
    looptest_close(l);
}

/* Goes on by a millisecond each time it is read. */
static int64_t fake_clock(void *ctx)
{
    return *(int64_t *)ctx += 1000;
}

static void timers_follow_the_replaced_clock(void **state)
{
    struct loop *l = looptest_open();
    struct shot day;
    int64_t now = 1000, last_due = 0;
    int count = 0;

    (void)state;
    clock_replace(fake_clock, NULL, &now);
    day.count = &count;
    day.last_due = &last_due;
    timer_init(&day.timer, l, on_shot, &day);
    start(&day, INT64_C(86400) * 1000000);
    now += INT64_C(86400) * 1000000;
    looptest_count(l, &count, 1);
    clock_replace(NULL, NULL, NULL);
    looptest_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(a_timer_may_arm_itself_again),
        cmocka_unit_test(a_timer_due_in_the_same_turn_can_still_be_stopped),
        cmocka_unit_test(a_delay_without_end_does_not_overflow),
        cmocka_unit_test(a_heap_that_cannot_grow_says_so_and_keeps_what_it_has),
        cmocka_unit_test(timers_follow_the_replaced_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
