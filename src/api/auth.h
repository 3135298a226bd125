/*
 * api/auth.h - who asks, and how often: the interceptors `auth` and `rate-limit` (http/chain.h),
 * in this order, both with the struct api_auth as their self.
 *
 *   auth        Authorization: Bearer <API key or JWT> -> r->caller; 401, 403, 429, 503
 *   rate-limit  a token of the key's bucket -> X-RateLimit-*; 429 with Retry-After
 *
 * Public routes and unknown paths pass both.  What is known of a key is kept for
 * CONFIG_KEY_CACHE_TIME and dropped at once when the database says that it changed, so neither
 * costs a statement a request.  Loop thread only.
 */
#ifndef API_AUTH_H
#define API_AUTH_H

#include "base/config.h"
#include "http/chain.h"
#include "store/front.h"

struct api_auth;

/* All borrowed, and must outlive it. */
int auth_open(struct loop *l, const struct config *config, struct front *front,
              struct api_auth **ret, struct err *e) MUSTCHECK;
/* When no request is in its hands any more, and before the front is closed.  NULL is fine, then
 * `closed` comes all the same. */
void auth_close(struct api_auth *a, loop_fn *closed, void *ctx);

extern const struct interceptor auth_interceptor;
extern const struct interceptor auth_rate_interceptor;

#endif
