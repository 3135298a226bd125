/*
 * base/crypto.c - hashes and sealing through OpenSSL's EVP, which picks the processor's
 * instructions.  OpenSSL allocates inside; when it fails, its own error queue says whether memory
 * was the reason.
 */
#include "base/crypto.h"

#include <assert.h>
#include <inferpipe.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static int failed(void)
{
    unsigned long reason = ERR_peek_last_error();

    ERR_clear_error();
    return ERR_GET_REASON(reason) == ERR_R_MALLOC_FAILURE ? IFP_ENOMEM : IFP_ESERVER;
}

int crypto_sha256(const void *data, size_t len, uint8_t ret[CRYPTO_SHA256_SIZE])
{
    unsigned size = 0;

    assert(data != NULL || len == 0);
    if (EVP_Digest(len ? data : "", len, ret, &size, EVP_sha256(), NULL) != 1)
        return failed();
    assert(size == CRYPTO_SHA256_SIZE);
    return 0;
}

int crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                       uint8_t ret[CRYPTO_SHA256_SIZE])
{
    unsigned size = 0;

    assert((key || key_len == 0) && key_len <= INT_MAX && (data || len == 0));
    if (!HMAC(EVP_sha256(), key_len ? key : "", (int)key_len, len ? data : (const uint8_t *)"", len,
              ret, &size))
        return failed();
    assert(size == CRYPTO_SHA256_SIZE);
    return 0;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}

/* ---- AES-256-GCM ---------------------------------------------------------------------------- */

int crypto_seal(const struct crypto_aead *a, const void *plain, size_t len, uint8_t *ret)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int rc = 0, got = 0, tail = 0;

    assert(len <= INT_MAX - CRYPTO_TAG_SIZE && a->aad_len <= INT_MAX);
    if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, a->key, a->nonce) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &got, a->aad, (int)a->aad_len) != 1 ||
        EVP_EncryptUpdate(ctx, ret, &got, plain, (int)len) != 1 ||
        EVP_EncryptFinal_ex(ctx, ret + got, &tail) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, CRYPTO_TAG_SIZE, ret + len) != 1)
        rc = failed();
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}

int crypto_open(const struct crypto_aead *a, const uint8_t *sealed, size_t len, uint8_t *ret)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t tag[CRYPTO_TAG_SIZE];
    int rc = 0, got = 0, tail = 0, plain;

    assert(a->aad_len <= INT_MAX);
    if (len < CRYPTO_TAG_SIZE || len > INT_MAX)
        return IFP_EINVALID;
    plain = (int)(len - CRYPTO_TAG_SIZE);
    for (int i = 0; i < CRYPTO_TAG_SIZE; i++)
        tag[i] = sealed[plain + i];
    ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, a->key, a->nonce) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &got, a->aad, (int)a->aad_len) != 1 ||
        EVP_DecryptUpdate(ctx, ret, &got, sealed, plain) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, CRYPTO_TAG_SIZE, tag) != 1)
        rc = failed();
    else if (EVP_DecryptFinal_ex(ctx, ret + got, &tail) != 1)
        rc = IFP_EINVALID;
    if (rc != 0)
        crypto_wipe(ret, (size_t)plain);
    ERR_clear_error();
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}
