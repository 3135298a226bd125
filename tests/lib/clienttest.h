/*
 * tests/lib/clienttest.h - a blocking client on a fresh copy of the template database, in which the
 * workflows "echo" (queue "default") and "wait" (queue "slow", deadline one hour) are registered.
 */
#ifndef TESTS_LIB_CLIENTTEST_H
#define TESTS_LIB_CLIENTTEST_H

#include "lib/testdb.h"
#include "store/client.h"

enum { CLIENTTEST_PAYLOAD_MAX = 2000, CLIENTTEST_INLINE_MAX = 100 };

struct clienttest {
    const char *url;
    struct client c;
    struct err e;
};

int clienttest_setup(void **state);
int clienttest_teardown(void **state); /* disarms all faults */

int clienttest_start_with(struct clienttest *t, const char *workflow, const char *input,
                          const ifp_start_options *o, int64_t *ret_id, bool *ret_created);
/* Starts an execution, which must work, and gives its id. */
int64_t clienttest_started(struct clienttest *t, const char *workflow, const char *input);
/* The text of the last error contains this one. */
void clienttest_expect_text(const struct clienttest *t, const char *text);
/* Ends the execution as a worker would have; `output` is an SQL expression. */
void clienttest_end(int64_t id, int status, const char *output);

#endif
