/* api/auth_private.h - what the files of authentication share. */
#ifndef API_AUTH_PRIVATE_H
#define API_AUTH_PRIVATE_H

#include "api/auth.h"
#include "api/buckets.h"
#include "api/caller.h"
#include "api/failures.h"
#include "api/jwt.h"
#include "api/keyring.h"

struct api_auth {
    struct keyring *ring;      /* owned */
    struct buckets *buckets;   /* owned */
    struct failures *failures; /* owned */
    loop_fn *closed;
    void *closed_ctx;
    int closing; /* parts that are still to close */
};

/* The interceptor's part of one request. */
struct auth_slot {
    struct keyring_wait wait;
    struct api_auth *auth;        /* borrowed */
    struct http_request *request; /* borrowed */
    struct jwt *jwt;              /* in the request's arena; NULL: an API key */
    const char *name;             /* the key's, in the keyring; in the arena */
    struct caller caller;
};

/* What the request shows, taken apart: 0 and slot->name (and jwt); IFP_EUNAUTHORIZED, with why for
 * the log; IFP_ENOMEM. */
int auth_read(struct auth_slot *slot, struct err *e) MUSTCHECK;
/* Whether this key lets it in: 0 and slot->caller; or IFP_EUNAUTHORIZED.  `key` NULL: nobody's. */
int auth_check(struct auth_slot *slot, const struct keyring_key *key, struct err *e) MUSTCHECK;

#endif
