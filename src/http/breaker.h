/*
 * http/breaker.h - the interceptor "circuit-breaker": when a route fails again and again, the next
 * requests are refused at once instead of queueing for what is broken.
 *
 *   CLOSED --CONFIG_HTTP_BREAKER_FAILURES in a row--> OPEN --CONFIG_HTTP_BREAKER_TIME--> PROBING
 *   PROBING --the probe fails--> OPEN            PROBING --it does not--> CLOSED
 *
 * Each route has its own.  A failure is an answer that tells of this server or its database
 * (SERVER_ERROR, UNAVAILABLE, TIMEOUT, OUT_OF_MEMORY, SCHEMA_MISMATCH); that a user's execution
 * failed is none.  While it is open: 503 UNAVAILABLE with Retry-After.  One request a period is let
 * through as the probe.  Public routes (health, ready) tell the state of things and are left alone.
 */
#ifndef HTTP_BREAKER_H
#define HTTP_BREAKER_H

#include "http/chain.h"

struct breaker; /* the interceptor's `self` */

/* failures 0: never opens. */
int breaker_open(int64_t failures, int64_t time_ms, struct breaker **ret, struct err *e) MUSTCHECK;
void breaker_close(struct breaker *b); /* NULL is fine */

extern const struct interceptor breaker_interceptor;

#endif
