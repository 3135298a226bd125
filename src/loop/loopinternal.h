/* loop/loopinternal.h - the loop's inside, shared by loop.c, timer.c and deferred.c alone. */
#ifndef LOOP_LOOPINTERNAL_H
#define LOOP_LOOPINTERNAL_H

#include "loop/loop.h"

#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_async_t keepalive; /* never sent; while it is open uv waits although no socket is */
    uv_timer_t alarm;     /* ends the wait for sockets when the first timer is due */
    int64_t alarm_due_us; /* what the alarm was set for */
    struct timer **heap;  /* owned array of borrowed timers; the earliest is first */
    size_t heap_len, heap_cap;
    struct list deferred; /* of deferred.link */
    struct list signals;  /* of watch.link, owned */
    bool running, stopping;
};

/* When the first timer is due, or INT64_MAX. */
int64_t timer_next_us(const struct loop *l);
/* Fires what is due now; a timer armed meanwhile waits for the next turn. */
void timer_fire_due(struct loop *l);
/* Makes the calls that were pending when it began. */
void deferred_run(struct loop *l);

#endif
