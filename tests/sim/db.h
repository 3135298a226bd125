/*
 * tests/sim/db.h - the modelled database: what sql/schema's tables hold and its functions do, for
 * one workspace and one lane.  A statement is one instant: it sees and changes everything at its
 * commit, as its locks would have it.
 *
 * Beside the tables there are the ledgers of the checker: what was acknowledged to whom.  They are
 * outside the database and know no faults.
 */
#ifndef TESTS_SIM_DB_H
#define TESTS_SIM_DB_H

#include "base/err.h"
#include "sim/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DB_EXECS_MAX = 24,
    DB_ROWS_MAX = 48,
    DB_ATTEMPTS_MAX = 64,
    DB_MESSAGES_MAX = 8,
    DB_WORKERS_MAX = 96,
    DB_SHARDS = 8,
    DB_LANE = 1,
    DB_NAME_SIZE = 24,
    DB_TEXT_SIZE = 160
};
/* The numbers of sql/schema. */
enum { DB_READY = 0, DB_RUNNING = 1, DB_MESSAGE = 3 };
enum { DB_COMPLETED = 1, DB_FAILED = 2, DB_CANCELED = 3 };
enum { DB_FLAG_CANCEL = 1, DB_FLAG_ALONE = 2 };

struct db_row {
    int64_t key, done_us, wake_us, committed_us;
    int32_t seq, fence;
    int16_t kind, status, attempts;
    char name[DB_NAME_SIZE], result[DB_TEXT_SIZE], error_code[DB_NAME_SIZE];
    bool has_result;
};

struct db_attempt {
    int64_t key, next_us;
    int32_t seq, fence;
    int16_t attempt;
};

struct db_message {
    char name[DB_NAME_SIZE], payload[DB_TEXT_SIZE];
};

/* An execution with its run (live), its result (not live) and all that belongs to it. */
struct db_exec {
    int64_t id, created_us, seed;
    char workflow[DB_NAME_SIZE], input[DB_TEXT_SIZE];
    bool live, has_journal;
    int64_t ready_us, owner, deadline_us;
    char waits_for[DB_NAME_SIZE];
    int32_t fence;
    int16_t state, flags, crashes, prio;
    int64_t cancel_for; /* the worker whose tick is to hear of the cancel; 0: none */
    int64_t held_until; /* a transaction of somebody else holds the row of runs */
    int row_count, attempt_count, message_count;
    struct db_row rows[DB_ROWS_MAX];
    struct db_attempt attempts[DB_ATTEMPTS_MAX];
    struct db_message messages[DB_MESSAGES_MAX];
    int effects; /* what transactional steps wrote */
    int16_t status;
    char output[DB_TEXT_SIZE * 4], error_code[DB_NAME_SIZE];
};

struct db_worker {
    int64_t id, beats, backend, backend_start;
    int state; /* 0 alive, 1 dead, 2 gone */
    bool hungry;
};

/* Flat, so that a copy of it is a snapshot. */
struct db {
    struct db_exec execs[DB_EXECS_MAX];
    struct db_worker workers[DB_WORKERS_MAX];
    int exec_count, worker_count;
};
extern struct db db;

void db_open(void);
/* Runs a statement at this instant; NULL and a text in `e` when it fails. */
const struct pgres *db_run(const struct wire_call *c, int64_t backend, struct err *e);
/* The worker has read the answer to its flush: what it says is a promise from here on. */
void db_flush_heard(const struct wire_call *c, const struct pgres *res);
/* The row of a transactional step, between its statement and the commit. */
struct db_tx_row {
    int64_t worker, exec_id, key;
    int32_t fence, seq;
    int16_t attempts;
    char name[DB_NAME_SIZE], result[DB_TEXT_SIZE];
};
/* inferpipe.step_tx_commit: *ret_ours is false when the execution is another worker's. */
int db_tx_record(const struct wire_call *c, struct db_tx_row *ret, bool *ret_ours,
                 struct err *e) MUSTCHECK;
/* `heard`: the worker learns that it has happened. */
void db_tx_commit(const struct db_tx_row *row, int effects, bool heard);
/* A server process comes or goes; 0 is none. */
void db_backend(int64_t backend, bool there);
/* The server starts again: what was not durable is gone. */
void db_restart(void);

/* What callers do.  An index into db.execs. */
int db_start(const char *workflow, const char *input);
void db_send(int exec, const char *name, const char *payload);
void db_cancel(int exec);
void db_hold(int exec, int64_t us);

int64_t db_now(void);
struct db_exec *db_find(int64_t exec_id);
/* A run became ready: hungry workers are told. */
void db_wake(void);

#endif
