/*
 * engine/replay.h - one pass of a workflow function over its journal.
 *
 * Happy path: each call takes the next number; a recorded call answers at once, the first one that
 * is not recorded becomes the pass's action and gives IFP_SUSPENDED all the way up.  After that
 * every call gives IFP_SUSPENDED and does nothing. Failure: a call that the journal contradicts, or
 * with arguments that cannot be, ends the execution; the pass's action is END and every further
 * call gives that error.
 */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include "engine/run.h"

/* Fills run->action; never ACT_NONE. */
void replay_pass(struct ifp_run *run);

/* A step of any kind that its caller has described in `action`: answered, or the pass's action. */
int replay_step(struct ifp_run *run, struct action *action, const ifp_json **ret,
                const ifp_step_options *options) MUSTCHECK;

#endif
