/*
 * app/cmd_bench.c - `bench`: measures InferPipe beside what PostgreSQL can do, section by section;
 * and `bench worker`, the worker that it runs.
 */
#include "app/app.h"
#include "app/bench.h"
#include "app/cmd.h"
#include "engine/local.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SELF_US = 500, HELD_S = 300, HELD_S_MAX = 86400 };

const struct bench_section bench_sections[] = {
    { "limit", "what PostgreSQL can do, by pgbench (--limit)", bench_limit },
    { "throughput", "executions and steps a second, beside the floor (--floor)", bench_throughput },
    { "shapes", "timers that end at once, and parents of many children", bench_shapes },
    { "enqueue", "starts a second, singly and in bulk", bench_enqueue },
    { "latency", "from start to end, at low and at half load", bench_latency },
    { "memory", "of an idle worker and for each active execution", bench_memory },
    { "sleepers", "a million of them, and how late they wake", bench_sleepers },
    { "recovery", "after SIGKILL and SIGSTOP", bench_recovery },
    { "backlog", "throughput with 1,000 and 1,000,000 waiting", bench_backlog },
    { "scaling", "throughput of 1, 2, 4 and 8 processes", bench_scaling },
    { "held", "throughput while another session holds a snapshot", bench_held },
    { 0 },
};

/* Whether the comma-separated list names it; no list names all. */
static bool is_wanted(const char *only, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = only; at && *at;) {
        size_t word = strcspn(at, ",");

        if (word == len && strncmp(at, name, len) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return !only;
}

static int check_names(const char *only, struct err *e)
{
    for (const char *at = only; at && *at;) {
        size_t word = strcspn(at, ",");
        bool known = false;

        for (const struct bench_section *s = bench_sections; s->name; s++)
            known |= strlen(s->name) == word && strncmp(at, s->name, word) == 0;
        if (!known)
            return err_set(e, IFP_EINVALID, "--only: there is no section \"%.*s\"", (int)word, at);
        at += word + (at[word] == ',');
    }
    return 0;
}

static int run_sections(struct bench *b, struct err *e)
{
    const char *only = cli_value(b->cli, "only");

    for (const struct bench_section *s = bench_sections; s->name; s++) {
        if (!is_wanted(only, s->name))
            continue;
        if (!b->cli->json)
            fprintf(stderr, "%s: %s\n", s->name, s->what);
        IFP_TRY(bench_fresh(b, e));
        IFP_TRY(s->run(b, e));
        bench_kill_all(b);
    }
    bench_ratio(b, "wf1_vs_floor", "wf1_per_s", "floor_wf1_per_s");
    bench_ratio(b, "wf10_vs_floor", "wf10_steps_per_s", "floor_wf10_steps_per_s");
    bench_ratio(b, "wf1_vs_limit", "wf1_per_s", "limit_wf1_batched_per_s");
    bench_ratio(b, "start_local_vs_wf1", "start_local_per_s", "wf1_per_s");
    return 0;
}

int cmd_bench_run(struct cli *c, struct err *e)
{
    struct bench b;
    int rc = check_names(cli_value(c, "only"), e);

    if (rc == 0)
        rc = bench_open(&b, c, e);
    if (rc != 0)
        return rc;
    b.quick = cli_value(c, "quick") != NULL;
    rc = cli_int(c, "held", 0, HELD_S_MAX, b.quick ? 0 : HELD_S, &b.held_ms, e);
    b.held_ms *= 1000;
    if (rc == 0)
        rc = run_sections(&b, e);
    if (rc == 0)
        rc = bench_report(&b, e);
    bench_close(&b);
    return rc;
}

/* ---- the worker ----------------------------------------------------------------------------- */

/* What --self asks for: executions that the worker starts for itself. */
static struct {
    struct engine *engine;
    struct timer timer;
    int64_t left;
} self;

static void on_self(void *ctx)
{
    const struct slice input = { "12345", 5 };

    (void)ctx;
    self.left -= (int64_t)local_start(self.engine, "bench-1", input, (size_t)self.left);
    if (self.left > 0 && timer_start(&self.timer, SELF_US) != 0)
        fprintf(stderr, "bench worker: no memory for a timer\n");
}

static void on_engine(struct loop *l, struct engine *e)
{
    self.engine = e;
    timer_init(&self.timer, l, on_self, NULL);
    if (self.left > 0)
        on_self(NULL);
}

int cmd_bench_worker(struct cli *c, struct err *e)
{
    const struct ifp_app *own = c->app;
    ifp_app *flows = bench_flows();
    int rc = cli_int(c, "self", 0, INT32_MAX, 0, &self.left, e);

    if (rc != 0) {
        ifp_app_free(flows);
        return rc;
    }

    if (!flows)
        return err_set(e, IFP_ENOMEM, "out of memory");
    flows->started = on_engine;
    c->app = flows;
    rc = flows->mistake.code != 0 ? flows->mistake.code : cmd_worker_run(c, e);
    c->app = own;
    ifp_app_free(flows);
    return rc;
}
