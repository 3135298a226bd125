/*
 * engine/trace.h - the trace that an execution is part of, and its spans: the execution's hangs
 * under the one in which it was started, a step's under the execution's, an attempt's under the
 * step's.  They follow from what the database keeps, so whoever goes on after a crash goes on in
 * the same spans (base/traceparent.h).
 */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "engine/run.h"

struct traceparent trace_of_run(const struct ifp_run *run);
struct traceparent trace_of_step(const struct ifp_run *run, const struct journal_call *call);
struct traceparent trace_of_attempt(const struct ifp_run *run, const struct journal_call *call,
                                    int attempt);

#endif
