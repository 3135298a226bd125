/*
 * tests/lib/looptest.c - the test fails after loop_run has returned, never by a jump out of it.
 */
#include "lib/looptest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LOOK_US = 1000, LIMIT_LOOKS = 20000 };

struct look {
    struct timer timer;
    struct loop *loop;
    looptest_fn *done;
    void *ctx;
    int looks;
    bool ok;
};

static void on_look(void *ctx)
{
    struct look *k = ctx;

    k->ok = k->done(k->ctx);
    if (k->ok || ++k->looks >= LIMIT_LOOKS || timer_start(&k->timer, LOOK_US) < 0)
        loop_stop(k->loop);
}

struct loop *looptest_open(void)
{
    struct loop *l = NULL;
    struct err e;

    assert_int_equal(loop_open(&l, &e), 0);
    return l;
}

void looptest_close(struct loop *l)
{
    loop_close(l);
}

void looptest_until(struct loop *l, looptest_fn *done, void *ctx)
{
    struct look k = { .loop = l, .done = done, .ctx = ctx };
    int rc;

    timer_init(&k.timer, l, on_look, &k);
    rc = timer_start(&k.timer, 0);
    assert_int_equal(rc, 0);
    loop_run(l);
    timer_stop(&k.timer);
    if (!k.ok)
        fail_msg("the condition did not come true within 20 seconds");
}

struct count {
    const int *value;
    int wanted;
};

static bool reached(void *ctx)
{
    const struct count *c = ctx;

    return *c->value >= c->wanted;
}

void looptest_count(struct loop *l, const int *value, int wanted)
{
    struct count c = { value, wanted };

    looptest_until(l, reached, &c);
}
