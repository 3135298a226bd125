/*
 * store/store_queue.h - claims from queues with limits; the rows are those of store_claim, and one
 * more that tells about the queue.
 */
#ifndef STORE_STORE_QUEUE_H
#define STORE_STORE_QUEUE_H

#include "store/store.h"

enum { STORE_QUOTA_COUNT = -1 }; /* we do not know how many we have: the database counts */

struct store_quota {
    int64_t worker, turn; /* turn: higher with each statement of this worker */
    int64_t seen;         /* the highest turn that was answered */
    int32_t queue;
    int limit; /* of a claim */
    int used;  /* executions of the queue in this process */
};
/* Executions are rows 0 to op->rows - 2 (store_claimed_at). No row at all: it was overtaken. */
void store_claim_limited(struct store_op *op, const struct store_quota *ask, const int32_t *lanes,
                         size_t n, store_done_fn *done);
/* When to ask again; 0: a notification or the due check will tell. */
int64_t store_quota_again(const struct store_op *op);
/* The database's time of the claim, in microseconds since 1970. */
int64_t store_quota_now(const struct store_op *op);
/* Tells how many executions of the queue we have, without a claim. */
void store_queue_report(struct store_op *op, const struct store_quota *tell, store_done_fn *done);
/* Of either answer: the database knows of executions of ours that were not told. */
bool store_quota_more(const struct store_op *op);
bool store_queue_report_more(const struct store_op *op);

#endif
