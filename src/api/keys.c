/*
 * api/keys.c - the routes /v1/keys and /v1/jwt-keys.
 *
 * All of them run as blocking client calls (offload.h) in the workspace of the caller.  Nobody
 * gives away more than he has: a key is made or rotated, and a JWT key added, only with scopes that
 * the caller's own key has; so `keys:write` alone is no way to all others.
 *
 * The text of a new key is in the one answer that made it, and neither is kept: these routes take
 * no Idempotency-Key.
 */
#include "api/keys_private.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 200 };
#define LIFETIME_MAX INT64_C(315360000000)
#define OVERLAP_MAX INT64_C(31536000000)
#define OVERLAP INT64_C(86400000)

static void take_key(void *ctx, const struct client_key *k)
{
    struct keys_page *p = ctx;
    struct answer *a = &p->answer;

    (void)snprintf(p->scopes, sizeof(p->scopes), "%s", k->scopes);
    if (!keys_page_wants(p))
        return;
    answer_text(a, "id", k->id);
    answer_text(a, "name", k->name);
    answer_text(a, "state", k->state);
    keys_write_rights(a, k->scopes, k->rate_per_min, k->burst);
    answer_time(a, "createdAt", k->created_us);
    answer_time(a, "expiresAt", k->expires_us);
    answer_time(a, "revokedAt", k->revoked_us);
    answer_time(a, "lastUsedAt", k->last_used_us);
    answer_text(a, "rotatedFrom", k->rotated_from);
    keys_page_next(p, k->id);
}

/* ---- looking -------------------------------------------------------------------------------- */

static int do_list(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    struct keys_page p;
    int rc;

    keys_page_begin(&p, call, w->limit);
    rc = client_key_list(client, w->before, (int)w->limit + 1, take_key, &p, e);
    return rc == 0 ? keys_page_end(&p, call, e) : rc;
}

static void list_keys(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w && keys_read_page(r, w))
        offload_run(api->offload, r, do_list, NULL, w);
}

static int do_get(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    struct keys_page p;
    int rc;

    keys_page_begin(&p, call, 0);
    rc = client_key_get(client, w->id, take_key, &p, e);
    return rc == 0 ? keys_page_end(&p, call, e) : rc;
}

static void get_key(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w)
        offload_run(api->offload, r, do_get, NULL, w);
}

/* ---- making --------------------------------------------------------------------------------- */

/* The answer that shows a key's text. */
static int show(struct keys_page *p, struct offload_call *call, const char *text, struct err *e)
{
    answer_text(&p->answer, "key", text);
    call->status = 201;
    return keys_page_end(p, call, e);
}

static int do_create(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    struct client_key_wanted key = { .name = w->name,
                                     .scopes = w->scopes,
                                     .lifetime_ms = w->lifetime_ms,
                                     .rate_per_min = w->rate,
                                     .burst = w->burst };
    char text[APIKEY_SIZE];
    struct keys_page p;
    int rc = keys_may_give(w, w->scopes, e);

    if (rc != 0)
        return rc;
    keys_page_begin(&p, call, 0);
    rc = client_key_create(client, &key, text, take_key, &p, e);
    return rc == 0 ? show(&p, call, text, e) : rc;
}

static void create_key(void *ctx, struct http_request *r)
{
    static const struct body_field fields[] = {
        BODY_FIELD("name", BODY_TEXT, struct keys_wanted, name, .max = NAME_BYTES),
        BODY_FIELD("scopes", BODY_ARRAY, struct keys_wanted, scope_list, .min = 1,
                   .max = KEYS_SCOPES_MAX),
        BODY_FIELD("expiresInMs", BODY_INT, struct keys_wanted, lifetime_ms, .min = 1000,
                   .max = LIFETIME_MAX),
        BODY_FIELD("ratePerMinute", BODY_INT, struct keys_wanted, rate, .min = 1,
                   .max = KEYS_RATE_MAX),
        BODY_FIELD("burst", BODY_INT, struct keys_wanted, burst, .min = 1, .max = KEYS_RATE_MAX),
    };
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w && keys_read_body(r, fields, ARRAY_LEN(fields), w))
        offload_run(api->offload, r, do_create, NULL, w);
}

static int do_rotate(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    char text[APIKEY_SIZE];
    struct keys_page p;
    int rc;

    keys_page_begin(&p, call, 0);
    rc = client_key_get(client, w->id, take_key, &p, e);
    if (rc == 0)
        rc = keys_may_give(w, p.scopes, e);
    if (rc != 0)
        return rc;
    keys_page_begin(&p, call, 0);
    rc = client_key_rotate(client, w->id, w->overlap_ms, text, take_key, &p, e);
    return rc == 0 ? show(&p, call, text, e) : rc;
}

static void rotate_key(void *ctx, struct http_request *r)
{
    static const struct body_field fields[] = {
        BODY_FIELD("overlapMs", BODY_INT, struct keys_wanted, overlap_ms, .min = 0,
                   .max = OVERLAP_MAX),
    };
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (!w)
        return;
    w->overlap_ms = OVERLAP;
    if (keys_read_body(r, fields, ARRAY_LEN(fields), w))
        offload_run(api->offload, r, do_rotate, NULL, w);
}

static int do_revoke(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;

    return client_key_revoke(client, w->id, NULL, NULL, e);
}

static void revoke_key(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w)
        offload_run(api->offload, r, do_revoke, NULL, w);
}

/* ---- the table ------------------------------------------------------------------------------ */

const struct route routes_keys[] = {
    { HTTP_GET, "/v1/keys", SCOPE_KEYS_READ, 0, list_keys, "keys.list", "keys",
      "List the API keys of the workspace, newest first", "limit cursor", NULL, "KeyList", 200 },
    { HTTP_POST, "/v1/keys", SCOPE_KEYS_WRITE, ROUTE_BODY | ROUTE_CREATES, create_key,
      "keys.create", "keys", "Make an API key; its text is in this answer alone", NULL, "NewKey",
      "KeySecret", 201 },
    { HTTP_GET, "/v1/keys/{id}", SCOPE_KEYS_READ, 0, get_key, "keys.get", "keys",
      "Look at an API key", NULL, NULL, "Key", 200 },
    { HTTP_POST, "/v1/keys/{id}/rotate", SCOPE_KEYS_WRITE, ROUTE_BODY | ROUTE_CREATES, rotate_key,
      "keys.rotate", "keys", "Make a key with the rights of this one, which stays good for a while",
      NULL, "RotateKey", "KeySecret", 201 },
    { HTTP_DELETE, "/v1/keys/{id}", SCOPE_KEYS_WRITE, 0, revoke_key, "keys.revoke", "keys",
      "Make an API key invalid, now and for good", NULL, NULL, NULL, 204 },
    { HTTP_GET, "/v1/jwt-keys", SCOPE_KEYS_READ, 0, keys_list_jwt, "keys.listJwt", "keys",
      "List the keys that JWTs are checked with", "limit cursor", NULL, "JwtKeyList", 200 },
    { HTTP_POST, "/v1/jwt-keys", SCOPE_KEYS_WRITE, ROUTE_BODY | ROUTE_CREATES, keys_create_jwt,
      "keys.createJwt", "keys", "Accept JWTs that this key has signed", NULL, "NewJwtKey", "JwtKey",
      201 },
    { HTTP_DELETE, "/v1/jwt-keys/{id}", SCOPE_KEYS_WRITE, 0, keys_delete_jwt, "keys.deleteJwt",
      "keys", "Accept no more JWTs of this key", NULL, NULL, NULL, 204 },
};
const size_t routes_keys_count = ARRAY_LEN(routes_keys);
