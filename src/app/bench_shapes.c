/*
 * app/bench_shapes.c - executions of other shapes than a row of steps: many timers that end at one
 * instant, and parents with many children.
 */
#include "app/bench.h"
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

enum { BATCH = 500, LOAD_MS = 120000, AHEAD_MS = 500, STARTS_PER_MS = 10, CHILDREN = 100 };

static int until_all_ended(struct bench *b, struct err *e)
{
    return bench_until(b, "select count(*) from (select from inferpipe._inferpipe_runs limit 1) r",
                       0, LOAD_MS, e);
}

static int start_later(struct bench *b, int64_t due_ms, struct err *e)
{
    const ifp_start_options later = { .run_at_ms = due_ms };
    ifp_start_item items[BATCH];
    int64_t ids[BATCH];
    bool created[BATCH];

    IFP_TRY(client_ready(&b->client, e));
    for (int i = 0; i < BATCH; i++)
        items[i] = (ifp_start_item){ "bench-1", "12345", &later };
    return client_start_many(&b->client, items, BATCH, ids, created, e);
}

/* All become due at the same time, when all are there; from then on it is timed. */
static int delayed(struct bench *b, struct err *e)
{
    int64_t n = b->quick ? 5000 : 50000, due_ms, took_us;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, NULL, NULL, e));
    due_ms = clock_real_us() / 1000 + AHEAD_MS + n / STARTS_PER_MS;
    for (int64_t i = 0; i < n; i += BATCH)
        IFP_TRY(start_later(b, due_ms, e));
    IFP_TRY(until_all_ended(b, e));
    took_us = clock_real_us() - due_ms * 1000;
    if (took_us <= 0)
        return err_set(e, IFP_ESERVER, "delayed executions have run before their time");
    bench_put(b, "delayed_per_s", (double)n / ((double)took_us / 1e6));
    return 0;
}

/* Parents, their starts of children, the children, and what the parents learn of their ends. */
static int fan_out(struct bench *b, struct err *e)
{
    int64_t parents = b->quick ? 50 : BATCH, from_us;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(bench_worker(b, NULL, NULL, e));
    IFP_TRY(bench_start(b, "bench-fan", 5, e)); /* plans and pages */
    IFP_TRY(until_all_ended(b, e));
    from_us = clock_mono_us();
    IFP_TRY(bench_start(b, "bench-fan", parents, e));
    IFP_TRY(until_all_ended(b, e));
    bench_put(b, "fanout_children_per_s",
              (double)(parents * CHILDREN) / ((double)(clock_mono_us() - from_us) / 1e6));
    return 0;
}

int bench_shapes(struct bench *b, struct err *e)
{
    IFP_TRY(delayed(b, e));
    return fan_out(b, e);
}
