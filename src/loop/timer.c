/*
 * loop/timer.c - timers in a binary heap, ordered by the time they are due.
 *
 * Happy path: timer_start puts a timer in the heap, the loop sets its one alarm for the first, and
 * each turn fires what is due by clock_mono_us.  The alarm only ends the wait: libuv's cached time
 * and its milliseconds decide nothing, so a timer is never early, and a test's clock works.
 *
 * Invariants: heap[i]->index == i + 1; no child is due before its parent; a timer that is not armed
 * has index 0 and is not in the heap.  Only a first arming may need memory: arming again moves the
 * timer within the heap.  The heap never shrinks; it is as large as the most timers ever armed.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "loop/loopinternal.h"

#include <assert.h>

enum { HEAP_MIN = 16 };

void timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *ctx)
{
    assert(l && fn);
    t->loop = l;
    t->fn = fn;
    t->ctx = ctx;
    t->due_us = 0;
    t->index = 0;
}

bool timer_armed(const struct timer *t)
{
    return t->index != 0;
}

static void put(struct loop *l, size_t i, struct timer *t)
{
    l->heap[i] = t;
    t->index = i + 1;
}

static void sift_up(struct loop *l, size_t i, struct timer *t)
{
    while (i > 0 && t->due_us < l->heap[(i - 1) / 2]->due_us) {
        put(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(l, i, t);
}

static void sift_down(struct loop *l, size_t i, struct timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= l->heap_len)
            break;
        if (child + 1 < l->heap_len && l->heap[child + 1]->due_us < l->heap[child]->due_us)
            child++;
        if (t->due_us <= l->heap[child]->due_us)
            break;
        put(l, i, l->heap[child]);
        i = child;
    }
    put(l, i, t);
}

/* Restores the order when the timer at `i` may be too early or too late for its place. */
static void settle(struct loop *l, size_t i, struct timer *t)
{
    if (i > 0 && t->due_us < l->heap[(i - 1) / 2]->due_us)
        sift_up(l, i, t);
    else
        sift_down(l, i, t);
}

static int grow(struct loop *l)
{
    size_t cap = l->heap_cap ? l->heap_cap * 2 : HEAP_MIN;
    struct timer **heap = mem_resize(l->heap, cap, sizeof(struct timer *));

    if (!heap)
        return IFP_ENOMEM;
    l->heap = heap;
    l->heap_cap = cap;
    return 0;
}

static int64_t due_after(int64_t delay_us)
{
    int64_t now = clock_mono_us();

    if (delay_us <= 0)
        return now;
    return delay_us > INT64_MAX - now ? INT64_MAX : now + delay_us;
}

int timer_start(struct timer *t, int64_t delay_us)
{
    struct loop *l = t->loop;

    if (t->index == 0) {
        if (l->heap_len == l->heap_cap)
            IFP_TRY(grow(l));
        put(l, l->heap_len++, t);
    }
    assert(l->heap[t->index - 1] == t);
    t->due_us = due_after(delay_us);
    settle(l, t->index - 1, t);
    return 0;
}

void timer_stop(struct timer *t)
{
    struct loop *l = t->loop;
    size_t i = t->index;
    struct timer *last;

    if (i == 0)
        return;
    assert(l->heap_len > 0 && l->heap[i - 1] == t);
    t->index = 0;
    last = l->heap[--l->heap_len];
    if (last != t)
        settle(l, i - 1, last);
}

int64_t timer_next_us(const struct loop *l)
{
    return l->heap_len ? l->heap[0]->due_us : INT64_MAX;
}

void timer_fire_due(struct loop *l)
{
    int64_t now;

    if (l->heap_len == 0)
        return;
    now = clock_mono_us();
    if (timer_next_us(l) <= now)
        metrics_observe_us(METRIC_LOOP_LAG, NULL, now - timer_next_us(l));
    for (size_t n = l->heap_len; n > 0 && timer_next_us(l) <= now; n--) {
        struct timer *t = l->heap[0];

        timer_stop(t);
        t->fn(t->ctx);
    }
}
