/*
 * app/bench.h - what the parts of `bench` share: databases of its own, worker processes, and the
 * numbers that were measured.
 *
 * Everything happens on the server of the PG* environment, in databases that are made for it and
 * dropped again. Each section of the benchmark (bench_sections) begins with a new one. The
 * functions give 0 or an IFP_E* with its text in `e`; the first failure ends the benchmark.
 */
#ifndef APP_BENCH_H
#define APP_BENCH_H

#include "app/cli.h"
#include "pg/pgsync.h"
#include "store/client.h"

#include <sys/types.h>

enum {
    BENCH_WORKERS_MAX = 16,
    BENCH_VALUES_MAX = 96,
    BENCH_OPTIONS_MAX = 8,
    BENCH_PATH_SIZE = 512
};

struct bench_value {
    const char *key; /* static */
    double value;
};

struct bench_worker {
    pid_t pid; /* 0: none */
};

struct bench {
    struct cli *cli;       /* borrowed */
    struct pgsync *server; /* owned: the database `postgres` */
    struct pgsync *db;     /* owned: the section's own; NULL: none */
    struct client client;  /* of the same database */
    bool has_client;
    char name[64]; /* of that database */
    char url[80];
    bool quick;      /* for a test: all keys, little time */
    int64_t held_ms; /* how long the snapshot of `held` is kept at least */
    struct bench_worker workers[BENCH_WORKERS_MAX];
    struct bench_value values[BENCH_VALUES_MAX];
    int value_count;
};

struct bench_section {
    const char *name; /* NULL ends the table */
    const char *what;
    int (*run)(struct bench *b, struct err *e);
};
extern const struct bench_section bench_sections[];

/* The workflows that are measured (bench_flows.c), for ifp_app_free; NULL when memory is out. */
ifp_app *bench_flows(void);

/* ---- bench_env.c: databases, SQL, processes ------------------------------------------------- */

int bench_open(struct bench *b, struct cli *c, struct err *e) MUSTCHECK;
void bench_close(struct bench *b);
/* A new, migrated database that knows the workflows; workers of the one before are ended. */
int bench_fresh(struct bench *b, struct err *e) MUSTCHECK;
int bench_sql(struct bench *b, const char *sql, struct err *e) MUSTCHECK;
/* The int8 that the query gives in its first row; 0 for null. */
int bench_ask(struct bench *b, const char *sql, int64_t *ret, struct err *e) MUSTCHECK;
/* Asks until it is 0 (or, with `want`, at least that); IFP_ETIMEOUT after `limit_ms`.  Between two
 * looks it waits four times as long as a look takes: looking must not be part of the load. */
int bench_until(struct bench *b, const char *sql, int64_t want, int64_t limit_ms,
                struct err *e) MUSTCHECK;
/* Starts up to CLIENT_BATCH_MAX executions as a client does, in one call. */
int bench_start(struct bench *b, const char *flow, int64_t n, struct err *e) MUSTCHECK;
/* Puts n executions there in one statement, due at once: what a load finds when it begins. */
int bench_fill(struct bench *b, const char *flow, int64_t n, const char *input,
               struct err *e) MUSTCHECK;
/* A worker process with these settings ("slots=100", NULL at the end), alive in the database. */
int bench_worker(struct bench *b, const char *const *settings, struct bench_worker **ret,
                 struct err *e) MUSTCHECK;
/* Ends it with SIGKILL and waits for it. */
void bench_kill(struct bench_worker *w);
void bench_kill_all(struct bench *b);
/* Runs a program on the section's database and gives what it printed, for mem_free. */
int bench_program(struct bench *b, char *const *argv, char **ret_output, struct err *e) MUSTCHECK;

/* ---- bench_proc.c: what processes use ------------------------------------------------------- */

/* Kilobytes of memory that are the process's own or shared, and its CPU time. */
int64_t bench_rss_kb(pid_t pid);
int64_t bench_cpu_us(pid_t pid);
/* CPU time of all processes of the server; -1 when it runs elsewhere. */
int bench_server_cpu_us(struct bench *b, int64_t *ret, struct err *e) MUSTCHECK;

/* ---- bench_report.c: the numbers ------------------------------------------------------------ */

/* `key` must be one of the report's table. */
void bench_put(struct bench *b, const char *key, double value);
/* NAN when it was not measured. */
double bench_get(const struct bench *b, const char *key);
/* key = a / b, when both were measured. */
void bench_ratio(struct bench *b, const char *key, const char *over, const char *under);
/* Prints the table or, with --json, the object; with --write also the page for docs/. */
int bench_report(struct bench *b, struct err *e) MUSTCHECK;
/* The q-th of n values (sorted in place), 0 <= q <= 1. */
double bench_quantile(double *values, int n, double q);

/* ---- the sections --------------------------------------------------------------------------- */

int bench_limit(struct bench *b, struct err *e) MUSTCHECK;
int bench_throughput(struct bench *b, struct err *e) MUSTCHECK;
int bench_backlog(struct bench *b, struct err *e) MUSTCHECK;
int bench_scaling(struct bench *b, struct err *e) MUSTCHECK;
int bench_held(struct bench *b, struct err *e) MUSTCHECK;
int bench_enqueue(struct bench *b, struct err *e) MUSTCHECK;
int bench_shapes(struct bench *b, struct err *e) MUSTCHECK;
int bench_latency(struct bench *b, struct err *e) MUSTCHECK;
int bench_memory(struct bench *b, struct err *e) MUSTCHECK;
int bench_sleepers(struct bench *b, struct err *e) MUSTCHECK;
int bench_recovery(struct bench *b, struct err *e) MUSTCHECK;

#endif
