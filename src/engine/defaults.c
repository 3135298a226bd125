/*
 * engine/defaults.c - {"retry": {"attempts": 5, "backoff": "fixed", "maxDelayMs": 8000}} as the
 * defaults of steps.  A delay may not be longer than the longest that was asked for, also a fixed
 * one, and also the one that steps have by default.
 */
#include "engine/defaults.h"

#include "base/jsonscan.h"
#include "core/retry.h"

#include <assert.h>
#include <string.h>

enum { DELAY_DEFAULT_MS = 1000 }; /* of a step that names none */

static bool number_at(struct slice options, const char *pointer, int64_t *ret)
{
    struct slice value;

    return jsonscan_find(options, pointer, &value) == 0 &&
           jsonscan_type(value) == IFP_JSON_NUMBER && jsonscan_int(value, ret) == 0 && *ret > 0;
}

void defaults_set(const ifp_step_options *workflow, const char *options, ifp_step_options *ret)
{
    struct slice text = { options, options ? strlen(options) : 0 }, backoff;
    int64_t n, delay;

    assert(workflow && ret);
    *ret = *workflow;
    if (!options)
        return;
    if (number_at(text, "/retry/attempts", &n) && n <= RETRY_ATTEMPTS_MAX)
        ret->attempts = (int)n;
    if (jsonscan_find(text, "/retry/backoff", &backoff) == 0)
        ret->backoff = backoff.len == strlen("\"fixed\"") ? IFP_FIXED : IFP_EXPONENTIAL;
    if (!number_at(text, "/retry/maxDelayMs", &n))
        return;
    delay = ret->delay_ms == 0 ? DELAY_DEFAULT_MS : ret->delay_ms;
    ret->max_delay_ms = n;
    ret->delay_ms = MIN(delay, n);
    assert(ret->delay_ms <= ret->max_delay_ms);
}
