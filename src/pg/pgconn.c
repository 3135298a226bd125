/*
 * pg/pgconn.c - the states of one connection and what moves it from one to the next.
 *
 * Happy path: the timer of WAITING fires, libpq connects over its socket (CONNECTING), the set-up
 * question is asked and answered (SETUP), on_up is called (READY).  From then on requests are sent
 * in batches at the end of a turn and their answers handed out as they are read.
 *
 * Failure modes: everything that goes wrong with the connection ends in `lose`, which finishes what
 * was sent with IFP_EUNAVAILABLE, keeps what was not, and goes to WAITING.  Nothing is sent again:
 * only the caller knows whether a statement may run twice.
 *
 * Invariants: `pg` is set in CONNECTING, SETUP and READY and in no other state, so code that called
 * out looks at it to see whether the connection is still there.  The struct is freed only from its
 * own deferred turn, so no callback finds it gone under its feet.  The timer is always armed: its
 * place in the heap is taken once, in pgconn_open, and moving it cannot fail.
 *
 * Known limit: libpq resolves host names by a blocking call.
 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "pg/pginternal.h"

#include <assert.h>
#include <uv.h>

enum { WAITING, CONNECTING, SETUP, READY, CLOSING, STATES };
static const struct sm_state conn_states[STATES] = {
    [WAITING] = { "waiting", SM_TO(CONNECTING) | SM_TO(CLOSING) },
    [CONNECTING] = { "connecting", SM_TO(SETUP) | SM_TO(WAITING) | SM_TO(CLOSING) },
    [SETUP] = { "setup", SM_TO(READY) | SM_TO(WAITING) | SM_TO(CLOSING) },
    [READY] = { "ready", SM_TO(WAITING) | SM_TO(CLOSING) },
    [CLOSING] = { "closing", 0 },
};

#define NEVER_US INT64_MAX
enum { BACKOFF_MIN_US = 50 * 1000, BACKOFF_MAX_US = 5000 * 1000, STALL_EXTRA_MS = 5000 };

struct pgconn {
    struct sm sm;
    struct loop *loop;             /* borrowed */
    struct pgconn_options options; /* without its texts: dsn has copies */
    struct pgdsn dsn;              /* owned */
    PGconn *pg;                    /* owned */
    struct pgpoll *poll;           /* owned; set when pg is, but for moments in CONNECTING */
    struct pgpipe pipe;
    struct pgqueue queue;
    struct pgreq setup; /* on the wire in SETUP, else idle */
    struct timer timer; /* WAITING: backoff; CONNECTING, SETUP: time limit; READY: stall */
    struct deferred turn;
    int failures;  /* losses and failed attempts since the last answer */
    bool down_due; /* on_down is to be called from the turn */
    struct err last_error;
    loop_fn *slack; /* the pool's, or NULL */
    void *slack_ctx;
    loop_fn *closed;
    void *closed_ctx;
};

static void on_timer(void *ctx);
static void on_socket(void *ctx, int status, int events);
static void on_turn(void *ctx);

static void set_timer(struct pgconn *c, int64_t delay_us)
{
    int rc;

    assert(timer_armed(&c->timer));
    rc = timer_start(&c->timer, delay_us);
    assert(rc == 0);
}

/* Full jitter: any time up to the cap, so that the workers of a restarted server do not come at
 * once. */
static int64_t backoff_us(const struct pgconn *c)
{
    int64_t cap = BACKOFF_MIN_US;
    uint32_t random;

    for (int i = 0; i < c->failures && cap < BACKOFF_MAX_US; i++)
        cap *= 2;
    cap = MIN(cap, BACKOFF_MAX_US);
    if (ids_random(&random, sizeof(random)) < 0)
        return cap;
    return (int64_t)random % (cap + 1);
}

/* Lets go of the socket; requests on the wire end so. */
static void drop_link(struct pgconn *c, int end)
{
    struct pgreq *req;

    while ((req = pgpipe_drop(&c->pipe)))
        pgqueue_end(&c->queue, req, end);
    pgpipe_detach(&c->pipe);
    pgpoll_close(c->poll);
    c->poll = NULL;
    PQfinish(c->pg);
    c->pg = NULL;
}

static void lose(struct pgconn *c, const struct err *e)
{
    bool was_ready = sm_is(&c->sm, READY);

    assert(e->code < 0);
    metrics_add(METRIC_DB_LOST, NULL, 1);
    c->last_error = *e;
    c->queue.why = *e;
    c->queue.why.code = IFP_EUNAVAILABLE;
    drop_link(c, IFP_EUNAVAILABLE);
    sm_move(&c->sm, WAITING);
    set_timer(c, was_ready && c->failures == 0 ? 0 : backoff_us(c));
    c->failures++;
    if (was_ready) {
        metrics_add(METRIC_DB_CONNECTIONS, NULL, -1);
        c->down_due = true;
        deferred_call(&c->turn);
    }
}

static void lose_pg(struct pgconn *c)
{
    struct err e;

    pgerr_from_conn(c->pg, &e);
    lose(c, &e);
}

/* The socket may be another one after each step of libpq, so the handle is opened anew. */
static void watch(struct pgconn *c, int events)
{
    struct err e;

    assert(!c->poll);
    if (pgpoll_open(c->loop, PQsocket(c->pg), events, on_socket, c, &c->poll, &e) < 0)
        lose(c, &e);
}

static void begin_connect(struct pgconn *c)
{
    struct err e;

    sm_move(&c->sm, CONNECTING);
    set_timer(c, c->options.connect_timeout_ms * 1000);
    c->pg = pgdsn_start(&c->dsn);
    if (!c->pg) {
        err_set(&e, IFP_ENOMEM, "connect: out of memory");
        lose(c, &e);
        return;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD)
        lose_pg(c);
    else
        watch(c, UV_WRITABLE);
}

/* Sends what libpq still holds, and waits for what the socket is to say next. */
static void flush(struct pgconn *c)
{
    struct err e;
    int rc = PQflush(c->pg);

    if (rc < 0)
        lose_pg(c);
    else if (pgpoll_want(c->poll, rc > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE, &e) < 0)
        lose(c, &e);
}

static void begin_setup(struct pgconn *c)
{
    struct err e;

    sm_move(&c->sm, SETUP);
    if (PQsetnonblocking(c->pg, 1) != 0 || !PQenterPipelineMode(c->pg)) {
        lose_pg(c);
        return;
    }
    watch(c, UV_READABLE);
    if (!c->pg)
        return;
    pgpipe_attach(&c->pipe, c->pg);
    if (pgpipe_send(&c->pipe, &c->setup, false, true, &e) < 0)
        lose(c, &e);
    else
        flush(c);
}

static void go_on_connecting(struct pgconn *c)
{
    pgpoll_close(c->poll);
    c->poll = NULL;
    switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING:
        watch(c, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        watch(c, UV_WRITABLE);
        break;
    case PGRES_POLLING_OK:
        begin_setup(c);
        break;
    default:
        lose_pg(c);
    }
}

/* What waited stays behind what on_up starts. */
static void become_ready(struct pgconn *c)
{
    struct list rest;

    sm_move(&c->sm, READY);
    metrics_add(METRIC_DB_CONNECTS, NULL, 1);
    metrics_add(METRIC_DB_CONNECTIONS, NULL, 1);
    set_timer(c, NEVER_US);
    deferred_call(&c->turn);
    if (!c->options.on_up)
        return;
    list_init(&rest);
    list_splice(&rest, &c->queue.waiting);
    c->options.on_up(c->options.ctx);
    list_splice(&c->queue.waiting, &rest);
    if (sm_is(&c->sm, CLOSING))
        pgqueue_end_waiting(&c->queue, IFP_ECANCELED);
}

static void on_setup(struct pgconn *c, const struct pganswer *a, struct err *e)
{
    int rc = a->err;

    if (rc == 0)
        rc = pgsetup_check((const struct pgres *)a->res, e);
    if (rc < 0)
        lose(c, e);
    else
        become_ready(c);
}

static void count_error(const struct err *e)
{
    char class[3] = { e->sqlstate[0], e->sqlstate[0] ? e->sqlstate[1] : '\0', '\0' };

    metrics_add(METRIC_DB_ERRORS, class[0] ? class : "none", 1);
}

static void hand_out(struct pgconn *c, const struct pganswer *a, struct err *e)
{
    struct pgreq *req = a->req;

    if (req == &c->setup) {
        on_setup(c, a, e);
        return;
    }
    c->failures = 0;
    if (a->err < 0)
        count_error(e);
    if (!req)
        return;
    assert(req->conn == c && req->queue == &c->queue && req->end == 0);
    req->queue = NULL;
    req->conn = NULL;
    req->done(req, a->err, a->err ? NULL : (const struct pgres *)a->res, e);
}

static void read_notifications(struct pgconn *c)
{
    PGnotify *n;

    while (c->pg && (n = PQnotifies(c->pg))) {
        if (c->options.on_notify && sm_is(&c->sm, READY))
            c->options.on_notify(c->options.ctx, n->relname, n->extra);
        PQfreemem(n);
    }
}

static void read_answers(struct pgconn *c)
{
    while (c->pg) {
        struct pganswer a;
        struct err e;
        int rc;

        err_clear(&e);
        rc = pgpipe_next(&c->pipe, &a, &e);
        if (rc < 0)
            lose(c, &e);
        if (rc <= 0)
            return;
        hand_out(c, &a, &e);
        PQclear(a.res);
    }
}

/* A server that is to answer and does not is given up; each sign of life starts the time anew. */
static void watch_for_stall(struct pgconn *c)
{
    if (!sm_is(&c->sm, READY))
        return;
    if (c->pipe.count == 0 || c->options.statement_timeout_ms == 0)
        set_timer(c, NEVER_US);
    else
        set_timer(c, (c->options.statement_timeout_ms + STALL_EXTRA_MS) * 1000);
}

/* False: the connection was lost over it. */
static bool send_one(struct pgconn *c, struct pgreq *req)
{
    struct err e;
    int rc;

    if (fault_hit(FAULT_STATEMENT)) {
        err_set(&e, IFP_EUNAVAILABLE, "the connection broke (injected fault)");
        lose(c, &e);
        return false;
    }
    pgqueue_take(&c->queue, req);
    req->queue = &c->queue; /* it still answers for its end */
    rc = pgpipe_send(&c->pipe, req, c->options.prepare, false, &e);
    if (rc == IFP_ENOMEM) {
        pgqueue_end(&c->queue, req, rc);
        return true;
    }
    metrics_add(METRIC_DB_STATEMENTS, NULL, 1);
    if (rc < 0)
        lose(c, &e);
    return rc == 0;
}

static void send_waiting(struct pgconn *c)
{
    struct pgreq *req;
    bool idle = c->pipe.count == 0;

    assert(sm_is(&c->sm, READY));
    while (!pgpipe_full(&c->pipe) && (req = pgqueue_first(&c->queue))) {
        if (!send_one(c, req))
            return;
    }
    flush(c);
    if (idle)
        watch_for_stall(c);
}

/* Takes in what has come; false when the connection did not survive it. */
static bool receive(struct pgconn *c)
{
    bool alive = PQconsumeInput(c->pg);

    read_answers(c); /* also of a connection that has ended: the server's last words say why */
    if (!alive && c->pg)
        lose_pg(c);
    read_notifications(c);
    return c->pg;
}

static void on_socket(void *ctx, int status, int events)
{
    struct pgconn *c = ctx;
    struct err e;

    assert(c->pg);
    if (sm_is(&c->sm, CONNECTING)) {
        go_on_connecting(c);
        return;
    }
    if ((events & UV_READABLE || status < 0) && !receive(c))
        return;
    if (status < 0) { /* libuv watches this socket no more */
        err_set(&e, IFP_EUNAVAILABLE, "database socket: %s", uv_strerror(status));
        lose(c, &e);
        return;
    }
    watch_for_stall(c);
    if (sm_is(&c->sm, READY))
        send_waiting(c);
    else
        flush(c);
    if (c->slack)
        c->slack(c->slack_ctx);
}

static void on_timer(void *ctx)
{
    struct pgconn *c = ctx;
    struct err e;
    int rc = timer_start(&c->timer, NEVER_US);

    assert(rc == 0); /* it has just left the heap, so there is room for it */
    if (sm_is(&c->sm, WAITING)) {
        begin_connect(c);
    } else if (sm_is(&c->sm, CONNECTING) || sm_is(&c->sm, SETUP)) {
        err_set(&e, IFP_EUNAVAILABLE, "connect: no connection within %lld ms",
                (long long)c->options.connect_timeout_ms);
        lose(c, &e);
    } else if (sm_is(&c->sm, READY) && c->pipe.count > 0) {
        err_set(&e, IFP_EUNAVAILABLE, "the database gave no answer within its statement timeout");
        lose(c, &e);
    }
}

static void destroy(struct pgconn *c)
{
    assert(!c->pg && !c->poll);
    timer_stop(&c->timer);
    deferred_cancel(&c->turn);
    pgreq_release(&c->setup);
    pgpipe_release(&c->pipe);
    pgdsn_release(&c->dsn);
    mem_free(c);
}

static void finish_close(struct pgconn *c)
{
    loop_fn *closed = c->closed;
    void *ctx = c->closed_ctx;

    if (!list_empty(&c->queue.ended))
        return; /* a callback started another request: it ends in the next turn */
    assert(c->queue.count == 0);
    destroy(c);
    if (closed)
        closed(ctx);
}

static void on_turn(void *ctx)
{
    struct pgconn *c = ctx;

    pgqueue_deliver(&c->queue);
    if (c->down_due) {
        c->down_due = false;
        if (c->options.on_down && !sm_is(&c->sm, CLOSING))
            c->options.on_down(c->options.ctx, &c->last_error);
    }
    if (sm_is(&c->sm, CLOSING)) {
        finish_close(c);
        return;
    }
    if (sm_is(&c->sm, READY))
        send_waiting(c);
    if (c->slack)
        c->slack(c->slack_ctx);
}

int pgconn_open(struct loop *l, const struct pgconn_options *options, struct pgconn **ret_conn,
                struct err *e)
{
    struct pgconn *c = mem_zalloc(sizeof(*c));
    int rc;

    if (!c)
        return err_set(e, IFP_ENOMEM, "database connection: out of memory");
    assert(options->connect_timeout_ms > 0);
    sm_init(&c->sm, conn_states, WAITING);
    c->loop = l;
    c->options = *options;
    c->options.conninfo = c->options.application = NULL;
    timer_init(&c->timer, l, on_timer, c);
    deferred_init(&c->turn, l, on_turn, c);
    pgqueue_init(&c->queue, options->queue_max, &c->turn);
    pgpipe_init(&c->pipe);
    pgreq_init(&c->setup);
    c->setup.stmt = &pgsetup_stmt;
    rc =
        pgdsn_open(&c->dsn,
                   &(struct pgdsn_options){ .conninfo = options->conninfo,
                                            .application = options->application,
                                            .runtime_settings = true,
                                            .async_commit = options->async_commit,
                                            .statement_timeout_ms = options->statement_timeout_ms },
                   e);
    if (rc == 0 && timer_start(&c->timer, 0) < 0)
        rc = err_set(e, IFP_ENOMEM, "database connection: out of memory");
    if (rc < 0) {
        destroy(c);
        return rc;
    }
    *ret_conn = c;
    return 0;
}

void pgconn_discard(struct pgconn *c)
{
    assert(sm_is(&c->sm, WAITING));
    assert(c->queue.count == 0 && list_empty(&c->queue.ended));
    destroy(c);
}

void pgconn_close(struct pgconn *c, loop_fn *closed, void *ctx)
{
    if (sm_is(&c->sm, READY))
        metrics_add(METRIC_DB_CONNECTIONS, NULL, -1);
    sm_move(&c->sm, CLOSING); /* asserts that it is closed once */
    c->closed = closed;
    c->closed_ctx = ctx;
    drop_link(c, IFP_ECANCELED);
    pgqueue_end_waiting(&c->queue, IFP_ECANCELED);
    deferred_call(&c->turn);
}

void pgconn_exec(struct pgconn *c, struct pgreq *req)
{
    assert(!pgreq_busy(req));
    req->conn = c;
    pgqueue_push(&c->queue, req);
    if (sm_is(&c->sm, CLOSING))
        pgqueue_end_waiting(&c->queue, IFP_ECANCELED);
    deferred_call(&c->turn);
}

void pgconn_cancel(struct pgconn *c, struct pgreq *req)
{
    bool sent;

    if (pgqueue_cancel(&c->queue, req))
        return;
    sent = pgpipe_abandon(&c->pipe, req);
    assert(sent);
    pgqueue_end(&c->queue, req, IFP_ECANCELED);
}

bool pgconn_ready(const struct pgconn *c)
{
    return sm_is(&c->sm, READY);
}

int pgconn_load(const struct pgconn *c)
{
    return c->queue.count + (int)c->pipe.count;
}

const struct err *pgconn_last_error(const struct pgconn *c)
{
    return &c->last_error;
}

void pgconn_on_slack(struct pgconn *c, loop_fn *fn, void *ctx)
{
    c->slack = fn;
    c->slack_ctx = ctx;
}

/* From the end, so that giving them back in front one by one keeps their order. */
struct pgreq *pgconn_take_back(struct pgconn *c)
{
    struct pgreq *req;

    if (list_empty(&c->queue.waiting))
        return NULL;
    req = CONTAINER_OF(c->queue.waiting.prev, struct pgreq, link);
    pgqueue_take(&c->queue, req);
    return req;
}
