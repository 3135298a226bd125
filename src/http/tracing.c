/* http/tracing.c - see the header.  It is optional: a request never fails for it. */
#include "http/tracing.h"

#include "base/clock.h"
#include "http/tracer.h"

struct slot {
    uint64_t parent; /* the caller's span; 0: the trace begins here */
};

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    struct slice given = http_header(r, "traceparent");
    struct slot *s = slot;

    (void)self;
    (void)e;
    if (given.text && traceparent_parse(given.text, given.len, &r->trace) == 0) {
        s->parent = r->trace.span;
        r->trace.span = traceparent_span();
    } else {
        r->trace = traceparent_new();
    }
    return CHAIN_NEXT;
}

static void tell(struct tracer *tracer, const struct http_request *r, uint64_t parent)
{
    const char *code = r->error ? ifp_error_name(r->error) : NULL;
    int64_t now = clock_real_us();
    const struct span_attribute attributes[] = {
        SPAN_TEXT("http.request.method", route_method_name(r->method)),
        SPAN_TEXT("http.route", r->route ? r->route->path : "none"),
        SPAN_TEXT("inferpipe.request.id", r->id),
        SPAN_NUMBER("http.response.status_code", r->status),
        SPAN_TEXT("inferpipe.error.code", code),
    };

    tracer_span(tracer,
                &(struct span){ .trace = r->trace,
                                .parent = parent,
                                .kind = SPAN_SERVER,
                                .name = r->route ? r->route->id : "none",
                                .start_us = now - (clock_mono_us() - r->start_us),
                                .end_us = now,
                                .failed = r->status >= 500 || r->status == 0,
                                .error = code,
                                .attributes = attributes,
                                .attribute_count = ARRAY_LEN(attributes) - (code ? 0 : 1) });
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    if (self && r->trace.sampled)
        tell(self, r, ((const struct slot *)slot)->parent);
}

const struct interceptor tracing_interceptor = { .name = "tracing",
                                                 .optional = true,
                                                 .slot_size = sizeof(struct slot),
                                                 .enter = on_enter,
                                                 .finished = on_finished };
