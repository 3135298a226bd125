/*
 * tests/lib/signtest.c - signing by OpenSSL's EVP, on the side of who asks.
 */
#include "lib/signtest.h"

#include "base/base64.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALF = 32, SECRET_SIZE = 32 };

struct signtest {
    EVP_PKEY *key; /* owned; NULL: secret */
    bool ec;
    uint8_t secret[SECRET_SIZE];
    char pem[SIGNTEST_PEM_MAX];
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "signtest: %s failed\n", what);
    exit(1);
}

struct signtest *signtest_open(const char *kind)
{
    struct signtest *s = calloc(1, sizeof(*s));
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long len;

    need(s && out, "memory");
    need(RAND_bytes(s->secret, SECRET_SIZE) == 1, "random");
    if (strncmp(kind, "RSA", 3) == 0)
        s->key = EVP_RSA_gen((unsigned)strtoul(kind + 3, NULL, 10));
    else if (strncmp(kind, "P-", 2) == 0)
        s->key = EVP_EC_gen(kind);
    else if (strcmp(kind, "ED25519") == 0)
        s->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    s->ec = strncmp(kind, "P-", 2) == 0;
    need(s->key || strcmp(kind, "SECRET") == 0, kind);
    if (s->key) {
        need(PEM_write_bio_PUBKEY(out, s->key) == 1, "PEM");
        len = BIO_get_mem_data(out, &text);
        need(len > 0 && len < SIGNTEST_PEM_MAX, "PEM");
        memcpy(s->pem, text, (size_t)len);
    }
    BIO_free(out);
    return s;
}

void signtest_close(struct signtest *s)
{
    EVP_PKEY_free(s->key);
    free(s);
}

const char *signtest_pem(const struct signtest *s)
{
    return s->pem;
}

const uint8_t *signtest_secret(const struct signtest *s, size_t *ret_len)
{
    *ret_len = SECRET_SIZE;
    return s->secret;
}

/* DER to r and s. */
static size_t plain_ecdsa(const uint8_t *der, size_t len, uint8_t *sig)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

    need(pair != NULL, "ECDSA");
    need(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, HALF) == HALF, "r");
    need(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + HALF, HALF) == HALF, "s");
    ECDSA_SIG_free(pair);
    return (size_t)2 * HALF;
}

size_t signtest_sign(const struct signtest *s, const void *data, size_t len,
                     uint8_t sig[SIGNTEST_SIG_MAX])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t made[SIGNTEST_SIG_MAX];
    size_t made_len = sizeof(made);
    unsigned mac_len = 0;
    bool own = s->key && EVP_PKEY_is_a(s->key, "ED25519");

    if (!s->key) {
        need(HMAC(EVP_sha256(), s->secret, SECRET_SIZE, data, len, sig, &mac_len) != NULL, "HMAC");
        EVP_MD_CTX_free(ctx);
        return mac_len;
    }
    need(EVP_DigestSignInit(ctx, NULL, own ? NULL : EVP_sha256(), NULL, s->key) == 1, "sign");
    need(EVP_DigestSign(ctx, made, &made_len, data, len) == 1, "sign");
    EVP_MD_CTX_free(ctx);
    if (s->ec && EVP_PKEY_get_bits(s->key) == 8 * HALF)
        return plain_ecdsa(made, made_len, sig);
    memcpy(sig, made, made_len);
    return made_len;
}

static char token[SIGNTEST_TOKEN_MAX];

/* What is signed, in `token`; its length. */
static size_t begin(const char *header, const char *payload)
{
    size_t head = BASE64_LEN(strlen(header));

    need(head + BASE64_LEN(strlen(payload)) + BASE64_LEN(SIGNTEST_SIG_MAX) + 3 < sizeof(token),
         "a token of that size");
    base64_encode((const uint8_t *)header, strlen(header), token);
    token[head] = '.';
    base64_encode((const uint8_t *)payload, strlen(payload), token + head + 1);
    return strlen(token);
}

static const char *end(size_t len, const uint8_t *sig, size_t sig_len)
{
    token[len] = '.';
    base64_encode(sig, sig_len, token + len + 1);
    return token;
}

const char *signtest_token(const struct signtest *s, const char *header, const char *payload)
{
    size_t len = begin(header, payload);
    uint8_t sig[SIGNTEST_SIG_MAX];

    return end(len, sig, signtest_sign(s, token, len, sig));
}

const char *signtest_token_raw(const char *header, const char *payload, const uint8_t *sig,
                               size_t len)
{
    return end(begin(header, payload), sig, len);
}

const char *signtest_token_hmac(const char *header, const char *payload, const void *key,
                                size_t len)
{
    size_t at = begin(header, payload);
    uint8_t sig[SIGNTEST_SIG_MAX];
    unsigned sig_len = 0;

    need(HMAC(EVP_sha256(), key, (int)len, (const uint8_t *)token, at, sig, &sig_len) != NULL,
         "HMAC");
    return end(at, sig, sig_len);
}
