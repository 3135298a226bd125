/*
 * tests/lib/signtest.h - makes keys and signs with them, as a client's own library would: for tests
 * of what the server accepts.  Any mistake ends the program.
 */
#ifndef TESTS_LIB_SIGNTEST_H
#define TESTS_LIB_SIGNTEST_H

#include <stddef.h>
#include <stdint.h>

enum { SIGNTEST_SIG_MAX = 1024, SIGNTEST_PEM_MAX = 4096, SIGNTEST_TOKEN_MAX = 16384 };

struct signtest;

/* "RSA2048", "RSA1024", "P-256", "P-384", "ED25519", or "SECRET": 32 bytes. */
struct signtest *signtest_open(const char *kind);
void signtest_close(struct signtest *s);
/* The public half in PEM. */
const char *signtest_pem(const struct signtest *s);
const uint8_t *signtest_secret(const struct signtest *s, size_t *ret_len);
/* As JWS has it: HMAC, PKCS #1, r and s, or Ed25519. */
size_t signtest_sign(const struct signtest *s, const void *data, size_t len,
                     uint8_t sig[SIGNTEST_SIG_MAX]);
/* base64url(header).base64url(payload).signature; valid until the next call. */
const char *signtest_token(const struct signtest *s, const char *header, const char *payload);
/* The same with a signature given as bytes. */
const char *signtest_token_raw(const char *header, const char *payload, const uint8_t *sig,
                               size_t len);
/* HMAC-SHA256 with any bytes as the key. */
const char *signtest_token_hmac(const char *header, const char *payload, const void *key,
                                size_t len);

#endif
