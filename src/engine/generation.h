/*
 * engine/generation.h - continue as new: an execution whose journal begins anew.
 *
 *   generation 0 -> ifp_continue_as_new -> flush, move 6 -> generation 1 -> ...
 *
 * One commit replaces the journal by a row with the new input and raises the fence
 * (sql/schema/flush_continue.sql); then the run begins again here, without a claim: nothing in its
 * memory is older than its journal.  What belongs to the execution goes on: its mailbox, stream,
 * live state, cost, deadline, a cancel that has not been met.
 *
 * What is still open would be lost with the journal, so the call refuses to drop it: children and
 * parallel steps that have not ended, compensations that are registered.  That fails the execution;
 * its journal stays.
 *
 * When the answer of the commit is lost it is sent again, under the old fence: not ours.  Then the
 * database is asked what is ours, as after a lost claim.
 */
#ifndef ENGINE_GENERATION_H
#define ENGINE_GENERATION_H

#include "engine/run.h"

/* The input of the present generation; NULL when memory is out. */
const ifp_json *generation_input(struct ifp_run *run);
/* The commit of ACT_CONTINUE was acknowledged: the run is READY for the first pass of the next
 * generation, or fails, or goes back to the queue. */
void generation_begin(struct ifp_run *run);

#endif
