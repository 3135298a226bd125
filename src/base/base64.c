/*
 * base/base64.c - base64 in its two alphabets.  Why not OpenSSL's: it skips white space and takes
 * several spellings for one value, so that a token could be changed and still be itself.
 */
#include "base/base64.h"

#include <inferpipe.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char url_alphabet[] = LETTERS "-_";
static const char standard_alphabet[] = LETTERS "+/";

void base64_encode(const uint8_t *data, size_t len, char *ret)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 6; have -= 6)
            *ret++ = url_alphabet[bits >> (have - 6) & 63];
    }
    if (have > 0)
        *ret++ = url_alphabet[bits << (6 - have) & 63];
    *ret = '\0';
}

static int decode(const char *alphabet, const char *text, size_t len, uint8_t *ret)
{
    uint32_t bits = 0;
    int have = 0;

    if (len % 4 == 1)
        return IFP_EINVALID;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

        if (!at)
            return IFP_EINVALID;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            *ret++ = (uint8_t)(bits >> have);
        }
    }
    return (bits & ((1u << have) - 1)) == 0 ? 0 : IFP_EINVALID;
}

int base64_decode(const char *text, size_t len, uint8_t *ret)
{
    return decode(url_alphabet, text, len, ret);
}

int base64_decode_padded(const char *text, size_t len, uint8_t *ret, size_t *ret_len)
{
    size_t padding = 0;

    while (padding < 2 && padding < len && text[len - padding - 1] == '=')
        padding++;
    if (len % 4 != 0 || decode(standard_alphabet, text, len - padding, ret) != 0)
        return IFP_EINVALID;
    *ret_len = BASE64_BYTES(len - padding);
    return 0;
}
