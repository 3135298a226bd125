/*
 * base/secretbox.h - secrets at rest: sealed by AES-256-GCM with the key of the installation
 * (CONFIG_SECRET_KEY), so that a copy of the database alone gives none away.
 *
 *   byte 0: version 1 | 8 bytes: which key | 12 bytes: random nonce | the text, sealed | 16: tag
 *
 * `purpose` is authenticated with it ("webhook 17"): a sealed text that is moved to another row
 * does not open there.  Several keys may be given: the first seals, each opens, so a key is
 * replaced by putting the new one in front.
 */
#ifndef BASE_SECRETBOX_H
#define BASE_SECRETBOX_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRETBOX_KEYS_MAX = 4, SECRETBOX_ID_SIZE = 8 };
enum { SECRETBOX_OVERHEAD = 1 + SECRETBOX_ID_SIZE + CRYPTO_NONCE_SIZE + CRYPTO_TAG_SIZE };
enum { SECRETBOX_TEXT_SIZE = 65 }; /* of a key in hex, with the zero byte */

struct secretbox {
    int count; /* 0: there is no key */
    struct {
        uint8_t id[SECRETBOX_ID_SIZE]; /* the first bytes of a hash of the key */
        uint8_t key[CRYPTO_KEY_SIZE];
    } keys[SECRETBOX_KEYS_MAX];
};

/* Keys of 32 bytes, as 64 hex digits or base64, separated by commas; "" gives a box without key,
 * which seals and opens nothing. */
int secretbox_init(struct secretbox *b, const char *text, struct err *e) MUSTCHECK;
void secretbox_release(struct secretbox *b); /* wipes the keys */
/* A new key in hex. */
int secretbox_generate(char ret[SECRETBOX_TEXT_SIZE]) MUSTCHECK;
/* *ret, of len + SECRETBOX_OVERHEAD bytes, is for mem_free.  IFP_EUNAVAILABLE: there is no key. */
int secretbox_seal(const struct secretbox *b, const char *purpose, const void *plain, size_t len,
                   uint8_t **ret, size_t *ret_len, struct err *e) MUSTCHECK;
/* *ret, zero-terminated, is for secretbox_forget.  IFP_EUNAVAILABLE: the key it was sealed with is
 * not here; IFP_ESERVER: it was changed or belongs elsewhere. */
int secretbox_open(const struct secretbox *b, const char *purpose, const uint8_t *sealed,
                   size_t len, uint8_t **ret, size_t *ret_len, struct err *e) MUSTCHECK;
/* Wipes and frees; NULL is fine. */
void secretbox_forget(uint8_t *plain, size_t len);

#endif
