/*
 * store/live.h - live executions and their journals, read page by page over a blocking connection.
 *
 * Reads only: nothing is claimed, locked or written.  Between live_begin and live_end all reads see
 * one moment of the database, in which an execution and its journal fit together, whatever its
 * worker does meanwhile.  A connection that is lost there ends the page with IFP_EUNAVAILABLE.
 * Texts and rows are borrowed for the call; what a callback gives other than 0 ends the read.
 */
#ifndef STORE_LIVE_H
#define STORE_LIVE_H

#include "store/client.h"
#include "store/store.h"

struct live_lane {
    int32_t lane;
    const char *workflow, *version;
    int64_t executions; /* that live now */
    int64_t last;       /* the newest of them */
};
typedef int live_lane_fn(void *ctx, const struct live_lane *lane);
/* Those of the workspace with live executions, by workflow and version; NULL: any. */
int live_lanes(struct client *c, const char *workflow, const char *queue, live_lane_fn *fn,
               void *ctx, struct err *e) MUSTCHECK;

int live_begin(struct client *c, struct err *e) MUSTCHECK;
void live_end(struct client *c); /* also after a failure */

struct live_range {
    const int32_t *lanes;
    size_t lane_count;
    int64_t after, last; /* ids: from behind `after` to `last` */
    int limit;
};
typedef int live_execution_fn(void *ctx, const struct store_claimed *row);
/* By id, each as a claim would give it. */
int live_executions(struct client *c, const struct live_range *range, live_execution_fn *fn,
                    void *ctx, struct err *e) MUSTCHECK;

typedef int live_row_fn(void *ctx, const struct store_journal_row *row);
/* The next `limit` rows of each after its step key, as store_journal; INT64_MIN: from the start. */
int live_journals(struct client *c, const int64_t *exec, const int64_t *after, size_t n, int limit,
                  live_row_fn *fn, void *ctx, struct err *e) MUSTCHECK;

#endif
