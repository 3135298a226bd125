/*
 * core/quota.h - what a worker knows of the limited queues it claims from, and which of them it
 * asks next.  Pure.
 *
 * The limits themselves are PostgreSQL's business: each claim tells how many executions of the
 * queue this worker has (`held`), and the answer holds no more than there are places.  Here is kept
 * what that needs: the count, what was told last, and when asking is worth while: something came (a
 * mark or a time), or a place became free.
 */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quota_queue {
    int32_t queue;
    int held;         /* executions of the queue in this process */
    int64_t seen;     /* the number of the last statement about it that was answered */
    int told;         /* what the database counts for us, as far as we know */
    bool due;         /* ask */
    uint32_t marks;   /* how often it was marked: a mark during a claim outlives the claim */
    uint32_t asked;   /* marks when the claim in flight was sent */
    int64_t again_us; /* ask then, database time; 0: no such time */
};

struct quota {
    struct quota_queue *queues; /* owned */
    size_t count, next;         /* next: where the search begins, so that each has its turn */
};

void quota_init(struct quota *q);
void quota_release(struct quota *q);
/* Sets the queues; keeps what is known of those that stay, new ones are due. */
int quota_set(struct quota *q, const int32_t *queues, size_t n) MUSTCHECK;
struct quota_queue *quota_find(const struct quota *q, int32_t queue);
/* Another worker id: the database counts nothing for it. */
void quota_restart(struct quota *q);
/* Something may be there, in the queue or (0) in each. */
void quota_mark(struct quota *q, int32_t queue);
/* Ask at this time at the latest. */
void quota_expect(struct quota_queue *k, int64_t at_us);
/* An execution came or left; a place that became free is a reason to ask. */
void quota_count(struct quota_queue *k, int change);
/* The queue to ask now, or NULL. */
struct quota_queue *quota_next(struct quota *q, int64_t now_us);
/* A claim is sent; its answer: how many it gave of how many asked for, and when to ask again. */
void quota_sent(struct quota_queue *k);
void quota_answer(struct quota_queue *k, int taken, int limit, int64_t again_us);
/* A queue for which the database counts more than we have, or NULL. */
struct quota_queue *quota_untold(struct quota *q);
/* The earliest time for which one of them waits; 0: none. */
int64_t quota_earliest(const struct quota *q);

#endif
