/*
 * store/front.c - a pool for the statements of requests, and beside it one connection that only
 * listens, so that a notification never waits behind a slow statement.
 *
 *   front_subscribe -> LISTEN, once a channel -> [notified] ... connection lost, back -> [missed]
 *
 * Channels stay listened to until the front closes: their number is small and fixed by the code,
 * and a subscription can so end at once, while a LISTEN is under way.
 *
 * Failure: nothing is sent again by itself.  A lost connection ends a request with IFP_EUNAVAILABLE
 * and req->sent tells whether its outcome is unknown; who made it knows whether it may be repeated.
 */
#include "store/front.h"

#include "base/mem.h"
#include "pg/pglisten.h"
#include "pg/pgpool.h"

#include <assert.h>
#include <string.h>

/* Requests that may be under way on one connection: they are small, and the answers of a batch
 * should not wait for a round trip each. */
enum { FRONT_DEPTH = 4 };

struct channel {
    struct pglisten listen;
    struct list subs;
};

struct front {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    struct pgpool *pool;         /* owned */
    struct pgconn *listener;     /* owned; NULL when `listen` is off */
    struct channel channels[FRONT_CHANNELS];
    int channel_count;
    bool closing;
    int closing_left; /* connections that have not said that they are closed */
    loop_fn *closed;
    void *closed_ctx;
};

/* ---- notifications -------------------------------------------------------------------------- */

static void channel_notified(void *ctx, const char *payload)
{
    struct channel *c = ctx;

    LIST_EACH(it, &c->subs) {
        struct front_sub *sub = CONTAINER_OF(it, struct front_sub, link);

        sub->notified(sub->ctx, payload);
    }
}

static void channel_missed(void *ctx)
{
    struct channel *c = ctx;

    LIST_EACH(it, &c->subs) {
        struct front_sub *sub = CONTAINER_OF(it, struct front_sub, link);

        sub->missed(sub->ctx);
    }
}

static struct channel *channel_of(struct front *f, const char *name)
{
    struct channel *c;

    assert(f->listener);
    for (int i = 0; i < f->channel_count; i++)
        if (strcmp(f->channels[i].listen.channel, name) == 0)
            return &f->channels[i];
    assert(f->channel_count < FRONT_CHANNELS);
    c = &f->channels[f->channel_count++];
    list_init(&c->subs);
    pglisten_init(&c->listen, f->listener, name);
    c->listen.notified = channel_notified;
    c->listen.missed = channel_missed;
    c->listen.ctx = c;
    if (pgconn_ready(f->listener))
        pglisten_up(&c->listen);
    return c;
}

void front_subscribe(struct front *f, struct front_sub *sub)
{
    assert(!f->closing && sub->notified && sub->missed);
    list_init(&sub->link);
    if (f->listener)
        list_push(&channel_of(f, sub->channel)->subs, &sub->link);
}

void front_unsubscribe(struct front *f, struct front_sub *sub)
{
    (void)f;
    list_del(&sub->link);
}

bool front_listening(const struct front *f)
{
    return f->listener && pgconn_ready(f->listener);
}

static void listener_up(void *ctx)
{
    struct front *f = ctx;

    for (int i = 0; i < f->channel_count && !f->closing; i++)
        pglisten_up(&f->channels[i].listen);
}

static void listener_notify(void *ctx, const char *channel, const char *payload)
{
    struct front *f = ctx;

    for (int i = 0; i < f->channel_count && !f->closing; i++)
        pglisten_notify(&f->channels[i].listen, channel, payload);
}

/* ---- open and close ------------------------------------------------------------------------- */

static struct pgconn_options connection_options(const struct config *config)
{
    return (struct pgconn_options){
        .conninfo = config_text(config, CONFIG_DATABASE_URL),
        .application = "inferpipe serve",
        .prepare = config_int(config, CONFIG_PREPARE) != 0,
        .queue_max = (int)config_int(config, CONFIG_DB_QUEUE),
        .connect_timeout_ms = config_int(config, CONFIG_CONNECT_TIMEOUT),
        .statement_timeout_ms = config_int(config, CONFIG_STATEMENT_TIMEOUT),
    };
}

static int open_listener(struct front *f, struct err *e)
{
    struct pgconn_options o = connection_options(f->config);

    if (!config_int(f->config, CONFIG_LISTEN))
        return 0;
    o.async_commit = true;
    o.on_up = listener_up;
    o.on_notify = listener_notify;
    o.ctx = f;
    return pgconn_open(f->loop, &o, &f->listener, e);
}

int front_open(struct loop *l, const struct config *config, struct front **ret, struct err *e)
{
    struct pgpool_options pool = {
        .conn = connection_options(config),
        .connections = (int)config_int(config, CONFIG_HTTP_DB_CONNECTIONS),
        .depth = FRONT_DEPTH,
        .wait_ms = config_int(config, CONFIG_CONNECT_TIMEOUT),
    };
    struct front *f = mem_zalloc(sizeof(*f));
    int err;

    assert(pool.connections >= 1 && pool.wait_ms > 0);
    if (!f)
        return err_set(e, IFP_ENOMEM, "front: out of memory");
    f->loop = l;
    f->config = config;
    err = open_listener(f, e);
    if (err)
        goto free_front;
    err = pgpool_open(l, &pool, &f->pool, e);
    if (err)
        goto discard_listener;
    *ret = f;
    return 0;

discard_listener:
    if (f->listener)
        pgconn_discard(f->listener);
free_front:
    mem_free(f);
    return err;
}

static void connection_closed(void *ctx)
{
    struct front *f = ctx;
    loop_fn *closed = f->closed;
    void *closed_ctx = f->closed_ctx;

    assert(f->closing && f->closing_left > 0);
    if (--f->closing_left > 0)
        return;
    for (int i = 0; i < f->channel_count; i++)
        pglisten_release(&f->channels[i].listen);
    mem_free(f);
    if (closed)
        closed(closed_ctx);
}

void front_close(struct front *f, loop_fn *closed, void *ctx)
{
    assert(f && !f->closing);
    f->closing = true;
    f->closing_left = f->listener ? 2 : 1;
    f->closed = closed;
    f->closed_ctx = ctx;
    if (f->listener)
        pgconn_close(f->listener, connection_closed, f);
    pgpool_close(f->pool, connection_closed, f);
}

/* ---- requests ------------------------------------------------------------------------------- */

void front_exec(struct front *f, struct pgreq *req)
{
    assert(req->stmt && req->done);
    pgpool_exec(f->pool, req);
}

bool front_ready(const struct front *f)
{
    return pgpool_ready(f->pool);
}

int front_waiting(const struct front *f)
{
    return pgpool_waiting(f->pool);
}

const struct config *front_config(const struct front *f)
{
    return f->config;
}

struct loop *front_loop(const struct front *f)
{
    return f->loop;
}
