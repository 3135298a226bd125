/*
 * http/interceptors.h - the interceptors that need no database, and their places in the chain.
 *
 *   logging metrics security-headers timeout      interceptors_add_outer
 *   tracing auth rate-limit ...                   whoever opens the chain
 *   circuit-breaker content-type compression      interceptors_add_inner
 *
 * Outside: what must see each request, also those that are refused.  Inside: what only requests of
 * known callers may use up or trip.  docs/interceptors.md tells users the same.
 */
#ifndef HTTP_INTERCEPTORS_H
#define HTTP_INTERCEPTORS_H

#include "base/config.h"
#include "http/chain.h"

struct interceptors;

/* `caller` gives the name of who asks, for the access log, or NULL; may itself be NULL. */
int interceptors_open(struct loop *l, const struct config *config,
                      const char *(*caller)(const struct http_request *r),
                      struct interceptors **ret, struct err *e) MUSTCHECK;
/* After the chain was closed.  NULL is fine. */
void interceptors_close(struct interceptors *i);
int interceptors_add_outer(struct interceptors *i, struct chain *c, struct err *e) MUSTCHECK;
int interceptors_add_inner(struct interceptors *i, struct chain *c, struct err *e) MUSTCHECK;

#endif
