/* base/crypto.h - hashes, by OpenSSL's EVP.  The only file of base/ that includes openssl/. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/base.h"

#include <stddef.h>
#include <stdint.h>

enum { CRYPTO_SHA256_SIZE = 32 };

/* IFP_ENOMEM or IFP_ESERVER when OpenSSL fails. */
int crypto_sha256(const void *data, size_t len, uint8_t ret[CRYPTO_SHA256_SIZE]) MUSTCHECK;

#endif
