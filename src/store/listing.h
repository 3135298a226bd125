/*
 * store/listing.h - listings for the command line, row by row, over a blocking connection.
 * A listing calls `row` for each; a negative answer ends it and is returned.  Texts are borrowed
 * for the call; NULL is SQL null.  Newest first; `before` is an opaque cursor: the id of the last
 * row of the page before, 0 for the first page.
 */
#ifndef STORE_LISTING_H
#define STORE_LISTING_H

#include "store/client.h"

struct listing_execution {
    int64_t id;
    const char *workflow, *version, *queue, *status, *waiting_for, *error_code, *error;
    int64_t created_ms, finished_ms, ready_ms; /* 0: none */
    int64_t worker, parent;                    /* 0: none */
    int crashes;
};
struct listing_filter {
    const char *status, *workflow, *queue; /* NULL: any */
    int64_t parent;                        /* only its children; 0: any */
    int64_t before;
    int limit; /* 1 to 1000 */
};
typedef int listing_execution_fn(void *ctx, const struct listing_execution *row);
int listing_executions(struct client *c, const struct listing_filter *f, listing_execution_fn *row,
                       void *ctx, struct err *e) MUSTCHECK;

struct listing_step {
    int seq, attempts;
    const char *name, *kind, *status, *result, *error_code, *error;
    int64_t done_ms, wake_ms, took_us, tokens; /* 0: none */
    int64_t nth;                               /* which one of its name */
    const char *usd, *progress;
    bool running; /* not recorded yet: its progress is known */
};
typedef int listing_step_fn(void *ctx, const struct listing_step *row);
/* In program order, with seq > after_seq. */
int listing_steps(struct client *c, int64_t id, int after_seq, listing_step_fn *row, void *ctx,
                  struct err *e) MUSTCHECK;

struct listing_workflow {
    const char *name, *version, *queue;
    int64_t deadline_ms, registered_ms;
    int64_t live;    /* executions that have not ended */
    int64_t workers; /* living ones that run it; 0 with live ones: they are stranded */
};
typedef int listing_workflow_fn(void *ctx, const struct listing_workflow *row);
int listing_workflows(struct client *c, listing_workflow_fn *row, void *ctx,
                      struct err *e) MUSTCHECK;

struct listing_worker {
    int64_t id;
    const char *state, *host, *program, *version, *died_of;
    const char *workflows; /* what it runs: "name/version name/version"; NULL: it has not said */
    int pid;
    int64_t started_ms, seen_ms, executions;
};
typedef int listing_worker_fn(void *ctx, const struct listing_worker *row);
int listing_workers(struct client *c, listing_worker_fn *row, void *ctx, struct err *e) MUSTCHECK;

struct listing_finding {
    const char *check, *severity, *subject, *detail;
};
typedef int listing_finding_fn(void *ctx, const struct listing_finding *row);
/* Checks that read executions look at those of the last `since_ms`. */
int listing_doctor(struct client *c, int64_t since_ms, listing_finding_fn *row, void *ctx,
                   struct err *e) MUSTCHECK;
/* Mends what that check finds; a row (subject and detail) for each thing that was mended. */
int listing_repair(struct client *c, const char *check, listing_finding_fn *row, void *ctx,
                   struct err *e) MUSTCHECK;
/* The database's clock, in microseconds since 1970. */
int listing_db_clock(struct client *c, int64_t *ret_us, struct err *e) MUSTCHECK;

/* The parent of a worker process that it has reaped tells the others at once, and gives free what
 * the worker had; more than a thousand executions are left for the others' ticks. */
int listing_worker_dead(struct client *c, int64_t worker, const char *why, int crash_limit,
                        struct err *e) MUSTCHECK;

#endif
