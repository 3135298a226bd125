/*
 * net/listener.h - a listening TCP socket that hands over each connection as a socket.
 *
 * Without file descriptors or memory left it pauses for a moment and tries again: clients wait in
 * the kernel's queue meanwhile, nothing spins.  Loop thread only.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "loop/loop.h"

#include <stdbool.h>
#include <sys/socket.h>

struct listener;

struct listener_options {
    const char *host; /* a name or an address; "::" and "0.0.0.0" are all */
    int port;         /* 0: any free one */
    bool reuse_port;  /* several processes share it */
    /* A connection: the socket is the callee's. */
    void (*accepted)(void *ctx, int fd, const struct sockaddr_storage *peer);
    void *ctx;
};

/* IFP_EUNAVAILABLE when the address is taken, IFP_EINVALID when there is no such address.  Looks
 * names up, which may block. */
int listener_open(struct loop *l, const struct listener_options *o, struct listener **ret,
                  struct err *e) MUSTCHECK;
int listener_port(const struct listener *ls);
/* Times that it paused. */
int64_t listener_pauses(const struct listener *ls);
/* Accepts all that wait in the kernel's queue, which a close would reset. */
void listener_take(struct listener *ls);
/* The socket is closed at once and the memory freed by the loop soon.  NULL is fine. */
void listener_close(struct listener *ls);

#endif
