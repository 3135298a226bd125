/*
 * api/api.h - the server of one process: its parts, and the routes over them.
 *
 * Handlers get the struct api as their context.  Whatever a request asks of the database goes one
 * of two ways: what is hot (starting, waiting, following, looking at one execution) is
 * asynchronous over `front`; the rest runs as a blocking client call on a small pool of threads
 * (offload.h).
 */
#ifndef API_API_H
#define API_API_H

#include "api/caller.h"
#include "api/metrics.h"
#include "api/scope.h"
#include "base/config.h"
#include "http/chain.h"
#include "http/route.h"
#include "http/server.h"
#include "store/front.h"

struct api_auth;  /* keys, JWTs, rate limits: auth.h */
struct api_runs;  /* starts, waits and streams: runs.h */
struct api_hooks; /* webhooks: hooks.h */
struct offload;   /* blocking calls: offload.h */
struct ready;     /* what /ready says: ready.h */
struct openapi;   /* the document of the routes: openapi.h */
struct interceptors;
struct gauges; /* metrics of the database: store/gauges.h */
struct tracer; /* http/tracer.h */

/* In place of routes_docs with CONFIG_PUBLIC_DOCS. */
extern const struct route routes_docs_public[];

struct api_options {
    const struct config *config; /* borrowed */
    const char *program;         /* borrowed */
    bool share_port;             /* with other processes of the same supervisor */
    /* Does the engine of this process work?  NULL: there is none. */
    bool (*engine_ready)(void *ctx);
    void *engine_ctx;
    /* Adds the program's own interceptors, behind those that check keys; NULL: none. */
    int (*extend)(const void *ctx, struct chain *c, struct err *e);
    const void *extend_ctx;
};

struct api {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed: of the options */
    struct api_options options;
    struct front *front;        /* owned */
    struct http_server *server; /* owned */
    struct router *router;      /* owned */
    struct chain *chain;        /* owned */
    struct offload *offload;    /* owned */
    struct api_auth *auth;      /* owned */
    struct api_runs *runs;      /* owned */
    struct tracer *tracer;      /* owned; NULL: no export */
    struct metrics_server server_metrics;
    struct gauges *gauges;             /* owned; NULL: none, /metrics tells of the process alone */
    struct ready *ready;               /* owned */
    struct openapi *openapi;           /* owned */
    struct interceptors *interceptors; /* owned */
    bool draining;                     /* /ready says no */
    struct deferred ending;            /* of api_close, when there is no front */
    loop_fn *closed;                   /* of api_close */
    void *closed_ctx;
};

/* The tables of routes, one for each file of handlers, which defines `const struct route NAME[]`
 * and `const size_t NAME_count`.  A line each, in the order of the OpenAPI document. */
#define API_TABLES(X)                                                                              \
    X(routes_executions)                                                                           \
    X(routes_steer)                                                                                \
    X(routes_admin)                                                                                \
    X(routes_keys)                                                                                 \
    X(routes_system)                                                                               \
    X(routes_webhooks)                                                                             \
    X(routes_docs)

#define API_DECLARE(name)                                                                          \
    extern const struct route name[];                                                              \
    extern const size_t name##_count;
API_TABLES(API_DECLARE)
#undef API_DECLARE

/* Opens everything and listens.  A failure runs the loop until what was open is closed. */
int api_open(struct loop *l, const struct api_options *o, struct api **ret,
             struct err *e) MUSTCHECK;
int api_port(const struct api *a);
/* The database can be reached. */
bool api_ready(const struct api *a);
/* /ready says no, connections are accepted no more; what was asked is answered, waits and streams
 * end early, as their clients can go on elsewhere; then `drained`. */
void api_drain(struct api *a, loop_fn *drained, void *ctx);
/* The certificate anew; what is wrong with it is logged, and the old one stays. */
void api_reload(struct api *a);
/* At once. */
void api_close(struct api *a, loop_fn *closed, void *ctx);

#endif
