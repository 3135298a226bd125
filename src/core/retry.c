/*
 * core/retry.c - the policy of one step, resolved once a start, and asked once a failure.
 * Arithmetic stays in range: the doubling stops at the cap, which is at most 100 years.
 */
#include "core/retry.h"

#include "base/duration.h"

#include <assert.h>
#include <inttypes.h>

enum { DELAY_DEFAULT_MS = 1000, MAX_DELAY_DEFAULT_MS = 60000 };
static const double jitter_default = 0.2;

/* The step's own value, else the workflow's, else 0. */
#define PICK(step, workflow, field)                                                                \
    ((step) && (step)->field != 0 ? (step)->field : (workflow) ? (workflow)->field : 0)

static int check_ms(const char *field, int64_t ms, struct err *e)
{
    if (ms < 0 || ms > DURATION_MAX_MS)
        return err_set(e, IFP_EINVALID, "%s: %" PRId64 " is not between 0 and 100 years", field,
                       ms);
    return 0;
}

static int check(const struct retry *r, struct err *e)
{
    if (r->attempts < 0 || r->attempts > RETRY_ATTEMPTS_MAX)
        return err_set(e, IFP_EINVALID, "attempts: %d is not between 1 and %d, or -1", r->attempts,
                       RETRY_ATTEMPTS_MAX);
    if (check_ms("delay_ms", r->delay_ms, e) != 0 ||
        check_ms("max_delay_ms", r->max_delay_ms, e) != 0 ||
        check_ms("timeout_ms", r->timeout_ms, e) != 0 ||
        check_ms("heartbeat_ms", r->heartbeat_ms, e) != 0)
        return e->code;
    if (!(r->jitter >= 0 && r->jitter <= 1))
        return err_set(e, IFP_EINVALID, "jitter: %g is not between 0 and 1, or -1", r->jitter);
    return 0;
}

/* Zero takes the default, -1 means none. */
static int64_t or_default(int64_t value, int64_t fallback, int64_t none)
{
    return value == 0 ? fallback : value == -1 ? none : value;
}

int retry_resolve(const ifp_step_options *step, const ifp_step_options *workflow, struct retry *ret,
                  struct err *e)
{
    struct retry r;
    int attempts = PICK(step, workflow, attempts);
    int backoff = (int)PICK(step, workflow, backoff);
    double jitter = PICK(step, workflow, jitter);

    if (backoff < IFP_BACKOFF_DEFAULT || backoff > IFP_EXPONENTIAL)
        return err_set(e, IFP_EINVALID, "backoff: %d is not IFP_FIXED or IFP_EXPONENTIAL", backoff);
    r.attempts = (int)or_default(attempts, RETRY_ATTEMPTS_DEFAULT, 0);
    r.fixed = backoff == IFP_FIXED;
    r.delay_ms = or_default(PICK(step, workflow, delay_ms), DELAY_DEFAULT_MS, 0);
    r.max_delay_ms =
        or_default(PICK(step, workflow, max_delay_ms), MAX_DELAY_DEFAULT_MS, DURATION_MAX_MS);
    r.timeout_ms = or_default(PICK(step, workflow, timeout_ms), 0, 0);
    r.heartbeat_ms = or_default(PICK(step, workflow, heartbeat_ms), 0, 0);
    if (jitter == 0)
        r.jitter = jitter_default;
    else
        r.jitter = jitter == -1 ? 0 : jitter;
    if (check(&r, e) != 0)
        return e->code;
    *ret = r;
    return 0;
}

bool retry_next(const struct retry *r, int attempt, uint64_t random, int64_t *ret_delay_ms)
{
    int64_t delay = r->delay_ms;
    double unit = (double)(random >> 11) * 0x1p-53;

    assert(attempt >= 1);
    assert(r->delay_ms >= 0 && r->delay_ms <= DURATION_MAX_MS);
    assert(r->jitter >= 0 && r->jitter <= 1);
    if (r->attempts != 0 && attempt >= r->attempts)
        return false;
    if (!r->fixed && delay > 0) {
        for (int i = 1; i < attempt && delay < r->max_delay_ms; i++)
            delay *= 2;
        delay = MIN(delay, r->max_delay_ms);
    }
    *ret_delay_ms = delay - (int64_t)((double)delay * r->jitter * unit);
    assert(*ret_delay_ms >= 0 && *ret_delay_ms <= delay);
    return true;
}
