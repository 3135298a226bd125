/*
 * api/api.c - opens the parts of the server, leads requests through them, closes them in order.
 *
 *   open:   front, offload, ready ... router, chain, and last the server: then requests come
 *   drain:  /ready says no -> the server accepts no more, answers what was asked -> drained
 *   close:  the server (requests finish) -> what the handlers use -> the front -> closed
 *
 * A request: the router finds its route, then the chain of interceptors runs around its handler.
 * What no route fits goes through the chain, too, so that it is counted and logged like any other.
 */
#include "api/api.h"

#include "api/auth.h"
#include "api/offload.h"
#include "api/openapi.h"
#include "api/ready.h"
#include "api/runs.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/interceptors.h"
#include "http/tracer.h"
#include "http/tracing.h"
#include "store/gauges.h"

#include <assert.h>

enum { INVOCATIONS_MAX = 4096 };

/* ---- requests ------------------------------------------------------------------------------- */

/* Why no route fits, for the handler that says so. */
struct miss {
    int rc;
    const char *allow; /* in the arena; NULL: no method fits */
};

static void answer_miss(void *ctx, struct http_request *r)
{
    const struct miss *m = ctx;
    struct err e;

    if (m->rc == IFP_ECONFLICT) {
        err_set(&e, IFP_EINVALID, "%s is not allowed here, but %s", route_method_name(r->method),
                m->allow);
        http_answer_header(r, "allow", m->allow);
        http_answer_status(r, 405, &e);
        return;
    }
    err_set(&e, m->rc, "%s",
            m->rc == IFP_ENOTFOUND  ? "there is nothing at this path"
            : m->rc == IFP_EINVALID ? "the path cannot be decoded"
                                    : "out of memory");
    http_answer_error(r, &e);
}

static void on_request(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    const char *allow = NULL;
    int rc = router_find(a->router, r, &allow);
    struct miss *miss;
    struct err e;

    if (rc == 0) {
        chain_run(a->chain, r, NULL, a);
        return;
    }
    miss = arena_alloc(&r->arena, sizeof(*miss));
    if (!miss) {
        err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return;
    }
    *miss = (struct miss){ rc, allow };
    chain_run(a->chain, r, answer_miss, miss);
}

static void on_closed(void *ctx)
{
    struct api *a = ctx;
    loop_fn *closed = a->closed;
    void *closed_ctx = a->closed_ctx;

    gauges_close(a->gauges);
    tracer_close(a->tracer);
    mem_free(a);
    closed(closed_ctx);
}

/* ---- open ----------------------------------------------------------------------------------- */

static int open_router(struct api *a, struct err *e)
{
#define TABLE(name) name,
#define COUNT(name) name##_count,
    const struct route *tables[] = { API_TABLES(TABLE) };
    const size_t counts[] = { API_TABLES(COUNT) };
#undef TABLE
#undef COUNT

    for (size_t i = 0; config_int(a->config, CONFIG_PUBLIC_DOCS) && i < ARRAY_LEN(tables); i++)
        if (tables[i] == routes_docs)
            tables[i] = routes_docs_public;
    return router_open(tables, counts, ARRAY_LEN(tables), &a->router, e);
}

/* For the access log. */
static const char *caller_name(const struct http_request *r)
{
    return r->caller ? caller_of(r)->name : NULL;
}

static int open_chain(struct api *a, struct err *e)
{
    struct chain_options o = {
        .pool_max = INVOCATIONS_MAX,
        .body_max = (size_t)config_int(a->config, CONFIG_HTTP_BODY_MAX),
    };
    int rc = chain_open(&o, &a->chain, e);

    if (rc == 0)
        rc = interceptors_open(a->loop, a->config, caller_name, &a->interceptors, e);
    if (rc == 0)
        rc = interceptors_add_outer(a->interceptors, a->chain, e);
    if (rc == 0)
        rc = chain_add(a->chain, &tracing_interceptor, a->tracer, e);
    if (rc == 0)
        rc = chain_add(a->chain, &auth_interceptor, a->auth, e);
    if (rc == 0)
        rc = chain_add(a->chain, &auth_rate_interceptor, a->auth, e);
    if (rc == 0 && a->options.extend)
        rc = a->options.extend(a->options.extend_ctx, a->chain, e);
    if (rc == 0)
        rc = interceptors_add_inner(a->interceptors, a->chain, e);
    if (rc == 0)
        rc = chain_select(a->chain, config_text(a->config, CONFIG_HTTP_CHAIN), a->router, e);
    return rc;
}

static void exec_on_front(void *ctx, struct pgreq *req)
{
    front_exec(((struct api *)ctx)->front, req);
}

/* What the server tells of itself. */
static int open_observation(struct api *a, struct err *e)
{
    int rc = gauges_open(a->loop, config_text(a->config, CONFIG_WORKSPACE), exec_on_front, a,
                         &a->gauges, e);

    return rc == 0 ? tracer_open_from(a->loop, a->config, &a->tracer, e) : rc;
}

static int open_ready(struct api *a, struct err *e)
{
    struct ready_options o = {
        .front = a->front,
        .draining = &a->draining,
        .engine = a->options.engine_ready,
        .engine_ctx = a->options.engine_ctx,
    };

    return ready_open(&o, &a->ready, e);
}

static int open_server(struct api *a, struct err *e)
{
    struct http_server_options o = {
        .config = a->config,
        .reuse_port = a->options.share_port,
        .request = on_request,
        .ctx = a,
    };

    int rc = http_server_open(a->loop, &o, &a->server, e);

    if (rc == 0)
        metrics_server_add(&a->server_metrics, a->server);
    return rc;
}

static int open_parts(struct api *a, struct err *e)
{
    int rc = front_open(a->loop, a->config, &a->front, e);

    if (rc == 0)
        rc = open_observation(a, e);
    if (rc == 0)
        rc = offload_open(a->loop, a->config, &a->offload, e);
    if (rc == 0)
        rc = runs_open(a->loop, a->config, a->front, &a->runs, e);
    if (rc == 0)
        rc = auth_open(a->loop, a->config, a->front, &a->auth, e);
    if (rc == 0)
        rc = open_ready(a, e);
    if (rc == 0)
        rc = open_router(a, e);
    if (rc == 0)
        rc = openapi_open(a->router, config_text(a->config, CONFIG_PUBLIC_URL), &a->openapi, e);
    if (rc == 0)
        rc = open_chain(a, e);
    if (rc == 0)
        rc = open_server(a, e);
    return rc;
}

static void on_failed(void *ctx)
{
    loop_stop(ctx);
}

int api_open(struct loop *l, const struct api_options *o, struct api **ret, struct err *e)
{
    struct api *a = mem_zalloc(sizeof(*a));
    int rc;

    if (!a)
        return err_set(e, IFP_ENOMEM, "out of memory");
    a->loop = l;
    a->config = o->config;
    a->options = *o;
    deferred_init(&a->ending, l, on_closed, a);
    rc = open_parts(a, e);
    if (rc != 0) {
        api_close(a, on_failed, l);
        loop_run(l);
        return rc;
    }
    *ret = a;
    return 0;
}

int api_port(const struct api *a)
{
    return http_server_port(a->server);
}

bool api_ready(const struct api *a)
{
    return front_ready(a->front);
}

void api_reload(struct api *a)
{
    struct err e;

    if (http_server_reload(a->server, &e) != 0)
        LOG_ERROR("the certificate was not read anew, the old one stays", LOG_ERR(&e));
    else
        LOG_INFO("the certificate was read anew");
}

/* ---- the end -------------------------------------------------------------------------------- */

void api_drain(struct api *a, loop_fn *drained, void *ctx)
{
    a->draining = true;
    runs_drain(a->runs);
    http_server_drain(a->server, drained, ctx);
}

/* The spans of the last requests have left, as far as anybody took them. */
static void on_traces_left(void *ctx)
{
    struct api *a = ctx;

    if (a->front)
        front_close(a->front, on_closed, a);
    else
        deferred_call(&a->ending);
}

static void on_auth_closed(void *ctx)
{
    struct api *a = ctx;

    a->auth = NULL;
    tracer_drain(a->tracer, config_int(a->config, CONFIG_OTLP_TIMEOUT), on_traces_left, a);
}

static void on_runs_closed(void *ctx)
{
    struct api *a = ctx;

    a->runs = NULL;
    auth_close(a->auth, on_auth_closed, a);
}

/* No request is left: what they used goes. */
static void on_server_closed(void *ctx)
{
    struct api *a = ctx;

    a->server = NULL;
    chain_close(a->chain);
    interceptors_close(a->interceptors);
    openapi_close(a->openapi);
    router_close(a->router);
    ready_close(a->ready);
    offload_close(a->offload);
    runs_close(a->runs, on_runs_closed, a);
}

void api_close(struct api *a, loop_fn *closed, void *ctx)
{
    a->closed = closed;
    a->closed_ctx = ctx;
    metrics_server_remove(&a->server_metrics);
    if (a->server)
        http_server_close(a->server, on_server_closed, a);
    else
        on_server_closed(a);
}
