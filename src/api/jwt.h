/*
 * api/jwt.h - JSON Web Tokens (RFC 7519) in compact form, checked against one key.  Pure: no clock,
 * no look-up.
 *
 *   jwt_parse: what is written     ->  kid, to find the key by  ->  jwt_check: is it so?
 *
 * The header decides nothing: it must name the algorithm that the key has.  What is read before the
 * signature was checked is used to look for the key and for nothing else.
 */
#ifndef API_JWT_H
#define API_JWT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdbool.h>
#include <stdint.h>

enum { JWT_SIZE_MAX = 8192, JWT_KID_MAX = 100, JWT_LEEWAY_S = 60 };

struct jwt {                  /* all in the arena, or slices of the token */
    struct slice signed_text; /* header.payload, as it came */
    struct slice payload;     /* checked JSON */
    const uint8_t *sig;
    size_t sig_len;
    const char *alg, *kid; /* of the header */
};

struct jwt_rules {
    const struct crypto_verifier *verifier; /* borrowed */
    const char *issuer, *audience;          /* borrowed */
};

struct jwt_claims {      /* in the arena */
    const char *subject; /* "" when there is none */
    const char *scope;   /* names with blanks between them; NULL: the claim is not there */
    int64_t expires_s;
};

/* Does it look like one: three parts? */
bool jwt_is(struct slice token);
/* IFP_EUNAUTHORIZED, with why in `e` (for logs, not for who asks); IFP_ENOMEM. */
int jwt_parse(struct slice token, struct arena *a, struct jwt *ret, struct err *e) MUSTCHECK;
/* The same; now_s is the database's time in seconds since 1970. */
int jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s, struct arena *a,
              struct jwt_claims *ret, struct err *e) MUSTCHECK;

#endif
