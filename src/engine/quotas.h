/*
 * engine/quotas.h - claims from queues with limits, one queue a statement (sql: claim_limited).
 *
 * Beside claim.h, which claims from all others: a queue without limits pays nothing for these.  One
 * claim in flight at most.  An answer that was lost leaves us not knowing what we have: until what
 * is ours has been looked up (claim_adopt_soon), the database counts for itself.
 */
#ifndef ENGINE_QUOTAS_H
#define ENGINE_QUOTAS_H

#include "core/quota.h"
#include "loop/loop.h"
#include "store/store_queue.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct quotas { /* part of struct engine */
    struct quota table;
    struct store_op op, tell;
    struct timer timer; /* the next time for which a queue waits, or a pause after a failure */
    int64_t claimed_as; /* who sent what is in flight */
    int64_t turn, seen; /* of the last statement sent, of the last one answered */
    int64_t claim_turn, tell_turn;
    int32_t asked, told; /* the queues of the statements in flight */
    int limit;           /* of the claim in flight; else 0 */
    bool hungry;         /* the last claim found less than it asked for */
    bool pause;          /* after a failure, until the timer */
};

void quotas_open(struct engine *e);
void quotas_close(struct engine *e);
/* The lanes were read: claim.lanes tells the queues. */
int quotas_lanes(struct engine *e) MUSTCHECK;
/* Another worker id. */
void quotas_restart(struct engine *e);
/* Work came for the lane (0: for any), if it is one of a limited queue. */
void quotas_wake(struct engine *e, int32_t lane);
/* The due check: something is, or will be, there. */
void quotas_expect(struct engine *e, int32_t queue, int64_t at_us);
/* The same of the queue of a lane, if it is limited. */
void quotas_expect_lane(struct engine *e, int32_t lane, int64_t at_us);
/* An execution of this lane came into this process (1) or left it (-1). */
void quotas_count(struct engine *e, int32_t lane, int change);
/* Executions that a claim in flight may bring. */
int quotas_asked(const struct engine *e);
/* Claims, or tells what became free. */
void quotas_turn(struct engine *e);

#endif
