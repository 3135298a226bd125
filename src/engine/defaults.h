/*
 * engine/defaults.h - the options that a step of an execution has when it names none: its
 * workflow's, with what the start asked for on top (executions.options, member retry).  Pure.
 */
#ifndef ENGINE_DEFAULTS_H
#define ENGINE_DEFAULTS_H

#include "base/base.h"

#include <inferpipe.h>

/* `options` as stored, NULL: none.  What is not understood is left as the workflow has it. */
void defaults_set(const ifp_step_options *workflow, const char *options, ifp_step_options *ret);

#endif
