/*
 * store/txstep.h - the transaction of a transactional step, on its pool thread.
 *
 *   txstep_begin -> the user's writes through pgsync_raw -> txstep_record -> txstep_commit
 *
 * The connection has no planner settings of ours: user SQL runs on it.  The step's row is written
 * inside the user's transaction under the run's row lock, so both commit or neither does.  When the
 * user ended the transaction himself, txstep_record finds another transaction id and fails with
 * IFP_EINVALID.  A lost answer to COMMIT is IFP_EUNAVAILABLE: the outcome is unknown and the
 * journal tells it.
 */
#ifndef STORE_TXSTEP_H
#define STORE_TXSTEP_H

#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "pg/pgsync.h"

#include <stdint.h>

struct txstep {
    int64_t worker, exec_id, step_key;
    int32_t fence, seq;
    const char *name; /* borrowed */
    int attempts;
    int64_t took_us;
    int64_t inline_max;
    char xid[24]; /* set by txstep_begin */
};

/* BEGIN at READ COMMITTED; revives a lost connection first. */
int txstep_begin(struct pgsync *db, struct txstep *t, struct err *e) MUSTCHECK;
/* Writes the row.  IFP_ELEASE: the execution is not ours any more.  IFP_EINVALID: the user ended
 * the transaction.  IFP_ECONFLICT: the step is recorded already (a lost answer to COMMIT). */
int txstep_record(struct pgsync *db, const struct txstep *t, struct slice result,
                  struct err *e) MUSTCHECK;
/* Puts a message into the mailbox of another execution, as part of the transaction. */
int txstep_send(struct pgsync *db, const struct txstep *t, int64_t to, const char *name,
                struct slice message, struct err *e) MUSTCHECK;
int txstep_commit(struct pgsync *db, struct err *e) MUSTCHECK;
void txstep_rollback(struct pgsync *db); /* whatever state it is in */

#endif
