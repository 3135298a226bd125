/*
 * store/retention.h - how long executions that have ended are kept, and one piece of the work: for
 * workers and for the command line.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "store/client.h"
#include "store/store.h"

enum { RETENTION_STATUSES = 3 };
#define RETENTION_EVER INT64_C(-1) /* kept for ever */

struct retention_policy {
    struct retention_keep {
        const char *status; /* "completed", "failed", "canceled", in this order */
        int64_t keep_ms;    /* or RETENTION_EVER */
    } keeps[RETENTION_STATUSES];
};

int retention_get(struct client *c, struct retention_policy *ret, struct err *e) MUSTCHECK;
/* 1 minute to 100 years, or RETENTION_EVER.  Needs the rights of an administrator. */
int retention_set(struct client *c, const char *status, int64_t keep_ms, struct err *e) MUSTCHECK;
/* Carries out one piece of the policy; *ret_more: call again. */
int retention_run(struct client *c, int64_t *ret_removed, bool *ret_more, struct err *e) MUSTCHECK;
/* Deletes all that is known of one; one that lives only with `force`, which cancels it first. */
int retention_delete(struct client *c, int64_t id, bool force, struct err *e) MUSTCHECK;

/* The same piece of work for a worker, on the pool: it may take a second or two. */
void retention_start(struct store_op *op, store_done_fn *done);
/* Inside done: how many executions have left. */
int64_t retention_removed(const struct store_op *op, bool *ret_more);

#endif
