/*
 * pg/pgsync.c - libpq's blocking calls behind the same errors, arguments and results as pgconn.
 *
 * Connecting is done by hand over poll(2), because libpq's own connect_timeout has whole seconds
 * and counts for each address anew.  A connection that is lost, or whose state is in doubt (an
 * injected fault, a COPY), has `pg` NULL or bad; pgsync_revive makes a new one.
 */
#include "pg/pgsync.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "pg/pginternal.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

struct pgsync {
    struct pgdsn dsn; /* owned */
    PGconn *pg;       /* owned, or NULL */
    int64_t connect_timeout_ms;
    bool runtime_settings;
};

static void drop(struct pgsync *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
}

/* 1 ready (or broken, which the next call of libpq finds out), 0 the time is over. */
static int wait_socket(const PGconn *pg, short events, int64_t deadline_us)
{
    for (;;) {
        struct pollfd fd = { .fd = PQsocket(pg), .events = events };
        int64_t left_ms = (MAX(deadline_us - clock_mono_us(), 0) + 999) / 1000;
        int rc = poll(&fd, 1, (int)MIN(left_ms, INT_MAX));

        if (rc > 0 || (rc < 0 && errno != EINTR))
            return 1;
        if (clock_mono_us() >= deadline_us)
            return 0;
    }
}

static int64_t deadline_after(int64_t ms)
{
    return clock_mono_us() + MIN(ms, INT64_C(1000) * 86400 * 365) * 1000;
}

static int finish_connect(struct pgsync *c, struct err *e)
{
    int64_t deadline_us = deadline_after(c->connect_timeout_ms);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED || PQstatus(c->pg) == CONNECTION_BAD)
            return pgerr_from_conn(c->pg, e);
        if (!wait_socket(c->pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
            return err_set(e, IFP_EUNAVAILABLE, "connect: no connection within %lld ms",
                           (long long)c->connect_timeout_ms);
        next = PQconnectPoll(c->pg);
    }
    return 0;
}

/* One answer of libpq as ours; takes `res`, and gives it on only when the statement succeeded. */
static int judge(struct pgsync *c, PGresult *res, PGresult **ret_res, struct err *e)
{
    ExecStatusType status = PQresultStatus(res);
    int rc;

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
        *ret_res = res;
        return 0;
    }
    if (status == PGRES_FATAL_ERROR && res)
        rc = pgerr_from_result(res, e);
    else if (res)
        rc = err_set(e, IFP_EUNAVAILABLE, "COPY is not possible on this connection");
    else
        rc = pgerr_from_conn(c->pg, e);
    if (PQstatus(c->pg) == CONNECTION_BAD || status != PGRES_FATAL_ERROR)
        rc = e->code = IFP_EUNAVAILABLE;
    PQclear(res);
    if (rc == IFP_EUNAVAILABLE)
        drop(c);
    return rc;
}

static int check_setup(struct pgsync *c, struct err *e)
{
    PGresult *res = NULL;
    int rc = judge(c, PQexecParams(c->pg, pgsetup_stmt.sql, 0, NULL, NULL, NULL, NULL, 1), &res, e);

    if (rc == 0)
        rc = pgsetup_check((const struct pgres *)res, e);
    PQclear(res);
    return rc;
}

static int connect_anew(struct pgsync *c, struct err *e)
{
    int rc;

    assert(!c->pg);
    c->pg = pgdsn_start(&c->dsn);
    if (!c->pg)
        return err_set(e, IFP_ENOMEM, "connect: out of memory");
    rc = finish_connect(c, e);
    if (rc == 0 && c->runtime_settings)
        rc = check_setup(c, e);
    if (rc < 0)
        drop(c);
    return rc;
}

int pgsync_open(const struct pgsync_options *options, struct pgsync **ret_conn, struct err *e)
{
    struct pgsync *c = mem_zalloc(sizeof(*c));
    int rc;

    if (!c)
        return err_set(e, IFP_ENOMEM, "database connection: out of memory");
    assert(options->connect_timeout_ms > 0);
    c->connect_timeout_ms = options->connect_timeout_ms;
    c->runtime_settings = options->runtime_settings;
    rc =
        pgdsn_open(&c->dsn,
                   &(struct pgdsn_options){ .conninfo = options->conninfo,
                                            .application = options->application,
                                            .runtime_settings = options->runtime_settings,
                                            .statement_timeout_ms = options->statement_timeout_ms },
                   e);
    if (rc == 0)
        rc = connect_anew(c, e);
    if (rc < 0) {
        pgsync_close(c);
        return rc;
    }
    *ret_conn = c;
    return 0;
}

void pgsync_close(struct pgsync *c)
{
    if (!c)
        return;
    drop(c);
    pgdsn_release(&c->dsn);
    mem_free(c);
}

/* Whether a request may be sent now; the injected faults of "before it was sent" come here. */
static int check_usable(struct pgsync *c, struct err *e)
{
    if (!pgsync_alive(c))
        return err_set(e, IFP_EUNAVAILABLE, "the connection is lost");
    if (fault_hit(FAULT_STATEMENT) || fault_hit(FAULT_WRITE)) {
        drop(c);
        return err_set(e, IFP_EUNAVAILABLE, "the connection broke (injected fault)");
    }
    return 0;
}

static int finish(struct pgsync *c, PGresult *res, PGresult **ret_res, struct err *e)
{
    if (fault_hit(FAULT_REPLY)) {
        PQclear(res);
        drop(c);
        return err_set(e, IFP_EUNAVAILABLE, "the answer was lost (injected fault)");
    }
    return judge(c, res, ret_res, e);
}

int pgsync_exec(struct pgsync *c, const struct pgstmt *stmt, const struct pgargs *args,
                struct pgres **ret_res, struct err *e)
{
    struct pgparam a;
    PGresult *res = NULL;

    IFP_TRY(pgparam_bind(args, &a, e));
    IFP_TRY(check_usable(c, e));
    IFP_TRY(finish(
        c, PQexecParams(c->pg, stmt->sql, a.count, a.types, a.values, a.lengths, a.formats, 1),
        &res, e));
    *ret_res = (struct pgres *)res;
    return 0;
}

void pgsync_free_result(struct pgres *res)
{
    PQclear((PGresult *)res);
}

int pgsync_script(struct pgsync *c, const char *sql, struct err *e)
{
    PGresult *res = NULL;

    IFP_TRY(check_usable(c, e));
    IFP_TRY(finish(c, PQexec(c->pg, sql), &res, e));
    PQclear(res);
    return 0;
}

bool pgsync_alive(const struct pgsync *c)
{
    return c->pg && PQstatus(c->pg) == CONNECTION_OK;
}

bool pgsync_in_transaction(const struct pgsync *c)
{
    return c->pg && PQtransactionStatus(c->pg) == PQTRANS_INTRANS;
}

int pgsync_revive(struct pgsync *c, struct err *e)
{
    /* A server that went away while nothing was asked left its end of file in the socket. */
    while (pgsync_alive(c) && wait_socket(c->pg, POLLIN, 0) && PQconsumeInput(c->pg))
        ; /* the server's last words come before it */
    if (pgsync_alive(c))
        return 0;
    drop(c);
    return connect_anew(c, e);
}

struct pg_conn *pgsync_raw(struct pgsync *c)
{
    return c->pg;
}

static bool take_notifications(PGconn *pg)
{
    bool any = false;
    PGnotify *n;

    while ((n = PQnotifies(pg))) {
        PQfreemem(n);
        any = true;
    }
    return any;
}

int pgsync_wait_notify(struct pgsync *c, int64_t timeout_ms, struct err *e)
{
    int64_t deadline_us = deadline_after(timeout_ms);

    if (!pgsync_alive(c))
        return err_set(e, IFP_EUNAVAILABLE, "the connection is lost");
    for (;;) {
        if (take_notifications(c->pg))
            return 1;
        if (!wait_socket(c->pg, POLLIN, deadline_us))
            return 0;
        if (!PQconsumeInput(c->pg)) {
            pgerr_from_conn(c->pg, e);
            drop(c);
            return e->code;
        }
    }
}
