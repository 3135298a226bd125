/*
 * api/failures.h - failed attempts to authenticate, counted by address, a minute at a time.
 *
 * Secrets have 256 bits, so guessing is hopeless; what is kept small is what guessing costs the
 * database and the logs.  At most FAILURES_ADDRESSES addresses are kept, the least recent ones go.
 */
#ifndef API_FAILURES_H
#define API_FAILURES_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAILURES_ADDRESSES = 10000, FAILURES_WINDOW_US = 60000000 };

struct failures;

/* NULL: out of memory. */
struct failures *failures_new(int64_t max) MUSTCHECK;
void failures_free(struct failures *f); /* NULL is fine */
/* One more; it is not counted when memory is out. */
void failures_add(struct failures *f, const char *address);
/* 0: it may go on; else how long until it may, in microseconds. */
int64_t failures_wait_us(const struct failures *f, const char *address);

#endif
