/*
 * base/crash.h - named points at which the process can be made to die, for the recovery tests.
 *
 * INFERPIPE_CRASH_AT="flush.sent" kills the process with SIGKILL when it gets there for the first
 * time, "flush.sent:3" at the third.  A point is a line of the table; the tests walk all of them.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include "base/base.h"
#include "base/err.h"

#define CRASH_POINT_MAP(X)                                                                         \
    X(CRASH_REGISTERED, "lease.registered")   /* the worker row is there, nothing is claimed */    \
    X(CRASH_CLAIM_SENT, "claim.sent")         /* the claim may or may not have happened */         \
    X(CRASH_CLAIM_DONE, "claim.done")         /* claimed, journal not read */                      \
    X(CRASH_JOURNAL_LOADED, "journal.loaded") /* before the first pass */                          \
    X(CRASH_STEP_BEFORE, "step.before")       /* on the pool thread, before the user's code */     \
    X(CRASH_STEP_AFTER, "step.after")         /* the user's code has returned, nothing recorded */ \
    X(CRASH_FLUSH_BEFORE, "flush.before")     /* a batch is built, not sent */                     \
    X(CRASH_FLUSH_SENT, "flush.sent")         /* sent, the answer not read */                      \
    X(CRASH_FLUSH_DONE, "flush.done")         /* committed, successors not started */              \
    X(CRASH_CONTINUE, "continue.before")      /* asked to continue as new, nothing is written */   \
    X(CRASH_CONTINUED, "continue.done")       /* the new journal is there, nothing ran with it */  \
    X(CRASH_TX_BEGIN, "tx.begin")             /* inside the transaction, before the user's code */ \
    X(CRASH_TX_BODY, "tx.body")               /* the user's writes are made, nothing recorded */   \
    X(CRASH_TX_RECORDED, "tx.recorded")       /* the step's row is written, not committed */       \
    X(CRASH_TX_COMMITTED, "tx.committed")     /* committed, the engine does not know */            \
    X(CRASH_RETRY_WAIT, "retry.wait")         /* a failed attempt is recorded, the next is due */  \
    X(CRASH_CANCEL_SEEN, "cancel.seen")       /* the cancel arrived, nothing is written */         \
    X(CRASH_UNWIND_BEGIN, "unwind.begin")     /* the marker is about to be written */              \
    X(CRASH_UNWIND_DONE, "unwind.done") /* all compensations are done, the end not written */      \
    X(CRASH_REAP_MARKED, "reap.marked") /* another worker is marked dead, not released */          \
    X(CRASH_REAP_RELEASED, "reap.released")                                                        \
    X(CRASH_CRON_DUE, "cron.due")         /* due schedules are read, nothing is fired */           \
    X(CRASH_CRON_FIRED, "cron.fired")     /* fired, the worker has only just heard of it */        \
    X(CRASH_DRAIN_BEGIN, "drain.begin")   /* SIGTERM came */                                       \
    X(CRASH_DRAIN_HANDED, "drain.handed") /* runs are handed back, the lease still stands */

#define CRASH_POINT_ENUM(id, name) id,
enum crash_point { CRASH_POINT_MAP(CRASH_POINT_ENUM) CRASH_POINTS };
#undef CRASH_POINT_ENUM

/* Dies here when INFERPIPE_CRASH_AT says so; else one load and compare. */
void crash_here(enum crash_point point);
const char *crash_point_name(enum crash_point point);
/* Reads INFERPIPE_CRASH_AT; an unknown name is IFP_EINVALID. */
int crash_arm_from_env(struct err *e) MUSTCHECK;

#endif
