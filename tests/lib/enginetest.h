/*
 * tests/lib/enginetest.h - engines against a database of their own: starts executions, runs the
 * loop until something is true in the database, looks at how they ended.
 *
 * A test says which workflows there are (enginetest_define), opens workers on the one loop or in
 * processes of their own, and waits.  Waits end the test when nothing comes of them for 20
 * seconds. Step bodies meet the test at gates; what they count lies in memory that forked
 * workers share.
 *
 * After each test: workers drain, no run may be left in their memory, and the database is asked
 * whether what the engine wrote is consistent.
 */
#ifndef TESTS_LIB_ENGINETEST_H
#define TESTS_LIB_ENGINETEST_H

#include "engine/engine.h"
#include "lib/testdb.h"
#include "prim/ticker.h"
#include "store/client.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { ENGINETEST_WORKERS_MAX = 8 };

/* One engine, in this process or (child != 0) in one of its own. */
struct enginetest_worker {
    struct config config;
    struct engine *engine; /* owned; NULL in the parent of a child, and once closed */
    struct ticker *ticker; /* owned; when the test has schedules */
    struct loop *loop;     /* borrowed */
    pid_t child;
    bool stopped;
    int stop_code;
    struct err stop_error;
};

struct enginetest {
    const char *url;
    struct loop *loop;
    struct client client;
    const struct engine_workflow *workflows; /* borrowed */
    size_t workflow_count;
    const struct cronjob *schedules; /* borrowed; NULL: workers fire no schedules */
    size_t schedule_count;
    struct enginetest_worker workers[ENGINETEST_WORKERS_MAX];
    int worker_count;
    ifp_execution execution; /* of the last enginetest_get */
    bool broken;             /* the test leaves the database inconsistent on purpose */
};

/* For cmocka: *state becomes a struct enginetest. */
int enginetest_setup(void **state);
int enginetest_teardown(void **state);

/* A workflow under its function's name. */
#define ENGINETEST_WORKFLOW(f)                                                                     \
    {                                                                                              \
        .name = #f, .version = "1", .queue = "default", .fn = f                                    \
    }
/* What workers opened from now on know; registered at once, so that executions may be started. */
void enginetest_define(struct enginetest *t, const struct engine_workflow *w, size_t n);

/* Opens a worker and waits until it is registered.  Settings: "lease=1s tick=50ms", or NULL; the
 * tick is 50 ms unless they say otherwise. */
struct enginetest_worker *enginetest_worker(struct enginetest *t, const char *settings);
/* The same in a process of its own; fork before the first worker in this one. */
struct enginetest_worker *enginetest_fork(struct enginetest *t, const char *settings);
/* Opens a worker and does not wait. */
struct enginetest_worker *enginetest_open(struct enginetest *t, const char *settings);
/* Sends a signal to a child; after SIGKILL it is waited for. */
void enginetest_signal(struct enginetest_worker *w, int signum);
/* Waits for a child that dies by itself; gives its wait status. */
int enginetest_reap(struct enginetest *t, struct enginetest_worker *w);
/* Drains it and closes the engine; a child gets SIGTERM. */
void enginetest_leave(struct enginetest *t, struct enginetest_worker *w);
/* Closes the engine of a worker that has stopped. */
void enginetest_close(struct enginetest_worker *w);
/* The id that the worker has now; of a worker in this process. */
int64_t enginetest_worker_id(const struct enginetest_worker *w);

/* Starts an execution; input is JSON text, NULL: null. */
int64_t enginetest_start(struct enginetest *t, const char *workflow, const char *input,
                         const ifp_start_options *options);
void enginetest_send(struct enginetest *t, int64_t id, const char *name, const char *message);
/* True when it has ended at once. */
bool enginetest_cancel(struct enginetest *t, int64_t id, bool force);
void enginetest_retry(struct enginetest *t, int64_t id);

/* Runs the loop until ... */
void enginetest_until(struct enginetest *t, bool (*done)(void *ctx), void *ctx);
/* ... the query gives true, or a number other than 0. */
void enginetest_until_sql(struct enginetest *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* ... the counter is at least that. */
void enginetest_until_count(struct enginetest *t, const atomic_int *count, int wanted);
/* ... a worker of this process has so many executions in memory. */
void enginetest_until_runs(struct enginetest *t, const struct enginetest_worker *w, size_t wanted);
/* ... a worker of this process has nothing to say to the database before its next tick. */
void enginetest_until_quiet(struct enginetest *t, const struct enginetest_worker *w);
/* ... it has this status; gives what the client sees. */
const ifp_execution *enginetest_wait(struct enginetest *t, int64_t id, enum ifp_status status);
/* ... that many executions have ended. */
void enginetest_wait_all(struct enginetest *t, int count);

/* Waits for the end and checks it: the output, or the error's code and a part of its text. */
void enginetest_completes(struct enginetest *t, int64_t id, const char *output);
void enginetest_fails(struct enginetest *t, int64_t id, const char *code, const char *part);
/* The query's first column as text must be `expected`; NULL: null or no row. */
void enginetest_sql(const char *expected, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What the client sees now. */
const ifp_execution *enginetest_get(struct enginetest *t, int64_t id);

/* Moves the database's clock forward for everybody. */
void enginetest_db_clock(const char *interval);
/* Moves this process's clocks forward; enginetest_teardown puts them back. */
void enginetest_clock(int64_t us);

/* Zeroed memory that forked workers share with the test; kept until the program ends. */
void *enginetest_shared(size_t size);

/* Where a step body waits for the test.  Lies in shared memory, works across processes. */
struct enginetest_gate {
    atomic_int came; /* how many have arrived */
    int pipe[2];
};
void enginetest_gate_open(struct enginetest_gate *g);
void enginetest_gate_close(struct enginetest_gate *g);
/* A step body: arrives and waits until it is let through. */
void enginetest_gate_pass(struct enginetest_gate *g);
/* The same, but also ends when the step is told to stop; true when it was let through. */
bool enginetest_gate_pass_or_cancel(struct enginetest_gate *g, const ifp_step_ctx *step);
/* Lets so many through, now or when they come. */
void enginetest_gate_let(struct enginetest_gate *g, int count);

#endif
