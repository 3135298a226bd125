/*
 * api/sign.c - both signature formats; see the header.
 *
 * What is compared is always the whole value, in constant time; how long a header takes to read
 * tells only of the header, which the sender knows.  A secret's text never goes into an error.
 */
#include "api/sign.h"

#include "base/base64.h"
#include "base/crypto.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PREFIX "whsec_"
enum { KEY_MIN = 16, KEY_MAX = 64, HEX_SIZE = 2 * CRYPTO_SHA256_SIZE };

/* ---- secrets -------------------------------------------------------------------------------- */

/* Appends standard base64 with padding. */
static void put_base64(struct buf *b, const uint8_t *data, size_t len)
{
    char text[BASE64_LEN(KEY_MAX) + 1];
    size_t n = BASE64_LEN(len);

    assert(len <= KEY_MAX);
    base64_encode(data, len, text);
    for (size_t i = 0; i < n; i++)
        buf_putc(b, text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    for (; n % 4 != 0; n++)
        buf_putc(b, '=');
}

static int decode_key(const char *secret, uint8_t ret[KEY_MAX], size_t *ret_len)
{
    size_t len = strlen(secret), prefix = strlen(PREFIX);

    if (len < prefix || memcmp(secret, PREFIX, prefix) != 0 || len - prefix > 88)
        return IFP_EINVALID;
    if (base64_decode_padded(secret + prefix, len - prefix, ret, ret_len) != 0)
        return IFP_EINVALID;
    return *ret_len >= KEY_MIN && *ret_len <= KEY_MAX ? 0 : IFP_EINVALID;
}

bool sign_secret_ok(const char *secret)
{
    uint8_t key[KEY_MAX + 3];
    size_t len = 0;
    int rc = decode_key(secret, key, &len);

    crypto_wipe(key, sizeof(key));
    return rc == 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static int mac(const void *key, size_t key_len, const struct buf *message,
               uint8_t ret[CRYPTO_SHA256_SIZE])
{
    if (buf_broken(message))
        return IFP_ENOMEM;
    return crypto_hmac_sha256(key, key_len, message->data, message->len, ret);
}

static void put_hex(struct buf *b, const uint8_t digest[CRYPTO_SHA256_SIZE])
{
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
        buf_printf(b, "%02x", digest[i]);
}

int sign_header(const char *const *secrets, size_t count, int64_t unix_s, struct slice body,
                struct buf *ret)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct buf message;
    int rc = 0;

    assert(count >= 1 && count <= SIGN_SECRETS_MAX);
    buf_init(&message);
    buf_printf(&message, "%" PRId64 ".", unix_s);
    buf_put(&message, body.text, body.len);
    buf_printf(ret, "t=%" PRId64, unix_s);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = mac(secrets[i], strlen(secrets[i]), &message, digest);
        buf_puts(ret, ",v1=");
        if (rc == 0)
            put_hex(ret, digest);
    }
    buf_release(&message);
    return rc == 0 && buf_broken(ret) ? IFP_ENOMEM : rc;
}

int sign_standard(const char *const *secrets, size_t count, const char *id, int64_t unix_s,
                  struct slice body, struct buf *ret)
{
    uint8_t digest[CRYPTO_SHA256_SIZE], key[KEY_MAX + 3];
    struct buf message;
    size_t len = 0;
    int rc = 0;

    assert(count >= 1 && count <= SIGN_SECRETS_MAX);
    buf_init(&message);
    buf_printf(&message, "%s.%" PRId64 ".", id, unix_s);
    buf_put(&message, body.text, body.len);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = decode_key(secrets[i], key, &len);
        if (rc == 0)
            rc = mac(key, len, &message, digest);
        buf_puts(ret, i == 0 ? "v1," : " v1,");
        if (rc == 0)
            put_base64(ret, digest, sizeof(digest));
    }
    crypto_wipe(key, sizeof(key));
    buf_release(&message);
    return rc == 0 && buf_broken(ret) ? IFP_ENOMEM : rc;
}

/* ---- checking ------------------------------------------------------------------------------- */

struct parsed {
    struct slice t; /* digits, as they stand */
    int64_t unix_s;
};

static bool parse_time(struct slice value, int64_t *ret)
{
    int64_t n = 0;

    if (value.len < 1 || value.len > 12)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
        n = n * 10 + (value.text[i] - '0');
    }
    *ret = n;
    return true;
}

/* The next "name=value" of the header; false at its end. */
static bool next_part(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    const char *comma, *equals;
    size_t len;

    if (rest->len == 0)
        return false;
    comma = memchr(rest->text, ',', rest->len);
    len = comma ? (size_t)(comma - rest->text) : rest->len;
    equals = memchr(rest->text, '=', len);
    *ret_name = (struct slice){ rest->text, equals ? (size_t)(equals - rest->text) : len };
    *ret_value = equals ? (struct slice){ equals + 1, len - ret_name->len - 1 }
                        : (struct slice){ rest->text + len, 0 };
    rest->text += len + (comma != NULL);
    rest->len -= len + (comma != NULL);
    return true;
}

static bool is_named(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) && memcmp(name.text, wanted, name.len) == 0;
}

static int find_time(struct slice header, struct parsed *ret, struct err *e)
{
    struct slice name, value;

    if (header.len == 0 || header.len > SIGN_HEADER_MAX)
        return err_set(e, IFP_EUNAUTHORIZED, "signature: must be 1 to %d bytes", SIGN_HEADER_MAX);
    while (next_part(&header, &name, &value)) {
        if (!is_named(name, "t"))
            continue;
        if (ret->t.text)
            return err_set(e, IFP_EUNAUTHORIZED, "signature: has t twice");
        if (!parse_time(value, &ret->unix_s))
            return err_set(e, IFP_EUNAUTHORIZED, "signature: t is not a time in seconds");
        ret->t = value;
    }
    return ret->t.text ? 0 : err_set(e, IFP_EUNAUTHORIZED, "signature: has no t");
}

/* True when one of the v1 values is the wanted one; looks at all of them. */
static bool has_value(struct slice header, const char wanted[HEX_SIZE])
{
    struct slice name, value;
    bool found = false;

    while (next_part(&header, &name, &value))
        if (is_named(name, "v1") && value.len == HEX_SIZE)
            found = crypto_equal(value.text, wanted, HEX_SIZE) || found;
    return found;
}

int sign_verify(const char *secret, struct slice header, struct slice body, int64_t now_s,
                struct err *e)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct parsed p = { 0 };
    struct buf message, hex;
    int rc = find_time(header, &p, e);

    if (rc != 0)
        return rc;
    if (p.unix_s < now_s - SIGN_WINDOW_S || p.unix_s > now_s + SIGN_WINDOW_S)
        return err_set(e, IFP_EUNAUTHORIZED, "signature: its time is more than %d seconds away",
                       SIGN_WINDOW_S);
    buf_init(&message);
    buf_init(&hex);
    buf_put(&message, p.t.text, p.t.len);
    buf_putc(&message, '.');
    buf_put(&message, body.text, body.len);
    rc = mac(secret, strlen(secret), &message, digest);
    if (rc == 0)
        put_hex(&hex, digest);
    if (rc != 0 || buf_broken(&hex))
        rc = err_set(e, rc != 0 ? rc : IFP_ENOMEM, "signature: cannot be computed");
    else if (!has_value(header, hex.data))
        rc = err_set(e, IFP_EUNAUTHORIZED, "signature: no v1 fits the body");
    buf_release(&hex);
    buf_release(&message);
    return rc;
}
