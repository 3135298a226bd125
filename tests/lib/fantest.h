/*
 * tests/lib/fantest.h - what the tests of parallel steps and of children share: steps that count,
 * wait at a gate, or fail while something is broken.
 */
#ifndef TESTS_LIB_FANTEST_H
#define TESTS_LIB_FANTEST_H

#include "lib/enginetest.h"

struct fantest {
    atomic_int passes, calls, tries;
    struct enginetest_gate gate;
    atomic_bool broken;
};
extern struct fantest fantest; /* zeroed, with an open gate, for each test */

/* Counts the call and gives its input. */
ifp_step_fn fantest_give_back;
/* The same behind the gate. */
ifp_step_fn fantest_pass_gate;
/* The same, but fails with BROKEN while `broken` is set. */
ifp_step_fn fantest_fail_while_broken;

/* enginetest_setup with these workflows, and its end. */
int fantest_setup(void **state, const struct engine_workflow *workflows, size_t n);
int fantest_teardown(void **state);

#endif
