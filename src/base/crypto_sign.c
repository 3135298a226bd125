/*
 * base/crypto_sign.c - signatures as JWS (RFC 7515) writes them, checked by EVP.
 *
 * A verifier is bound to one algorithm when it is opened, and the kind of its key must be that
 * algorithm's: a public RSA key can never serve as an HMAC secret, and a P-384 or secp256k1 key
 * never as ES256's.  ES256 signatures come as r and s of 32 bytes each; EVP wants them in DER, and
 * refuses what is zero or not below the order of the curve.
 */
#include "base/crypto.h"
#include "base/mem.h"

#include <assert.h>
#include <inferpipe.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, ES256_HALF = 32, CURVE_SIZE = 64 };

struct crypto_verifier {
    enum crypto_alg alg;
    EVP_PKEY *key;   /* owned; NULL for HS256 */
    uint8_t *secret; /* owned; of HS256 */
    size_t secret_len;
};

static const char *const alg_names[CRYPTO_ALGS] = {
#define NAME(id, name) [id] = name,
    CRYPTO_ALG_MAP(NAME)
#undef NAME
};

const char *crypto_alg_name(enum crypto_alg alg)
{
    assert(alg < CRYPTO_ALGS);
    return alg_names[alg];
}

int crypto_alg_find(const char *name)
{
    for (int i = 0; i < CRYPTO_ALGS; i++)
        if (strcmp(alg_names[i], name) == 0)
            return i;
    return -1;
}

static int failed(void)
{
    ERR_clear_error();
    return IFP_ESERVER;
}

static bool is_p256(const EVP_PKEY *key)
{
    char curve[CURVE_SIZE];
    size_t len;

    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve),
                                          &len) == 1 &&
           strcmp(curve, "prime256v1") == 0;
}

/* NULL, or the rule that the key breaks. */
static const char *misfit(enum crypto_alg alg, const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    switch (alg) {
    case CRYPTO_RS256:
        return EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
                   ? NULL
                   : "RS256 takes an RSA key of 2048 to 8192 bits";
    case CRYPTO_ES256:
        return EVP_PKEY_is_a(key, "EC") && is_p256(key) ? NULL : "ES256 takes a key on P-256";
    case CRYPTO_EDDSA:
        return EVP_PKEY_is_a(key, "ED25519") ? NULL : "EdDSA takes an Ed25519 key";
    default:
        return "HS256 takes a secret, not a public key";
    }
}

int crypto_public_read(enum crypto_alg alg, const char *pem, size_t len, uint8_t **ret,
                       size_t *ret_len, struct err *e)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----";
    EVP_PKEY *key = NULL;
    uint8_t *der = NULL;
    const char *rule;
    BIO *in;
    int size, rc = 0;

    if (len < sizeof(begin) || len > CRYPTO_PUBLIC_MAX ||
        memcmp(pem, begin, sizeof(begin) - 1) != 0)
        return err_set(e, IFP_EINVALID, "not a public key in PEM (it begins with %s)", begin);
    in = BIO_new_mem_buf(pem, (int)len);
    if (in)
        key = PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
    BIO_free(in);
    ERR_clear_error();
    if (!key)
        return err_set(e, IFP_EINVALID, "not a public key in PEM that can be read");
    rule = misfit(alg, key);
    size = rule ? 0 : i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);
    if (rule)
        return err_set(e, IFP_EINVALID, "%s", rule);
    *ret = size > 0 ? mem_alloc((size_t)size) : NULL;
    if (*ret) {
        memcpy(*ret, der, (size_t)size);
        *ret_len = (size_t)size;
    } else {
        rc = err_set(e, IFP_ENOMEM, "out of memory");
    }
    OPENSSL_free(der);
    return rc;
}

static int take_secret(struct crypto_verifier *v, const uint8_t *secret, size_t len, struct err *e)
{
    if (len < CRYPTO_SECRET_MIN || len > CRYPTO_SECRET_MAX)
        return err_set(e, IFP_EINVALID, "HS256 takes a secret of 32 to 1024 bytes");
    v->secret = mem_alloc(len);
    if (!v->secret)
        return err_set(e, IFP_ENOMEM, "out of memory");
    memcpy(v->secret, secret, len);
    v->secret_len = len;
    return 0;
}

static int take_public(struct crypto_verifier *v, const uint8_t *der, size_t len, struct err *e)
{
    const uint8_t *at = der;
    const char *rule = NULL;

    if (len > 0 && len <= CRYPTO_PUBLIC_MAX)
        v->key = d2i_PUBKEY(NULL, &at, (long)len);
    ERR_clear_error();
    if (!v->key || at != der + len)
        return err_set(e, IFP_EINVALID, "not a public key");
    rule = misfit(v->alg, v->key);
    return rule ? err_set(e, IFP_EINVALID, "%s", rule) : 0;
}

int crypto_verifier_open(enum crypto_alg alg, const uint8_t *material, size_t len,
                         struct crypto_verifier **ret, struct err *e)
{
    struct crypto_verifier *v = mem_zalloc(sizeof(*v));
    int rc;

    assert(alg < CRYPTO_ALGS);
    if (!v)
        return err_set(e, IFP_ENOMEM, "out of memory");
    v->alg = alg;
    rc = alg == CRYPTO_HS256 ? take_secret(v, material, len, e) : take_public(v, material, len, e);
    if (rc != 0) {
        crypto_verifier_close(v);
        return rc;
    }
    *ret = v;
    return 0;
}

void crypto_verifier_close(struct crypto_verifier *v)
{
    if (!v)
        return;
    EVP_PKEY_free(v->key);
    if (v->secret)
        crypto_wipe(v->secret, v->secret_len);
    mem_free(v->secret);
    mem_free(v);
}

enum crypto_alg crypto_verifier_alg(const struct crypto_verifier *v)
{
    return v->alg;
}

static int verify_hmac(const struct crypto_verifier *v, const void *data, size_t len,
                       const uint8_t *sig, size_t sig_len)
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    int rc = crypto_hmac_sha256(v->secret, v->secret_len, data, len, mac);

    if (rc != 0)
        return rc;
    return sig_len == sizeof(mac) && crypto_equal(mac, sig, sizeof(mac)) ? 0 : IFP_EUNAUTHORIZED;
}

/* One call of EVP; md NULL where the algorithm has its own. */
static int verify_key(EVP_PKEY *key, const EVP_MD *md, const void *data, size_t len,
                      const uint8_t *sig, size_t sig_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = -1;

    if (ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1)
        good = EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (good < 0)
        return failed();
    return good ? 0 : IFP_EUNAUTHORIZED;
}

static int verify_es256(EVP_PKEY *key, const void *data, size_t len, const uint8_t *sig,
                        size_t sig_len)
{
    ECDSA_SIG *pair;
    BIGNUM *r, *s;
    uint8_t *der = NULL;
    int size, rc;

    if (sig_len != (size_t)2 * ES256_HALF)
        return IFP_EUNAUTHORIZED;
    pair = ECDSA_SIG_new();
    r = BN_bin2bn(sig, ES256_HALF, NULL);
    s = BN_bin2bn(sig + ES256_HALF, ES256_HALF, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return failed();
    }
    size = i2d_ECDSA_SIG(pair, &der);
    rc = size > 0 ? verify_key(key, EVP_sha256(), data, len, der, (size_t)size) : failed();
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return rc;
}

int crypto_verify(const struct crypto_verifier *v, const void *data, size_t len, const uint8_t *sig,
                  size_t sig_len)
{
    if (sig_len == 0)
        return IFP_EUNAUTHORIZED;
    switch (v->alg) {
    case CRYPTO_HS256:
        return verify_hmac(v, data, len, sig, sig_len);
    case CRYPTO_RS256:
        return verify_key(v->key, EVP_sha256(), data, len, sig, sig_len);
    case CRYPTO_ES256:
        return verify_es256(v->key, data, len, sig, sig_len);
    default:
        return verify_key(v->key, NULL, data, len, sig, sig_len);
    }
}
