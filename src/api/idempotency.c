/*
 * api/idempotency.c - claim, carry out, keep; see sql/schema/answers.sql for what a crash in
 * between leaves behind.
 *
 * When the answer cannot be kept, the request was carried out all the same and is answered so: its
 * claim runs out, and a later repeat is carried out once more.
 */
#include "api/idempotency.h"

#include "base/crypto.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/route.h"
#include "store/client_answers.h"

#include <assert.h>
#include <string.h>

enum { KEY_BYTES = 255 };

/* What the caller showed, and the key: nobody else can open what is sealed with it. */
static int make_seal(const struct http_request *r, const char *key, uint8_t ret[CRYPTO_KEY_SIZE])
{
    struct slice shown = http_header(r, "authorization");

    assert(key);
    return crypto_hmac_sha256(shown.text ? shown.text : "", shown.len, key, strlen(key), ret);
}

static int hash_request(struct http_request *r, uint8_t ret[CLIENT_ANSWER_HASH])
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char *all = arena_printf(&r->arena, "%s %.*s\n%.*s", r->route->id, (int)r->path.len,
                             r->path.text, (int)r->body.len, r->body.text ? r->body.text : "");
    int err = all ? crypto_sha256(all, strlen(all), hash) : IFP_ENOMEM;

    if (!err)
        memcpy(ret, hash, CLIENT_ANSWER_HASH);
    return err;
}

static int read_key(struct http_request *r, struct slice header, struct client_answer *a,
                    struct err *e)
{
    if (header.len < 1 || header.len > KEY_BYTES || !jsonscan_utf8_ok(header.text, header.len))
        return err_set(e, IFP_EINVALID, "header Idempotency-Key: must be 1 to %d bytes of UTF-8",
                       KEY_BYTES);
    a->key = arena_strndup(&r->arena, header.text, header.len);
    if (!a->key || hash_request(r, a->hash) != 0 || ids_worker(&a->owner) != 0)
        return err_set(e, IFP_ENOMEM, "the request cannot be remembered");
    return 0;
}

static int replay(struct offload_call *call, const struct client_answer *a,
                  const uint8_t seal[CRYPTO_KEY_SIZE], struct err *e)
{
    const uint8_t *sealed = (const uint8_t *)a->body.text;
    struct crypto_aead how = { .key = seal, .nonce = sealed };
    size_t len = a->body.len, extra = CRYPTO_NONCE_SIZE + CRYPTO_TAG_SIZE;
    char *plain = arena_alloc(&call->request->arena, len);

    if (!plain)
        return err_set(e, IFP_ENOMEM, "out of memory");
    if (len < extra || crypto_open(&how, sealed + CRYPTO_NONCE_SIZE, len - CRYPTO_NONCE_SIZE,
                                   (uint8_t *)plain) != 0)
        return err_set(e, IFP_ECONFLICT, "key: its answer was given to another caller");
    call->json = (struct slice){ plain, len - extra };
    call->status = a->status;
    call->replayed = true;
    metrics_add(METRIC_REPLAYS, NULL, 1);
    return 0;
}

static int keep(struct offload_call *call, struct client *client, const struct client_answer *a,
                const uint8_t seal[CRYPTO_KEY_SIZE], struct err *e)
{
    size_t len = call->json.len + CRYPTO_NONCE_SIZE + CRYPTO_TAG_SIZE;
    uint8_t *sealed = arena_alloc(&call->request->arena, len);
    struct crypto_aead how = { .key = seal, .nonce = sealed };
    int err;

    if (!sealed || ids_random(sealed, CRYPTO_NONCE_SIZE) != 0)
        return err_set(e, IFP_ENOMEM, "out of memory");
    err = crypto_seal(&how, call->json.text ? call->json.text : "", call->json.len,
                      sealed + CRYPTO_NONCE_SIZE);
    if (err)
        return err_set(e, err, "the answer cannot be sealed");
    return client_answer_keep(client, a, call->status ? call->status : 200,
                              (struct slice){ (const char *)sealed, len }, e);
}

static void finish(struct offload_call *call, struct client *client, const struct client_answer *a,
                   const uint8_t seal[CRYPTO_KEY_SIZE], int rc)
{
    struct err e;
    int err = rc == 0 ? keep(call, client, a, seal, &e) : client_answer_release(client, a, &e);

    if (err)
        LOG_WARN("the answer under an idempotency key was not kept", LOG_ERR(&e));
}

int idempotency_run(struct offload_call *call, struct client *client, struct err *e)
{
    struct http_request *r = call->request;
    struct slice header = http_header(r, "idempotency-key");
    struct client_answer a = { .claimed = false };
    uint8_t seal[CRYPTO_KEY_SIZE];
    int err;

    if (!r->route || !(r->route->flags & ROUTE_CREATES) || !header.text)
        return call->fn(call, client, e);
    err = read_key(r, header, &a, e);
    if (!err && make_seal(r, a.key, seal) != 0)
        err = err_set(e, IFP_ESERVER, "the request cannot be remembered");
    if (!err)
        err = client_answer_claim(client, &a, &r->arena, e);
    if (err)
        return err;
    if (a.claimed) {
        err = call->fn(call, client, e);
        finish(call, client, &a, seal, err);
    } else if (a.status == 0) {
        err = err_set(e, IFP_ECONFLICT, "key: a request with it is under way");
    } else {
        err = replay(call, &a, seal, e);
    }
    crypto_wipe(seal, sizeof(seal));
    return err;
}
