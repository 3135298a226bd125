/*
 * base/jsonptr.c - the look-ups of jsonscan.h: JSON Pointers (RFC 6901), members, strings, numbers.
 *
 * Everything here trusts that jsonscan_check passed the text, and answers with slices of it.  No
 * tree is built: a look-up walks the text once, which for the few fields that a workflow reads of a
 * payload is cheaper than building and freeing a tree.  Bounds are asserted all the same.
 */
#define _GNU_SOURCE 1 /* strtod_l */
#include "base/jsonscan.h"

#include "base/jsontext.h"
#include "base/mem.h"

#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice trim(struct slice v)
{
    while (v.len > 0 && is_space(v.text[0])) {
        v.text++;
        v.len--;
    }
    while (v.len > 0 && is_space(v.text[v.len - 1]))
        v.len--;
    return v;
}

enum ifp_json_type jsonscan_type(struct slice value)
{
    size_t at = 0;

    if (!value.text)
        return IFP_JSON_NONE;
    while (at < value.len && is_space(value.text[at]))
        at++;
    assert(at < value.len);
    switch (value.text[at]) {
    case '{':
        return IFP_JSON_OBJECT;
    case '[':
        return IFP_JSON_ARRAY;
    case '"':
        return IFP_JSON_STRING;
    case 't':
    case 'f':
        return IFP_JSON_BOOL;
    case 'n':
        return IFP_JSON_NULL;
    default:
        return IFP_JSON_NUMBER;
    }
}

/* ---- Walking -------------------------------------------------------------------------------- */

/* All below give a position behind something, within `text` of length `len`. */

static size_t skip_space(const char *text, size_t len, size_t at)
{
    while (at < len && is_space(text[at]))
        at++;
    return at;
}

/* `at` is at the opening quote. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    assert(at < len);
    return at + 1;
}

static size_t skip_container(const char *text, size_t len, size_t at)
{
    int depth = 0;

    do {
        assert(at < len);
        if (text[at] == '"') {
            at = skip_string(text, len, at);
            continue;
        }
        if (text[at] == '{' || text[at] == '[')
            depth++;
        else if (text[at] == '}' || text[at] == ']')
            depth--;
        at++;
    } while (depth > 0);
    return at;
}

static size_t skip_value(const char *text, size_t len, size_t at)
{
    assert(at < len);
    if (text[at] == '"')
        return skip_string(text, len, at);
    if (text[at] == '{' || text[at] == '[')
        return skip_container(text, len, at);
    while (at < len && !is_space(text[at]) && !strchr(",]}", text[at]))
        at++;
    return at;
}

/* Where the item behind the opening bracket or the comma begins, or the closing bracket is. */
static size_t next_item(const char *text, size_t len, size_t at)
{
    at = skip_space(text, len, at);
    assert(at < len);
    if (text[at] != ']' && text[at] != '}')
        at = skip_space(text, len, at + 1);
    assert(at < len);
    return at;
}

bool jsonscan_each(struct slice value, size_t *pos, struct slice *ret_key, struct slice *ret_value)
{
    const char *text = value.text;
    size_t start, end, colon;

    if (*pos == 0 && jsonscan_type(value) != IFP_JSON_OBJECT &&
        jsonscan_type(value) != IFP_JSON_ARRAY)
        return false;
    start = next_item(text, value.len, *pos);
    if (text[start] == ']' || text[start] == '}')
        return false;
    *ret_key = (struct slice){ .text = text + start, .len = 0 };
    end = skip_value(text, value.len, start);
    colon = skip_space(text, value.len, end);
    if (colon < value.len && text[colon] == ':') { /* what was skipped is a key */
        *ret_key = (struct slice){ .text = text + start + 1, .len = end - start - 2 };
        start = skip_space(text, value.len, colon + 1);
        end = skip_value(text, value.len, start);
    }
    *ret_value = (struct slice){ .text = text + start, .len = end - start };
    *pos = end;
    return true;
}

size_t jsonscan_len(struct slice value)
{
    struct slice key, item;
    size_t count = 0, pos = 0;

    while (jsonscan_each(value, &pos, &key, &item))
        count++;
    return count;
}

/* ---- Pointers ------------------------------------------------------------------------------- */

static bool pointer_ok(const char *pointer)
{
    if (*pointer != '\0' && *pointer != '/')
        return false;
    for (const char *at = pointer; *at; at++)
        if (*at == '~' && at[1] != '0' && at[1] != '1')
            return false;
    return true;
}

/* Compares a key's decoded bytes with a token up to the next '/' or the end. */
static bool key_is(struct slice key, const char *token)
{
    struct jsontext_bytes bytes;
    int c;

    jsontext_bytes_init(&bytes, key.text, key.text + key.len);
    while ((c = jsontext_bytes_next(&bytes)) >= 0) {
        int want = (unsigned char)*token;

        if (want == '\0' || want == '/')
            return false;
        if (want == '~')
            want = *++token == '0' ? '~' : '/';
        if (c != want)
            return false;
        token++;
    }
    return *token == '\0' || *token == '/';
}

/* The index that a token spells; IFP_ENOTFOUND for what can be no index of a real array. */
static int parse_index(const char *token, size_t *ret)
{
    size_t len = strcspn(token, "/");
    size_t index = 0;

    if (len == 0 || strspn(token, "0123456789") < len)
        return IFP_ENOTFOUND;
    if (token[0] == '0' && len > 1)
        return IFP_EINVALID;
    for (size_t i = 0; i < len; i++)
        if (__builtin_mul_overflow(index, 10u, &index) ||
            __builtin_add_overflow(index, (size_t)(token[i] - '0'), &index))
            return IFP_ENOTFOUND;
    *ret = index;
    return 0;
}

/* One step down: the member or element that `token` names. */
static int find_child(struct slice value, const char *token, struct slice *ret)
{
    enum ifp_json_type type = jsonscan_type(value);
    struct slice key, item;
    size_t pos = 0, index = 0;

    if (type == IFP_JSON_ARRAY) {
        int rc = parse_index(token, &index);

        if (rc != 0)
            return rc;
    }
    while (jsonscan_each(value, &pos, &key, &item)) {
        if (type == IFP_JSON_ARRAY ? index-- == 0 : key_is(key, token)) {
            *ret = item;
            return 0;
        }
    }
    return IFP_ENOTFOUND;
}

int jsonscan_find(struct slice value, const char *pointer, struct slice *ret)
{
    assert(pointer != NULL);
    if (!pointer_ok(pointer))
        return IFP_EINVALID;
    if (!value.text)
        return IFP_ENOTFOUND;
    value = trim(value);
    while (*pointer == '/') {
        int rc = find_child(value, pointer + 1, &value);

        if (rc != 0)
            return rc;
        pointer += 1 + strcspn(pointer + 1, "/");
    }
    *ret = value;
    return 0;
}

/* ---- Strings -------------------------------------------------------------------------------- */

int jsonscan_string(struct slice value, struct arena *a, char **ret, size_t *ret_len)
{
    const char *at, *end;
    char *text, *out;

    if (jsonscan_type(value) != IFP_JSON_STRING)
        return IFP_EINVALID;
    value = trim(value);
    at = value.text + 1;
    end = value.text + value.len - 1;
    text = out =
        arena_alloc(a, value.len); /* escapes only shrink, and the quotes make room for 0 */
    if (!text)
        return IFP_ENOMEM;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);

        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (escape) {
            char bytes[4];
            size_t count = jsontext_unescape(&at, bytes);

            memcpy(out, bytes, count);
            out += count;
        }
    }
    *out = '\0';
    *ret = text;
    *ret_len = (size_t)(out - text);
    return 0;
}

/* ---- Numbers -------------------------------------------------------------------------------- */

/* value = digits * 10^scale, where the digits neither begin nor end with a zero. */
struct decimal {
    bool negative;
    const char *first; /* borrowed; a point may stand between them */
    size_t count;      /* 0 is the number zero */
    int64_t scale;
};

/* The number behind an "e"; what is too large to matter stays large. */
static int64_t parse_exponent(const char *at, const char *end)
{
    const int64_t limit = INT64_C(1000000000000000);
    bool negative = *at == '-';
    int64_t v = 0;

    if (*at == '-' || *at == '+')
        at++;
    for (; at < end; at++)
        v = MIN(v * 10 + (*at - '0'), limit);
    return negative ? -v : v;
}

static struct decimal parse_decimal(struct slice v)
{
    const char *at = v.text, *end = v.text + v.len;
    struct decimal d = { .negative = *at == '-' };
    int64_t digits = 0, point = -1, first = 0, last = -1, exponent = 0;

    for (at += d.negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = digits;
            continue;
        }
        if (*at != '0') {
            if (last < 0) {
                d.first = at;
                first = digits;
            }
            last = digits;
        }
        digits++;
    }
    if (at < end)
        exponent = parse_exponent(at + 1, end);
    if (last < 0)
        return d;
    d.count = (size_t)(last - first + 1);
    d.scale = exponent + (point < 0 ? digits : point) - (last + 1);
    return d;
}

int jsonscan_int(struct slice value, int64_t *ret)
{
    struct decimal d;
    uint64_t v = 0, limit;

    if (jsonscan_type(value) != IFP_JSON_NUMBER)
        return IFP_EINVALID;
    d = parse_decimal(trim(value));
    limit = (uint64_t)INT64_MAX + d.negative;
    if (d.scale < 0 || d.count > 19 || d.scale > 19)
        return IFP_EINVALID;
    for (size_t i = 0; i < d.count + (size_t)d.scale; i++) {
        unsigned digit = 0;

        if (i < d.count) {
            if (*d.first == '.')
                d.first++;
            digit = (unsigned)(*d.first++ - '0');
        }
        if (v > (limit - digit) / 10)
            return IFP_EINVALID;
        v = v * 10 + digit;
    }
    *ret = d.negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* strtod with a decimal point, whatever locale the host program has set. */
static int to_double(const char *text, double *ret)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double v;

    if (!c_locale)
        return IFP_ENOMEM;
    v = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(v))
        return IFP_EINVALID;
    *ret = v;
    return 0;
}

int jsonscan_double(struct slice value, double *ret)
{
    char small[64];
    char *text = small;
    int rc;

    if (jsonscan_type(value) != IFP_JSON_NUMBER)
        return IFP_EINVALID;
    value = trim(value);
    if (value.len >= sizeof(small)) {
        text = mem_alloc(value.len + 1);
        if (!text)
            return IFP_ENOMEM;
    }
    memcpy(text, value.text, value.len);
    text[value.len] = '\0';
    rc = to_double(text, ret);
    if (text != small)
        mem_free(text);
    return rc;
}
