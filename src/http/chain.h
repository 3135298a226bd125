/*
 * http/chain.h - interceptors around a route's handler.
 *
 *   enter 1 -> enter 2 -> ... -> handler -> answering n ... 2, 1 -> finished n ... 2, 1
 *
 * `enter` goes on, answers by itself, or waits (and calls chain_resume later, from the loop).  What
 * an interceptor keeps for one request is a slot of the pooled invocation: no allocation a request
 * once the pool is warm.  An interceptor that fails (CHAIN_FAILED) costs that request a 500 (or is
 * skipped, when it is marked `optional`); the server goes on.
 */
#ifndef HTTP_CHAIN_H
#define HTTP_CHAIN_H

#include "http/request.h"
#include "http/route.h"

enum chain_verdict {
    CHAIN_NEXT,     /* go on */
    CHAIN_ANSWERED, /* it has finished the request, or will */
    CHAIN_WAIT,     /* chain_resume comes later */
    CHAIN_FAILED    /* `e` says why */
};

struct interceptor {
    const char *name; /* "auth" */
    bool optional;    /* its failure is logged and the request goes on */
    size_t slot_size; /* bytes of state a request, zeroed; at most CHAIN_SLOT_MAX */
    /* Any may be NULL.  `self` is what chain_add was given. */
    enum chain_verdict (*enter)(void *self, struct http_request *r, void *slot, struct err *e);
    void (*answering)(void *self, struct http_request *r, void *slot);
    void (*finished)(void *self, struct http_request *r, void *slot);
};

enum { CHAIN_MAX = 32, CHAIN_SLOT_MAX = 256 };

struct chain;
struct chain_stats {
    int64_t runs, created, reused; /* invocations */
};
struct chain_metric { /* of one interceptor */
    const char *name;
    int64_t calls, failures, ns; /* ns: in `enter`, when metering is on */
};

/* Invocations are pooled up to pool_max. */
int chain_open(struct loop *l, size_t pool_max, bool metered, struct chain **ret,
               struct err *e) MUSTCHECK;
void chain_close(struct chain *c);
/* At the end of the chain; before the first run. `i` must outlive the chain. */
int chain_add(struct chain *c, const struct interceptor *i, void *self, struct err *e) MUSTCHECK;
/* Which of them surround which route: a text as CONFIG_HTTP_CHAIN describes it, by the ids of the
 * routes; names that are not there are errors. */
int chain_select(struct chain *c, const char *text, const struct router *routes,
                 struct err *e) MUSTCHECK;
/* Runs the chain around r->route's handler (NULL route: `fallback`). */
void chain_run(struct chain *c, struct http_request *r, route_handler_fn *fallback, void *ctx);
/* Goes on after CHAIN_WAIT. */
void chain_resume(struct http_request *r, enum chain_verdict verdict, const struct err *e);
struct chain_stats chain_stats(const struct chain *c);
size_t chain_metrics(const struct chain *c, struct chain_metric *ret, size_t max);

#endif
