/* tests/unit/test_loop.c - turns of the loop: deferred calls, signals, stopping. */
#include "loop/loop.h"

#include "base/fault.h"
#include "lib/looptest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct call {
    struct deferred d;
    struct loop *loop;
    int calls;
    int again; /* how often it asks for itself */
    struct deferred *other;
};

static void on_call(void *ctx)
{
    struct call *c = ctx;

    c->calls++;
    if (c->again-- > 0)
        deferred_call(&c->d);
    if (c->other)
        deferred_cancel(c->other);
}

static void call_init(struct call *c, struct loop *l)
{
    *c = (struct call){ .loop = l };
    deferred_init(&c->d, l, on_call, c);
}

static void deferred_calls_come_once_and_never_from_inside(void **state)
{
    struct loop *l = looptest_open();
    struct call a;

    (void)state;
    call_init(&a, l);
    deferred_call(&a.d);
    deferred_call(&a.d);
    assert_int_equal(a.calls, 0);
    looptest_count(l, &a.calls, 1);
    assert_int_equal(a.calls, 1);
    looptest_close(l);
}

static void a_deferred_call_may_ask_for_itself(void **state)
{
    struct loop *l = looptest_open();
    struct call a;

    (void)state;
    call_init(&a, l);
    a.again = 1000;
    deferred_call(&a.d);
    looptest_count(l, &a.calls, 1001);
    assert_int_equal(a.calls, 1001);
    looptest_close(l);
}

static void a_pending_call_can_be_canceled_by_the_one_before(void **state)
{
    struct loop *l = looptest_open();
    struct call a, b;

    (void)state;
    call_init(&a, l);
    call_init(&b, l);
    a.other = &b.d;
    deferred_call(&a.d);
    deferred_call(&b.d);
    looptest_count(l, &a.calls, 1);
    assert_int_equal(b.calls, 0);
    looptest_close(l);
}

static void on_signal(void *ctx)
{
    ++*(int *)ctx;
}

static void signals_arrive_on_the_loop_each_time(void **state)
{
    struct loop *l = looptest_open();
    struct err e;
    int seen = 0;

    (void)state;
    assert_int_equal(loop_on_signal(l, SIGUSR1, on_signal, &seen, &e), 0);
    kill(getpid(), SIGUSR1);
    assert_int_equal(seen, 0);
    looptest_count(l, &seen, 1);
    kill(getpid(), SIGUSR1);
    looptest_count(l, &seen, 2);
    looptest_close(l);
}

static void a_signal_that_cannot_be_caught_is_refused(void **state)
{
    struct loop *l = looptest_open();
    struct err e;
    int seen = 0;

    (void)state;
    assert_true(loop_on_signal(l, SIGKILL, on_signal, &seen, &e) < 0);
    looptest_close(l);
}

static void stopping_before_running_ends_the_first_run_only(void **state)
{
    struct loop *l = looptest_open();
    struct call a;

    (void)state;
    call_init(&a, l);
    loop_stop(l);
    loop_run(l);
    deferred_call(&a.d);
    looptest_count(l, &a.calls, 1);
    looptest_close(l);
}

static void opening_without_memory_fails_clean(void **state)
{
    struct loop *l = NULL;
    struct err e;

    (void)state;
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(loop_open(&l, &e), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    assert_null(l);
    loop_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_calls_come_once_and_never_from_inside),
        cmocka_unit_test(a_deferred_call_may_ask_for_itself),
        cmocka_unit_test(a_pending_call_can_be_canceled_by_the_one_before),
        cmocka_unit_test(signals_arrive_on_the_loop_each_time),
        cmocka_unit_test(a_signal_that_cannot_be_caught_is_refused),
        cmocka_unit_test(stopping_before_running_ends_the_first_run_only),
        cmocka_unit_test(opening_without_memory_fails_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
