/*
 * app/wait.h - waits for the end of an execution, for the public client and the command line.
 */
#ifndef APP_WAIT_H
#define APP_WAIT_H

#include "store/client.h"

#include <stdint.h>

/* Looks again and again, at first after 1 ms, later every 200 ms.  `timeout_ms` -1: for ever;
 * IFP_ETIMEOUT when it passes, then `ret` is released.  A lost database is waited for as well:
 * until the timeout, or for a minute when there is none. */
int wait_execution(struct client *c, int64_t id, int64_t timeout_ms, ifp_execution *ret,
                   struct err *e) MUSTCHECK;
bool wait_ended(enum ifp_status status);
/* Blocks this thread, at most so long. */
void wait_ms(int64_t ms);
void wait_us(int64_t us);

/* The stream from behind `after`, until it has ended, or timeout_ms has passed (IFP_ETIMEOUT; -1:
 * never; 0: what is there), or `fn` gives something else than 0. */
int wait_events(struct client *c, int64_t id, int64_t after, int64_t timeout_ms, ifp_event_fn *fn,
                void *ctx, struct err *e) MUSTCHECK;

#endif
