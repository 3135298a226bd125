/*
 * base/traceparent.h - W3C trace context, version 00: which trace a piece of work belongs to.
 *
 *   00-<32 hex digits: trace>-<16: the span it was made in>-<2: flags, of which 01 is "sampled">
 *
 * Strict: lower case, neither id all zero; unknown flags are dropped, as the standard asks.
 * The ids of executions, steps and attempts follow from the execution, so that every worker that
 * has a part in one gives it the same spans, whoever died in between:
 *
 *   the request's span <- the execution: its id <- a step: of its key <- an attempt: of its number
 *
 * An execution that came without a context has a trace of its own, made of its id.
 */
#ifndef BASE_TRACEPARENT_H
#define BASE_TRACEPARENT_H

#include "base/base.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACEPARENT_SIZE = 56, TRACE_ID_SIZE = 33, SPAN_ID_SIZE = 17 };

struct traceparent {
    uint64_t high, low; /* the trace; both zero: no context */
    uint64_t span;      /* zero: a trace that begins here */
    bool sampled;
};

static inline bool traceparent_any(const struct traceparent *t)
{
    return (t->high | t->low) != 0;
}

/* IFP_EINVALID for whatever is not exactly that. */
int traceparent_parse(const char *text, size_t len, struct traceparent *ret) MUSTCHECK;
void traceparent_format(const struct traceparent *t, char ret[TRACEPARENT_SIZE]);
void traceparent_trace_id(const struct traceparent *t, char ret[TRACE_ID_SIZE]);
void traceparent_span_id(uint64_t span, char ret[SPAN_ID_SIZE]);

/* A sampled trace with a random id, and a random span.  They need not be hard to guess. */
struct traceparent traceparent_new(void);
uint64_t traceparent_span(void);

/* The context in which an execution was started: `stored` is what is kept with it, NULL: nothing.
 * What is kept and cannot be read counts as nothing. */
struct traceparent traceparent_of(int64_t exec_id, const char *stored);
/* Spans: of the execution, of a step in its n-th generation, of that step's k-th attempt. */
uint64_t traceparent_execution(int64_t exec_id);
uint64_t traceparent_step(int64_t exec_id, int32_t generation, int64_t step_key);
uint64_t traceparent_attempt(uint64_t step, int attempt);

#endif
