/*
 * api/system.c - the routes that are about the server itself: whether it lives (/health), whether
 * it can serve (/ready), what it counts (/metrics), what it offers (/openapi.json, /docs).
 */
#include "api/api.h"
#include "api/openapi.h"
#include "api/ready.h"
#include "base/clock.h"

#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

enum { HEALTH_SIZE = 128, TIME_SIZE = 32 };

/* Always 200: whoever can answer lives.  Asked for often, by load balancers: it costs no allocation
 * but from the request's own memory. */
static void health(void *ctx, struct http_request *r)
{
    char *text = arena_alloc(&r->arena, HEALTH_SIZE), now[TIME_SIZE];
    struct err e;
    int len;

    (void)ctx;
    if (!text) {
        err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return;
    }
    clock_format_utc(clock_real_us(), now, sizeof(now));
    len = snprintf(text, HEALTH_SIZE, "{\"status\":\"healthy\",\"version\":\"%s\",\"time\":\"%s\"}",
                   IFP_VERSION, now);
    http_answer(r, 200, "application/json", (struct slice){ text, (size_t)len });
}

static void is_ready(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    ready_answer(api->ready, r);
}

static void openapi(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    openapi_answer(api->openapi, r);
}

static void docs(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    openapi_answer_docs(api->openapi, r);
}

const struct route routes_system[] = {
    { HTTP_GET, "/health", ROUTE_PUBLIC, 0, health, "health", "system", "Does this process live?",
      NULL, NULL, "Health", 200 },
    { HTTP_GET, "/ready", ROUTE_PUBLIC, 0, is_ready, "ready", "system",
      "Can this server serve?  503 names the check that failed", NULL, NULL, "Ready", 200 },
    { HTTP_GET, "/metrics", SCOPE_METRICS_READ, 0, metrics_route, "metrics", "system",
      "Counters, gauges and histograms as Prometheus text", NULL, NULL, NULL, 200 },
};
const size_t routes_system_count = ARRAY_LEN(routes_system);

#define DOCUMENT "The OpenAPI document of this server"
#define OPENAPI_ROUTE(scope)                                                                       \
    HTTP_GET, "/openapi.json", scope, 0, openapi, "openapi", "system", DOCUMENT, NULL, NULL, NULL, \
        200
#define DOCS_ROUTE(scope)                                                                          \
    HTTP_GET, "/docs", scope, ROUTE_HIDDEN, docs, "docs", "system", DOCUMENT, NULL, NULL, NULL, 200

const struct route routes_docs[] = { { OPENAPI_ROUTE(ROUTE_ANY_KEY) },
                                     { DOCS_ROUTE(ROUTE_ANY_KEY) } };
const size_t routes_docs_count = ARRAY_LEN(routes_docs);
const struct route routes_docs_public[] = { { OPENAPI_ROUTE(ROUTE_PUBLIC) },
                                            { DOCS_ROUTE(ROUTE_PUBLIC) } };
