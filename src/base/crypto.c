/*
 * base/crypto.c - hashes through OpenSSL's EVP, which picks the processor's instructions.  OpenSSL
 * allocates inside; when it fails, its own error queue says whether memory was the reason.
 */
#include "base/crypto.h"

#include <assert.h>
#include <inferpipe.h>
#include <openssl/err.h>
#include <openssl/evp.h>

int crypto_sha256(const void *data, size_t len, uint8_t ret[CRYPTO_SHA256_SIZE])
{
    unsigned size = 0;
    unsigned long reason;

    assert(data != NULL || len == 0);
    if (EVP_Digest(len ? data : "", len, ret, &size, EVP_sha256(), NULL) == 1) {
        assert(size == CRYPTO_SHA256_SIZE);
        return 0;
    }
    reason = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_REASON(reason) == ERR_R_MALLOC_FAILURE ? IFP_ENOMEM : IFP_ESERVER;
}
