/*
 * store/front.h - the server's connections to the database: a pool for statements of requests and a
 * listener for notifications.  What engines write to is store.h's; this is for those who ask.
 *
 * A request is a pgreq whose stmt, args and done are set; it is finished exactly once, from the
 * loop.  Notifications are hints: subscribers also look by themselves when `missed` comes.
 */
#ifndef STORE_FRONT_H
#define STORE_FRONT_H

#include "base/config.h"
#include "base/list.h"
#include "loop/loop.h"
#include "pg/pgconn.h"
#include "pg/pglisten.h"

struct front;

/* Takes database-url, connect-timeout, statement-timeout, listen, prepare, db-queue and
 * http-db-connections from the configuration. */
int front_open(struct loop *l, const struct config *config, struct front **ret,
               struct err *e) MUSTCHECK;
void front_close(struct front *f, loop_fn *closed, void *ctx);
void front_exec(struct front *f, struct pgreq *req);
bool front_ready(const struct front *f); /* a connection is up */
int front_waiting(const struct front *f);
const struct config *front_config(const struct front *f);
struct loop *front_loop(const struct front *f);

/* Subscribes; `channel` is [a-z_]+ and outlives the subscription.  Both may come at any time from
 * the loop; `missed` also when the listener comes up. */
struct front_sub {
    struct list link; /* in the front's list */
    struct pglisten listen;
    const char *channel;
    void (*notified)(void *ctx, const char *payload);
    void (*missed)(void *ctx);
    void *ctx;
};
void front_subscribe(struct front *f, struct front_sub *sub);
void front_unsubscribe(struct front *f, struct front_sub *sub);

#endif
