/*
 * pg/pgpool.h - several connections with one bounded queue.  A request goes to the ready connection
 * with the least in flight (none over `depth`), else it waits; over queue_max it finishes with
 * IFP_ERATELIMITED.  While no connection is ready, requests wait; those that no connection took
 * within `wait_ms` finish with IFP_EUNAVAILABLE and sent unset.  Loop thread only.
 */
#ifndef PG_PGPOOL_H
#define PG_PGPOOL_H

#include "pg/pgconn.h"

struct pgpool;

struct pgpool_options {
    struct pgconn_options
        conn;        /* its callbacks are ignored but on_up and on_down: first up, last down */
    int connections; /* 1 to 64 */
    int depth;       /* requests in flight on one connection; default 1 when 0 */
    int64_t wait_ms;
};

int pgpool_open(struct loop *l, const struct pgpool_options *options, struct pgpool **ret_pool,
                struct err *e) MUSTCHECK;
void pgpool_close(struct pgpool *p, loop_fn *closed, void *ctx);
void pgpool_exec(struct pgpool *p, struct pgreq *req);
int pgpool_waiting(const struct pgpool *p);
bool pgpool_ready(const struct pgpool *p); /* at least one connection is */

#endif
