/*
 * http/tracer.h - exports spans to an OpenTelemetry collector, by OTLP/HTTP in JSON.
 *
 *   tracer_span -> the batch being filled -> [full, or a second old] -> sent -> [taken] gone
 *                                                 ^-- backoff -- [503, unreachable ...]
 *
 * Work never waits for it: a span is copied into memory, at most `queue` of them; what does not fit
 * is dropped and counted (inferpipe_spans_dropped_total), as is what the collector refuses for
 * good.  One batch is under way at a time.  Loop thread only.
 */
#ifndef HTTP_TRACER_H
#define HTTP_TRACER_H

#include "base/config.h"
#include "base/span.h"
#include "loop/loop.h"

struct tracer;

struct tracer_options {
    const char *endpoint; /* "http://localhost:4318": /v1/traces is added, unless it is there */
    const char *headers;  /* "name=value,name=value", "": none */
    const char *service;  /* service.name */
    int queue;            /* spans */
    int64_t timeout_ms;   /* of one export */
};

/* With the endpoint of the configuration, or of OTEL_EXPORTER_OTLP_ENDPOINT (and _HEADERS, and
 * OTEL_SERVICE_NAME) when it names none; without any *ret is NULL and nothing is exported. */
int tracer_open_from(struct loop *l, const struct config *config, struct tracer **ret,
                     struct err *e) MUSTCHECK;
int tracer_open(struct loop *l, const struct tracer_options *o, struct tracer **ret,
                struct err *e) MUSTCHECK;
/* A span_fn; `tracer` NULL: nobody is told. */
void tracer_span(void *tracer, const struct span *s);
/* Sends what is there, for at most `ms`; then nothing is taken any more, and `drained` comes from
 * the loop.  Once; NULL calls `drained` at once. */
void tracer_drain(struct tracer *t, int64_t ms, loop_fn *drained, void *ctx);
/* After `drained`, or when no span was ever taken; NULL is fine. */
void tracer_close(struct tracer *t);

#endif
