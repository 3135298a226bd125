/*
 * base/metrics.h - counters, gauges and histograms of this process, printed as Prometheus text.
 *
 * One table names all of them (METRICS_MAP); a metric has at most one label, whose values are
 * interned up to METRICS_VALUES_MAX (more fall together under "other").  Counting is a relaxed
 * atomic add: any thread, no lock, no allocation.
 * Format: Prometheus text exposition 0.0.4.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/base.h"
#include "base/buf.h"

#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRICS_VALUES_MAX = 64 };

/* id, type, name, label (or NULL), help.  Histograms are in seconds and count microseconds. */
#define METRICS_MAP(X)                                                                             \
    X(METRIC_HTTP_REQUESTS, METRIC_COUNTER, "inferpipe_http_requests_total", "route",              \
      "Requests answered")                                                                         \
    X(METRIC_HTTP_ERRORS, METRIC_COUNTER, "inferpipe_http_errors_total", "code",                   \
      "Answers with an error, by its code")                                                        \
    X(METRIC_HTTP_SECONDS, METRIC_HISTOGRAM, "inferpipe_http_request_duration_seconds", NULL,      \
      "From the first byte of a request to the last of its answer")

#define METRICS_ENUM(id, type, name, label, help) id,
enum metric { METRICS_MAP(METRICS_ENUM) METRICS };
#undef METRICS_ENUM

/* value NULL where the metric has no label. */
void metrics_add(enum metric m, const char *value, int64_t n);
void metrics_set(enum metric m, const char *value, int64_t n);
void metrics_observe_us(enum metric m, const char *value, int64_t us);
/* Appends all of them. */
void metrics_print(struct buf *b);
/* For tests: the present value of a counter or gauge, the count of a histogram. */
int64_t metrics_get(enum metric m, const char *value);

#endif
