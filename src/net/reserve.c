/*
 * net/reserve.c - two sockets after each other: the first one finds out whether the port is free,
 * as a socket that shares would be let in beside the one of any other program of this user; the
 * second one shares and stays.
 */
#include "net/reserve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A bound socket, or -1 with errno. */
static int bind_at(const struct addrinfo *at, bool share)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, off = 0, error;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (at->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
        bind(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage at = { 0 };
    socklen_t size = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    if (at.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

int reserve_port(const char *host, int port, int *ret_fd, int *ret_port, struct err *e)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *all = NULL;
    char text[8];
    int rc, fd = -1, error = 0;

    (void)snprintf(text, sizeof(text), "%d", port);
    rc = getaddrinfo(host, text, &hints, &all);
    if (rc != 0)
        return err_set(e, IFP_EINVALID, "host %s: %s", host, gai_strerror(rc));
    for (const struct addrinfo *at = all; at && fd < 0; at = at->ai_next) {
        int free = bind_at(at, false);

        if (free >= 0) {
            close(free);
            fd = bind_at(at, true);
        }
        error = errno;
    }
    freeaddrinfo(all);
    if (fd < 0)
        return err_set(e, IFP_EUNAVAILABLE, "host %s port %d: %s", host, port, strerror(error));
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return 0;
}
