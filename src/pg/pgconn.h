/*
 * pg/pgconn.h - one connection to PostgreSQL on the event loop, in pipeline mode; it heals itself.
 *
 *   WAITING -at once-> CONNECTING -> SETUP -> READY -(lost)-> WAITING -backoff-> CONNECTING ...
 *   and from each of them -> CLOSING
 *
 * Requests are sent in order, each with a Sync of its own, so each is a transaction and an error of
 * one leaves the others alone.  Each request is finished exactly once, from the loop, never from
 * inside the call that started it.  When the connection is lost, requests that were sent finish
 * with IFP_EUNAVAILABLE and req->sent set: their outcome is unknown.  Requests not sent wait for
 * the next connection, up to queue_max; beyond it IFP_ERATELIMITED.
 *
 * Statements come from the caller's table, prepared on first use on each connection (or sent as
 * unnamed statements when `prepare` is off).  SETUP checks the server version (13 or newer), the
 * isolation level and the settings of protocol.md, section 2; connection options set them, and a
 * server or pooler that ignores them is refused with a text that says which setting is wrong.
 * Backoff: 50 ms doubled to 5 s, each with full jitter; the first reconnect after a loss comes
 * at once.
 * A server that answers nothing for statement_timeout_ms and 5 s more counts as lost.
 *
 * Loop thread only.
 */
#ifndef PG_PGCONN_H
#define PG_PGCONN_H

#include "base/base.h"
#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "pg/pgargs.h"
#include "pg/pgres.h"

#include <stdbool.h>
#include <stdint.h>

/* Outlives the connections that it is used on, as the lines of a static table do. */
struct pgstmt {
    const char *name; /* also the prepared statement's; NULL: never prepared */
    const char *sql;
};

struct pgreq;
/* err is 0 or IFP_E*; then `e` has text and SQLSTATE and `res` is NULL.  `res` and `e` are valid
 * during the call only.  The request may be started again from here. */
typedef void pgreq_done_fn(struct pgreq *req, int err, const struct pgres *res,
                           const struct err *e);

struct pgreq {
    struct list link; /* in its connection's or pool's queue */
    const struct pgstmt *stmt;
    struct pgargs args; /* owned by the request; pgreq_init/release */
    pgreq_done_fn *done;
    bool sent;           /* it has left for the server: after a loss its outcome is unknown */
    bool abandoned;      /* pgreq_cancel was called */
    struct pgconn *conn; /* borrowed: that has it, or NULL */
    /* Of pg/ alone: */
    struct pgqueue *queue; /* borrowed: that answers for its end; NULL when not in flight */
    int end;               /* once it ends without an answer: the IFP_E* it ends with */
    int64_t since_us;      /* when it came to its pool */
};

void pgreq_init(struct pgreq *req);
/* Not while it is in flight. */
void pgreq_release(struct pgreq *req);
bool pgreq_busy(const struct pgreq *req);
/* Asks for an early end: `done` still comes, from the loop, with IFP_ECANCELED (and `sent` tells
 * whether the server may carry it out all the same). */
void pgreq_cancel(struct pgreq *req);

struct pgconn;

struct pgconn_options {
    const char *conninfo;    /* copied; "" takes the PG* environment */
    const char *application; /* shows in pg_stat_activity */
    bool async_commit;       /* control connection: synchronous_commit = off */
    bool prepare;            /* use named prepared statements */
    int queue_max;           /* requests waiting */
    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms;
    /* All may be NULL; called from the loop.  on_up: the connection is usable (again), requests
     * started from inside it go first; on_down: it was lost, after all sent requests finished. */
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, const struct err *e);
    void (*on_notify)(void *ctx, const char *channel, const char *payload);
    void *ctx;
};

/* Begins to connect at once.  Fails only on bad conninfo or memory. */
int pgconn_open(struct loop *l, const struct pgconn_options *options, struct pgconn **ret_conn,
                struct err *e) MUSTCHECK;
/* Finishes all requests with IFP_ECANCELED, then calls `closed` (may be NULL); no other callback
 * comes after it. */
void pgconn_close(struct pgconn *c, loop_fn *closed, void *ctx);
/* Frees a connection at once that was opened in this turn of the loop and has no request. */
void pgconn_discard(struct pgconn *c);
/* Starts a request whose stmt, args and done are set. */
void pgconn_exec(struct pgconn *c, struct pgreq *req);
bool pgconn_ready(const struct pgconn *c);
/* Requests waiting or in flight. */
int pgconn_load(const struct pgconn *c);
/* Why it is not ready; code 0 when it never failed. */
const struct err *pgconn_last_error(const struct pgconn *c);

#endif
