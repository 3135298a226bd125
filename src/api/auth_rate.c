/*
 * api/auth_rate.c - the interceptor `rate-limit`: a token of the key's bucket for each request.
 *
 * Behind `auth`: requests without a caller, and keys without a rate, pass.  Every answer says what
 * is left (X-RateLimit-*); a refusal says when to come again.  While the database is away requests
 * are refused with 503 rather than let through without count.
 */
#include "api/auth_private.h"
#include "base/metrics.h"

#include <inferpipe.h>
#include <stdio.h>

struct rate_slot {
    struct buckets_wait wait;
    struct http_request *request; /* borrowed */
};

static void add_number(struct http_request *r, const char *name, int64_t n)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)n);
    http_answer_header(r, name, text);
}

static int64_t seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* 0: it may go on. */
static int say(struct http_request *r, const struct buckets_state *s, struct err *e)
{
    add_number(r, "x-ratelimit-limit", s->limit);
    add_number(r, "x-ratelimit-remaining", s->remaining);
    add_number(r, "x-ratelimit-reset", seconds(s->reset_ms));
    if (s->granted)
        return 0;
    metrics_add(METRIC_RATE_LIMITED, NULL, 1);
    add_number(r, "retry-after", seconds(s->retry_ms));
    return err_set(e, IFP_ERATELIMITED,
                   "this key may make %lld requests at once; try again in %lld s",
                   (long long)s->limit, (long long)seconds(s->retry_ms));
}

static void on_taken(struct buckets_wait *w, int err, const struct buckets_state *s,
                     const struct err *e)
{
    struct rate_slot *slot = CONTAINER_OF(w, struct rate_slot, wait);
    struct err why;
    int rc;

    err_clear(&why);
    if (err)
        rc = err_set(&why, IFP_EUNAVAILABLE, "the rate limit cannot be checked: %s",
                     ifp_error_text(e->code));
    else
        rc = say(slot->request, s, &why);
    chain_resume(slot->request, rc == 0 ? CHAIN_NEXT : CHAIN_ANSWERED, &why);
}

static enum chain_verdict enter(void *self, struct http_request *r, void *memory, struct err *e)
{
    struct api_auth *a = self;
    struct rate_slot *slot = memory;
    const struct caller *c = r->caller;
    enum buckets_verdict said;
    struct buckets_state state;
    int rc;

    if (!c || c->rate_per_min == 0)
        return CHAIN_NEXT;
    slot->request = r;
    slot->wait.done = on_taken;
    rc = buckets_take(a->buckets, c->key_id, c->burst, &slot->wait, &said, &state, e);
    if (rc == 0 && said == BUCKETS_WAITING)
        return CHAIN_WAIT;
    if (rc == 0)
        rc = say(r, &state, e);
    if (rc == 0)
        return CHAIN_NEXT;
    http_answer_error(r, e);
    return CHAIN_ANSWERED;
}

const struct interceptor auth_rate_interceptor = {
    .name = "rate-limit",
    .guard = false,
    .slot_size = sizeof(struct rate_slot),
    .enter = enter,
};
