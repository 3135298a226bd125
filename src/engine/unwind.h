/*
 * engine/unwind.h - compensation: how an execution that cannot go on undoes what it has done.
 *
 *   the function fails, or meets a cancel or its deadline
 *      -> a marker row says which, and that no step of the function will follow
 *      -> the registered compensations run in reverse, each a durable step behind the marker
 *      -> the execution ends as it would have without them
 *
 * A cancel or a passed deadline is met by the first call of the pass that would have to wait: it
 * and every later one give IFP_ECANCELED (or IFP_ETIMEOUT), whatever the function does with that.
 * The marker makes later passes take the same way: what had no row when it was written never gets
 * one.  From the marker on there is no cancel and no deadline.  Without compensations there is no
 * marker: the execution ends at once.
 *
 * Parallel steps under way are told of a cancel and end first; a failure or a deadline leaves them
 * behind.  Starting one that an earlier pass has started succeeds, so what the function registers
 * between them is registered; waiting for it is the call that would have to wait.
 */
#ifndef ENGINE_UNWIND_H
#define ENGINE_UNWIND_H

#include "engine/run.h"

/* The pass begins: what is it to meet? */
void unwind_prepare(struct ifp_run *run);
/* The call would begin something, or wait: 0 when it may, else what it gives.  `sleep`: see
 * unwind_meet. */
int unwind_admit(struct ifp_run *run, const struct journal_call *call, int32_t sleep) MUSTCHECK;
/* The execution is ending, and an earlier pass has made this call: what it began is not begun
 * again, nor does it end. */
bool unwind_begun(const struct ifp_run *run, int32_t seq);
/* The call would wait, but the execution is to end: what the call then gives.  `sleep`: the call's
 * own number when what it waits for is a recorded sleep, else 0. */
int unwind_meet(struct ifp_run *run, int32_t sleep);
/* The recorded sleep with this number was under way when the marker was written. */
bool unwind_slept(const struct ifp_run *run, int32_t seq);
/* The name of the compensation that was registered last in this pass; NULL: none. */
const char *unwind_registered(const struct ifp_run *run);
/* The function has returned and run->action ends the execution: puts the next compensation in its
 * place, if one is left. */
void unwind_pass(struct ifp_run *run);

#endif
