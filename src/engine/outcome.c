/* engine/outcome.c - see the header. */
#include "engine/outcome.h"

#include "base/ids.h"
#include "engine/internal.h"

#include <assert.h>

enum { ERROR_MAX_BYTES = 4096 };

struct journal_row outcome_row(const struct journal_call *call, int attempts)
{
    assert(call->seq >= 1 && attempts >= 1);
    return (struct journal_row){ .step_key = call->step_key,
                                 .seq = call->seq,
                                 .kind = call->kind,
                                 .attempts = attempts,
                                 .name = call->name,
                                 .sleep_ms = -1,
                                 .pending = true };
}

bool outcome_clean(struct ifp_run *run, const char **code, const char **text)
{
    assert(*code && *text);
    *code = jsonscan_clean(&run->keep, *code, sizeof(((struct ifp_step_ctx *)0)->code) - 1);
    *text = jsonscan_clean(&run->keep, *text, ERROR_MAX_BYTES);
    return *code && *text;
}

bool outcome_retries(const struct ifp_run *run, const struct action *order, int attempt,
                     int64_t *ret_delay_ms)
{
    uint64_t random = ids_derive(run->seed, (uint64_t)order->call.step_key, (uint64_t)attempt);

    assert(order->kind == ACT_STEP && attempt >= 1);
    return retry_next(&order->retry, attempt, random, ret_delay_ms);
}
