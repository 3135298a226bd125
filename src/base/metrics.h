/*
 * base/metrics.h - counters, gauges and histograms of this process, printed as Prometheus text.
 *
 * One table names all of them (metrics_map.h); a metric has at most one label, whose values are
 * kept up to METRICS_VALUES_MAX (more fall together under "other").  Counting is a relaxed atomic
 * add: any thread, no allocation, and no lock but for the first time that a value is seen.
 * Format: Prometheus text exposition 0.0.4.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/metrics_map.h"

#include <stdint.h>

enum metric_type {
    METRIC_TYPE_COUNTER,
    METRIC_TYPE_COUNTER_TIME, /* counts microseconds, as do the next two */
    METRIC_TYPE_GAUGE,
    METRIC_TYPE_GAUGE_TIME,
    METRIC_TYPE_HISTOGRAM,
    METRIC_TYPE_SIZES /* a histogram of numbers of things */
};
enum { METRICS_VALUES_MAX = 64, METRICS_VALUE_SIZE = 64, METRICS_BUCKETS_MAX = 18 };
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define METRICS_ENUM(id, type, name, label, help) id,
enum metric { METRICS_MAP(METRICS_ENUM) METRICS };
#undef METRICS_ENUM

/* `value` is the label's, of which METRICS_VALUE_SIZE - 1 bytes count; NULL where the metric has no
 * label, and of one that has, "other". */
void metrics_add(enum metric m, const char *value, int64_t n);
/* Of a gauge, or of a counter that is kept elsewhere. */
void metrics_set(enum metric m, const char *value, int64_t n);
/* Of a histogram; a negative time, as of a clock that was set back, counts as none. */
void metrics_observe_us(enum metric m, const char *value, int64_t us);
/* Of METRIC_TYPE_SIZES. */
void metrics_observe(enum metric m, const char *value, int64_t n);
/* All values of a gauge are absent until they are set again. */
void metrics_forget(enum metric m);
/* Appends all of them. */
void metrics_print(struct buf *b);
/* For tests: the present value of a counter or gauge, the count of a histogram. */
int64_t metrics_get(enum metric m, const char *value);

const char *metrics_name(enum metric m);
const char *metrics_label(enum metric m); /* or NULL */
enum metric_type metrics_type(enum metric m);

/* Who knows values that are only worth reading when somebody asks sets them when called. */
struct metrics_source {
    struct list link; /* in metrics.c's list */
    void (*read)(void *ctx);
    void *ctx;
};
/* Sources are called by metrics_print, so these three belong to one thread. */
void metrics_source_add(struct metrics_source *s, void (*read)(void *ctx), void *ctx);
void metrics_source_remove(struct metrics_source *s);

#endif
