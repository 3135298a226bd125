/*
 * base/jsontext.c - the only place that knows how UTF-8 and escapes are spelled.
 *
 * Decoding trusts its input: jsonscan_check has seen every byte before.  Equal strings decode to
 * equal bytes however they were spelled, so keys are compared and hashed by their decoded bytes.
 */
#include "base/jsontext.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool between(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

static bool continued(const unsigned char *s, size_t len, size_t want)
{
    if (len < want)
        return false;
    for (size_t i = 1; i < want; i++)
        if (!between(s[i], 0x80, 0xbf))
            return false;
    return true;
}

size_t jsontext_utf8(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;

    if (len == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (between(u[0], 0xc2, 0xdf))
        return continued(u, len, 2) ? 2 : 0;
    if (between(u[0], 0xe0, 0xef)) {
        /* E0: overlong below A0; ED: surrogates from A0 */
        if (!continued(u, len, 3) || (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f))
            return 0;
        return 3;
    }
    if (between(u[0], 0xf0, 0xf4)) {
        /* F0: overlong below 90; F4: over U+10FFFF from 90 */
        if (!continued(u, len, 4) || (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* What stands behind the backslash, and the byte it means. */
static const struct {
    char letter, byte;
} escapes[] = {
    { '"', '"' },  { '\\', '\\' }, { '/', '/' },  { 'b', '\b' },
    { 'f', '\f' }, { 'n', '\n' },  { 'r', '\r' }, { 't', '\t' },
};

char jsontext_escape(unsigned char c)
{
    if (c != '"' && c != '\\' && c >= 0x20)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
        if ((unsigned char)escapes[i].byte == c)
            return escapes[i].letter;
    return 'u';
}

static uint32_t hex4(const char *at)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

        assert(digit >= 0 && digit < 16);
        v = v << 4 | (uint32_t)digit;
    }
    return v;
}

static size_t encode(uint32_t c, char ret[4])
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

    assert(c > 0 && c <= 0x10ffff);
    for (size_t i = len - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    ret[0] = (char)(leads[len] | c);
    return len;
}

size_t jsontext_unescape(const char **at, char ret[4])
{
    const char *s = *at;
    uint32_t c;

    assert(s[0] == '\\');
    if (s[1] != 'u') {
        *at = s + 2;
        for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
            if (escapes[i].letter == s[1])
                ret[0] = escapes[i].byte;
        return 1;
    }
    c = hex4(s + 2);
    s += 6;
    if (c >= 0xd800 && c <= 0xdbff) {
        assert(s[0] == '\\' && s[1] == 'u');
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(s + 2) - 0xdc00);
        s += 6;
    }
    *at = s;
    return encode(c, ret);
}

void jsontext_bytes_init(struct jsontext_bytes *b, const char *raw, const char *end)
{
    *b = (struct jsontext_bytes){ .at = raw, .end = end };
}

int jsontext_bytes_next(struct jsontext_bytes *b)
{
    if (b->next < b->count)
        return (unsigned char)b->decoded[b->next++];
    if (b->at == b->end || *b->at == '"')
        return -1;
    if (*b->at != '\\')
        return (unsigned char)*b->at++;
    b->count = jsontext_unescape(&b->at, b->decoded);
    b->next = 1;
    return (unsigned char)b->decoded[0];
}
