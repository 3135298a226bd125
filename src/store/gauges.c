/*
 * store/gauges.c - see the header.
 *
 *   refresh: fresh -> done at once; else one statement -> on_rows or the timer -> all are done
 *
 * A statement that comes back after the timer still sets the gauges, for the next one who asks.
 */
#include "store/gauges.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/statements.h"

#include <assert.h>
#include <string.h>

enum { FRESH_US = 5 * 1000 * 1000, PATIENCE_US = 2 * 1000 * 1000 };

struct gauges {
    struct pgreq req;
    struct timer timer;
    struct list waiting; /* of gauges_wait */
    char *workspace;     /* owned */
    gauges_exec_fn *exec;
    void *ctx;
    int64_t read_us; /* when they were last read, or could not be; 0: never */
};

static const struct {
    const char *name; /* in sql/schema/gauges.sql */
    enum metric metric;
} kinds[] = {
    { "depth", METRIC_DEPTH },     { "oldest", METRIC_OLDEST },
    { "live", METRIC_LIVE },       { "stranded", METRIC_STRANDED },
    { "workers", METRIC_WORKERS }, { "default_rows", METRIC_DEFAULT_ROWS },
};

static void forget(void)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        metrics_forget(kinds[i].metric);
}

static void finish(struct gauges *g)
{
    struct list all, *it;

    timer_stop(&g->timer);
    list_init(&all);
    list_splice(&all, &g->waiting);
    while ((it = list_pop(&all)) != NULL) {
        struct gauges_wait *w = CONTAINER_OF(it, struct gauges_wait, link);

        w->done(w->ctx);
    }
}

/* A kind that a newer schema has and this program does not know is passed over. */
static void take(const struct pgres *res, int row)
{
    const char *name = pgres_text(res, row, 0), *label = pgres_text(res, row, 1);

    assert(name);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            metrics_set(kinds[i].metric, label, pgres_int8(res, row, 2));
}

static void set_absent(struct gauges *g)
{
    forget();
    metrics_set(METRIC_DB_READ, NULL, 0);
    g->read_us = clock_mono_us();
}

static void on_rows(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct gauges *g = CONTAINER_OF(req, struct gauges, req);

    (void)e;
    set_absent(g);
    if (err == 0) {
        for (int i = 0; i < pgres_rows(res); i++)
            take(res, i);
        metrics_set(METRIC_DB_READ, NULL, 1);
    }
    finish(g);
}

static void on_timer(void *ctx)
{
    struct gauges *g = ctx;

    assert(!list_empty(&g->waiting)); /* it is armed only while somebody waits */
    set_absent(g);
    finish(g);
}

int gauges_open(struct loop *l, const char *workspace, gauges_exec_fn *exec, void *ctx,
                struct gauges **ret, struct err *e)
{
    struct gauges *g = mem_zalloc(sizeof(*g));

    assert(workspace && exec);
    if (!g)
        return err_set(e, IFP_ENOMEM, "gauges: out of memory");
    g->workspace = mem_strdup(workspace);
    if (!g->workspace) {
        mem_free(g);
        return err_set(e, IFP_ENOMEM, "gauges: out of memory");
    }
    pgreq_init(&g->req);
    timer_init(&g->timer, l, on_timer, g);
    list_init(&g->waiting);
    g->exec = exec;
    g->ctx = ctx;
    forget();
    metrics_set(METRIC_DB_READ, NULL, 0);
    *ret = g;
    return 0;
}

void gauges_close(struct gauges *g)
{
    if (!g)
        return;
    assert(list_empty(&g->waiting) && !pgreq_busy(&g->req));
    timer_stop(&g->timer);
    pgreq_release(&g->req);
    mem_free(g->workspace);
    mem_free(g);
}

/* Without memory for the timer nobody waits. */
static void ask(struct gauges *g)
{
    assert(!list_empty(&g->waiting) && !timer_armed(&g->timer));
    if (timer_start(&g->timer, PATIENCE_US) != 0) {
        on_timer(g);
        return;
    }
    if (pgreq_busy(&g->req))
        return; /* what the last timer gave up is still under way */
    g->req.stmt = statements_get(STATEMENT_GAUGES);
    g->req.done = on_rows;
    pgargs_reset(&g->req.args);
    pgargs_text(&g->req.args, g->workspace);
    g->exec(g->ctx, &g->req);
}

void gauges_refresh(struct gauges *g, struct gauges_wait *w)
{
    bool first = list_empty(&g->waiting);

    assert(w->done);
    if (first && g->read_us != 0 && clock_mono_us() - g->read_us < FRESH_US) {
        w->done(w->ctx);
        return;
    }
    list_init(&w->link);
    list_push(&g->waiting, &w->link);
    if (first)
        ask(g);
}
