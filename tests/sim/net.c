/*
 * tests/sim/net.c - stands for src/pg/pgconn.c, pgpool.c and pgreq.c: connections with delays, loss
 * of requests, of answers and of themselves.
 *
 *   pgconn_exec -> queued -> sent -> arrives -> db_run (the commit) -> answer -> done
 *                              \        \            \          \
 *                               lost     lost         late       lost: IFP_EUNAVAILABLE, `sent` set
 *
 * A statement that has arrived is carried out whatever becomes of its connection, also much later:
 * that is what a backend does whose client is gone.  It is lost when the server goes down first.
 * A port is a pgconn (one line) or a pgpool (several lines and one queue); a line carries one
 * statement at a time.
 */
#include "pg/pgconn.h"
#include "pg/pgpool.h"
#include "sim/db.h"
#include "sim/sim.h"
#include "sim/worker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 4, ATTEMPT_US = 200 * 1000, PATIENCE_US = 3000 * 1000 };

struct port;

struct line {
    struct port *port;
    struct pgreq *req; /* on its way, or NULL */
    int64_t exchange;  /* number of that, so that an answer to an earlier one is known as such */
    int64_t backend;   /* 0: not connected */
    bool dialing;
};

struct port {
    struct list link; /* in the worker's ports */
    struct sim_worker *worker;
    struct pgconn_options o;
    struct line lines[LINES_MAX];
    int line_count;
    struct list queue; /* of pgreq.link */
    int64_t wait_ms;   /* of a pool; 0: for ever */
    bool closing;
    loop_fn *closed;
    void *closed_ctx;
};

struct pgconn {
    struct port port;
};
struct pgpool {
    struct port port;
};

/* A statement under way; it outlives its line. */
struct exchange {
    int64_t number;
    struct line *line;
    struct wire_call *call;
    const struct pgres *res;
    struct err error;
    int64_t backend, server; /* the server's life in which it arrived */
};

static struct {
    int64_t exchanges, backends;
    int64_t server;     /* counts its starts */
    int64_t down_until; /* it does not answer before */
} net;

static void send_next(struct port *p);
static void dial_later(struct line *l, int64_t delay_us);

void net_open(void)
{
    net.exchanges = net.backends = 0;
    net.server = 1;
    net.down_until = 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

void pgreq_init(struct pgreq *req)
{
    *req = (struct pgreq){ .stmt = NULL };
    list_init(&req->link);
    pgargs_init(&req->args);
}

void pgreq_release(struct pgreq *req)
{
    assert(!pgreq_busy(req));
    pgargs_release(&req->args);
}

bool pgreq_busy(const struct pgreq *req)
{
    return req->queue != NULL;
}

/* Only asks: the connection may answer all the same. */
void pgreq_cancel(struct pgreq *req)
{
    req->abandoned = true;
}

static void finish(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    list_del(&req->link);
    req->queue = NULL;
    req->conn = NULL;
    req->done(req, err, res, e);
}

static void finish_lost(struct pgreq *req, int code)
{
    struct err e;

    err_set(&e, code, "the connection is lost");
    finish(req, code, NULL, &e);
}

/* ---- connecting ------------------------------------------------------------------------------ */

bool net_reachable(const struct sim_worker *w)
{
    return !w->dead && sim.now_us >= net.down_until && sim.now_us >= w->cut_until;
}

static void on_dialed(void *ctx, int64_t arg)
{
    struct line *l = ctx;
    struct port *p = l->port;

    (void)arg;
    l->dialing = false;
    if (p->closing || l->backend)
        return;
    if (!net_reachable(p->worker)) {
        dial_later(l, ATTEMPT_US);
        return;
    }
    l->backend = ++net.backends;
    db_backend(l->backend, true);
    world_note("connected", p->worker->number, l->backend, p->line_count);
    if (p->o.on_up)
        p->o.on_up(p->o.ctx);
    send_next(p);
}

static void dial(void *ctx, int64_t arg)
{
    worker_call(((struct line *)ctx)->port->worker, on_dialed, ctx, arg);
}

static void dial_later(struct line *l, int64_t delay_us)
{
    if (l->dialing)
        return;
    l->dialing = true;
    world_after(world_between(delay_us / 2, delay_us), dial, l, 0);
}

/* The worker learns that the line is gone. */
static void on_broken(void *ctx, int64_t backend)
{
    struct line *l = ctx;
    struct port *p = l->port;
    struct pgreq *req = l->req;
    struct err e;

    if (l->backend != backend)
        return;
    l->backend = 0;
    l->req = NULL;
    world_note("broken", p->worker->number, backend, req != NULL);
    if (req)
        finish_lost(req, IFP_EUNAVAILABLE);
    err_set(&e, IFP_EUNAVAILABLE, "the connection is lost");
    if (p->o.on_down && !p->closing)
        p->o.on_down(p->o.ctx, &e);
    if (!p->closing)
        dial_later(l, world_delay(2000, ATTEMPT_US));
}

/* `seen`: the server notices at once; else its backend stays for a while. */
static void break_line(struct line *l, bool seen)
{
    if (!l->backend)
        return;
    if (seen)
        db_backend(l->backend, false);
    worker_call(l->port->worker, on_broken, l, l->backend);
}

/* ---- statements ------------------------------------------------------------------------------ */

static void on_answer(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;
    struct line *l = x->line;
    struct pgreq *req = l->req;

    (void)arg;
    if (l->exchange != x->number || l->backend != x->backend || !req)
        return; /* the line broke meanwhile */
    l->req = NULL;
    world_note(x->call->name, l->port->worker->number, x->error.code,
               x->res ? pgres_rows(x->res) : 0);
    if (!x->error.code && strcmp(x->call->name, "flush") == 0)
        db_flush_heard(x->call, x->res);
    if (x->error.code)
        finish(req, x->error.code, NULL, &x->error);
    else
        finish(req, 0, x->res, NULL);
    send_next(l->port);
}

static void answer(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;

    if (net_reachable(x->line->port->worker) || x->line->port->worker->dead)
        worker_call(x->line->port->worker, on_answer, x, arg);
}

/* The commit: from here on it has happened, whether or not anybody hears of it. */
static void commit(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;

    (void)arg;
    if (x->server != net.server)
        return; /* the server went down with it */
    sim.result.statements++;
    x->res = db_run(x->call, x->backend, &x->error);
    if (world_chance(5)) /* the answer is lost, and with it the connection */
        break_line(x->line, true);
    else
        world_after(world_delay(300, 20000), answer, x, 0);
}

static void arrive(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;

    (void)arg;
    x->server = net.server;
    if (!net_reachable(x->line->port->worker) && !x->line->port->worker->dead)
        return; /* lost on the way */
    if (world_chance(3)) {
        break_line(x->line, true);
        if (world_chance(500))
            return;
    }
    world_after(world_delay(800, 600000), commit, x, 0);
}

/* Nobody answers: the line counts as broken. */
static void on_patience(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;
    struct line *l = x->line;

    (void)arg;
    if (l->exchange == x->number && l->req && l->backend == x->backend)
        on_broken(l, l->backend);
}

/* The server keeps the backend of a client that went silent for a while. */
static void forget_backend(void *ctx, int64_t backend)
{
    (void)ctx;
    db_backend(backend, false);
}

static void patience(void *ctx, int64_t arg)
{
    struct exchange *x = ctx;
    struct line *l = x->line;

    if (l->exchange != x->number || !l->req || l->backend != x->backend)
        return;
    world_after(world_between(0, PATIENCE_US), forget_backend, NULL, x->backend);
    worker_call(l->port->worker, on_patience, x, arg);
}

static void send_one(struct line *l, struct pgreq *req)
{
    struct exchange *x = world_alloc(sizeof(*x));
    const char *name = req->stmt->name ? req->stmt->name : req->stmt->sql;

    list_del(&req->link);
    req->sent = true;
    l->req = req;
    l->exchange = ++net.exchanges;
    *x = (struct exchange){
        .number = l->exchange, .line = l, .call = wire_copy(name, &req->args), .backend = l->backend
    };
    world_after(world_delay(200, 50000), arrive, x, 0);
    world_after(PATIENCE_US, patience, x, 0);
}

static void send_next(struct port *p)
{
    for (int i = 0; i < p->line_count && !list_empty(&p->queue); i++) {
        struct line *l = &p->lines[i];

        if (l->backend && !l->req)
            send_one(l, CONTAINER_OF(p->queue.next, struct pgreq, link));
    }
}

static void on_waited(void *ctx, int64_t since_us)
{
    struct port *p = ctx;

    LIST_EACH(it, &p->queue) {
        struct pgreq *req = CONTAINER_OF(it, struct pgreq, link);

        if (req->since_us <= since_us)
            finish_lost(req, IFP_EUNAVAILABLE);
    }
}

static void waited(void *ctx, int64_t since_us)
{
    worker_call(((struct port *)ctx)->worker, on_waited, ctx, since_us);
}

static void on_started(void *ctx, int64_t arg)
{
    (void)arg;
    send_next(ctx);
}

static void started(void *ctx, int64_t arg)
{
    worker_call(((struct port *)ctx)->worker, on_started, ctx, arg);
}

static void exec(struct port *p, struct pgreq *req)
{
    assert(!pgreq_busy(req) && req->done); /* when closing, on_closed ends it */
    req->sent = false;
    req->queue = (struct pgqueue *)p;
    req->since_us = sim.now_us;
    list_push(&p->queue, &req->link);
    world_after(0, started, p, 0); /* nothing is done inside the call */
    if (p->wait_ms)
        world_after(p->wait_ms * 1000, waited, p, sim.now_us);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void port_open(struct port *p, const struct pgconn_options *o, int lines)
{
    assert(sim.at && lines >= 1 && lines <= LINES_MAX);
    p->worker = sim.at;
    p->o = *o;
    p->line_count = lines;
    list_init(&p->queue);
    list_init(&p->link);
    list_push(&sim.at->ports, &p->link);
    for (int i = 0; i < lines; i++) {
        p->lines[i].port = p;
        dial_later(&p->lines[i], 2000);
    }
}

static void on_closed(void *ctx, int64_t arg)
{
    struct port *p = ctx;

    (void)arg;
    for (int i = 0; i < p->line_count; i++) {
        struct pgreq *req = p->lines[i].req;

        p->lines[i].req = NULL;
        if (req)
            finish_lost(req, IFP_ECANCELED);
        db_backend(p->lines[i].backend, false);
    }
    while (!list_empty(&p->queue))
        finish_lost(CONTAINER_OF(p->queue.next, struct pgreq, link), IFP_ECANCELED);
    list_del(&p->link);
    if (p->closed)
        p->closed(p->closed_ctx);
}

static void close_port(void *ctx, int64_t arg)
{
    worker_call(((struct port *)ctx)->worker, on_closed, ctx, arg);
}

static void port_close(struct port *p, loop_fn *closed, void *ctx)
{
    assert(!p->closing);
    p->closing = true;
    p->closed = closed;
    p->closed_ctx = ctx;
    if (!p->worker->dead)
        world_after(0, close_port, p, 0);
}

int pgconn_open(struct loop *l, const struct pgconn_options *options, struct pgconn **ret_conn,
                struct err *e)
{
    struct pgconn *c = world_alloc(sizeof(*c));

    (void)l;
    (void)e;
    port_open(&c->port, options, 1);
    *ret_conn = c;
    return 0;
}

void pgconn_close(struct pgconn *c, loop_fn *closed, void *ctx)
{
    port_close(&c->port, closed, ctx);
}

void pgconn_discard(struct pgconn *c)
{
    c->port.closing = true;
    list_del(&c->port.link);
}

void pgconn_exec(struct pgconn *c, struct pgreq *req)
{
    exec(&c->port, req);
}

bool pgconn_ready(const struct pgconn *c)
{
    return c->port.lines[0].backend != 0;
}

int pgconn_load(const struct pgconn *c)
{
    return c->port.lines[0].req != NULL || !list_empty(&c->port.queue);
}

const struct err *pgconn_last_error(const struct pgconn *c)
{
    static const struct err unreachable = { .code = IFP_EUNAVAILABLE, .text = "out of reach" };

    (void)c;
    return &unreachable;
}

int pgpool_open(struct loop *l, const struct pgpool_options *options, struct pgpool **ret_pool,
                struct err *e)
{
    struct pgpool *p = world_alloc(sizeof(*p));

    (void)l;
    (void)e;
    port_open(&p->port, &options->conn, options->connections);
    p->port.wait_ms = options->wait_ms;
    *ret_pool = p;
    return 0;
}

void pgpool_close(struct pgpool *p, loop_fn *closed, void *ctx)
{
    port_close(&p->port, closed, ctx);
}

void pgpool_exec(struct pgpool *p, struct pgreq *req)
{
    exec(&p->port, req);
}

int pgpool_waiting(const struct pgpool *p)
{
    return !list_empty(&p->port.queue);
}

bool pgpool_ready(const struct pgpool *p)
{
    for (int i = 0; i < p->port.line_count; i++)
        if (p->port.lines[i].backend)
            return true;
    return false;
}

/* ---- faults ---------------------------------------------------------------------------------- */

void net_kill(struct sim_worker *w)
{
    LIST_EACH(it, &w->ports) {
        struct port *p = CONTAINER_OF(it, struct port, link);

        for (int i = 0; i < p->line_count; i++) {
            db_backend(p->lines[i].backend, false);
            p->lines[i].backend = 0;
        }
    }
}

bool net_drop_all(struct sim_worker *w)
{
    bool any = false;

    assert(w->dead && sim.at == w);
    LIST_EACH(it, &w->ports) {
        struct port *p = CONTAINER_OF(it, struct port, link);

        for (int i = 0; i < p->line_count; i++) {
            struct pgreq *req = p->lines[i].req;

            p->lines[i].req = NULL;
            any |= req != NULL;
            if (req)
                finish_lost(req, IFP_EUNAVAILABLE);
        }
        while (!list_empty(&p->queue)) {
            any = true;
            finish_lost(CONTAINER_OF(p->queue.next, struct pgreq, link), IFP_EUNAVAILABLE);
        }
        if (p->closing) {
            any = true;
            on_closed(p, 0);
        }
    }
    return any;
}

void net_reset(struct sim_worker *w, unsigned which)
{
    LIST_EACH(it, &w->ports) {
        struct port *p = CONTAINER_OF(it, struct port, link);

        for (int i = 0; i < p->line_count; i++, which >>= 1)
            if (which & 1)
                break_line(&p->lines[i], true);
    }
}

void net_server_down(int64_t until_us)
{
    net.server++;
    net.down_until = until_us;
}

static void on_notified(void *ctx, int64_t payload)
{
    struct port *p = ctx;
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)payload);
    if (p->lines[0].backend && !p->closing)
        p->o.on_notify(p->o.ctx, "inferpipe_wake", text);
}

static void notified(void *ctx, int64_t payload)
{
    worker_call(((struct port *)ctx)->worker, on_notified, ctx, payload);
}

void net_notify(struct sim_worker *w, int64_t lane)
{
    LIST_EACH(it, &w->ports) {
        struct port *p = CONTAINER_OF(it, struct port, link);

        if (p->o.on_notify && !w->dead && net_reachable(w) && !world_chance(100))
            world_after(world_delay(500, 50000), notified, p, lane);
    }
}
