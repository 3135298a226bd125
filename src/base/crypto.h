/*
 * base/crypto.h - hashes, message codes, sealing and signatures, all by OpenSSL's EVP.
 * This file and crypto_sign.c are the only ones of base/ that include openssl/.
 *
 * What fails inside OpenSSL is IFP_ENOMEM or IFP_ESERVER: never a "no", never a "yes".
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRYPTO_SHA256_SIZE = 32 };

/* IFP_ENOMEM or IFP_ESERVER when OpenSSL fails. */
int crypto_sha256(const void *data, size_t len, uint8_t ret[CRYPTO_SHA256_SIZE]) MUSTCHECK;
int crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                       uint8_t ret[CRYPTO_SHA256_SIZE]) MUSTCHECK;
/* In a time that depends on `len` alone. */
bool crypto_equal(const void *a, const void *b, size_t len) MUSTCHECK;
/* Overwrites, and the compiler does not leave it out. */
void crypto_wipe(void *data, size_t len);

/* AES-256-GCM.  A nonce is used once with a key; `aad` is authenticated with the text. */
enum { CRYPTO_KEY_SIZE = 32, CRYPTO_NONCE_SIZE = 12, CRYPTO_TAG_SIZE = 16 };
struct crypto_aead {
    const uint8_t *key;   /* borrowed; CRYPTO_KEY_SIZE */
    const uint8_t *nonce; /* borrowed; CRYPTO_NONCE_SIZE */
    const void *aad;      /* borrowed */
    size_t aad_len;
};
/* Writes len bytes and the tag behind them. */
int crypto_seal(const struct crypto_aead *a, const void *plain, size_t len, uint8_t *ret) MUSTCHECK;
/* `len` with the tag; writes len - CRYPTO_TAG_SIZE bytes.  IFP_EINVALID: not what was sealed so;
 * `ret` is wiped then. */
int crypto_open(const struct crypto_aead *a, const uint8_t *sealed, size_t len,
                uint8_t *ret) MUSTCHECK;

/* ---- signatures (crypto_sign.c) -------------------------------------------------------------- */

/* RFC 7518 and RFC 8037.  number, name */
#define CRYPTO_ALG_MAP(X)                                                                          \
    X(CRYPTO_HS256, "HS256")                                                                       \
    X(CRYPTO_RS256, "RS256")                                                                       \
    X(CRYPTO_ES256, "ES256")                                                                       \
    X(CRYPTO_EDDSA, "EdDSA")
#define CRYPTO_ALG_ENUM(id, name) id,
enum crypto_alg { CRYPTO_ALG_MAP(CRYPTO_ALG_ENUM) CRYPTO_ALGS };
#undef CRYPTO_ALG_ENUM
const char *crypto_alg_name(enum crypto_alg alg);
/* The algorithm with exactly this name, or -1. */
int crypto_alg_find(const char *name);

/* A key that checks signatures of one algorithm, and of no other. */
struct crypto_verifier;

enum { CRYPTO_SECRET_MIN = 32, CRYPTO_SECRET_MAX = 1024, CRYPTO_PUBLIC_MAX = 4096 };
/* A public key from PEM into DER (SubjectPublicKeyInfo), for mem_free.  IFP_EINVALID: it is none,
 * or not one for `alg`: RSA of 2048 to 8192 bits, P-256, Ed25519. */
int crypto_public_read(enum crypto_alg alg, const char *pem, size_t len, uint8_t **ret,
                       size_t *ret_len, struct err *e) MUSTCHECK;
/* HS256: `material` is the secret, 32 to 1024 bytes; the others: the DER that crypto_public_read
 * gave. */
int crypto_verifier_open(enum crypto_alg alg, const uint8_t *material, size_t len,
                         struct crypto_verifier **ret, struct err *e) MUSTCHECK;
void crypto_verifier_close(struct crypto_verifier *v); /* NULL is fine */
enum crypto_alg crypto_verifier_alg(const struct crypto_verifier *v);
/* 0: `sig`, as JWS writes it, is this key's of `data`.  IFP_EUNAUTHORIZED: it is not. */
int crypto_verify(const struct crypto_verifier *v, const void *data, size_t len, const uint8_t *sig,
                  size_t sig_len) MUSTCHECK;

#endif
