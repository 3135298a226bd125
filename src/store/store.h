/*
 * store/store.h - what the engine does to the database: each state change is one function of schema
 * `inferpipe`, called here as one typed asynchronous operation.
 *
 * An operation struct is embedded in its owner.  store_<op>() copies all input into the request,
 * `done` comes exactly once, from the loop.  Rows are read inside `done` with the _at accessors;
 * slices point into the answer and die with the callback.  A lost connection gives IFP_EUNAVAILABLE
 * with op->req.sent: is the outcome unknown?  Loop thread only.  Times are us since 1970. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "loop/loop.h"
#include "pg/pgconn.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_options {
    const char *conninfo;
    const char *workspace; /* slug */
    const char *program;   /* shown in `worker list` and pg_stat_activity */
    int connections, queue_max;
    int64_t connect_timeout_ms, statement_timeout_ms, lease_ms;
    bool listen, prepare;
    /* From the loop.  up: (again) usable; wake: work came for `lane`, 0: anything may have. */
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, const struct err *e);
    void (*on_wake)(void *ctx, int32_t lane);
    void *ctx;
};
int store_open(struct loop *l, const struct store_options *o, struct store **ret,
               struct err *e) MUSTCHECK;
/* All operations finish with IFP_ECANCELED first. */
void store_close(struct store *s, loop_fn *closed, void *ctx);
const struct err *store_last_error(const struct store *s); /* why it is not usable, or code 0 */

/* An operation without rows of its own; the others embed it first. */
struct store_op;
typedef void store_done_fn(struct store_op *op, int err, const struct err *e);
struct store_op {
    struct pgreq req;
    struct store *store;     /* borrowed */
    const struct pgres *res; /* valid inside done */
    store_done_fn *done;
    int rows; /* inside done */
};
void store_op_init(struct store_op *op, struct store *s);
void store_op_release(struct store_op *op); /* not while it is in flight */
bool store_op_busy(const struct store_op *op);

/* ---- worker, on the control connection ------------------------------------------------------ */
struct store_workflow {
    const char *name, *version, *queue; /* borrowed */
    int64_t deadline_ms;                /* 0: none */
};
/* Registers the workflows and resolves the workspace; first of all. */
void store_register(struct store_op *op, const struct store_workflow *w, size_t n,
                    store_done_fn *done);
struct store_lane {
    int32_t lane;
    const char *workflow, *version, *queue;
    int32_t quota; /* the queue to claim from by store_claim_limited; 0: by store_claim */
    bool paused;   /* claim nothing there */
};
void store_lanes(struct store_op *op, const struct store_workflow *w, size_t n,
                 store_done_fn *done);
struct store_lane store_lane_at(const struct store_op *op, int row);
/* Registers the worker or renews its lease; store_beat_alive tells inside done. */
void store_beat(struct store_op *op, int64_t worker, bool hungry, store_done_fn *done);
bool store_beat_alive(const struct store_op *op);

enum store_tick_kind {
    STORE_TICK_SELF = 1,
    STORE_TICK_PEER,
    STORE_TICK_CANCEL,
    STORE_TICK_DUE,
    STORE_TICK_LANES,
    STORE_TICK_NEXT,
    STORE_TICK_DEAD,
    STORE_TICK_CRON,
    STORE_TICK_QUEUE
};
struct store_tick_row { /* meaning of the numbers by kind: sql/schema, function tick */
    enum store_tick_kind kind;
    int64_t id, n, m;
    int64_t at_us; /* INT64_MIN when null */
};
void store_tick(struct store_op *op, int64_t worker, bool hungry, const int32_t *lanes, size_t n,
                bool sweep, store_done_fn *done);
struct store_tick_row store_tick_at(const struct store_op *op, int row);
void store_reap_mark(struct store_op *op, int64_t worker, int64_t beats, const char *why,
                     store_done_fn *done);
bool store_reap_marked(const struct store_op *op);
void store_reap_release(struct store_op *op, int crash_limit, int limit, store_done_fn *done);
void store_reap_counts(const struct store_op *op, int *ret_released, int *ret_remaining);
void store_leave(struct store_op *op, int64_t worker, store_done_fn *done);
void store_maintain(struct store_op *op, store_done_fn *done);
bool store_maintain_more(const struct store_op *op); /* worth calling again at once */
/* ---- executions, on the pool ---------------------------------------------------------------- */
struct store_probe { /* where a claim looks, in the order given */
    int32_t lane;
    int16_t shard, prio;
    int64_t from_us; /* watermark; INT64_MIN: from the beginning */
};
void store_claim(struct store_op *op, int64_t worker, const struct store_probe *p, size_t n,
                 int limit, store_done_fn *done);
/* What the database says this worker owns. */
void store_owned(struct store_op *op, int64_t worker, store_done_fn *done);
enum { STORE_FLAG_CANCEL = 1, STORE_FLAG_ALONE = 2, STORE_FLAG_LEFT_ALONE = 16 };
struct store_claimed {
    int64_t exec_id; /* 0: nothing was claimed, but at ready_us something will be due here */
    int32_t fence, lane;
    int16_t shard, prio, flags, crashes;
    bool has_journal;
    int64_t ready_us, deadline_us /* 0: none */, created_us, now_us;
    uint64_t seed;
    struct slice input;
    const char *options, *traceparent; /* of the start; NULL: none */
};
struct store_claimed store_claimed_at(const struct store_op *op, int row);

enum store_kind { /* those that the store knows; journal.h has all */
                  STORE_STEP = 1,
                  STORE_SLEEP = 2,
                  STORE_MESSAGE = 3,
                  STORE_CHILD = 4,
                  STORE_NOW = 5,
                  STORE_TX = 6,
                  STORE_ATTEMPTS = 8,
                  STORE_INTENT = 9
};
enum store_row_status { STORE_OK = 0, STORE_FAILED = 1, STORE_TIMED_OUT = 2 };
struct store_journal_row {
    int64_t exec_id, step_key;
    int32_t seq;
    int16_t kind, status, attempts;
    int64_t done_us, wake_us; /* wake 0: none */
    struct slice name, result;
    const char *error_code, *error; /* NULL: none */
};
/* The next `limit` rows of each run after its step key; INT64_MIN: from the start. */
void store_journal(struct store_op *op, const int64_t *exec, const int64_t *after, size_t n,
                   int limit, store_done_fn *done);
struct store_journal_row store_journal_at(const struct store_op *op, int row);

#endif
