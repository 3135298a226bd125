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
struct gauges;    /* metrics of the database: store/gauges.h */
struct tracer;    /* http/tracer.h */

struct api {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    const char *program;         /* borrowed */
    struct front *front;         /* owned */
    struct http_server *server;  /* owned */
    struct router *router;       /* owned */
    struct chain *chain;         /* owned */
    struct offload *offload;     /* owned */
    struct api_auth *auth;       /* owned */
    struct api_runs *runs;       /* owned */
    struct tracer *tracer;       /* owned; NULL: no export */
    struct gauges *gauges;       /* owned; NULL: none, /metrics tells of the process alone */
    bool draining;               /* /ready says no */
    /* May the workers of this process be used?  Set by the command; NULL: there are none. */
    bool (*engine_ready)(void *ctx);
    void *engine_ctx;
};

/* The tables of routes, one for each file of handlers: api.c has the list. */
#define API_TABLES(X)                                                                              \
    X(routes_executions)                                                                           \
    X(routes_steer)                                                                                \
    X(routes_system)                                                                               \
    X(routes_admin)                                                                                \
    X(routes_keys)                                                                                 \
    X(routes_webhooks)

/* Opens everything and listens. */
int api_open(struct loop *l, const struct config *config, const char *program, struct api **ret,
             struct err *e) MUSTCHECK;
int api_port(const struct api *a);
/* No new connections; answers under way finish; then `drained`. */
void api_drain(struct api *a, loop_fn *drained, void *ctx);
void api_close(struct api *a, loop_fn *closed, void *ctx);

#endif
