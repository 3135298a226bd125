/*
 * http/meter.c - counts at the end of each request.  Labels are ids of routes, classes of status
 * and names of errors: all from tables of ours, none from a client.
 */
#include "http/meter.h"

#include "base/clock.h"
#include "base/metrics.h"

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    (void)self;
    (void)r;
    (void)slot;
    (void)e;
    metrics_add(METRIC_HTTP_ACTIVE, NULL, 1);
    return CHAIN_NEXT;
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    const char *route = r->route ? r->route->id : "none";

    (void)self;
    (void)slot;
    metrics_add(METRIC_HTTP_ACTIVE, NULL, -1);
    metrics_add(METRIC_HTTP_REQUESTS, route, 1);
    metrics_observe_us(METRIC_HTTP_SECONDS, route, clock_mono_us() - r->start_us);
    if (r->status >= 100 && r->status < 600)
        metrics_add(METRIC_HTTP_RESPONSES, classes[r->status / 100 - 1], 1);
    if (r->error)
        metrics_add(METRIC_HTTP_ERRORS, ifp_error_name(r->error), 1);
}

const struct interceptor meter_interceptor = { .name = "metrics",
                                               .enter = on_enter,
                                               .finished = on_finished };
