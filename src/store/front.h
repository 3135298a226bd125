/*
 * store/front.h - the server's connections to the database: a pool for statements of requests and a
 * listener for notifications.  What engines write to is store.h's; this is for those who ask.
 *
 * A request is a pgreq whose stmt, args and done are set; it is finished exactly once, from the
 * loop.  Notifications are hints: subscribers also look by themselves when `missed` comes.
 * Loop thread only.
 */
#ifndef STORE_FRONT_H
#define STORE_FRONT_H

#include "base/config.h"
#include "base/list.h"
#include "loop/loop.h"
#include "pg/pgconn.h"

#include <stdbool.h>

struct front;

/* Takes database-url, connect-timeout, statement-timeout, listen, prepare, db-queue and
 * http-db-connections from the configuration. */
int front_open(struct loop *l, const struct config *config, struct front **ret,
               struct err *e) MUSTCHECK;
/* All requests finish with IFP_ECANCELED first. */
void front_close(struct front *f, loop_fn *closed, void *ctx);
void front_exec(struct front *f, struct pgreq *req);
bool front_ready(const struct front *f); /* a connection is up */
int front_waiting(const struct front *f);
const struct config *front_config(const struct front *f);
struct loop *front_loop(const struct front *f);

/* A subscription.  `channel` is [a-z_]+ and outlives the front; of all subscriptions together at
 * most FRONT_CHANNELS different ones (asserted).  `missed` comes when the listener is up (again),
 * and for a channel that is listened to already not at all: who subscribes looks once by himself.
 * With `listen` off neither ever comes.  A callback may end no subscription but its own. */
enum { FRONT_CHANNELS = 16 };
struct front_sub {
    struct list link; /* in its channel's list */
    const char *channel;
    void (*notified)(void *ctx, const char *payload);
    void (*missed)(void *ctx);
    void *ctx;
};
void front_subscribe(struct front *f, struct front_sub *sub);
/* At once: no callback comes after it.  One that was never subscribed needs a list_init link. */
void front_unsubscribe(struct front *f, struct front_sub *sub);
/* The listener is up: notifications can be expected. */
bool front_listening(const struct front *f);

#endif
