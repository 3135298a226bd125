/*
 * store/client_keys.h - API keys, JWT keys and workspaces over the blocking connection of
 * store/client.h: for administrators, by the command line and by the server's routes.
 *
 * Keys are those of the client's workspace; one of another is IFP_ENOTFOUND.  Scopes are names
 * separated by single blanks; "*" is all.  Whether names exist is for the caller to check.
 * All of these may be repeated: a lost answer is asked for again.
 */
#ifndef STORE_CLIENT_KEYS_H
#define STORE_CLIENT_KEYS_H

#include "base/apikey.h"
#include "base/secretbox.h"
#include "store/client.h"

struct client_key { /* texts die with the callback */
    const char *id; /* "ifp_" and the prefix */
    const char *name, *scopes;
    const char *state;                                        /* "active", "expired", "revoked" */
    const char *rotated_from;                                 /* an id; NULL: none */
    int64_t rate_per_min, burst;                              /* 0: no limit */
    int64_t created_us, expires_us, revoked_us, last_used_us; /* 0: never */
};
typedef void client_key_fn(void *ctx, const struct client_key *key);

struct client_key_wanted {
    const char *name, *scopes;   /* NULL: "" and "*" */
    int64_t lifetime_ms;         /* 0: for ever */
    int64_t rate_per_min, burst; /* 0: no limit; burst 0: the rate */
    const char *text;            /* the key itself; NULL: a new one */
};

/* Makes a key, whose text is given away here and never again; `each` (may be NULL) is told what was
 * made.  With `text` it may be there already: then that one is shown as it is. */
int client_key_create(struct client *c, const struct client_key_wanted *w, char ret[APIKEY_SIZE],
                      client_key_fn *each, void *ctx, struct err *e) MUSTCHECK;
/* Newest first; `before` is the id that the page before ended with, or NULL. */
int client_key_list(struct client *c, const char *before, int limit, client_key_fn *each, void *ctx,
                    struct err *e) MUSTCHECK;
int client_key_get(struct client *c, const char *id, client_key_fn *each, void *ctx,
                   struct err *e) MUSTCHECK;
int client_key_revoke(struct client *c, const char *id, client_key_fn *each, void *ctx,
                      struct err *e) MUSTCHECK;
/* A new key with the rights of this one, which stays good for overlap_ms.  IFP_ECONFLICT: it is no
 * longer valid. */
int client_key_rotate(struct client *c, const char *id, int64_t overlap_ms, char ret[APIKEY_SIZE],
                      client_key_fn *each, void *ctx, struct err *e) MUSTCHECK;

struct client_jwt_key { /* of a listing: texts die with the callback */
    const char *kid, *issuer, *audience, *scopes;
    const char *alg;      /* "HS256", "RS256", "ES256", "EdDSA" */
    const char *material; /* to create: a public key in PEM; HS256: the secret's bytes */
    size_t material_len;
    int64_t rate_per_min, burst; /* as of API keys */
    int64_t created_us;
};
typedef void client_jwt_key_fn(void *ctx, const struct client_jwt_key *key);

/* IFP_ECONFLICT: there is another one with this kid.  `box` seals the secret of an HS256 key. */
int client_jwt_key_create(struct client *c, const struct client_jwt_key *key,
                          const struct secretbox *box, client_jwt_key_fn *each, void *ctx,
                          struct err *e) MUSTCHECK;
/* By kid; `after` is the one that the page before ended with, or NULL. */
int client_jwt_key_list(struct client *c, const char *after, int limit, client_jwt_key_fn *each,
                        void *ctx, struct err *e) MUSTCHECK;
int client_jwt_key_delete(struct client *c, const char *kid, struct err *e) MUSTCHECK;
/* What the secret of an HS256 key is sealed for. */
enum { CLIENT_JWT_PURPOSE_SIZE = 128 };
void client_jwt_purpose(int32_t workspace_id, const char *kid, char ret[CLIENT_JWT_PURPOSE_SIZE]);

/* Workspaces; the client's own need not exist.  *ret_new: it was not there. */
int client_workspace_create(struct client *c, const char *slug, bool *ret_new,
                            struct err *e) MUSTCHECK;
typedef void client_workspace_fn(void *ctx, const char *slug, int64_t created_us, int64_t keys);
int client_workspace_list(struct client *c, client_workspace_fn *each, void *ctx,
                          struct err *e) MUSTCHECK;

#endif
