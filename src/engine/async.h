/*
 * engine/async.h - steps of ours that wait for something outside without occupying a thread: an
 * attempt begins its work on the loop and ends later, by a call.
 *
 *   begin -> [stop] -> async_done
 *
 * In all else they are steps: the same row in the journal, the same options and retries, attempts
 * recorded with code and text (ifp_step_fail), and the same answers to cancel, timeout, missing
 * heartbeats, deadline, drain and a lost lease.  The callbacks come on the loop thread and must not
 * block.
 */
#ifndef ENGINE_ASYNC_H
#define ENGINE_ASYNC_H

#include "base/base.h"
#include "base/traceparent.h"

#include <inferpipe.h>

/* Begins an attempt: 0, and async_done comes exactly once, from inside or later; or an error as a
 * step body gives it, and the attempt has failed.  `input` and the step live until async_done. */
typedef int async_begin_fn(ifp_step_ctx *step, const ifp_json *input);

/* The call of the workflow function, as ifp_step_with. */
int async_step(ifp_run *run, const char *name, async_begin_fn *begin, const ifp_json *input,
               const ifp_json **ret_output, const ifp_step_options *options) MUSTCHECK;
/* `stop` is called at most once, when the attempt is to end early: it was canceled (what it gives
 * still counts), or nobody waits for it any more.  async_done is then due soon, whatever is
 * outside: an engine that closes waits for it.  Never from inside `stop`. */
void async_on_stop(ifp_step_ctx *step, void (*stop)(void *ctx), void *ctx);
/* The attempt has ended, as if a step body had returned `rc`; the output may be in the step's arena
 * (ifp_step_alloc, ifp_json_build).  The step is gone after this. */
void async_done(ifp_step_ctx *step, int rc, const ifp_json *output);
/* engine_workflow.ctx of its workflow. */
void *async_ctx(const ifp_step_ctx *step);
/* The attempt's span: calls that it makes hang under this. */
struct traceparent async_trace(const ifp_step_ctx *step);

/* ---- for job.c: from here on internal ------------------------------------------------------- */

/* Runs `begin`; the job may be gone after this. */
void async_begin(ifp_step_ctx *job);
/* Tells the attempt to end, once. */
void async_stop(ifp_step_ctx *job);

#endif
