/*
 * api/auth_check.c - what a request shows, and whether a key proves it.
 *
 * An unknown, a revoked, an expired and a wrong key take the same way: a hash is made and compared
 * in any case, and only the log is told which it was.
 */
#include "api/auth_private.h"
#include "api/scope.h"

#include <inferpipe.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_WORKSPACE "default"

static int refuse(struct err *e, const char *why)
{
    return err_set(e, IFP_EUNAUTHORIZED, "%s", why);
}

/* ---- what it shows -------------------------------------------------------------------------- */

/* What is behind "Bearer ". */
static int bearer(const struct http_request *r, struct slice *ret, struct err *e)
{
    static const char scheme[] = "bearer ";
    struct slice value = http_header(r, "authorization");
    size_t len = sizeof(scheme) - 1;

    if (!value.text)
        return refuse(e, "no authorization header");
    if (value.len <= len || strncasecmp(value.text, scheme, len) != 0)
        return refuse(e, "not a bearer token");
    *ret = (struct slice){ value.text + len, value.len - len };
    return 0;
}

/* A slug, as far as it can stand in a name of the keyring. */
static bool fits_slug(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", s.text[i]) || !s.text[i])
            return false;
    return s.len > 0 && s.len <= 63;
}

static int read_jwt(struct auth_slot *slot, struct slice token, struct err *e)
{
    struct arena *arena = &slot->request->arena;
    struct slice workspace = http_header(slot->request, "x-inferpipe-workspace");
    int rc;

    if (!workspace.text)
        workspace = (struct slice){ DEFAULT_WORKSPACE, strlen(DEFAULT_WORKSPACE) };
    if (!fits_slug(workspace))
        return refuse(e, "a workspace that cannot be");
    slot->jwt = arena_zalloc(arena, sizeof(*slot->jwt));
    if (!slot->jwt)
        return err_set(e, IFP_ENOMEM, "out of memory");
    rc = jwt_parse(token, arena, slot->jwt, e);
    if (rc != 0)
        return rc;
    slot->name = arena_printf(arena, "%.*s/%s", (int)workspace.len, workspace.text, slot->jwt->kid);
    return slot->name ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

int auth_read(struct auth_slot *slot, struct err *e)
{
    char prefix[APIKEY_PREFIX_SIZE];
    struct slice token = { 0 };
    int rc = bearer(slot->request, &token, e);

    if (rc != 0)
        return rc;
    if (jwt_is(token))
        return read_jwt(slot, token, e);
    if (!apikey_parse(token.text, token.len, prefix))
        return refuse(e, "neither an API key nor a JWT by its form");
    slot->name = arena_strndup(&slot->request->arena, prefix, APIKEY_PREFIX_LEN);
    return slot->name ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

/* ---- whether it is so ----------------------------------------------------------------------- */

static int check_api_key(struct auth_slot *slot, const struct keyring_key *key, struct err *e)
{
    static const uint8_t nobody[CRYPTO_SHA256_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct slice token = { 0 };
    bool same;
    int rc = bearer(slot->request, &token, e);

    if (rc != 0)
        return rc;
    rc = apikey_hash(token.text, hash);
    if (rc != 0)
        return err_set(e, rc, "the key cannot be hashed");
    same = crypto_equal(hash, key ? key->hash : nobody, sizeof(hash));
    if (!key)
        return refuse(e, "no such key");
    if (!same)
        return refuse(e, "the secret is wrong");
    if (key->revoked)
        return refuse(e, "the key was revoked");
    if (key->expires_us && keyring_now_us(key) >= key->expires_us)
        return refuse(e, "the key has expired");
    slot->caller.scopes = key->scopes;
    return 0;
}

static int check_jwt(struct auth_slot *slot, const struct keyring_key *key, struct err *e)
{
    struct jwt_claims claims;
    struct jwt_rules rules;
    int rc;

    if (!key)
        return refuse(e, "no such JWT key");
    rules = (struct jwt_rules){ key->verifier, key->issuer, key->audience };
    rc = jwt_check(slot->jwt, &rules, keyring_now_us(key) / 1000000, &slot->request->arena, &claims,
                   e);
    if (rc != 0)
        return rc;
    slot->caller.scopes = key->scopes & (claims.scope ? scope_read(claims.scope) : SCOPE_ALL);
    (void)snprintf(slot->caller.name, sizeof(slot->caller.name), "%s", claims.subject);
    return 0;
}

int auth_check(struct auth_slot *slot, const struct keyring_key *key, struct err *e)
{
    struct caller *c = &slot->caller;
    int rc = slot->jwt ? check_jwt(slot, key, e) : check_api_key(slot, key, e);

    if (rc != 0)
        return rc;
    c->key_id = key->id;
    c->workspace_id = key->workspace_id;
    c->rate_per_min = key->rate_per_min;
    c->burst = key->burst;
    memcpy(c->workspace, key->workspace, sizeof(c->workspace));
    if (!slot->jwt)
        memcpy(c->name, key->name, sizeof(c->name));
    return 0;
}
