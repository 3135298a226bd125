/*
 * store/webhook.h - what deliveries of webhooks ask of the database, asynchronously, over a
 * connection of their own that is opened with the first of them.  Loop thread only.
 *
 * `done` comes exactly once, from the loop; err 0 or IFP_E*.  An operation lies in its owner.
 */
#ifndef STORE_WEBHOOK_H
#define STORE_WEBHOOK_H

#include "base/config.h"
#include "base/jsonscan.h"
#include "loop/loop.h"
#include "pg/pgconn.h"

struct webhook_db;
struct webhook_op;

struct webhook_delivery { /* texts are borrowed for the call of `done`; NULL: none */
    const char *skip;     /* nothing is to be sent, and why */
    const char *url, *event, *type, *status, *workflow, *error_code, *error, *metadata;
    int64_t secret_id; /* 0: there is no secret; what its seal is bound to */
    struct slice secret, secret_before;
    struct slice data; /* JSON */
    int64_t target, created_us;
};

typedef void webhook_load_fn(struct webhook_op *op, int err, const struct webhook_delivery *d,
                             const struct err *e);
typedef void webhook_gone_fn(struct webhook_op *op, int err, const struct err *e);

struct webhook_op {
    struct pgreq req;
    webhook_load_fn *loaded;
    webhook_gone_fn *gone;
};

int webhook_open(struct loop *l, const struct config *config, struct webhook_db **ret,
                 struct err *e) MUSTCHECK;
/* Operations under way end with IFP_ECANCELED before `closed`. */
void webhook_close(struct webhook_db *db, loop_fn *closed, void *ctx);
void webhook_init(struct webhook_op *op);
void webhook_release(struct webhook_op *op); /* not under way */
/* All that an attempt of this delivery needs, as it is now. */
void webhook_load(struct webhook_db *db, struct webhook_op *op, int64_t delivery,
                  webhook_load_fn *done);
/* Its endpoint answered that it is gone for good: it is disabled. */
void webhook_gone(struct webhook_db *db, struct webhook_op *op, int64_t delivery, const char *why,
                  webhook_gone_fn *done);
void webhook_cancel(struct webhook_op *op);

#endif
