/*
 * app/wait.c - polls an execution until it has ended.
 *
 * Polling, because an end is announced to nobody: the hot path of the workers pays for no listener.
 * The pause grows with the time waited, so that short runs answer quickly and long ones cost five
 * look-ups a second.
 */
#define _GNU_SOURCE 1 /* ppoll */
#include "app/wait.h"

#include "base/clock.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

enum { PAUSE_FIRST_MS = 1, PAUSE_MAX_MS = 200, PATIENCE_MS = 60000 };

bool wait_ended(enum ifp_status status)
{
    return status != IFP_QUEUED && status != IFP_RUNNING;
}

/* poll(2) over nothing: a signal may end it early, which only costs a look-up. */
void wait_ms(int64_t ms)
{
    assert(ms >= 0);
    (void)poll(NULL, 0, (int)MIN(ms, INT_MAX));
}

void wait_us(int64_t us)
{
    const struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    assert(us >= 0);
    (void)ppoll(NULL, 0, &time, NULL);
}

int wait_execution(struct client *c, int64_t id, int64_t timeout_ms, ifp_execution *ret,
                   struct err *e)
{
    int64_t start = clock_mono_us() / 1000, seen = start, now, pause = PAUSE_FIRST_MS;
    ifp_execution x;
    int rc;

    for (;; pause = MIN(pause * 2, PAUSE_MAX_MS)) {
        rc = client_get(c, id, &x, NULL, e);
        now = clock_mono_us() / 1000;
        if (rc != 0 && !(rc == IFP_EUNAVAILABLE && (timeout_ms >= 0 || now - seen < PATIENCE_MS)))
            return rc;
        if (rc == 0 && wait_ended(x.status)) {
            *ret = x;
            return 0;
        }
        if (rc == 0) {
            seen = now;
            ifp_execution_release(&x);
        }
        if (timeout_ms >= 0 && now - start >= timeout_ms)
            return rc != 0 ? rc : err_set(e, IFP_ETIMEOUT, "it has not ended yet");
        wait_ms(timeout_ms >= 0 ? MIN(pause, timeout_ms - (now - start)) : pause);
    }
}

int wait_events(struct client *c, int64_t id, int64_t after, int64_t timeout_ms, ifp_event_fn *fn,
                void *ctx, struct err *e)
{
    int64_t start = clock_mono_us() / 1000, left, pause = PAUSE_FIRST_MS;
    struct client_page page = { .last = after };
    int rc;

    for (;;) {
        rc = client_events(c, id, page.last, fn, ctx, &page, e);
        if (rc != 0 || (page.ended && !page.more))
            return rc;
        if (page.last != after)
            pause = PAUSE_FIRST_MS;
        after = page.last;
        if (page.more)
            continue;
        if (timeout_ms == 0)
            return 0;
        left = timeout_ms < 0 ? pause : start + timeout_ms - clock_mono_us() / 1000;
        if (left <= 0)
            return err_set(e, IFP_ETIMEOUT, "it has not ended yet");
        wait_ms(MIN(pause, left));
        pause = MIN(pause * 2, PAUSE_MAX_MS);
    }
}
