/*
 * tests/lib/crashtest.h - what the crash and fault tests share: a database of its own with the
 * ledger and the log of its workers, worker processes that may be killed, waiting with a limit, and
 * the checker (tests/sql/lib/invariants.sql).
 *
 * A connection that breaks is made anew by the statement after.  Mistakes of the set-up end the
 * program; what a test waits for and does not get fails the test, with the end of the workers' log.
 * Every worker is killed by crashtest_cleanup, or by the kernel with us.
 */
#ifndef LIB_CRASHTEST_H
#define LIB_CRASHTEST_H

#include "lib/crashtest_flow.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CRASHTEST_PATH_SIZE = 128 };

struct crashtest {
    const char *url;
    struct pg_conn *db; /* owned */
    char ledger[CRASHTEST_PATH_SIZE], log[CRASHTEST_PATH_SIZE];
};

/* A copy of the template in which the workflow is registered: starts need no worker. */
void crashtest_open(struct crashtest *t);
/* A database with nothing in it. */
void crashtest_open_empty(struct crashtest *t);
void crashtest_close(struct crashtest *t);
/* cmocka's tear-down: kills and reaps all workers that still live. */
int crashtest_cleanup(void **state);

/* The first column of the first row as an integer; no row and null give 0.  While the server is
 * down: -1. */
int64_t crashtest_int8(struct crashtest *t, const char *sql);
/* Starts executions with this input, each with its message "go" when `mail` says so. */
void crashtest_start(struct crashtest *t, int count, const char *input, bool mail);
/* Sends "go" to all that wait for it; gives the number of executions that have not ended. */
int64_t crashtest_deliver(struct crashtest *t);

/* ---- workers -------------------------------------------------------------------------------- */

struct crashtest_worker {
    pid_t pid; /* 0: none */
    int status;
};

struct crashtest_settings {
    const char *crash_at;     /* NULL: nowhere */
    const char *lease, *tick; /* NULL: 1 s and 100 ms */
    const char *slots;        /* NULL: many */
};

void crashtest_spawn(struct crashtest *t, struct crashtest_worker *w,
                     const struct crashtest_settings *s);
/* True once it has ended; `status` is then what waitpid gave. */
bool crashtest_ended(struct crashtest_worker *w);
void crashtest_signal(const struct crashtest_worker *w, int signum);
/* Waits for its end; fails after 30 s. */
void crashtest_until_ended(struct crashtest *t, struct crashtest_worker *w);
/* SIGTERM, and fails when it does not end with exit code 0. */
void crashtest_stop(struct crashtest *t, struct crashtest_worker *w);

/* ---- waiting and checking ------------------------------------------------------------------- */

typedef bool crashtest_fn(void *ctx);
/* Runs the loop (NULL: one of its own) until the condition holds, at most `seconds`. */
bool crashtest_wait(struct loop *l, int seconds, crashtest_fn *done, void *ctx);
/* The same for "all executions have ended", while messages are delivered; fails after 30 s. */
void crashtest_finish(struct crashtest *t, struct loop *l);
/* Until the SQL gives a positive number; fails after 30 s. */
void crashtest_until_sql(struct crashtest *t, const char *sql);
/* Until the workers' log holds this text; fails after 30 s. */
void crashtest_until_log(struct crashtest *t, const char *text);
/* The number of violations, which go to `ret_text`, one a line. */
int crashtest_violations(struct crashtest *t, char *ret_text, size_t size);
/* Fails unless `completed` executions ended with the right output, `canceled` were canceled, no
 * other exists, and the checker finds nothing. */
void crashtest_check(struct crashtest *t, int completed, int canceled);
/* The last lines of the workers' log, to stderr. */
void crashtest_show_log(const struct crashtest *t);

/* ---- the server ----------------------------------------------------------------------------- */

/* Whether this is a server that tests may stop (scripts/testdb). */
bool crashtest_server_ours(void);
/* pg_ctl with "start", "stop" or "restart", without mercy (-m immediate); must succeed. */
void crashtest_server(const char *action);
/* Makes our own connection anew: the server was restarted. */
void crashtest_reconnect(struct crashtest *t);

#endif
