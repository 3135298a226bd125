/*
 * pg/pgsync.h - a blocking connection, for the command line, the client half of the library, the
 * migrations, and transactional steps on their pool threads.  One thread at a time.
 */
#ifndef PG_PGSYNC_H
#define PG_PGSYNC_H

#include "base/base.h"
#include "base/err.h"
#include "pg/pgargs.h"
#include "pg/pgconn.h"
#include "pg/pgres.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_conn;
struct pgsync;

struct pgsync_options {
    const char *conninfo;
    const char *application;
    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms; /* 0 means none */
    /* The planner settings of protocol.md, for calls of hot functions.  Without them user SQL finds
     * the server's own; lock and idle-in-transaction timeouts hold for both. */
    bool runtime_settings;
};

int pgsync_open(const struct pgsync_options *options, struct pgsync **ret_conn,
                struct err *e) MUSTCHECK;
void pgsync_close(struct pgsync *c); /* NULL is fine */
/* *ret_res is for pgsync_free_result.  IFP_EUNAVAILABLE: the connection is lost, outcome
 * unknown. */
int pgsync_exec(struct pgsync *c, const struct pgstmt *stmt, const struct pgargs *args,
                struct pgres **ret_res, struct err *e) MUSTCHECK;
void pgsync_free_result(struct pgres *res); /* NULL is fine */
/* A text of one or several commands, no parameters, no rows wanted (migrations, BEGIN, COMMIT). */
int pgsync_script(struct pgsync *c, const char *sql, struct err *e) MUSTCHECK;
bool pgsync_alive(const struct pgsync *c);
/* True while a transaction is open and not failed. */
bool pgsync_in_transaction(const struct pgsync *c);
/* Connects again with the same options when it is lost. */
int pgsync_revive(struct pgsync *c, struct err *e) MUSTCHECK;
/* libpq's, for ifp_step_tx's user; NULL when the connection is lost. */
struct pg_conn *pgsync_raw(struct pgsync *c);
/* Waits up to timeout_ms for a notification on a LISTENed channel: 1 came, 0 none. */
int pgsync_wait_notify(struct pgsync *c, int64_t timeout_ms, struct err *e) MUSTCHECK;

/* The IFP_E* that an SQLSTATE stands for; our functions raise class IP: IP404 is IFP_ENOTFOUND. */
int pg_error_code(const char *sqlstate);

#endif
