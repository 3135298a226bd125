/*
 * api/keys_jwt.c - the routes of the keys that JWTs are checked with.
 *
 * A public key comes as PEM and is stored as such; the secret of an HS256 key is sealed before it
 * is stored (base/secretbox.h), needs INFERPIPE_SECRET_KEY, and is never given out again.
 */
#include "api/keys_private.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 500, KID_BYTES = 100 };

static void take_key(void *ctx, const struct client_jwt_key *k)
{
    struct keys_page *p = ctx;
    struct answer *a = &p->answer;

    if (!keys_page_wants(p))
        return;
    answer_text(a, "kid", k->kid);
    answer_text(a, "alg", k->alg);
    answer_text(a, "issuer", k->issuer);
    answer_text(a, "audience", k->audience);
    keys_write_rights(a, k->scopes, k->rate_per_min, k->burst);
    answer_time(a, "createdAt", k->created_us);
    keys_page_next(p, k->kid);
}

static int do_list(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    struct keys_page p;
    int rc;

    keys_page_begin(&p, call, w->limit);
    rc = client_jwt_key_list(client, w->before, (int)w->limit + 1, take_key, &p, e);
    return rc == 0 ? keys_page_end(&p, call, e) : rc;
}

void keys_list_jwt(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w && keys_read_page(r, w))
        offload_run(api->offload, r, do_list, NULL, w);
}

static int do_create(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;
    const char *material = w->alg == CRYPTO_HS256 ? w->secret : w->public_key;
    struct client_jwt_key key = { .kid = w->kid,
                                  .alg = crypto_alg_name((enum crypto_alg)w->alg),
                                  .issuer = w->issuer,
                                  .audience = w->audience,
                                  .scopes = w->scopes,
                                  .material = material,
                                  .material_len = strlen(material),
                                  .rate_per_min = w->rate,
                                  .burst = w->burst };
    struct secretbox box;
    struct keys_page p;
    int rc = keys_may_give(w, w->scopes, e);

    if (rc == 0)
        rc = secretbox_init(&box, config_text(w->config, CONFIG_SECRET_KEY), e);
    if (rc != 0)
        return rc;
    keys_page_begin(&p, call, 0);
    rc = client_jwt_key_create(client, &key, &box, take_key, &p, e);
    secretbox_release(&box);
    if (rc != 0)
        return rc;
    call->status = 201;
    return keys_page_end(&p, call, e);
}

/* HS256 has a secret, the others a public key; false: it was answered. */
static bool check_material(struct http_request *r, const struct keys_wanted *w)
{
    bool secret = w->alg == CRYPTO_HS256;
    struct body b;
    struct err e;

    body_init(&b, &r->arena);
    if (secret && !w->secret)
        body_refuse(&b, "/secret", "is needed with HS256");
    if (secret && w->public_key)
        body_refuse(&b, "/publicKey", "does not go with HS256");
    if (!secret && !w->public_key)
        body_refuse(&b, "/publicKey", "is needed, in PEM");
    if (!secret && w->secret)
        body_refuse(&b, "/secret", "goes with HS256 alone");
    err_clear(&e);
    if (body_result(&b, &e) == 0)
        return true;
    answer_problem(r, &e, &(struct answer_problem){ .body = &b });
    return false;
}

void keys_create_jwt(void *ctx, struct http_request *r)
{
    static const char *const algs[] = { "HS256", "RS256", "ES256", "EdDSA", NULL };
    static const struct body_field fields[] = {
        BODY_FIELD("kid", BODY_TEXT, struct keys_wanted, kid, .required = true, .min = 1,
                   .max = KID_BYTES),
        BODY_FIELD("alg", BODY_WORD, struct keys_wanted, alg, .required = true, .words = algs),
        BODY_FIELD("issuer", BODY_TEXT, struct keys_wanted, issuer, .required = true, .min = 1,
                   .max = TEXT_BYTES),
        BODY_FIELD("audience", BODY_TEXT, struct keys_wanted, audience, .required = true, .min = 1,
                   .max = TEXT_BYTES),
        BODY_FIELD("publicKey", BODY_TEXT, struct keys_wanted, public_key, .min = 1,
                   .max = CRYPTO_PUBLIC_MAX),
        BODY_FIELD("secret", BODY_TEXT, struct keys_wanted, secret, .min = CRYPTO_SECRET_MIN,
                   .max = CRYPTO_SECRET_MAX),
        BODY_FIELD("scopes", BODY_ARRAY, struct keys_wanted, scope_list, .min = 1,
                   .max = KEYS_SCOPES_MAX),
        BODY_FIELD("ratePerMinute", BODY_INT, struct keys_wanted, rate, .min = 1,
                   .max = KEYS_RATE_MAX),
        BODY_FIELD("burst", BODY_INT, struct keys_wanted, burst, .min = 1, .max = KEYS_RATE_MAX),
    };
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    static_assert(CRYPTO_HS256 == 0 && CRYPTO_RS256 == 1 && CRYPTO_ES256 == 2 && CRYPTO_EDDSA == 3,
                  "the words are in the order of the algorithms");
    if (w && keys_read_body(r, fields, ARRAY_LEN(fields), w) && check_material(r, w))
        offload_run(api->offload, r, do_create, NULL, w);
}

static int do_delete(struct offload_call *call, struct client *client, struct err *e)
{
    const struct keys_wanted *w = call->data;

    return client_jwt_key_delete(client, w->id, e);
}

void keys_delete_jwt(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct keys_wanted *w = keys_begin(api, r);

    if (w)
        offload_run(api->offload, r, do_delete, NULL, w);
}
