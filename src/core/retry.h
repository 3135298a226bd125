/*
 * core/retry.h - when a failed attempt is tried again.  Pure: the random number is given.
 *
 * Fixed: `delay` before each further attempt.  Exponential: delay, 2 delay, 4 delay, ... up to the
 * cap.  Jitter j takes a random part of up to j off the delay, so the cap is never passed:
 * delay * (1 - j * u), u uniform in [0, 1).
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "base/base.h"
#include "base/err.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stdint.h>

enum { RETRY_ATTEMPTS_MAX = 10000, RETRY_ATTEMPTS_DEFAULT = 3 };

struct retry {
    int attempts; /* in all; 0: without end */
    bool fixed;
    int64_t delay_ms, max_delay_ms;
    double jitter;
    int64_t timeout_ms;   /* of one attempt; 0: none */
    int64_t heartbeat_ms; /* between two signs of life; 0: none are needed */
};

/* Fills what a step left at zero from the workflow's options, then from the defaults.  Either may
 * be NULL.  IFP_EINVALID names the field and its range. */
int retry_resolve(const ifp_step_options *step, const ifp_step_options *workflow, struct retry *ret,
                  struct err *e) MUSTCHECK;
/* After attempt number `attempt` (1...) failed: true and the delay when another one follows. */
bool retry_next(const struct retry *r, int attempt, uint64_t random, int64_t *ret_delay_ms);

#endif
