/*
 * http/deadline.h - the interceptor "timeout": a request that is not answered within
 * CONFIG_HTTP_TIMEOUT gets 504 TIMEOUT.
 *
 * Routes with ROUTE_LONG wait or stream by intent and are left alone.  The handler goes on, as it
 * may be in another thread: what it answers later is dropped (http_answer_early).  The same holds
 * for an interceptor that waits, and for a body that does not come.
 */
#ifndef HTTP_DEADLINE_H
#define HTTP_DEADLINE_H

#include "http/chain.h"

struct deadline; /* the interceptor's `self` */

int deadline_open(struct loop *l, int64_t limit_ms, struct deadline **ret, struct err *e) MUSTCHECK;
/* No request may be under way.  NULL is fine. */
void deadline_close(struct deadline *d);

extern const struct interceptor deadline_interceptor;

#endif
