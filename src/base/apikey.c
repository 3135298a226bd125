/*
 * base/apikey.c - makes, takes apart and hashes the texts of API keys.
 *
 * The hash is plain SHA-256: a secret of 256 random bits needs no salt and no slow hash.  It covers
 * the prefix too, so the hash of one key proves no other.
 */
#include "base/apikey.h"

#include "base/base64.h"
#include "base/ids.h"

#include <assert.h>
#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

#define HEAD "ifp_"
enum { HEAD_LEN = 4, SECRET_BYTES = 32, LETTERS = 36, FAIR = 252 };

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Bytes from FAIR on are drawn again: 256 is no multiple of 36. */
static int draw_prefix(char *ret)
{
    uint8_t byte;

    for (int i = 0; i < APIKEY_PREFIX_LEN;) {
        if (ids_random(&byte, 1) != 0)
            return IFP_ESERVER;
        if (byte < FAIR)
            ret[i++] = letters[byte % LETTERS];
    }
    return 0;
}

int apikey_generate(char ret[APIKEY_SIZE])
{
    uint8_t secret[SECRET_BYTES];
    int rc = ids_random(secret, sizeof(secret));

    static_assert(BASE64_LEN(SECRET_BYTES) == APIKEY_SECRET_LEN, "the secret's length");
    (void)snprintf(ret, APIKEY_SIZE, HEAD "%*s_", APIKEY_PREFIX_LEN, "");
    if (rc == 0)
        rc = draw_prefix(ret + HEAD_LEN);
    if (rc == 0)
        base64_encode(secret, sizeof(secret), ret + HEAD_LEN + APIKEY_PREFIX_LEN + 1);
    crypto_wipe(secret, sizeof(secret));
    return rc;
}

static bool is_prefix(const char *text)
{
    for (int i = 0; i < APIKEY_PREFIX_LEN; i++)
        if (!text[i] || !strchr(letters, text[i]))
            return false;
    return true;
}

bool apikey_parse(const char *text, size_t len, char ret_prefix[APIKEY_PREFIX_SIZE])
{
    uint8_t secret[SECRET_BYTES];
    const char *end = text + HEAD_LEN + APIKEY_PREFIX_LEN;
    bool good = len == APIKEY_LEN && memcmp(text, HEAD, HEAD_LEN) == 0 &&
                is_prefix(text + HEAD_LEN) && *end == '_' &&
                base64_decode(end + 1, APIKEY_SECRET_LEN, secret) == 0;

    crypto_wipe(secret, sizeof(secret));
    if (!good)
        return false;
    memcpy(ret_prefix, text + HEAD_LEN, APIKEY_PREFIX_LEN);
    ret_prefix[APIKEY_PREFIX_LEN] = '\0';
    return true;
}

int apikey_hash(const char *text, uint8_t ret[CRYPTO_SHA256_SIZE])
{
    return crypto_sha256(text, APIKEY_LEN, ret);
}

void apikey_id_format(const char *prefix, char ret[APIKEY_ID_SIZE])
{
    (void)snprintf(ret, APIKEY_ID_SIZE, HEAD "%.*s", APIKEY_PREFIX_LEN, prefix);
}

bool apikey_id_parse(const char *id, char ret_prefix[APIKEY_PREFIX_SIZE])
{
    if (strlen(id) != HEAD_LEN + APIKEY_PREFIX_LEN || memcmp(id, HEAD, HEAD_LEN) != 0 ||
        !is_prefix(id + HEAD_LEN))
        return false;
    memcpy(ret_prefix, id + HEAD_LEN, APIKEY_PREFIX_SIZE);
    return true;
}
