/*
 * base/secretbox.c - one format for every sealed secret.
 *
 * The key is found by its id, never by trying.  The header is authenticated with the purpose, so
 * neither can be exchanged.  Nonces are random: with 2^32 secrets under one key the chance that two
 * meet is 2^-33, and secrets are counted in thousands.
 */
#include "base/secretbox.h"

#include "base/base64.h"
#include "base/ids.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, HEAD = 1 + SECRETBOX_ID_SIZE, PURPOSE_MAX = 200 };
enum { HEX_LEN = 2 * CRYPTO_KEY_SIZE };

/* ---- keys ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool read_hex(const char *text, uint8_t key[CRYPTO_KEY_SIZE])
{
    for (int i = 0; i < CRYPTO_KEY_SIZE; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_key(const char *text, size_t len, uint8_t key[CRYPTO_KEY_SIZE])
{
    uint8_t bytes[CRYPTO_KEY_SIZE + 1];
    size_t got = 0;
    bool good;

    if (len == HEX_LEN)
        return read_hex(text, key);
    if (len == BASE64_LEN(CRYPTO_KEY_SIZE))
        return base64_decode(text, len, key) == 0;
    good = len == BASE64_LEN(CRYPTO_KEY_SIZE) + 1 &&
           base64_decode_padded(text, len, bytes, &got) == 0 && got == CRYPTO_KEY_SIZE;
    if (good)
        memcpy(key, bytes, CRYPTO_KEY_SIZE);
    crypto_wipe(bytes, sizeof(bytes));
    return good;
}

static int add_key(struct secretbox *b, const char *text, size_t len, struct err *e)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    int rc;

    if (b->count == SECRETBOX_KEYS_MAX)
        return err_set(e, IFP_EINVALID, "secret-key: at most %d keys", SECRETBOX_KEYS_MAX);
    if (!read_key(text, len, b->keys[b->count].key))
        return err_set(e, IFP_EINVALID,
                       "secret-key: key %d is not 32 bytes as 64 hex digits or base64",
                       b->count + 1);
    rc = crypto_sha256(b->keys[b->count].key, CRYPTO_KEY_SIZE, hash);
    if (rc != 0)
        return err_set(e, rc, "secret-key: cannot be hashed");
    memcpy(b->keys[b->count].id, hash, SECRETBOX_ID_SIZE);
    b->count++;
    return 0;
}

int secretbox_init(struct secretbox *b, const char *text, struct err *e)
{
    int rc = 0;

    memset(b, 0, sizeof(*b));
    while (rc == 0 && *text) {
        size_t len = strcspn(text, ",");

        rc = add_key(b, text, len, e);
        text += len;
        if (*text == ',' && *++text == '\0' && rc == 0)
            rc = err_set(e, IFP_EINVALID, "secret-key: ends with a comma");
    }
    if (rc != 0)
        secretbox_release(b);
    return rc;
}

void secretbox_release(struct secretbox *b)
{
    crypto_wipe(b, sizeof(*b));
}

int secretbox_generate(char ret[SECRETBOX_TEXT_SIZE])
{
    uint8_t key[CRYPTO_KEY_SIZE];
    int rc = ids_random(key, sizeof(key));

    for (int i = 0; rc == 0 && i < CRYPTO_KEY_SIZE; i++)
        (void)snprintf(ret + (ptrdiff_t)2 * i, 3, "%02x", key[i]);
    crypto_wipe(key, sizeof(key));
    return rc;
}

/* ---- sealing -------------------------------------------------------------------------------- */

/* What is authenticated: the head and the purpose. */
static size_t make_aad(const uint8_t *head, const char *purpose, uint8_t aad[HEAD + PURPOSE_MAX])
{
    size_t len = strlen(purpose);

    assert(len > 0 && len <= PURPOSE_MAX);
    memcpy(aad, head, HEAD);
    for (size_t i = 0; i < len; i++)
        aad[HEAD + i] = (uint8_t)purpose[i];
    return HEAD + len;
}

int secretbox_seal(const struct secretbox *b, const char *purpose, const void *plain, size_t len,
                   uint8_t **ret, size_t *ret_len, struct err *e)
{
    uint8_t aad[HEAD + PURPOSE_MAX];
    struct crypto_aead how = { .key = b->keys[0].key, .aad = aad };
    uint8_t *sealed;
    int rc;

    if (b->count == 0)
        return err_set(e, IFP_EUNAVAILABLE,
                       "secrets cannot be stored: no secret key (INFERPIPE_SECRET_KEY) is set");
    sealed = mem_alloc(len + SECRETBOX_OVERHEAD);
    if (!sealed)
        return err_set(e, IFP_ENOMEM, "out of memory");
    sealed[0] = VERSION;
    memcpy(sealed + 1, b->keys[0].id, SECRETBOX_ID_SIZE);
    how.nonce = sealed + HEAD;
    how.aad_len = make_aad(sealed, purpose, aad);
    rc = ids_random(sealed + HEAD, CRYPTO_NONCE_SIZE);
    if (rc == 0)
        rc = crypto_seal(&how, plain, len, sealed + HEAD + CRYPTO_NONCE_SIZE);
    if (rc != 0) {
        mem_free(sealed);
        return err_set(e, rc, "the secret cannot be sealed");
    }
    *ret = sealed;
    *ret_len = len + SECRETBOX_OVERHEAD;
    return 0;
}

static const uint8_t *find_key(const struct secretbox *b, const uint8_t *id)
{
    for (int i = 0; i < b->count; i++)
        if (memcmp(b->keys[i].id, id, SECRETBOX_ID_SIZE) == 0)
            return b->keys[i].key;
    return NULL;
}

int secretbox_open(const struct secretbox *b, const char *purpose, const uint8_t *sealed,
                   size_t len, uint8_t **ret, size_t *ret_len, struct err *e)
{
    uint8_t aad[HEAD + PURPOSE_MAX];
    struct crypto_aead how = { .nonce = sealed + HEAD, .aad = aad };
    size_t plain_len;
    uint8_t *plain;
    int rc;

    if (len < SECRETBOX_OVERHEAD || sealed[0] != VERSION)
        return err_set(e, IFP_ESERVER, "a stored secret is not one of ours");
    how.key = find_key(b, sealed + 1);
    if (!how.key)
        return err_set(e, IFP_EUNAVAILABLE,
                       "the secret key that a stored secret was sealed with is not set");
    plain_len = len - SECRETBOX_OVERHEAD;
    plain = mem_alloc(plain_len + 1);
    if (!plain)
        return err_set(e, IFP_ENOMEM, "out of memory");
    how.aad_len = make_aad(sealed, purpose, aad);
    rc = crypto_open(&how, sealed + HEAD + CRYPTO_NONCE_SIZE, plain_len + CRYPTO_TAG_SIZE, plain);
    if (rc != 0) {
        mem_free(plain);
        return err_set(e, rc == IFP_EINVALID ? IFP_ESERVER : rc,
                       "a stored secret was changed or moved");
    }
    plain[plain_len] = '\0';
    *ret = plain;
    *ret_len = plain_len;
    return 0;
}

void secretbox_forget(uint8_t *plain, size_t len)
{
    if (plain)
        crypto_wipe(plain, len);
    mem_free(plain);
}
