/*
 * base/span.h - a piece of work that has ended, for those who export traces (http/tracer.h): who
 * did it fills one on its stack and hands it over.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/traceparent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 }; /* OTLP's numbers */

struct span_attribute {
    const char *key;  /* "inferpipe.step" */
    const char *text; /* NULL: the number counts */
    int64_t number;
};

#define SPAN_TEXT(k, v) ((struct span_attribute){ .key = (k), .text = (v) })
#define SPAN_NUMBER(k, v) ((struct span_attribute){ .key = (k), .number = (v) })

/* All texts are borrowed for the call. */
struct span {
    struct traceparent trace; /* its own span; not sampled: nobody is told */
    uint64_t parent;          /* 0: the first of its trace */
    enum span_kind kind;
    const char *name;
    int64_t start_us, end_us; /* since 1970 */
    bool failed;
    const char *error; /* of a failed one; NULL: none */
    const struct span_attribute *attributes;
    size_t attribute_count;
};

/* Takes a copy; never waits, never fails: what cannot be kept is counted as dropped. */
typedef void span_fn(void *ctx, const struct span *s);

#endif
