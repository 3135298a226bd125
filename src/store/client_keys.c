/*
 * store/client_keys.c - keys and workspaces for administrators.
 *
 * The text of a key is made here and only its prefix and hash are sent, so a repeated statement
 * names the same key and the functions of sql/schema/api_keys.sql find what they did before.
 */
#include "store/client_keys.h"

#include "base/mem.h"
#include "store/client_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* 0 of a span or a number is null. */
static void add_span(struct pgargs *args, int64_t n)
{
    assert(args);
    if (n)
        pgargs_int8(args, n);
    else
        pgargs_null(args, PGTYPE_INT8);
}

static int add_number(struct pgargs *args, const char *field, int64_t n, struct err *e)
{
    if (n < 0 || n > INT32_MAX)
        return err_set(e, IFP_EINVALID, "%s: out of range", field);
    if (n)
        pgargs_int4(args, (int32_t)n);
    else
        pgargs_null(args, PGTYPE_INT4);
    return 0;
}

static int64_t us_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_timestamptz(res, row, col);
}

static int64_t number_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_int4(res, row, col);
}

/* ---- API keys ------------------------------------------------------------------------------- */

static void give_key(const struct pgres *res, int row, client_key_fn *each, void *ctx)
{
    enum { PREFIX, NAME, SCOPES, RATE, BURST, CREATED, EXPIRES, REVOKED, USED, FROM, STATE };
    char id[APIKEY_ID_SIZE], from[APIKEY_ID_SIZE];
    struct client_key key = {
        .id = id,
        .name = pgres_text(res, row, NAME),
        .scopes = pgres_text(res, row, SCOPES),
        .state = pgres_text(res, row, STATE),
        .rotated_from = pgres_null(res, row, FROM) ? NULL : from,
        .rate_per_min = number_at(res, row, RATE),
        .burst = number_at(res, row, BURST),
        .created_us = us_at(res, row, CREATED),
        .expires_us = us_at(res, row, EXPIRES),
        .revoked_us = us_at(res, row, REVOKED),
        .last_used_us = us_at(res, row, USED),
    };

    assert(key.name && key.scopes && key.state);
    apikey_id_format(pgres_text(res, row, PREFIX), id);
    if (key.rotated_from)
        apikey_id_format(pgres_text(res, row, FROM), from);
    each(ctx, &key);
}

/* Runs what gives keys; releases the arguments. */
static int run_keys(struct client *c, enum statement id, struct pgargs *args, client_key_fn *each,
                    void *ctx, struct err *e)
{
    struct pgres *res;
    int rc = client_run(c, id, args, true, &res, e);

    if (rc != 0)
        return rc;
    for (int i = 0; each && i < pgres_rows(res); i++)
        give_key(res, i, each, ctx);
    pgsync_free_result(res);
    return 0;
}

static int take_id(const char *id, char prefix[APIKEY_PREFIX_SIZE], struct err *e)
{
    assert(id);
    if (apikey_id_parse(id, prefix))
        return 0;
    return err_set(e, IFP_EINVALID, "key: must be an id: \"ifp_\" and %d letters and digits",
                   APIKEY_PREFIX_LEN);
}

/* The arguments of a statement about one key: the workspace and its prefix. */
static int begin_key(struct client *c, const char *id, struct pgargs *args, struct err *e)
{
    char prefix[APIKEY_PREFIX_SIZE];
    int rc = take_id(id, prefix, e);

    if (rc == 0)
        rc = client_begin(c, args, e);
    if (rc == 0)
        pgargs_text(args, prefix);
    return rc;
}

/* The text of a new key, or the one given (which may be `ret`); its prefix and hash as
 * arguments. */
static int add_text(struct pgargs *args, const char *given, char ret[APIKEY_SIZE], struct err *e)
{
    char prefix[APIKEY_PREFIX_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];
    int rc = given ? 0 : apikey_generate(ret);

    if (given && !apikey_parse(given, strlen(given), prefix))
        return err_set(e, IFP_EINVALID, "key: has not the form of a key");
    if (given)
        memmove(ret, given, APIKEY_SIZE);
    if (rc == 0)
        rc = apikey_hash(ret, hash);
    if (rc != 0)
        return err_set(e, rc, "key: no random bytes, or no hash");
    if (!apikey_parse(ret, APIKEY_LEN, prefix))
        assert(!"a key of ours has the form");
    pgargs_text(args, prefix);
    pgargs_bytes(args, hash, sizeof(hash));
    return 0;
}

int client_key_create(struct client *c, const struct client_key_wanted *w, char ret[APIKEY_SIZE],
                      client_key_fn *each, void *ctx, struct err *e)
{
    struct pgargs args;
    int rc = client_begin(c, &args, e);

    assert(w && ret);
    if (rc != 0)
        return rc;
    rc = add_text(&args, w->text, ret, e);
    pgargs_text(&args, w->name ? w->name : "");
    pgargs_text(&args, w->scopes ? w->scopes : "*");
    add_span(&args, w->lifetime_ms);
    if (rc == 0)
        rc = add_number(&args, "ratePerMinute", w->rate_per_min, e);
    if (rc == 0)
        rc = add_number(&args, "burst", w->burst, e);
    if (rc != 0) {
        pgargs_release(&args);
        return rc;
    }
    return run_keys(c, STATEMENT_KEY_CREATE, &args, each, ctx, e);
}

static int list_keys(struct client *c, const char *prefix, const char *before, int limit,
                     client_key_fn *each, void *ctx, struct err *e)
{
    struct pgargs args;
    int rc = client_begin(c, &args, e);

    assert(limit > 0);
    if (rc != 0)
        return rc;
    pgargs_text(&args, prefix);
    pgargs_text(&args, before);
    pgargs_int4(&args, limit);
    return run_keys(c, STATEMENT_KEY_LIST, &args, each, ctx, e);
}

int client_key_list(struct client *c, const char *before, int limit, client_key_fn *each, void *ctx,
                    struct err *e)
{
    char prefix[APIKEY_PREFIX_SIZE];
    int rc = before ? take_id(before, prefix, e) : 0;

    return rc != 0 ? rc : list_keys(c, NULL, before ? prefix : NULL, limit, each, ctx, e);
}

int client_key_get(struct client *c, const char *id, client_key_fn *each, void *ctx, struct err *e)
{
    char prefix[APIKEY_PREFIX_SIZE];
    int rc = take_id(id, prefix, e);

    return rc != 0 ? rc : list_keys(c, prefix, NULL, 1, each, ctx, e);
}

int client_key_revoke(struct client *c, const char *id, client_key_fn *each, void *ctx,
                      struct err *e)
{
    struct pgargs args;
    int rc = begin_key(c, id, &args, e);

    return rc != 0 ? rc : run_keys(c, STATEMENT_KEY_REVOKE, &args, each, ctx, e);
}

int client_key_rotate(struct client *c, const char *id, int64_t overlap_ms, char ret[APIKEY_SIZE],
                      client_key_fn *each, void *ctx, struct err *e)
{
    struct pgargs args;
    int rc = begin_key(c, id, &args, e);

    if (rc != 0)
        return rc;
    rc = add_text(&args, NULL, ret, e);
    if (rc != 0) {
        pgargs_release(&args);
        return rc;
    }
    pgargs_int8(&args, overlap_ms);
    return run_keys(c, STATEMENT_KEY_ROTATE, &args, each, ctx, e);
}

/* ---- JWT keys ------------------------------------------------------------------------------- */

void client_jwt_purpose(int32_t workspace_id, const char *kid, char ret[CLIENT_JWT_PURPOSE_SIZE])
{
    assert(workspace_id > 0 && kid);
    (void)snprintf(ret, CLIENT_JWT_PURPOSE_SIZE, "jwt %d/%.100s", (int)workspace_id, kid);
}

static int run_jwt_keys(struct client *c, enum statement id, struct pgargs *args,
                        client_jwt_key_fn *each, void *ctx, struct err *e)
{
    enum { KID, ALG, ISSUER, AUDIENCE, SCOPES, RATE, BURST, CREATED };
    struct pgres *res;
    int rc = client_run(c, id, args, true, &res, e);

    if (rc != 0)
        return rc;
    for (int i = 0; each && i < pgres_rows(res); i++) {
        struct client_jwt_key key = {
            .kid = pgres_text(res, i, KID),
            .alg = pgres_text(res, i, ALG),
            .issuer = pgres_text(res, i, ISSUER),
            .audience = pgres_text(res, i, AUDIENCE),
            .scopes = pgres_text(res, i, SCOPES),
            .rate_per_min = number_at(res, i, RATE),
            .burst = number_at(res, i, BURST),
            .created_us = us_at(res, i, CREATED),
        };

        each(ctx, &key);
    }
    pgsync_free_result(res);
    return 0;
}

/* What is stored of the key's material: the secret sealed, or a public key in DER; for mem_free.
 * A sealed secret differs each time, so a lost answer to an HS256 key may end as a conflict. */
static int make_material(const struct client *c, const struct client_jwt_key *key,
                         const struct secretbox *box, uint8_t **ret, size_t *ret_len, struct err *e)
{
    char purpose[CLIENT_JWT_PURPOSE_SIZE];
    int alg = crypto_alg_find(key->alg);

    assert(c->workspace_id);
    if (alg < 0)
        return err_set(e, IFP_EINVALID, "alg: must be HS256, RS256, ES256 or EdDSA");
    if (alg != CRYPTO_HS256)
        return crypto_public_read((enum crypto_alg)alg, key->material, key->material_len, ret,
                                  ret_len, e);
    if (key->material_len < CRYPTO_SECRET_MIN || key->material_len > CRYPTO_SECRET_MAX)
        return err_set(e, IFP_EINVALID, "secret: must have %d to %d bytes", CRYPTO_SECRET_MIN,
                       CRYPTO_SECRET_MAX);
    client_jwt_purpose(c->workspace_id, key->kid, purpose);
    return secretbox_seal(box, purpose, key->material, key->material_len, ret, ret_len, e);
}

static int add_jwt_key(struct pgargs *args, const struct client_jwt_key *key,
                       const uint8_t *material, size_t len, struct err *e)
{
    int rc;

    pgargs_text(args, key->kid);
    pgargs_text(args, key->alg);
    pgargs_text(args, key->issuer);
    pgargs_text(args, key->audience);
    pgargs_bytes(args, material, len);
    pgargs_text(args, key->scopes ? key->scopes : "*");
    rc = add_number(args, "ratePerMinute", key->rate_per_min, e);
    return rc == 0 ? add_number(args, "burst", key->burst, e) : rc;
}

int client_jwt_key_create(struct client *c, const struct client_jwt_key *key,
                          const struct secretbox *box, client_jwt_key_fn *each, void *ctx,
                          struct err *e)
{
    struct pgargs args;
    uint8_t *material = NULL;
    size_t len = 0;
    int rc = client_ready(c, e);

    assert(key->kid && key->alg && key->issuer && key->audience && key->material);
    if (rc == 0)
        rc = make_material(c, key, box, &material, &len, e);
    if (rc == 0)
        rc = client_begin(c, &args, e);
    if (rc != 0) {
        mem_free(material);
        return rc;
    }
    assert(material && len > 0);
    rc = add_jwt_key(&args, key, material, len, e);
    mem_free(material);
    if (rc != 0) {
        pgargs_release(&args);
        return rc;
    }
    return run_jwt_keys(c, STATEMENT_JWT_KEY_CREATE, &args, each, ctx, e);
}

int client_jwt_key_list(struct client *c, const char *after, int limit, client_jwt_key_fn *each,
                        void *ctx, struct err *e)
{
    struct pgargs args;
    int rc = client_begin(c, &args, e);

    assert(limit > 0);
    if (rc != 0)
        return rc;
    pgargs_text(&args, after);
    pgargs_int4(&args, limit);
    return run_jwt_keys(c, STATEMENT_JWT_KEY_LIST, &args, each, ctx, e);
}

int client_jwt_key_delete(struct client *c, const char *kid, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = client_begin(c, &args, e);

    assert(kid);
    if (rc != 0)
        return rc;
    pgargs_text(&args, kid);
    rc = client_run(c, STATEMENT_JWT_KEY_DELETE, &args, false, &res, e);
    if (rc == IFP_EUNAVAILABLE)
        return err_wrap(e, "the key may have been deleted");
    if (rc == 0)
        pgsync_free_result(res);
    return rc;
}

/* ---- workspaces ----------------------------------------------------------------------------- */

int client_workspace_create(struct client *c, const char *slug, bool *ret_new, struct err *e)
{
    enum { SLUG, CREATED, NEW };
    struct pgargs args;
    struct pgres *res;
    int rc = client_check_slug("workspace", slug, e);

    if (rc == 0)
        rc = client_connect(c, e);
    if (rc != 0)
        return rc;
    pgargs_init(&args);
    pgargs_text(&args, slug);
    rc = client_run(c, STATEMENT_WORKSPACE_CREATE, &args, true, &res, e);
    if (rc != 0)
        return rc;
    assert(pgres_rows(res) == 1);
    *ret_new = pgres_bool(res, 0, NEW);
    pgsync_free_result(res);
    return 0;
}

int client_workspace_list(struct client *c, client_workspace_fn *each, void *ctx, struct err *e)
{
    enum { SLUG, CREATED, KEYS };
    struct pgargs args;
    struct pgres *res;
    int rc = client_connect(c, e);

    assert(each);
    if (rc != 0)
        return rc;
    pgargs_init(&args);
    rc = client_run(c, STATEMENT_WORKSPACE_LIST, &args, true, &res, e);
    if (rc != 0)
        return rc;
    for (int i = 0; i < pgres_rows(res); i++)
        each(ctx, pgres_text(res, i, SLUG), us_at(res, i, CREATED), pgres_int8(res, i, KEYS));
    pgsync_free_result(res);
    return 0;
}
