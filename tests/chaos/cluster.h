/*
 * tests/chaos/cluster.h - the private PostgreSQL of a chaos run: a primary and, when asked for, a
 * synchronous standby, each in a folder of its own, reachable by unix socket alone.  fsync is on.
 *
 * As root the servers run as user postgres.  Mistakes of the set-up end the program; the folder and
 * the servers go when it ends.
 */
#ifndef CHAOS_CLUSTER_H
#define CHAOS_CLUSTER_H

#include <stdbool.h>

enum { CLUSTER_PATH = 160, CLUSTER_SERVERS = 2 };

struct cluster {
    char home[CLUSTER_PATH]; /* everything of this run, logs and ledger too */
    char bin[CLUSTER_PATH];
    char data[CLUSTER_SERVERS][CLUSTER_PATH];
    char socket[CLUSTER_SERVERS][CLUSTER_PATH];
    const char *run_as; /* prefix of commands */
    bool standby;
    int primary; /* 0, after a failover 1 */
};

/* Starts it and makes the test database "chaos": schema, audit trigger, checker.  `program` is the
 * path of the inferpipe binary, `tests` the folder with sql/lib and chaos/. */
void cluster_open(struct cluster *c, const char *program, const char *tests, bool standby);
/* conninfo of the database, past the proxy. */
void cluster_conninfo(const struct cluster *c, char *ret, int size);
/* "fast" or "immediate". */
void cluster_restart(struct cluster *c, const char *mode);
/* kill -9 of the primary and of all its processes, then the standby takes over.  The old one stays
 * down. */
void cluster_failover(struct cluster *c);
/* The end of the servers' logs, to stderr. */
void cluster_show_log(const struct cluster *c);
/* Stops the servers and removes the folder, unless `keep`. */
void cluster_close(struct cluster *c, bool keep);

#endif
