/*
 * store/repair.h - retry, cancel or fork many executions: find them by a filter, then act on
 * them in batches, each one transaction.  Over the blocking connection of store/client.h.
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "store/client.h"

enum { REPAIR_BATCH_MAX = 100 };

/* NULL and 0 let all through, but for `status`. */
struct repair_filter {
    const char *status; /* queued, running, completed, failed or canceled */
    const char *workflow, *version, *queue, *error_code;
    int64_t since_ms, until_ms; /* when it ended, or was created; negative: so long before now */
    int64_t after;              /* ids above this one */
    int limit;                  /* 1 to REPAIR_BATCH_MAX */
};
/* Ascending; *ret_count below the limit: there are no more. */
int repair_find(struct client *c, const struct repair_filter *f, int64_t *ret_ids, int *ret_count,
                struct err *e) MUSTCHECK;

enum repair_kind { REPAIR_RETRY, REPAIR_CANCEL, REPAIR_FORK };
struct repair {
    enum repair_kind kind;
    bool force;                       /* of a cancel */
    const char *from, *version, *key; /* of a fork; with a key it may be repeated */
};
struct repair_outcome {
    int64_t id, fork;   /* fork 0: none */
    int code;           /* 0, or why it was refused */
    const char *detail; /* of a refusal; of a cancel: canceled or requested; else NULL */
};
typedef int repair_outcome_fn(void *ctx, const struct repair_outcome *o);
/* `each` is called for every id once all of them are done; a negative answer ends that. */
int repair_run(struct client *c, const struct repair *r, const int64_t *ids, int count,
               repair_outcome_fn *each, void *ctx, struct err *e) MUSTCHECK;

/* Batch by batch over all that match, the lowest id first, so each is met at most once. */
struct repair_total {
    int64_t done, refused; /* found, when nothing is to be done */
    int64_t last;          /* id of the last one reported: an `after` to go on with */
    bool more;             /* the limit was reached before the end */
};
/* At most `limit` of them; the filter's own is not looked at.  `what` NULL: only finds them.  A
 * negative answer of `each` ends it; the rest of that batch is done, too.  *ret counts up to a
 * failure, too. */
int repair_many(struct client *c, const struct repair *what, const struct repair_filter *filter,
                int64_t limit, repair_outcome_fn *each, void *ctx, struct repair_total *ret,
                struct err *e) MUSTCHECK;

#endif
