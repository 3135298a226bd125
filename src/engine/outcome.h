/*
 * engine/outcome.h - what the end of an attempt leads to, alike for a step alone and for parallel
 * ones: a row, a failure that can be stored, another attempt.
 */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "engine/run.h"

/* The journal row of a call, to be filled with its outcome. */
struct journal_row outcome_row(const struct journal_call *call, int attempts);
/* Makes code and text of a failure storable, in the keep arena; false: no memory. */
bool outcome_clean(struct ifp_run *run, const char **code, const char **text) MUSTCHECK;
/* Another attempt follows the failed one, after the delay. */
bool outcome_retries(const struct ifp_run *run, const struct action *order, int attempt,
                     int64_t *ret_delay_ms) MUSTCHECK;

#endif
