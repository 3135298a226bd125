/*
 * app/bench_report.c - every number of the benchmark: its key, its unit, what it says; and how they
 * are shown: a table, JSON, or a page of Markdown.
 */
#define _GNU_SOURCE 1 /* NAN, uname */
#include "app/bench.h"
#include "app/cmd.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct {
    const char *key, *unit, *what;
} rows[] = {
    { "limit_commit_per_s", "/s", "PostgreSQL: durable commits of one row, 32 clients" },
    { "limit_wf1_single_per_s", "/s", "PostgreSQL: minimal 1-step workflow, a commit a statement" },
    { "limit_wf10_single_per_s", "/s", "PostgreSQL: the same with 10 steps" },
    { "limit_wf1_batched_per_s", "/s", "PostgreSQL: 1-step workflows, 100 a transaction" },
    { "limit_wf10_batched_per_s", "/s", "PostgreSQL: the same with 10 steps" },
    { "floor_wf1_per_s", "/s", "our SQL without a runtime: 1-step executions" },
    { "floor_wf10_steps_per_s", "/s", "our SQL without a runtime: steps of 10-step executions" },
    { "floor_local_per_s", "/s", "our SQL without a runtime: 1-step, born owned" },
    { "wf1_per_s", "/s", "1-step executions, started, claimed, run and completed" },
    { "wf10_steps_per_s", "/s", "steps of 10-step executions" },
    { "empty_per_s", "/s", "executions without a step" },
    { "delayed_per_s", "/s", "1-step executions that all become due at one instant" },
    { "fanout_children_per_s", "/s", "1-step children, 100 of each parent that waits for all" },
    { "start_local_per_s", "/s", "1-step executions that a worker starts for itself" },
    { "wf1_vs_floor", "", "wf1_per_s / floor_wf1_per_s" },
    { "wf10_vs_floor", "", "wf10_steps_per_s / floor_wf10_steps_per_s" },
    { "wf1_vs_limit", "", "wf1_per_s / limit_wf1_batched_per_s" },
    { "start_local_vs_wf1", "", "start_local_per_s / wf1_per_s" },
    { "wf1_1k_waiting_per_s", "/s", "1-step executions, 1,000 waiting" },
    { "wf1_1m_waiting_per_s", "/s", "1-step executions, 1,000,000 waiting" },
    { "wf1_1m_vs_1k_waiting", "", "the latter / the former" },
    { "wf1_1_process_per_s", "/s", "1-step executions, 1 worker process" },
    { "wf1_2_processes_per_s", "/s", "... 2 processes" },
    { "wf1_4_processes_per_s", "/s", "... 4 processes" },
    { "wf1_8_processes_per_s", "/s", "... 8 processes" },
    { "wf1_held_per_s", "/s", "1-step executions while another session holds a snapshot" },
    { "held_s", "s", "how long it was held when the last 40,000 executions had ended" },
    { "wf1_held_vs_free", "", "the same / without that session" },
    { "enqueue_per_s", "/s", "starts in bulk, 500 a statement, one connection" },
    { "enqueue_sql_per_s", "/s", "starts in bulk by SQL alone, 500 a statement" },
    { "enqueue_file_per_s", "/s", "starts by the command line from a file, a line each" },
    { "enqueue_single_per_s", "/s", "starts one by one, one connection" },
    { "commits_per_wf1", "", "commits for a 1-step execution at full load, its start included" },
    { "commits_per_wf10", "", "commits for a 10-step execution" },
    { "wal_bytes_per_wf1", "B", "write-ahead log for a 1-step execution" },
    { "wal_bytes_per_wf10", "B", "write-ahead log for a 10-step execution" },
    { "worker_us_per_wf1", "us", "worker's CPU time for a 1-step execution" },
    { "worker_us_per_wf10", "us", "worker's CPU time for a 10-step execution" },
    { "server_us_per_wf1", "us", "server's CPU time for a 1-step execution, its start included" },
    { "server_us_per_wf10", "us", "server's CPU time for a 10-step execution" },
    { "start_p50_ms", "ms", "low load: a start, until it is acknowledged, median" },
    { "start_p99_ms", "ms", "low load: 99 %" },
    { "p50_ms", "ms", "low load: from then until another client sees that it has ended, median" },
    { "p99_ms", "ms", "low load: 99 %" },
    { "p999_ms", "ms", "low load: 99.9 %" },
    { "half_p50_ms", "ms", "half load: from start to its end being written, median" },
    { "half_p99_ms", "ms", "half load: 99 %" },
    { "half_p999_ms", "ms", "half load: 99.9 %" },
    { "idle_statements_per_s", "/s", "statements of an idle worker" },
    { "rss_mb_idle", "MB", "memory of an idle worker" },
    { "rss_kb_per_active", "kB", "memory for each execution in a step" },
    { "idle_poll_ms", "ms", "a claim that finds nothing among the sleepers" },
    { "rss_mb_1m_sleeping", "MB", "memory of a worker while 1,000,000 executions sleep" },
    { "rss_kb_growth_1m_sleeping", "kB", "what of it is due to them" },
    { "timer_late_p50_ms", "ms",
      "10,000 wake-ups a second: from due to its end being written, median" },
    { "timer_late_p99_ms", "ms", "10,000 wake-ups a second: 99 %" },
    { "recovery_kill_ms_p99", "ms", "from SIGKILL until another worker has the executions" },
    { "recovery_stop_ms_p99", "ms", "from SIGSTOP until another worker has the executions" },
    { "recovery_stop_lease_ms", "ms", "the lease of these workers" },
};

/* ---- the numbers ---------------------------------------------------------------------------- */

void bench_put(struct bench *b, const char *key, double value)
{
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        known |= strcmp(rows[i].key, key) == 0;
    assert(known && b->value_count < BENCH_VALUES_MAX);
    b->values[b->value_count++] = (struct bench_value){ key, value };
}

double bench_get(const struct bench *b, const char *key)
{
    for (int i = 0; i < b->value_count; i++)
        if (strcmp(b->values[i].key, key) == 0)
            return b->values[i].value;
    return NAN;
}

void bench_ratio(struct bench *b, const char *key, const char *over, const char *under)
{
    double ratio = bench_get(b, over) / bench_get(b, under);

    if (!isnan(ratio))
        bench_put(b, key, ratio);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *values, int n, double q)
{
    assert(n > 0 && q >= 0 && q <= 1);
    qsort(values, (size_t)n, sizeof(*values), compare);
    return values[MIN((int)(q * n), n - 1)];
}

/* ---- how they are shown --------------------------------------------------------------------- */

static void format_value(double value, const char *unit, char *ret, size_t size)
{
    int decimals = fabs(value) >= 1000 ? 0 : fabs(value) >= 10 ? 1 : 3;

    snprintf(ret, size, "%.*f%s%s", decimals, value, *unit && *unit != '/' ? " " : "", unit);
}

struct machine {
    char model[128], system[128], date[32];
    int64_t server;
    long cpus;
};

static void look_at_machine(struct bench *b, struct machine *m)
{
    FILE *in = fopen("/proc/cpuinfo", "re");
    char line[256];
    struct utsname name;
    struct err ignored;

    *m = (struct machine){ .cpus = sysconf(_SC_NPROCESSORS_ONLN) };
    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':'))
            snprintf(m->model, sizeof(m->model), "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"),
                     strchr(line, ':') + 2);
    if (in)
        (void)fclose(in);
    if (uname(&name) == 0)
        snprintf(m->system, sizeof(m->system), "%.40s %.60s", name.sysname, name.release);
    clock_format_utc(clock_real_us(), m->date, sizeof(m->date));
    if (!b->db || bench_ask(b, "select current_setting('server_version_num')::int8", &m->server,
                            &ignored) != 0)
        m->server = 0;
}

static int print_json(struct bench *b, const struct machine *m, struct err *e)
{
    struct jsondoc *doc = jsondoc_object();

    for (int i = 0; i < b->value_count; i++)
        jsondoc_add_double(doc, b->values[i].key, round(b->values[i].value * 1000) / 1000);
    jsondoc_add_bool(doc, "quick", b->quick);
    jsondoc_add_str(doc, "machine", m->model);
    jsondoc_add_int(doc, "cpus", m->cpus);
    jsondoc_add_int(doc, "postgresql", m->server);
    jsondoc_add_str(doc, "date", m->date);
    return cmd_print(doc, e);
}

static void print_text(const struct bench *b)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double value = bench_get(b, rows[i].key);
        char text[48];

        if (isnan(value))
            continue;
        format_value(value, rows[i].unit, text, sizeof(text));
        printf("%-27s %14s  %s\n", rows[i].key, text, rows[i].what);
    }
}

static int write_page(const struct bench *b, const struct machine *m, const char *path,
                      struct err *e)
{
    FILE *out = fopen(path, "we");

    if (!out)
        return err_set(e, IFP_ESERVER, "--write: cannot write %s: %s", path, strerror(errno));
    fprintf(out,
            "# Benchmarks\n\nMeasured by `make bench` on %.10s: %ld CPUs (%s) shared with "
            "PostgreSQL %d.%d, %s,\nfsync on. One run, one cluster: the ratios mean more than the "
            "numbers. `bench/README.md` says what each\nsection does.\n\n| | | |\n|---|---:|---|\n",
            m->date, m->cpus, m->model, (int)(m->server / 10000), (int)(m->server % 10000),
            m->system);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double value = bench_get(b, rows[i].key);
        char text[48];

        if (isnan(value))
            continue;
        format_value(value, rows[i].unit, text, sizeof(text));
        fprintf(out, "| `%s` | %s | %s |\n", rows[i].key, text, rows[i].what);
    }
    if (fclose(out) != 0)
        return err_set(e, IFP_ESERVER, "--write: cannot write %s: %s", path, strerror(errno));
    return 0;
}

int bench_report(struct bench *b, struct err *e)
{
    const char *page = cli_value(b->cli, "write");
    struct machine m;

    look_at_machine(b, &m);
    if (page)
        IFP_TRY(write_page(b, &m, page, e));
    if (b->cli->json)
        return print_json(b, &m, e);
    print_text(b);
    return 0;
}
