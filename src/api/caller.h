/*
 * api/caller.h - who asks: set by the interceptor `auth` before any handler runs.
 * Every statement of a handler takes its workspace from here, never from the request.
 */
#ifndef API_CALLER_H
#define API_CALLER_H

#include "http/request.h"

#include <assert.h>
#include <stdint.h>

struct caller {
    int64_t key_id;       /* of an API key; 0: a JWT */
    int32_t workspace_id; /* the workspace it belongs to: the only one it may see */
    char workspace[64];   /* its slug */
    uint32_t scopes;      /* bits, api/scope.h */
    char name[64];        /* of the key, or the JWT's subject: for logs */
    int64_t rate_per_min; /* requests a minute; 0: no limit */
    int64_t burst;
};

static inline const struct caller *caller_of(const struct http_request *r)
{
    assert(r->caller);
    return r->caller;
}

#endif
