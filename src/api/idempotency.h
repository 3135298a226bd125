/*
 * api/idempotency.h - Idempotency-Key for routes that run as blocking calls and create something
 * (ROUTE_CREATES): the first answer is kept for CONFIG_IDEMPOTENCY_TTL and given again, also by
 * other servers.  Starts, forks and messages have keys of their own in the database.
 *
 * Another request under the key is 422, one that is still under way 409; a failure is not kept.
 * The answer is sealed with what the caller showed to be let in, so whoever reads the database does
 * not read the secrets in it, and another key of the workspace is not given it (409).
 */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "api/offload.h"

/* Pool thread: runs call->fn, or leaves the kept answer in the call. */
int idempotency_run(struct offload_call *call, struct client *client, struct err *e) MUSTCHECK;

#endif
