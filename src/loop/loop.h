/*
 * loop/loop.h - the process's event loop: libuv behind four small things: timers, deferred calls,
 * signals and a way in from other threads.  One loop a process, one thread.
 *
 * Timers and deferred calls are embedded in their owners and need no close: stopping is immediate,
 * after it the callback does not come and the memory may go.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/base.h"
#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

int loop_open(struct loop **ret_loop, struct err *e) MUSTCHECK;
/* Runs until loop_stop, also while no timer is armed, no call pending and no socket open. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* loop thread only */
/* Nothing may be armed any more, but for signals, which it removes.  NULL is fine. */
void loop_close(struct loop *l);
/* The uv_loop_t, for pg/, net/ and http/. */
void *loop_uv(struct loop *l);

typedef void loop_fn(void *ctx);

/* Timers: a binary heap of ours under one uv timer. */
struct timer {
    struct loop *loop; /* borrowed */
    loop_fn *fn;
    void *ctx;
    int64_t due_us;
    size_t index; /* in the heap + 1; 0 when not armed */
};

void timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *ctx);
/* (Re)arms; fires once, never before the delay and never from inside this call.  A full heap that
 * cannot grow is IFP_ENOMEM; arming an armed timer again cannot fail. */
int timer_start(struct timer *t, int64_t delay_us) MUSTCHECK;
void timer_stop(struct timer *t); /* not armed is fine */
bool timer_armed(const struct timer *t);

/* A call at the end of the present turn of the loop (or of the next), at most one pending each. */
struct deferred {
    struct list link; /* in the loop's list while pending */
    struct loop *loop;
    loop_fn *fn;
    void *ctx;
};

void deferred_init(struct deferred *d, struct loop *l, loop_fn *fn, void *ctx);
void deferred_call(struct deferred *d); /* pending already is fine */
void deferred_cancel(struct deferred *d);

/* Calls fn(ctx) on the loop thread on each delivery of the signal, until loop_close. */
int loop_on_signal(struct loop *l, int signum, loop_fn *fn, void *ctx, struct err *e) MUSTCHECK;

#endif
