/*
 * tests/chaos/proxy.h - TCP on this machine to PostgreSQL's unix sockets, with every fault that a
 * network can have between the two.  One thread serves all links.
 *
 * A link is what one client process connects to: a port for each of the two servers there may be
 * (the second is the standby).  Faults hold for all connections of the link, also for those made
 * later.  All functions may be called from any thread but proxy_open and proxy_close.
 */
#ifndef CHAOS_PROXY_H
#define CHAOS_PROXY_H

#include <stdint.h>

enum { PROXY_SERVERS = 2, PROXY_LINKS = 16 };

struct proxy;

/* What is injected, from now on for `for_us`. */
enum proxy_fault {
    PROXY_CUT,    /* every connection is reset, once */
    PROXY_LOSE,   /* the next reply on each connection is dropped, then it is reset: what the server
                      has done (a commit) was done, and nobody is told.  Ends after for_us */
    PROXY_DELAY,  /* every byte arrives late, by 20 to 220 ms */
    PROXY_STALL,  /* nothing moves, nothing is closed */
    PROXY_REFUSE, /* connections are reset and no new one comes about */
    PROXY_TRICKLE, /* a few bytes at a time */
    PROXY_FAULTS
};

/* `sockets` are the servers' unix sockets (paths), either may be missing for now. */
struct proxy *proxy_open(const char *const sockets[PROXY_SERVERS]);
/* A new link on this IPv4 address; gives its number.  Ends the program when it cannot listen. */
int proxy_link(struct proxy *p, const char *address);
int proxy_port(struct proxy *p, int link, int server);
void proxy_inject(struct proxy *p, int link, enum proxy_fault fault, int64_t for_us);
/* This server's machine is gone for good: nobody listens there any more.  (libpq goes on to the
 * next host of a conninfo only when the connection is refused, not when it is accepted and then
 * reset.) */
void proxy_server_gone(struct proxy *p, int server);
/* Ends every fault on every link. */
void proxy_heal(struct proxy *p);

struct proxy_counts {
    int64_t connections, bytes, cut, lost, refused;
};
struct proxy_counts proxy_counts(struct proxy *p);
void proxy_close(struct proxy *p);

#endif
