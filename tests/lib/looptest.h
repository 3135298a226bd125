/*
 * tests/lib/looptest.h - runs the event loop until a condition holds, and fails the test when that
 * takes more than 20 seconds.  The condition is looked at each millisecond.
 */
#ifndef LIB_LOOPTEST_H
#define LIB_LOOPTEST_H

#include "loop/loop.h"

#include <stdbool.h>

typedef bool looptest_fn(void *ctx);

struct loop *looptest_open(void);
void looptest_close(struct loop *l); /* asserts, as loop_close does, that nothing is left */
void looptest_until(struct loop *l, looptest_fn *done, void *ctx);
/* Until *value is at least `wanted`. */
void looptest_count(struct loop *l, const int *value, int wanted);

#endif
