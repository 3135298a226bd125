/* pg/pginternal.h - what the files of pg/ share behind the public headers. */
#ifndef PG_PGINTERNAL_H
#define PG_PGINTERNAL_H

#include "base/sm.h"
#include "pg/pgconn.h"

#include <libpq-fe.h>

/* pgerr.c: errors of libpq and the server as ours, without passwords. */
int pgerr_from_result(const PGresult *res, struct err *e);
int pgerr_from_conn(const PGconn *pg, struct err *e); /* always IFP_EUNAVAILABLE */
/* The server said goodbye with this error: the connection is of no use any more. */
bool pgerr_fatal(const PGresult *res);

/* pgparam.c: libpq's view of a struct pgargs, valid while the args are. */
struct pgparam {
    int count;
    Oid types[PGARGS_MAX];
    const char *values[PGARGS_MAX];
    int lengths[PGARGS_MAX];
    int formats[PGARGS_MAX];
};
/* IFP_ENOMEM when the args are broken.  NULL args are none. */
int pgparam_bind(const struct pgargs *args, struct pgparam *ret, struct err *e) MUSTCHECK;

/* pgdsn.c: how to connect, with the settings that protocol.md, section 2, asks for. */
struct pgdsn_options {
    const char *conninfo;
    const char *application;
    bool runtime_settings;
    bool async_commit;
    int64_t statement_timeout_ms; /* 0: none */
};
struct pgdsn {
    PQconninfoOption *user; /* owned: the user's conninfo, taken apart */
    char *settings;         /* owned: the `options` keyword */
    char *application;      /* owned */
};
int pgdsn_open(struct pgdsn *d, const struct pgdsn_options *options, struct err *e) MUSTCHECK;
void pgdsn_release(struct pgdsn *d);
/* Begins a connection; the caller polls it and ends it with PQfinish.  NULL: out of memory. */
PGconn *pgdsn_start(const struct pgdsn *d) MUSTCHECK;

/* pgqueue.c: requests that wait, and those that end without an answer. */
struct pgqueue {
    struct list waiting; /* of pgreq.link */
    struct list ended;   /* of pgreq.link: `done` is due, with pgreq.end */
    int count;           /* of waiting */
    int max;
    struct deferred *turn; /* borrowed: the owner's; it calls pgqueue_deliver */
    struct err why;        /* text of IFP_EUNAVAILABLE */
};
void pgqueue_init(struct pgqueue *q, int max, struct deferred *turn);
/* Over the limit the request ends with IFP_ERATELIMITED. */
void pgqueue_push(struct pgqueue *q, struct pgreq *req);
struct pgreq *pgqueue_first(const struct pgqueue *q); /* or NULL */
/* Takes a waiting request out, in flight still. */
void pgqueue_take(struct pgqueue *q, struct pgreq *req);
/* Puts a request that never left back in front. */
void pgqueue_give_back(struct pgqueue *q, struct pgreq *req);
/* Ends a request that is in no list. */
void pgqueue_end(struct pgqueue *q, struct pgreq *req, int end);
void pgqueue_end_waiting(struct pgqueue *q, int end);
/* A request that is in this queue's care asks to end; false when it is on the wire. */
bool pgqueue_cancel(struct pgqueue *q, struct pgreq *req);
/* Calls `done` of all that had ended when it began. */
void pgqueue_deliver(struct pgqueue *q);

/* pgpoll.c: waits for one socket; may be closed at any time, also from its own callback. */
struct pgpoll;
typedef void pgpoll_fn(void *ctx, int status, int events); /* UV_READABLE | UV_WRITABLE */
int pgpoll_open(struct loop *l, int fd, int events, pgpoll_fn *fn, void *ctx,
                struct pgpoll **ret_poll, struct err *e) MUSTCHECK;
int pgpoll_want(struct pgpoll *p, int events, struct err *e) MUSTCHECK;
void pgpoll_close(struct pgpoll *p); /* NULL is fine */

/* pgpipe.c: statements on the wire. */
enum { PGPIPE_DEPTH = 64 };
enum pgprep_state { PGPREP_NONE, PGPREP_PENDING, PGPREP_DONE, PGPREP_STALE };
struct pgprep {
    const struct pgstmt *stmt; /* borrowed, static */
    enum pgprep_state state;
};
struct pgslot {
    struct pgreq *req; /* borrowed; NULL: nobody waits for the answer any more */
    int prep;          /* the statement's place in `preps`; -1: sent unnamed */
    int lead;          /* answers of DEALLOCATE and PREPARE still due before the statement's own */
    bool prepares;     /* it carries the PREPARE */
    bool internal;     /* set-up, not a request: faults leave it alone */
    PGresult *res;     /* owned: the statement's answer, or its first error */
};
struct pgpipe {
    PGconn *pg; /* borrowed from the connection; NULL while there is none */
    struct pgslot slots[PGPIPE_DEPTH];
    unsigned first, count;
    struct pgprep *preps; /* owned */
    int prep_count, prep_cap;
};
struct pganswer {
    struct pgreq *req; /* NULL: abandoned */
    PGresult *res;     /* owned by the taker */
    int err;
};
void pgpipe_init(struct pgpipe *p);
void pgpipe_release(struct pgpipe *p);
/* Begins on a fresh connection in pipeline mode: nothing in flight, nothing prepared. */
void pgpipe_attach(struct pgpipe *p, PGconn *pg);
/* Forgets the connection.  The slots must have been emptied by pgpipe_drop. */
void pgpipe_detach(struct pgpipe *p);
/* Takes the oldest request off that will get no answer; NULL when there is none.  Abandoned ones
 * are skipped. */
struct pgreq *pgpipe_drop(struct pgpipe *p);
bool pgpipe_full(const struct pgpipe *p);
/* 0: the request is in flight.  IFP_ENOMEM: it was not sent.  IFP_EUNAVAILABLE: it is in flight and
 * the connection is broken. */
int pgpipe_send(struct pgpipe *p, struct pgreq *req, bool prepare, bool internal,
                struct err *e) MUSTCHECK;
/* 1: *ret is the next answer.  0: more must be read.  IFP_EUNAVAILABLE: the connection is lost. */
int pgpipe_next(struct pgpipe *p, struct pganswer *ret, struct err *e) MUSTCHECK;
/* Forgets whose answer it is; false when the request is not in flight here. */
bool pgpipe_abandon(struct pgpipe *p, const struct pgreq *req);

/* pgsetup.c: is this server, with these settings, one that the protocol is correct on? */
extern const struct pgstmt pgsetup_stmt;
int pgsetup_check(const struct pgres *res, struct err *e) MUSTCHECK;

/* pgconn.c, for pgpool.c and pgreq.c */
/* Called when answers came in, so that the pool can hand out more. */
void pgconn_on_slack(struct pgconn *c, loop_fn *fn, void *ctx);
/* Takes back the first request that was not sent, or NULL. */
struct pgreq *pgconn_take_back(struct pgconn *c);
/* Ends a request of this connection early. */
void pgconn_cancel(struct pgconn *c, struct pgreq *req);

#endif
