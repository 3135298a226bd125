/*
 * store/gauges.h - metrics of the database as a whole, for those who scrape this process: queue
 * depth, the age of the oldest runnable execution, what lives, what is stranded.
 *
 * One statement (sql/schema/gauges.sql) sets them all; it is asked at most every 5 seconds, and
 * everybody who wants them meanwhile gets the same answer.  While the database does not answer they
 * are absent and inferpipe_database_up is 0: nobody waits for longer than 2 seconds.
 * Loop thread only.
 */
#ifndef STORE_GAUGES_H
#define STORE_GAUGES_H

#include "base/base.h"
#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "pg/pgconn.h"

struct gauges;

/* `exec` starts a request on a connection of the owner's. */
typedef void gauges_exec_fn(void *ctx, struct pgreq *req);

struct gauges_wait { /* of who asks; in the list of who waits until `done` */
    struct list link;
    void (*done)(void *ctx);
    void *ctx;
};

int gauges_open(struct loop *l, const char *workspace, gauges_exec_fn *exec, void *ctx,
                struct gauges **ret, struct err *e) MUSTCHECK;
/* Nobody may wait any more; a statement under way must have ended (its connection is closed). NULL
 * is fine. */
void gauges_close(struct gauges *g);
/* Calls w->done once, now or from the loop, when the gauges are as fresh as they get. */
void gauges_refresh(struct gauges *g, struct gauges_wait *w);

#endif
