/*
 * api/buckets.h - this process's share of the token buckets that all servers draw from
 * (sql/schema/rates_http.sql): no statement a request.
 *
 * For each key it holds a lease of tokens, taken ahead: as many as the key has lately used, at most
 * CONFIG_RATE_LEASE percent of its burst (but one at least).  When a lease runs low, more is asked
 * for, of all keys in one statement, at most one in flight and one every BUCKETS_PACE_US.  Tokens
 * that were not used within BUCKETS_LEASE_US are given back.
 *
 * Bound: what n processes let through in any span t is at most burst + rate * t + n leases, because
 * a token is taken from the database before it is used, and not long before.
 *
 * When the database is away nothing is let through but what is held (IFP_EUNAVAILABLE).
 */
#ifndef API_BUCKETS_H
#define API_BUCKETS_H

#include "base/config.h"
#include "base/list.h"
#include "store/front.h"

#include <stdbool.h>
#include <stdint.h>

enum { BUCKETS_PACE_US = 20000, BUCKETS_LEASE_US = 1000000, BUCKETS_WAITS_MAX = 10000 };

struct buckets;

int buckets_open(struct loop *l, const struct config *config, struct front *front,
                 struct buckets **ret, struct err *e) MUSTCHECK;
/* Frees at once what was never taken from.  NULL is fine. */
void buckets_discard(struct buckets *b);
/* Nobody waits any more.  Tokens in hand are lost: keys are slower for a moment, never faster. */
void buckets_close(struct buckets *b, loop_fn *closed, void *ctx);

/* What is left, as the client is told. */
struct buckets_state {
    bool granted;
    int64_t limit, remaining; /* tokens of a full bucket, and what is in it as far as we know */
    int64_t reset_ms;         /* until it is full */
    int64_t retry_ms;         /* not granted: until the next token */
};

/* Embedded in who waits; in the buckets' hands until `done`, which comes once, from the loop. */
struct buckets_wait {
    struct list link; /* in its bucket's list */
    void (*done)(struct buckets_wait *w, int err, const struct buckets_state *s,
                 const struct err *e);
};

enum buckets_verdict { BUCKETS_SAID, BUCKETS_WAITING };
/* Takes one token of the key's bucket: *ret_said at once (*ret filled), or `done` later.
 * IFP_EUNAVAILABLE (too many wait) and IFP_ENOMEM: neither. */
int buckets_take(struct buckets *b, int64_t key, int64_t burst, struct buckets_wait *w,
                 enum buckets_verdict *ret_said, struct buckets_state *ret,
                 struct err *e) MUSTCHECK;

struct buckets_stats {
    int64_t statements, taken, given_back, held; /* tokens; held: now, unused */
};
struct buckets_stats buckets_stats(const struct buckets *b);

#endif
