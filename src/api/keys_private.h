/* api/keys_private.h - what the routes of API keys and of JWT keys share. */
#ifndef API_KEYS_PRIVATE_H
#define API_KEYS_PRIVATE_H

#include "api/answer.h"
#include "api/api.h"
#include "api/offload.h"
#include "store/client_keys.h"

enum { KEYS_SCOPES_MAX = 64, KEYS_RATE_MAX = 10000000 };

/* What a request wants; in its arena. */
struct keys_wanted {
    const struct config *config; /* borrowed */
    const char *name;            /* NULL: none */
    const char *id;              /* of the path */
    const char *before;          /* the cursor */
    struct slice scope_list;     /* JSON */
    char scopes[SCOPE_TEXT_SIZE];
    int64_t lifetime_ms, rate, burst, overlap_ms, limit;
    const char *kid, *issuer, *audience, *public_key, *secret;
    int alg;
    uint32_t mine; /* the caller's scopes */
};

/* The wishes of a request, with what all of them have; NULL: it was answered. */
struct keys_wanted *keys_begin(struct api *api, struct http_request *r);
/* limit and cursor; false: it was answered. */
bool keys_read_page(struct http_request *r, struct keys_wanted *w);
/* Reads the body; false: it was answered. */
bool keys_read_body(struct http_request *r, const struct body_field *fields, size_t count,
                    struct keys_wanted *w);
/* IFP_EFORBIDDEN names the first of these scopes that the caller lacks. */
int keys_may_give(const struct keys_wanted *w, const char *names, struct err *e) MUSTCHECK;

/* One object, or with `limit` a page of them. */
struct keys_page {
    struct answer answer;
    int64_t limit, count;
    char last[128];               /* the name of the last one written */
    char scopes[SCOPE_TEXT_SIZE]; /* of the last one seen */
};

void keys_page_begin(struct keys_page *p, struct offload_call *call, int64_t limit);
/* False: it belongs to the next page.  Else its members follow, and keys_page_next. */
bool keys_page_wants(struct keys_page *p);
void keys_page_next(struct keys_page *p, const char *name);
int keys_page_end(struct keys_page *p, struct offload_call *call, struct err *e) MUSTCHECK;
/* "scopes", and the rate when there is one. */
void keys_write_rights(struct answer *a, const char *scopes, int64_t rate, int64_t burst);

route_handler_fn keys_list_jwt;
route_handler_fn keys_create_jwt;
route_handler_fn keys_delete_jwt;

#endif
