/*
 * api/failures.c - a map from addresses to counts, with its entries in the order of their last
 * failure.  The map's key is a hash of the address under a random salt, so that nobody can choose
 * addresses that fall together; should two do so, they share a count.
 */
#include "api/failures.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <string.h>

enum { SALT_SIZE = 16, ADDRESS_MAX = 64 };

struct failing {
    struct list link; /* in `order` */
    uint64_t key;
    int64_t since_us, count; /* of the present window */
};

struct failures {
    struct map map;    /* hash of the address -> struct failing, owned */
    struct list order; /* the least recent first */
    int64_t max;
    uint8_t salt[SALT_SIZE];
};

struct failures *failures_new(int64_t max)
{
    struct failures *f = mem_zalloc(sizeof(*f));

    if (!f)
        return NULL;
    map_init(&f->map);
    list_init(&f->order);
    f->max = max;
    if (ids_random(f->salt, sizeof(f->salt)) != 0) {
        mem_free(f);
        return NULL;
    }
    return f;
}

void failures_free(struct failures *f)
{
    struct list *it;

    if (!f)
        return;
    while ((it = list_pop(&f->order)))
        mem_free(CONTAINER_OF(it, struct failing, link));
    map_release(&f->map);
    mem_free(f);
}

static uint64_t key_of(const struct failures *f, const char *address)
{
    uint8_t text[SALT_SIZE + ADDRESS_MAX], hash[CRYPTO_SHA256_SIZE];
    size_t len = strnlen(address, ADDRESS_MAX);
    uint64_t key = 0;

    memcpy(text, f->salt, SALT_SIZE);
    memcpy(text + SALT_SIZE, address, len);
    if (crypto_sha256(text, SALT_SIZE + len, hash) == 0)
        memcpy(&key, hash, sizeof(key));
    return key;
}

static struct failing *make(struct failures *f, uint64_t key)
{
    struct failing *x = mem_zalloc(sizeof(*x));

    if (!x)
        return NULL;
    list_init(&x->link);
    x->key = key;
    if (map_put(&f->map, key, x) != 0) {
        mem_free(x);
        return NULL;
    }
    if (f->map.count > FAILURES_ADDRESSES) {
        struct failing *oldest = CONTAINER_OF(list_pop(&f->order), struct failing, link);

        (void)map_del(&f->map, oldest->key);
        mem_free(oldest);
    }
    return x;
}

void failures_add(struct failures *f, const char *address)
{
    uint64_t key = key_of(f, address);
    struct failing *x = map_get(&f->map, key);
    int64_t now = clock_mono_us();

    if (!x)
        x = make(f, key);
    if (!x)
        return;
    list_del(&x->link);
    list_push(&f->order, &x->link);
    if (x->count == 0 || now - x->since_us >= FAILURES_WINDOW_US) {
        x->since_us = now;
        x->count = 0;
    }
    x->count++;
}

int64_t failures_wait_us(const struct failures *f, const char *address)
{
    const struct failing *x = map_get(&f->map, key_of(f, address));
    int64_t left = x ? x->since_us + FAILURES_WINDOW_US - clock_mono_us() : 0;

    return x && x->count >= f->max && left > 0 ? left : 0;
}
