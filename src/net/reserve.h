/*
 * net/reserve.h - keeps a port for processes that are going to share it.
 *
 * A supervisor's children all listen on one port, each with a socket of its own (SO_REUSEPORT), and
 * they come and go.  The parent holds a socket that is bound and does not listen: it gets no
 * connection, but the port stays theirs, also a port that the system chose.
 */
#ifndef NET_RESERVE_H
#define NET_RESERVE_H

#include "base/base.h"
#include "base/err.h"

/* *ret_port is the one that was bound, when `port` is 0; *ret_fd is for close.  IFP_EUNAVAILABLE
 * when somebody listens there already, IFP_EINVALID when there is no such address. */
int reserve_port(const char *host, int port, int *ret_fd, int *ret_port, struct err *e) MUSTCHECK;

#endif
