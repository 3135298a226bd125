/*
 * http/tracing.h - the interceptor "tracing": the trace that a request is part of.
 *
 * A `traceparent` that comes along is taken on when it is one (base/traceparent.h), else a trace
 * begins here; either way r->trace is the request's own span, and what the request starts hangs
 * under it.  When the answer has left, that span goes to the tracer, its `self` (NULL: nowhere).
 */
#ifndef HTTP_TRACING_H
#define HTTP_TRACING_H

#include "http/chain.h"

extern const struct interceptor tracing_interceptor;

#endif
