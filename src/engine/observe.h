/*
 * engine/observe.h - what the engine tells of itself: the metrics of its part, and the spans of
 * executions, steps and attempts.  Nothing here changes anything, and nothing here may fail.
 */
#ifndef ENGINE_OBSERVE_H
#define ENGINE_OBSERVE_H

#include "engine/run.h"

#include <stdbool.h>
#include <stdint.h>

struct ifp_step_ctx;

/* This process has so many more slots (fewer: when its engine closes). */
void observe_slots(int64_t n);
/* An execution has come into memory, or left it. */
void observe_held(int64_t n);
/* A row that a claim took; the claim itself. */
void observe_claimed(const struct store_claimed *row);
void observe_claim(int executions, int64_t sent_us);
/* A group commit was acknowledged. */
void observe_flush(int executions, int64_t sent_us);
/* An attempt has ended by itself. */
void observe_attempt(const struct ifp_run *run, const struct ifp_step_ctx *job);
/* An attempt was left behind after its time, or because it was silent. */
void observe_timeout(const struct ifp_run *run, const struct ifp_step_ctx *job);
/* A step has failed for good, with this attempt. */
void observe_step_failed(const struct ifp_run *run, const struct journal_call *call, int attempt,
                         const char *code);
/* The commit of a run was acknowledged; its action is still the one committed. */
void observe_commit(const struct ifp_run *run);

#endif
