/*
 * api/keyring.h - what this process knows of keys, API keys and those of JWTs alike, by name: an
 * API key's prefix, or "workspace/kid".
 *
 *   asked for -> looked up (many names in one statement) -> known for CONFIG_KEY_CACHE_TIME
 *
 * Who asks for a name that is being looked up joins that look-up.  That a name is nobody's is
 * remembered as well, in a quarter of the places at most, so that guessing cannot push keys out.
 * The database notifies of every change: the name is then looked up again before it is used again,
 * so a revoked key stops at once where notifications arrive, and within the cache time elsewhere.
 * A key in use is looked up again at half of that time, while requests go on.  When the database is
 * away, what is known stays good for the rest of its time; then IFP_EUNAVAILABLE.
 */
#ifndef API_KEYRING_H
#define API_KEYRING_H

#include "base/apikey.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/secretbox.h"
#include "store/front.h"

#include <stdbool.h>
#include <stdint.h>

enum { KEYRING_NAME_MAX = 63 + 1 + 100, KEYRING_LOOKUPS_MAX = 1000 };

struct keyring_key { /* texts are the keyring's, and change when it is looked up again */
    int64_t id;      /* of a JWT's key: negative */
    int32_t workspace_id;
    char workspace[64];
    char name[64]; /* cut */
    uint32_t scopes;
    int64_t rate_per_min, burst;
    int64_t db_us, mono_us; /* the database's time, and ours just before it was asked */
    /* Of an API key: */
    uint8_t hash[CRYPTO_SHA256_SIZE];
    int64_t expires_us; /* 0: never */
    bool revoked;
    /* Of a JWT's: */
    struct crypto_verifier *verifier; /* owned */
    char *issuer, *audience;          /* owned */
};

/* The database's time now, never ahead of it: for what has expired. */
int64_t keyring_now_us(const struct keyring_key *key);

struct keyring;

int keyring_open(struct loop *l, const struct config *config, struct front *front,
                 struct keyring **ret, struct err *e) MUSTCHECK;
/* Nobody waits any more. */
void keyring_close(struct keyring *k, loop_fn *closed, void *ctx);

enum keyring_answer {
    KEYRING_KNOWN,  /* *ret is the key, until the loop turns */
    KEYRING_NOBODY, /* there is none of that name */
    KEYRING_STALE,  /* it was known: ask */
    KEYRING_UNKNOWN /* ask */
};
enum keyring_answer keyring_look(struct keyring *k, const char *name,
                                 const struct keyring_key **ret) MUSTCHECK;

/* Embedded in who waits; in the keyring's hands until `done`, which comes once, from the loop. */
struct keyring_wait {
    struct list link; /* in its name's list */
    /* key NULL and err 0: there is none of that name. */
    void (*done)(struct keyring_wait *w, int err, const struct keyring_key *key,
                 const struct err *e);
};
/* After KEYRING_STALE or KEYRING_UNKNOWN.  IFP_EUNAVAILABLE (too many look-ups wait) and
 * IFP_ENOMEM: `done` does not come. */
int keyring_ask(struct keyring *k, const char *name, struct keyring_wait *w,
                struct err *e) MUSTCHECK;
/* An API key was used: the database hears of it soon, and at most once a minute. */
void keyring_used(struct keyring *k, const char *name);

struct keyring_stats {
    int64_t keys, nobodies, statements, notified;
};
struct keyring_stats keyring_stats(const struct keyring *k);

#endif
