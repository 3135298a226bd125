/*
 * net/listener.c - accepts with accept4 under a poll handle of the loop.
 *
 * Why not uv_listen: without descriptors left it accepts and drops every client that waits.  Here
 * the poll handle stops for PAUSE_US, in which connections may end, and starts again.
 *
 * At most BATCH connections are taken in one turn, so that a flood of new clients does not keep the
 * old ones waiting.
 */
#define _GNU_SOURCE 1 /* accept4 */

#include "net/listener.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { BATCH = 64, BACKLOG = 4096, PAUSE_US = 100 * 1000 };

struct listener {
    uv_poll_t poll;
    struct timer pause;
    struct listener_options options; /* without host */
    int fd, port;
    int64_t pauses;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void resume(void *ctx)
{
    struct listener *ls = ctx;
    int rc = uv_poll_start(&ls->poll, UV_READABLE, on_readable);

    assert(rc == 0); /* the descriptor is open */
    (void)rc;
}

static void rest(struct listener *ls)
{
    ls->pauses++;
    uv_poll_stop(&ls->poll);
    if (timer_start(&ls->pause, PAUSE_US) < 0)
        resume(ls); /* no memory for a pause: the next turn tries again */
}

/* At most BATCH connections; how many. */
static int take_batch(struct listener *ls)
{
    int taken = 0;

    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t size = sizeof(peer);
        int fd = accept4(ls->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            ls->options.accepted(ls->options.ctx, fd, &peer);
            taken++;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(ls);
            break;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } /* else that one client has gone */
        if (uv_is_closing((uv_handle_t *)&ls->poll))
            break;
    }
    return taken;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)take_batch(CONTAINER_OF(poll, struct listener, poll));
}

/* An open, bound, listening socket or -1 with errno. */
static int listen_at(const struct addrinfo *at, bool reuse_port)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, off = 0, error;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        goto err;
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        goto err;
    if (at->ai_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        goto err;
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        goto err;
    return fd;

err:
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } at;
    socklen_t size = sizeof(at);

    memset(&at, 0, sizeof(at));
    if (getsockname(fd, &at.any, &size) < 0)
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.six.sin6_port : at.four.sin_port);
}

/* The listening socket, or a negative IFP_E*. */
static int bind_host(const struct listener_options *o, struct err *e)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *all = NULL;
    char port[8];
    int rc, fd = -1, error = 0;

    (void)snprintf(port, sizeof(port), "%d", o->port);
    rc = getaddrinfo(o->host, port, &hints, &all);
    if (rc != 0)
        return err_set(e, IFP_EINVALID, "listen on %s: %s", o->host, gai_strerror(rc));
    for (const struct addrinfo *at = all; at && fd < 0; at = at->ai_next) {
        fd = listen_at(at, o->reuse_port);
        error = errno;
    }
    freeaddrinfo(all);
    if (fd < 0)
        return err_set(e, IFP_EUNAVAILABLE, "listen on %s port %d: %s", o->host, o->port,
                       strerror(error));
    return fd;
}

int listener_open(struct loop *l, const struct listener_options *o, struct listener **ret,
                  struct err *e)
{
    struct listener *ls = mem_zalloc(sizeof(*ls));
    int rc;

    if (!ls)
        return err_set(e, IFP_ENOMEM, "listen: out of memory");
    ls->options = *o;
    ls->options.host = NULL;
    timer_init(&ls->pause, l, resume, ls);
    rc = bind_host(o, e);
    if (rc < 0)
        goto err_bind;
    ls->fd = rc;
    ls->port = bound_port(ls->fd);
    rc = uv_poll_init_socket(loop_uv(l), &ls->poll, ls->fd);
    if (rc < 0) {
        rc = err_set(e, IFP_ESERVER, "listen: %s", uv_strerror(rc));
        goto err_poll;
    }
    resume(ls);
    *ret = ls;
    return 0;

err_poll:
    close(ls->fd);
err_bind:
    mem_free(ls);
    return rc;
}

int listener_port(const struct listener *ls)
{
    return ls->port;
}

int64_t listener_pauses(const struct listener *ls)
{
    return ls->pauses;
}

void listener_take(struct listener *ls)
{
    int64_t pauses = ls->pauses;
    int taken;

    do {
        taken = take_batch(ls);
    } while (taken == BATCH && ls->pauses == pauses);
}

static void on_closed(uv_handle_t *poll)
{
    mem_free(CONTAINER_OF(poll, struct listener, poll));
}

void listener_close(struct listener *ls)
{
    if (!ls)
        return;
    timer_stop(&ls->pause);
    uv_poll_stop(&ls->poll);
    close(ls->fd);
    uv_close((uv_handle_t *)&ls->poll, on_closed);
}
