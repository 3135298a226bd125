/*
 * http/server.c - the listening side: admits connections, counts them, lets them drain.
 *
 * Caps are counts by address (an IPv6 client by its /64, as that is what one client has) and by
 * key.  A connection over a cap is closed without a word: an answer would cost more than it did.
 *
 * Closing: the listener goes first, then each connection ends by itself, at once or after its
 * answers; the last one that is freed calls back.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mem.h"
#include "http/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* For requests that are on their way on connections that are idle when a drain begins. */
#define DRAIN_GRACE_US INT64_C(250000)
#define V4_TAG UINT64_C(0x0000ffff00000000) /* no /64 of IPv6 in use looks so */

bool server_count_up(struct map *m, uint64_t key, int64_t max)
{
    intptr_t n = (intptr_t)map_get(m, key);

    return n < max && map_put(m, key, (void *)(n + 1)) == 0;
}

void server_count_down(struct map *m, uint64_t key)
{
    intptr_t n = (intptr_t)map_get(m, key);
    int rc = 0;

    assert(n > 0);
    if (n > 1)
        rc = map_put(m, key, (void *)(n - 1));
    else
        (void)map_del(m, key);
    assert(rc == 0); /* replacing needs no memory */
    (void)rc;
}

/* ---- clients ---- */

static uint64_t bits_of(const unsigned char *bytes, int n)
{
    uint64_t bits = 0;

    for (int i = 0; i < n; i++)
        bits = bits << 8 | bytes[i];
    return bits;
}

/* The peer's address as text, and as the number that it is counted by. */
static uint64_t name_peer(const struct sockaddr_storage *peer, char ret[HTTP_PEER_SIZE])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
    const struct sockaddr_in *four = (const struct sockaddr_in *)peer;

    if (peer->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &four->sin_addr, ret, HTTP_PEER_SIZE);
        return V4_TAG | ntohl(four->sin_addr.s_addr);
    }
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        (void)inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, ret, HTTP_PEER_SIZE);
        return V4_TAG | bits_of(six->sin6_addr.s6_addr + 12, 4);
    }
    (void)inet_ntop(AF_INET6, &six->sin6_addr, ret, HTTP_PEER_SIZE);
    return bits_of(six->sin6_addr.s6_addr, 8);
}

static int64_t option(const struct http_server *s, enum config_id id)
{
    return config_int(s->options.config, id);
}

static void on_accepted(void *ctx, int fd, const struct sockaddr_storage *peer)
{
    struct http_server *s = ctx;
    char name[HTTP_PEER_SIZE] = "";
    uint64_t address = name_peer(peer, name);

    if (s->stats.connections >= option(s, CONFIG_HTTP_CONNECTIONS) ||
        !server_count_up(&s->addresses, address, option(s, CONFIG_HTTP_PER_ADDRESS))) {
        s->stats.refused++;
        close(fd);
        return;
    }
    s->stats.accepted++;
    conn_open(s, fd, name, address);
}

bool http_conn_claim(struct http_request *r, int64_t key)
{
    struct http_conn *c = r->conn;
    struct http_server *s = c->server;

    if (c->keyed && c->key == key)
        return true;
    if (!server_count_up(&s->keys, (uint64_t)key, option(s, CONFIG_HTTP_PER_KEY)))
        return false;
    if (c->keyed)
        server_count_down(&s->keys, (uint64_t)c->key);
    c->keyed = true;
    c->key = key;
    return true;
}

/* ---- opening ---- */

static void on_ended(void *ctx);
static void on_drain_time(void *ctx);

static void init(struct http_server *s, struct loop *l, const struct http_server_options *o)
{
    s->loop = l;
    s->options = *o;
    s->limits.head_max = (size_t)option(s, CONFIG_HTTP_HEAD_MAX);
    s->limits.target_max = (size_t)option(s, CONFIG_HTTP_TARGET_MAX);
    s->limits.headers_max = (size_t)option(s, CONFIG_HTTP_HEADERS_MAX);
    s->head_us = option(s, CONFIG_HTTP_HEAD_TIME) * 1000;
    s->body_us = option(s, CONFIG_HTTP_BODY_TIME) * 1000;
    s->idle_us = option(s, CONFIG_HTTP_IDLE_TIME) * 1000;
    s->write_us = option(s, CONFIG_HTTP_WRITE_TIME) * 1000;
    list_init(&s->conns);
    list_init(&s->pool);
    map_init(&s->addresses);
    map_init(&s->keys);
    timer_init(&s->drain_timer, l, on_drain_time, s);
    deferred_init(&s->ended, l, on_ended, s);
}

static void free_server(struct http_server *s)
{
    struct list *link;

    while ((link = list_pop(&s->pool))) {
        struct exchange *x = CONTAINER_OF(link, struct exchange, r.link);

        arena_release(&x->r.arena);
        mem_free(x);
    }
    timer_stop(&s->drain_timer);
    deferred_cancel(&s->ended);
    map_release(&s->addresses);
    map_release(&s->keys);
    stream_hub_close(&s->hub);
    tls_close(s->tls);
    mem_free(s);
}

/* With a certificate there is TLS; half a pair is a mistake, and never no TLS. */
static int open_tls(struct http_server *s, struct err *e)
{
    const char *cert = config_text(s->options.config, CONFIG_TLS_CERT);
    const char *key = config_text(s->options.config, CONFIG_TLS_KEY);

    if (s->options.plain || (!cert[0] && !key[0]))
        return 0;
    if (!cert[0] || !key[0])
        return err_set(e, IFP_EINVALID, "tls-cert and tls-key belong together: %s is missing",
                       cert[0] ? "tls-key" : "tls-cert");
    return tls_open(cert, key, &s->tls, e);
}

int http_server_open(struct loop *l, const struct http_server_options *o, struct http_server **ret,
                     struct err *e)
{
    struct http_server *s = mem_zalloc(sizeof(*s));
    struct listener_options lo = { .host = o->host ? o->host : config_text(o->config, CONFIG_HOST),
                                   .port =
                                       o->host ? o->port : (int)config_int(o->config, CONFIG_PORT),
                                   .reuse_port = o->reuse_port,
                                   .accepted = on_accepted,
                                   .ctx = s };
    int rc;

    if (!s)
        return err_set(e, IFP_ENOMEM, "server: out of memory");
    (void)signal(SIGPIPE, SIG_IGN); /* a client that has gone must not end the process */
    init(s, l, o);
    rc = ids_random(&s->id_seed, sizeof(s->id_seed));
    if (rc < 0) {
        rc = err_set(e, IFP_ESERVER, "server: the system has no random numbers");
        goto err;
    }
    rc = stream_hub_open(l, &s->hub, e);
    if (rc < 0)
        goto err;
    rc = open_tls(s, e);
    if (rc < 0)
        goto err;
    rc = listener_open(l, &lo, &s->listener, e);
    if (rc < 0)
        goto err;
    s->port = listener_port(s->listener);
    *ret = s;
    return 0;

err:
    free_server(s);
    return rc;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

int http_server_reload(struct http_server *s, struct err *e)
{
    if (!s->tls)
        return 0;
    return tls_reload(s->tls, config_text(s->options.config, CONFIG_TLS_CERT),
                      config_text(s->options.config, CONFIG_TLS_KEY), e);
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    struct http_server_stats stats = s->stats;

    stats.bytes_in = s->hub.bytes_in;
    stats.bytes_out = s->hub.bytes_out;
    return stats;
}

/* ---- the end ---- */

static void stop_listening(struct http_server *s)
{
    listener_close(s->listener);
    s->listener = NULL;
}

static void abort_all(struct http_server *s)
{
    LIST_EACH(link, &s->conns)
        conn_abort(CONTAINER_OF(link, struct http_conn, link));
}

static void on_drain_time(void *ctx)
{
    abort_all(ctx);
}

static void on_ended(void *ctx)
{
    struct http_server *s = ctx;
    loop_fn *drained = s->drained, *closed = s->closed;
    void *drained_ctx = s->drained_ctx, *closed_ctx = s->closed_ctx;

    if (!list_empty(&s->conns))
        return;
    s->drained = NULL;
    timer_stop(&s->drain_timer);
    if (s->closing)
        free_server(s);
    if (drained)
        drained(drained_ctx);
    if (closed)
        closed(closed_ctx);
}

void server_conn_closed(struct http_server *s)
{
    if ((s->draining || s->closing) && list_empty(&s->conns))
        deferred_call(&s->ended);
}

void http_server_drain(struct http_server *s, loop_fn *drained, void *ctx)
{
    if (s->draining)
        return;
    s->draining = true;
    s->drained = drained;
    s->drained_ctx = ctx;
    s->grace_us = clock_mono_us() + DRAIN_GRACE_US;
    if (s->listener)
        listener_take(s->listener);
    stop_listening(s);
    LIST_EACH(link, &s->conns)
        conn_drain(CONTAINER_OF(link, struct http_conn, link));
    if (timer_start(&s->drain_timer, option(s, CONFIG_DRAIN) * 1000) < 0)
        abort_all(s);
    deferred_call(&s->ended);
}

void http_server_close(struct http_server *s, loop_fn *closed, void *ctx)
{
    assert(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_ctx = ctx;
    stop_listening(s);
    abort_all(s);
    deferred_call(&s->ended);
}
