/*
 * base/ids.c - everything here but the two random sources is pure, and what it gives is stored in
 * databases: a change of any result is a change of format.
 */
#include "base/ids.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { ID_CHARS = 13, ID_PREFIX_LEN = 4 };

static const char id_prefix[] = "exe_";
static const char base32[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford: no i l o u */

int ids_random(void *ret, size_t len)
{
    uint8_t *at = ret;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return IFP_ESERVER;
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

int ids_worker(int64_t *ret_id)
{
    uint64_t bits = 0;

    while ((bits & INT64_MAX) == 0) {
        int rc = ids_random(&bits, sizeof(bits));

        if (rc != 0)
            return rc;
    }
    *ret_id = (int64_t)(bits & INT64_MAX);
    return 0;
}

static void format_uuid(const uint8_t b[16], char ret[IDS_UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *at = ret;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    *at = '\0';
    assert(at == ret + IDS_UUID_SIZE - 1);
}

static void set_version(uint8_t b[16], unsigned version)
{
    b[6] = (uint8_t)((b[6] & 0x0f) | (version << 4));
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
}

void ids_uuid7(int64_t unix_ms, const uint8_t random[10], char ret[IDS_UUID_SIZE])
{
    uint8_t b[16];

    assert(unix_ms >= 0 && unix_ms >> 48 == 0);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    memcpy(b + 6, random, 10);
    set_version(b, 7);
    format_uuid(b, ret);
}

void ids_uuid4(const uint8_t random[16], char ret[IDS_UUID_SIZE])
{
    uint8_t b[16];

    memcpy(b, random, sizeof(b));
    set_version(b, 4);
    format_uuid(b, ret);
}

void ids_execution_format(int64_t id, char ret[IFP_ID_SIZE])
{
    uint64_t rest = (uint64_t)id;

    assert(id >= 0);
    memcpy(ret, id_prefix, ID_PREFIX_LEN);
    for (int i = ID_CHARS - 1; i >= 0; i--) {
        ret[ID_PREFIX_LEN + i] = base32[rest & 31];
        rest >>= 5;
    }
    ret[ID_PREFIX_LEN + ID_CHARS] = '\0';
}

int ids_execution_parse(const char *text, int64_t *ret_id)
{
    uint64_t id = 0;

    if (strnlen(text, IFP_ID_SIZE) != IFP_ID_SIZE - 1)
        return IFP_EINVALID;
    if (strncasecmp(text, id_prefix, ID_PREFIX_LEN) != 0)
        return IFP_EINVALID;
    text += ID_PREFIX_LEN;
    if (text[0] < '0' || text[0] > '7') /* 65 bits of text hold 63 of number */
        return IFP_EINVALID;
    for (int i = 0; i < ID_CHARS; i++) {
        int c = text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i];
        const char *digit = strchr(base32, c);

        if (!digit)
            return IFP_EINVALID;
        id = id << 5 | (uint64_t)(digit - base32);
    }
    assert(id <= INT64_MAX);
    *ret_id = (int64_t)id;
    return 0;
}

static uint64_t fnv1a(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

int64_t ids_step_key(const char *name, size_t len, uint32_t occurrence)
{
    const uint8_t tail[5] = { 0, (uint8_t)occurrence, (uint8_t)(occurrence >> 8),
                              (uint8_t)(occurrence >> 16), (uint8_t)(occurrence >> 24) };
    uint64_t hash = fnv1a(UINT64_C(0xcbf29ce484222325), name, len);

    assert(occurrence >= 1);
    hash = fnv1a(hash, tail, sizeof(tail));
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (int64_t)(hash ^ (hash >> 33));
}

static uint64_t splitmix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t ids_derive(uint64_t seed, uint64_t call, uint64_t counter)
{
    return splitmix64(splitmix64(splitmix64(seed) ^ call) ^ counter);
}
