/*
 * engine/patch.h - an execution that took a patch, in the hands of a program without it.
 *
 * While a deploy is under way programs of two releases claim the same executions, and the older one
 * meets a recorded patch where its code makes another call, or ends.  It does not fail the
 * execution: that counts as a failed attempt of the call, and others may try after a pause that
 * grows.  When no newer program has come for it within some six minutes it fails.
 */
#ifndef ENGINE_PATCH_H
#define ENGINE_PATCH_H

#include "engine/run.h"

/* The function left its journal at this call, which ends the execution; returns e->code. */
int patch_missed(struct ifp_run *run, int32_t seq, const struct err *e);
/* The pass is over: ACT_LEAVE takes the place of an end that is due to a patch that was missed. */
void patch_leave(struct ifp_run *run);
/* The next attempt's number, and the pause in front of it. */
int patch_attempt(const struct ifp_run *run, int64_t *ret_delay_ms);

#endif
