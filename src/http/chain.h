/*
 * http/chain.h - interceptors around a route's handler.
 *
 *   enter 1 -> enter 2 -> ... -> handler -> answering n ... 2, 1 -> finished n ... 2, 1
 *
 * `enter` goes on, answers by itself, or waits (and calls chain_resume later, from the loop).  What
 * an interceptor keeps for one request is a slot of the pooled invocation: no allocation a request
 * once the pool is warm.  An interceptor that fails (CHAIN_FAILED) costs that request a 500 (or is
 * skipped, when it is marked `optional`); the server goes on.
 *
 * `answering` and `finished` come for those whose `enter` was called, and only once.  `answering`
 * may be left out (http/request.h says when), `finished` never is.
 */
#ifndef HTTP_CHAIN_H
#define HTTP_CHAIN_H

#include "http/request.h"
#include "http/route.h"

enum chain_verdict {
    CHAIN_NEXT,     /* go on */
    CHAIN_ANSWERED, /* it has finished the request, or will */
    CHAIN_WAIT,     /* chain_resume comes later, in any case */
    CHAIN_FAILED    /* `e` says why */
};

struct interceptor {
    const char *name; /* "auth" */
    bool optional;    /* its failure is logged and the request goes on */
    bool guard;       /* may be taken from public routes alone */
    size_t slot_size; /* bytes of state a request, zeroed; at most CHAIN_SLOT_MAX */
    /* Any may be NULL.  `self` is what chain_add was given.  r->route may be NULL. */
    enum chain_verdict (*enter)(void *self, struct http_request *r, void *slot, struct err *e);
    void (*answering)(void *self, struct http_request *r, void *slot);
    void (*finished)(void *self, struct http_request *r, void *slot);
};

enum { CHAIN_MAX = 32, CHAIN_SLOT_MAX = 256 };

struct chain;
struct chain_options {
    size_t pool_max; /* invocations kept for later requests */
    size_t body_max; /* bytes, for routes that have a body */
    bool metered;    /* measure the time in each `enter` */
};
struct chain_stats {
    int64_t runs, created, reused; /* invocations */
};
struct chain_metric { /* of one interceptor */
    const char *name;
    int64_t calls, failures, ns; /* ns: in `enter`, when metering is on */
};

int chain_open(const struct chain_options *o, struct chain **ret, struct err *e) MUSTCHECK;
/* All requests must be finished.  NULL is fine. */
void chain_close(struct chain *c);
/* At the end of the chain; before the first run. `i` must outlive the chain. */
int chain_add(struct chain *c, const struct interceptor *i, void *self, struct err *e) MUSTCHECK;
/* Which of them surround which route; after the last chain_add, before the first run.  The text is
 * what CONFIG_HTTP_CHAIN and docs/interceptors.md describe: "*=all; health=none,logging;
 * executions.*=-compression".  Empty: all around each.  IFP_EINVALID names what is not there, and a
 * guard that a route with a key would lose. */
int chain_select(struct chain *c, const char *text, const struct router *routes,
                 struct err *e) MUSTCHECK;
/* Runs the chain around r->route's handler (NULL route: `fallback`). */
void chain_run(struct chain *c, struct http_request *r, route_handler_fn *fallback, void *ctx);
/* Goes on after CHAIN_WAIT: exactly once, also when the client has gone or was answered meanwhile;
 * `r` belongs to the chain again.  Who waited does not finish the request itself: CHAIN_ANSWERED
 * answers the error `e`; CHAIN_FAILED fails with it; for CHAIN_NEXT it may be NULL. */
void chain_resume(struct http_request *r, enum chain_verdict verdict, const struct err *e);
struct chain_stats chain_stats(const struct chain *c);
size_t chain_metrics(const struct chain *c, struct chain_metric *ret, size_t max);
/* The interceptors of this route in their order, "logging,auth"; into `ret`, cut to `size`. */
void chain_describe(const struct chain *c, const struct route *route, char *ret, size_t size);

#endif
