/*
 * engine/rehearse.h - what this program would do next with an execution, without doing it.
 *
 * The worker's own code makes one pass of the workflow function over the journal, on an engine that
 * has a configuration and no database.  A pass answers recorded calls and stops at the first one
 * that it would have to carry out, and what it ends with is looked at and forgotten: no step runs,
 * nothing is written, no log line of the workflow comes out.
 *
 *    rehearse_begin -> rehearse_row for each row of the journal -> rehearse_end -> rehearse_drop
 */
#ifndef ENGINE_REHEARSE_H
#define ENGINE_REHEARSE_H

#include "base/config.h"
#include "engine/engine.h"
#include "store/store.h"

#include <inferpipe.h>

struct ifp_run;
struct rehearse;

int rehearse_open(const struct config *config, struct rehearse **ret, struct err *e) MUSTCHECK;
void rehearse_close(struct rehearse *r); /* NULL is fine */

struct rehearsal {       /* of one execution */
    struct ifp_run *run; /* owned */
    int refused;         /* its input or journal cannot be taken in: why; else 0 */
    const char *why;
};
struct rehearsal_end {
    enum ifp_verdict verdict;
    int calls;        /* that the function made, the last one included */
    const char *text; /* why it cannot go on; "" when it can.  Until rehearse_drop */
};

/* The execution as a claim of that row at row->now_us would find it.  IFP_ENOMEM. */
int rehearse_begin(struct rehearse *r, const struct store_claimed *row,
                   const struct engine_workflow *w, struct rehearsal *ret) MUSTCHECK;
/* IFP_ENOMEM; what else is wrong with the row is found at the end. */
int rehearse_row(struct rehearsal *x, const struct store_journal_row *row) MUSTCHECK;
/* All rows are there.  IFP_ENOMEM: nothing is known. */
int rehearse_end(struct rehearsal *x, struct rehearsal_end *ret) MUSTCHECK;
void rehearse_drop(struct rehearsal *x); /* emptied ones are fine */

#endif
