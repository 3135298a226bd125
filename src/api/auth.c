/*
 * api/auth.c - the interceptor `auth`: every request but those of public routes shows a key.
 *
 *   read what it shows -> known? else ask the keyring, wait -> check -> workspace, scope -> caller
 *
 * Answers: 401 that says nothing of what was wrong (the log does), 403 for a workspace that is not
 * the key's and for a scope that it lacks, 429 for an address that failed too often and for a key
 * with too many connections, 503 when the database is needed and away.
 *
 * An address that failed too often gets 429 for every further failure, and is no longer looked up
 * for: only names that are in the keyring still are.  So who shares an address with a guesser goes
 * on with the keys in use.
 */
#include "api/auth.h"

#include "api/auth_private.h"
#include "api/scope.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/server.h"

#include <assert.h>
#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

/* ---- verdicts ------------------------------------------------------------------------------- */

static void add_retry_after(struct http_request *r, int64_t us)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)((us + 999999) / 1000000));
    http_answer_header(r, "retry-after", text);
}

/* The address has failed too often: 429, which says when it may try again. */
static int slow_down(struct auth_slot *slot, struct err *e)
{
    struct http_request *r = slot->request;
    int64_t wait_us = failures_wait_us(slot->auth->failures, r->peer);

    if (wait_us == 0)
        return 0;
    add_retry_after(r, wait_us);
    return err_set(e, IFP_ERATELIMITED, "too many attempts without a valid key");
}

/* The same for whatever was wrong; why is for the log, which an address fills only so far. */
static int unauthorized(struct auth_slot *slot, struct err *e)
{
    struct http_request *r = slot->request;
    struct err why = *e;

    metrics_add(METRIC_AUTH_FAILURES, NULL, 1);
    if (slow_down(slot, e) != 0)
        return e->code;
    failures_add(slot->auth->failures, r->peer);
    LOG_INFO("not let in", LOG_STR("request", r->id), LOG_STR("peer", r->peer),
             LOG_STR("key", slot->name ? slot->name : ""), LOG_STR("why", why.text));
    http_answer_header(r, "www-authenticate", "Bearer realm=\"inferpipe\"");
    return err_set(e, IFP_EUNAUTHORIZED, "a valid key is needed: Authorization: Bearer <key>");
}

/* What the key may do here. */
static int check_rights(struct auth_slot *slot, struct err *e)
{
    struct http_request *r = slot->request;
    struct slice wanted = http_header(r, "x-inferpipe-workspace");
    const struct caller *c = &slot->caller;
    int scope = r->route->scope;

    if (wanted.text &&
        (wanted.len != strlen(c->workspace) || memcmp(wanted.text, c->workspace, wanted.len) != 0))
        return err_set(e, IFP_EFORBIDDEN, "x-inferpipe-workspace: the key is of another workspace");
    if (scope >= 0 && !(c->scopes & UINT32_C(1) << scope))
        return err_set(e, IFP_EFORBIDDEN, "the key lacks the scope %s",
                       scope_name((enum scope)scope));
    if (!http_conn_claim(r, c->key_id))
        return err_set(e, IFP_ERATELIMITED, "this key has too many connections");
    return 0;
}

/* 0: the request has its caller. */
static int decide(struct auth_slot *slot, const struct keyring_key *key, struct err *e)
{
    int rc = auth_check(slot, key, e);

    if (rc == IFP_EUNAUTHORIZED)
        return unauthorized(slot, e);
    if (rc == 0)
        rc = check_rights(slot, e);
    if (rc != 0)
        return rc;
    if (!slot->jwt)
        keyring_used(slot->auth->ring, slot->name);
    slot->request->caller = &slot->caller;
    return 0;
}

static enum chain_verdict verdict_of(int rc)
{
    return rc == 0 ? CHAIN_NEXT : CHAIN_ANSWERED;
}

/* ---- the interceptor ------------------------------------------------------------------------ */

static void on_key(struct keyring_wait *w, int err, const struct keyring_key *key,
                   const struct err *e)
{
    struct auth_slot *slot = CONTAINER_OF(w, struct auth_slot, wait);
    struct err why;
    int rc;

    err_clear(&why);
    if (err)
        rc = err_set(&why, IFP_EUNAVAILABLE, "keys cannot be looked up: %s", ifp_error_text(err));
    else
        rc = decide(slot, key, &why);
    if (err)
        LOG_WARN("a key cannot be looked up", LOG_STR("request", slot->request->id), LOG_ERR(e));
    chain_resume(slot->request, verdict_of(rc), &why);
}

/* Asks the keyring, unless the address has failed too often. */
static int ask(struct auth_slot *slot, bool stale, struct err *e)
{
    int rc = stale ? 0 : slow_down(slot, e);

    if (rc != 0)
        return rc;
    slot->wait.done = on_key;
    return keyring_ask(slot->auth->ring, slot->name, &slot->wait, e);
}

static enum chain_verdict enter(void *self, struct http_request *r, void *memory, struct err *e)
{
    struct auth_slot *slot = memory;
    const struct keyring_key *key = NULL;
    int rc;

    if (!r->route || r->route->scope == ROUTE_PUBLIC)
        return CHAIN_NEXT;
    slot->auth = self;
    slot->request = r;
    rc = auth_read(slot, e);
    if (rc == IFP_EUNAUTHORIZED)
        rc = unauthorized(slot, e);
    if (rc == 0) {
        enum keyring_answer known = keyring_look(slot->auth->ring, slot->name, &key);

        if (known == KEYRING_STALE || known == KEYRING_UNKNOWN) {
            rc = ask(slot, known == KEYRING_STALE, e);
            if (rc == 0)
                return CHAIN_WAIT;
        } else {
            rc = decide(slot, known == KEYRING_KNOWN ? key : NULL, e);
        }
    }
    if (rc == 0)
        return CHAIN_NEXT;
    http_answer_error(r, e);
    return CHAIN_ANSWERED;
}

const struct interceptor auth_interceptor = {
    .name = "auth",
    .guard = true,
    .slot_size = sizeof(struct auth_slot),
    .enter = enter,
};

/* ---- open and close ------------------------------------------------------------------------- */

static_assert(sizeof(struct auth_slot) <= CHAIN_SLOT_MAX, "the slot fits");

int auth_open(struct loop *l, const struct config *config, struct front *front,
              struct api_auth **ret, struct err *e)
{
    struct api_auth *a = mem_zalloc(sizeof(*a));
    int rc;

    if (!a)
        return err_set(e, IFP_ENOMEM, "auth: out of memory");
    a->failures = failures_new(config_int(config, CONFIG_AUTH_FAILURES));
    rc = a->failures ? 0 : err_set(e, IFP_ENOMEM, "auth: out of memory");
    if (rc == 0)
        rc = buckets_open(l, config, front, &a->buckets, e);
    if (rc == 0)
        rc = keyring_open(l, config, front, &a->ring, e);
    if (rc == 0) {
        *ret = a;
        return 0;
    }
    buckets_discard(a->buckets);
    failures_free(a->failures);
    mem_free(a);
    return rc;
}

static void part_closed(void *ctx)
{
    struct api_auth *a = ctx;
    loop_fn *closed = a->closed;
    void *closed_ctx = a->closed_ctx;

    if (--a->closing > 0)
        return;
    failures_free(a->failures);
    mem_free(a);
    if (closed)
        closed(closed_ctx);
}

void auth_close(struct api_auth *a, loop_fn *closed, void *ctx)
{
    if (!a) {
        if (closed)
            closed(ctx);
        return;
    }
    a->closed = closed;
    a->closed_ctx = ctx;
    a->closing = 2;
    buckets_close(a->buckets, part_closed, a);
    keyring_close(a->ring, part_closed, a);
}
