/*
 * loop/loop.c - the event loop: one turn is sockets, then timers, then deferred calls.
 *
 * Happy path: loop_run sets the alarm for the first timer, lets libuv wait for sockets, fires the
 * timers that are due and makes the deferred calls, until a callback calls loop_stop.  We turn the
 * loop ourselves, instead of hooking prepare and check handles into uv_run, because the order
 * within a turn is then plain to read and does not depend on libuv's.
 *
 * Failure modes: only opening and loop_on_signal can fail.  loop_close asserts that nobody left a
 * timer, a deferred call or an open socket behind, since each would call into freed memory.
 *
 * The wait is cut into pieces of at most a second: libuv's clock stands still while the machine
 * sleeps and ours does not, so timers that came due in suspend fire soon after it.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loopinternal.h"

#include <assert.h>

enum { WAIT_MS_MAX = 1000, CLOSE_TURNS_MAX = 16 };

struct watch {
    struct list link; /* in loop.signals */
    uv_signal_t uv;
    loop_fn *fn;
    void *ctx;
};

/* Memory of the struct itself belongs to loop_close, so handles inside it need no callback. */
static void turn_until_closed(struct loop *l)
{
    int rc = UV_EBUSY;

    for (int i = 0; i < CLOSE_TURNS_MAX && rc == UV_EBUSY; i++) {
        uv_run(&l->uv, UV_RUN_NOWAIT);
        rc = uv_loop_close(&l->uv);
    }
    assert(rc == 0); /* else a handle of pg/, net/ or http/ is still open */
}

int loop_open(struct loop **ret_loop, struct err *e)
{
    struct loop *l = mem_zalloc(sizeof(*l));
    int rc;

    if (!l)
        return err_set(e, IFP_ENOMEM, "event loop: out of memory");
    list_init(&l->deferred);
    list_init(&l->signals);
    rc = uv_loop_init(&l->uv);
    if (rc < 0)
        goto err_loop;
    rc = uv_async_init(&l->uv, &l->keepalive, NULL);
    if (rc < 0)
        goto err_async;
    rc = uv_timer_init(&l->uv, &l->alarm);
    assert(rc == 0); /* it only fills the struct */
    *ret_loop = l;
    return 0;

err_async:
    turn_until_closed(l);
err_loop:
    mem_free(l);
    return err_set(e, rc == UV_ENOMEM ? IFP_ENOMEM : IFP_ESERVER, "event loop: %s",
                   uv_strerror(rc));
}

/* The wait has ended, or had not begun: uv_run fires timers before it waits.  The repeat of 1 ms
 * keeps that wait short, and the next turn sets the alarm anew. */
static void on_alarm(uv_timer_t *alarm)
{
    CONTAINER_OF(alarm, struct loop, alarm)->alarm_due_us = INT64_MIN;
}

static void set_alarm(struct loop *l)
{
    int64_t due_us = timer_next_us(l);
    int64_t wait_us;
    uint64_t wait_ms;
    int rc;

    if (due_us == INT64_MAX) {
        uv_timer_stop(&l->alarm);
        return;
    }
    if (uv_is_active((uv_handle_t *)&l->alarm) && l->alarm_due_us == due_us)
        return;
    wait_us = MAX(due_us - clock_mono_us(), 0);
    wait_ms = wait_us > WAIT_MS_MAX * 1000 ? WAIT_MS_MAX : (uint64_t)(wait_us + 999) / 1000;
    uv_update_time(&l->uv);
    rc = uv_timer_start(&l->alarm, on_alarm, wait_ms, 1);
    assert(rc == 0);
    l->alarm_due_us = due_us;
}

void loop_run(struct loop *l)
{
    assert(!l->running);
    l->running = true;
    while (!l->stopping) {
        set_alarm(l);
        uv_run(&l->uv, list_empty(&l->deferred) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        timer_fire_due(l);
        deferred_run(l);
    }
    l->stopping = false;
    l->running = false;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    uv_stop(&l->uv);
}

void *loop_uv(struct loop *l)
{
    return &l->uv;
}

static void on_signal(uv_signal_t *uv, int signum)
{
    struct watch *w = CONTAINER_OF(uv, struct watch, uv);

    (void)signum;
    w->fn(w->ctx);
}

static void on_signal_closed(uv_handle_t *uv)
{
    mem_free(CONTAINER_OF(uv, struct watch, uv));
}

int loop_on_signal(struct loop *l, int signum, loop_fn *fn, void *ctx, struct err *e)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    int rc;

    assert(fn);
    if (!w)
        return err_set(e, IFP_ENOMEM, "signal %d: out of memory", signum);
    list_init(&w->link);
    w->fn = fn;
    w->ctx = ctx;
    rc = uv_signal_init(&l->uv, &w->uv);
    if (rc < 0) {
        mem_free(w);
        return err_set(e, IFP_ESERVER, "signal %d: %s", signum, uv_strerror(rc));
    }
    rc = uv_signal_start(&w->uv, on_signal, signum);
    if (rc < 0) {
        uv_close((uv_handle_t *)&w->uv, on_signal_closed);
        return err_set(e, IFP_ESERVER, "signal %d: %s", signum, uv_strerror(rc));
    }
    list_push(&l->signals, &w->link);
    return 0;
}

void loop_close(struct loop *l)
{
    struct list *link;

    if (!l)
        return;
    assert(!l->running);
    assert(l->heap_len == 0);
    assert(list_empty(&l->deferred));
    while ((link = list_pop(&l->signals))) {
        struct watch *w = CONTAINER_OF(link, struct watch, link);

        uv_close((uv_handle_t *)&w->uv, on_signal_closed);
    }
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_close((uv_handle_t *)&l->keepalive, NULL);
    turn_until_closed(l);
    mem_free(l->heap);
    mem_free(l);
}
