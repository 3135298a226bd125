/*
 * base/metrics.c - the cells that are counted in, and their text.
 *
 * A metric is an array of cells: cell i is of the i-th value that its label has had, the last one
 * of all values beyond METRICS_VALUES_MAX, cell 0 of a metric without a label.  Values are only
 * ever added: their number is published after the value is written, so a reader that sees the
 * number sees the value, and only who adds one takes the lock.
 *
 * Printed at a moment when others count, the buckets of a histogram still fit its count, which is
 * their sum; the sum of what was observed may be an observation ahead or behind.
 */
#include "base/metrics.h"

#include "base/process.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CELLS = METRICS_VALUES_MAX + 1, OTHER = METRICS_VALUES_MAX, QUICK = 4 };
#define ABSENT INT64_MIN

struct cell {
    _Atomic int64_t sum; /* the value itself of what is no histogram */
    _Atomic int64_t buckets[METRICS_BUCKETS_MAX + 1];
};

struct value {
    uint64_t hash;
    char text[METRICS_VALUE_SIZE];
};

static const struct {
    enum metric_type type;
    const char *name, *label, *help;
} table[METRICS] = {
#define ROW(id, type, name, label, help) [id] = { METRIC_TYPE_##type, name, label, help },
    METRICS_MAP(ROW)
#undef ROW
};

static struct cell cells[METRICS][CELLS];
static struct value values[METRICS][METRICS_VALUES_MAX];
static atomic_int value_counts[METRICS];
static atomic_bool others[METRICS]; /* the last cell was counted in */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static struct list sources = { &sources, &sources };

struct bound {
    int64_t upto;
    const char *text;
};

static const struct bound second_bounds[METRICS_BUCKETS_MAX] = {
    { 500, "0.0005" },  { 1000, "0.001" },    { 2500, "0.0025" },
    { 5000, "0.005" },  { 10000, "0.01" },    { 25000, "0.025" },
    { 50000, "0.05" },  { 100000, "0.1" },    { 250000, "0.25" },
    { 500000, "0.5" },  { 1000000, "1" },     { 2500000, "2.5" },
    { 5000000, "5" },   { 10000000, "10" },   { 30000000, "30" },
    { 60000000, "60" }, { 300000000, "300" }, { INT64_C(3600000000), "3600" },
};
static const struct bound size_bounds[] = {
    { 1, "1" },     { 2, "2" },       { 5, "5" },       { 10, "10" },
    { 20, "20" },   { 50, "50" },     { 100, "100" },   { 200, "200" },
    { 500, "500" }, { 1000, "1000" }, { 2000, "2000" }, { 5000, "5000" },
};

const char *metrics_name(enum metric m)
{
    assert((unsigned)m < METRICS);
    return table[m].name;
}

const char *metrics_label(enum metric m)
{
    assert((unsigned)m < METRICS);
    return table[m].label;
}

enum metric_type metrics_type(enum metric m)
{
    assert((unsigned)m < METRICS);
    return table[m].type;
}

static bool is_histogram(enum metric m)
{
    return table[m].type == METRIC_TYPE_HISTOGRAM || table[m].type == METRIC_TYPE_SIZES;
}

static bool is_time(enum metric m)
{
    return table[m].type == METRIC_TYPE_COUNTER_TIME || table[m].type == METRIC_TYPE_GAUGE_TIME ||
           table[m].type == METRIC_TYPE_HISTOGRAM;
}

static const struct bound *bounds_of(enum metric m, size_t *ret_count)
{
    bool sizes = table[m].type == METRIC_TYPE_SIZES;

    *ret_count = sizes ? ARRAY_LEN(size_bounds) : ARRAY_LEN(second_bounds);
    return sizes ? size_bounds : second_bounds;
}

/* ---- values of labels ----------------------------------------------------------------------- */

/* A value as it is kept and printed; what is no printable ASCII becomes "_": names of ours are. */
static void value_make(struct value *v, const char *text)
{
    size_t i;

    v->hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (i = 0; i < METRICS_VALUE_SIZE - 1 && text[i]; i++) {
        v->text[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '_');
        v->hash = (v->hash ^ (unsigned char)v->text[i]) * UINT64_C(0x100000001b3);
    }
    v->text[i] = '\0';
}

static int find(enum metric m, const struct value *wanted)
{
    int count = atomic_load_explicit(&value_counts[m], memory_order_acquire);

    if (strcmp(wanted->text, "other") == 0)
        return OTHER;
    for (int i = 0; i < count; i++)
        if (values[m][i].hash == wanted->hash && strcmp(values[m][i].text, wanted->text) == 0)
            return i;
    return -1;
}

/* Most labels have few values: those are looked at before anything is hashed. */
static int find_quickly(enum metric m, const char *value)
{
    int count = atomic_load_explicit(&value_counts[m], memory_order_acquire);

    for (int i = 0; i < count && i < QUICK; i++)
        if (strcmp(values[m][i].text, value) == 0)
            return i;
    return -1;
}

static int add(enum metric m, const struct value *wanted)
{
    int at;

    pthread_mutex_lock(&adding);
    at = find(m, wanted);
    if (at < 0) {
        at = atomic_load_explicit(&value_counts[m], memory_order_relaxed);
        assert(at <= OTHER);
        if (at < OTHER) {
            values[m][at] = *wanted;
            atomic_store_explicit(&cells[m][at].sum, 0, memory_order_relaxed);
            atomic_store_explicit(&value_counts[m], at + 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&adding);
    return at;
}

static struct cell *cell_of(enum metric m, const char *value)
{
    struct value wanted;
    int at = OTHER;

    assert((unsigned)m < METRICS);
    if (!table[m].label)
        return &cells[m][0];
    if (value) {
        at = find_quickly(m, value);
        if (at >= 0)
            return &cells[m][at];
        value_make(&wanted, value);
        at = find(m, &wanted);
    }
    if (at < 0 && atomic_load_explicit(&value_counts[m], memory_order_relaxed) == OTHER)
        at = OTHER; /* full: what nobody has seen yet is one of the others */
    if (at < 0)
        at = add(m, &wanted);
    if (at == OTHER && !atomic_load_explicit(&others[m], memory_order_relaxed))
        atomic_store_explicit(&others[m], true, memory_order_relaxed);
    return &cells[m][at];
}

/* ---- counting ------------------------------------------------------------------------------- */

void metrics_add(enum metric m, const char *value, int64_t n)
{
    struct cell *c = cell_of(m, value);

    assert(!is_histogram(m));
    atomic_fetch_add_explicit(&c->sum, n, memory_order_relaxed);
}

void metrics_set(enum metric m, const char *value, int64_t n)
{
    struct cell *c = cell_of(m, value);

    assert(!is_histogram(m) && n != ABSENT);
    atomic_store_explicit(&c->sum, n, memory_order_relaxed);
}

static void observe(enum metric m, const char *value, int64_t n)
{
    struct cell *c = cell_of(m, value);
    size_t count, i = 0;
    const struct bound *bounds = bounds_of(m, &count);

    n = MAX(n, 0);
    while (i < count && n > bounds[i].upto)
        i++;
    atomic_fetch_add_explicit(&c->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum, n, memory_order_relaxed);
}

void metrics_observe_us(enum metric m, const char *value, int64_t us)
{
    assert(table[m].type == METRIC_TYPE_HISTOGRAM);
    observe(m, value, us);
}

void metrics_observe(enum metric m, const char *value, int64_t n)
{
    assert(table[m].type == METRIC_TYPE_SIZES);
    observe(m, value, n);
}

void metrics_forget(enum metric m)
{
    assert(table[m].type == METRIC_TYPE_GAUGE || table[m].type == METRIC_TYPE_GAUGE_TIME);
    for (int i = 0; i < CELLS; i++)
        atomic_store_explicit(&cells[m][i].sum, ABSENT, memory_order_relaxed);
}

static int64_t count_of(const struct cell *c)
{
    int64_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(c->buckets); i++)
        count += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
    return count;
}

int64_t metrics_get(enum metric m, const char *value)
{
    struct value wanted;
    int at = table[m].label ? OTHER : 0;

    if (table[m].label && value) {
        value_make(&wanted, value);
        at = find(m, &wanted);
    }
    if (at < 0)
        return 0;
    return is_histogram(m) ? count_of(&cells[m][at])
                           : atomic_load_explicit(&cells[m][at].sum, memory_order_relaxed);
}

/* ---- the text ------------------------------------------------------------------------------- */

static void print_number(struct buf *b, bool time, int64_t n)
{
    uint64_t us = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    if (!time)
        buf_printf(b, "%" PRId64 "\n", n);
    else if (us % 1000000 == 0)
        buf_printf(b, "%s%" PRIu64 "\n", n < 0 ? "-" : "", us / 1000000);
    else
        buf_printf(b, "%s%" PRIu64 ".%06" PRIu64 "\n", n < 0 ? "-" : "", us / 1000000,
                   us % 1000000);
}

static void print_value(struct buf *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *text);
    }
}

/* name_suffix{label="value",le="bound"} and a space; either may be NULL. */
static void print_head(struct buf *b, enum metric m, const char *suffix, const char *value,
                       const char *le)
{
    buf_puts(b, table[m].name);
    buf_puts(b, suffix);
    if (value || le)
        buf_putc(b, '{');
    if (value) {
        buf_printf(b, "%s=\"", table[m].label);
        print_value(b, value);
        buf_puts(b, le ? "\"," : "\"");
    }
    if (le)
        buf_printf(b, "le=\"%s\"", le);
    buf_puts(b, value || le ? "} " : " ");
}

static void print_histogram(struct buf *b, enum metric m, const struct cell *c, const char *value)
{
    int64_t sum = atomic_load_explicit(&c->sum, memory_order_relaxed), upto = 0;
    size_t count;
    const struct bound *bounds = bounds_of(m, &count);

    for (size_t i = 0; i <= count; i++) {
        upto += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
        print_head(b, m, "_bucket", value, i < count ? bounds[i].text : "+Inf");
        print_number(b, false, upto);
    }
    print_head(b, m, "_sum", value, NULL);
    print_number(b, is_time(m), sum);
    print_head(b, m, "_count", value, NULL);
    print_number(b, false, upto);
}

static const char *type_text(enum metric m)
{
    switch (table[m].type) {
    case METRIC_TYPE_COUNTER:
    case METRIC_TYPE_COUNTER_TIME:
        return "counter";
    case METRIC_TYPE_GAUGE:
    case METRIC_TYPE_GAUGE_TIME:
        return "gauge";
    case METRIC_TYPE_HISTOGRAM:
    case METRIC_TYPE_SIZES:
        break;
    }
    return "histogram";
}

/* A metric without anything to tell has no lines at all. */
static void print_cell(struct buf *b, enum metric m, int at, const char *value, bool *headed)
{
    const struct cell *c = &cells[m][at];
    int64_t n = atomic_load_explicit(&c->sum, memory_order_relaxed);

    if (!is_histogram(m) && n == ABSENT)
        return;
    if (!*headed)
        buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", table[m].name, table[m].help, table[m].name,
                   type_text(m));
    *headed = true;
    if (is_histogram(m)) {
        print_histogram(b, m, c, value);
        return;
    }
    print_head(b, m, "", value, NULL);
    print_number(b, is_time(m), n);
}

static void print_metric(struct buf *b, enum metric m)
{
    bool headed = false;
    int count = atomic_load_explicit(&value_counts[m], memory_order_acquire);

    if (!table[m].label) {
        print_cell(b, m, 0, NULL, &headed);
        return;
    }
    for (int i = 0; i < count; i++)
        print_cell(b, m, i, values[m][i].text, &headed);
    if (atomic_load_explicit(&others[m], memory_order_relaxed))
        print_cell(b, m, OTHER, "other", &headed);
}

static void measure_process(void)
{
    struct process_usage usage;

    process_usage(&usage);
    metrics_set(METRIC_CPU, NULL, usage.cpu_us);
    metrics_set(METRIC_RSS, NULL, usage.rss_bytes);
    metrics_set(METRIC_FDS, NULL, usage.fds);
    metrics_set(METRIC_BORN, NULL, usage.born_us);
}

void metrics_print(struct buf *b)
{
    measure_process();
    LIST_EACH(it, &sources) {
        struct metrics_source *s = CONTAINER_OF(it, struct metrics_source, link);

        s->read(s->ctx);
    }
    for (int m = 0; m < METRICS; m++)
        print_metric(b, (enum metric)m);
}

void metrics_source_add(struct metrics_source *s, void (*read)(void *ctx), void *ctx)
{
    list_init(&s->link);
    s->read = read;
    s->ctx = ctx;
    list_push(&sources, &s->link);
}

void metrics_source_remove(struct metrics_source *s)
{
    list_del(&s->link);
}
