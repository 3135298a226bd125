/*
 * tests/lib/storetest.h - a store on a fresh copy of the template database, and the loop that
 * carries it: starts an operation, runs the loop until it is done, keeps what it said.
 *
 * Rows are read by `read` inside the callback, as in the engine.  A guard timer ends the program
 * when an answer does not come within 20 seconds.
 */
#ifndef TESTS_LIB_STORETEST_H
#define TESTS_LIB_STORETEST_H

#include "lib/testdb.h"
#include "store/flush.h"
#include "store/store.h"

#define STORETEST_WORKER INT64_C(4711)
enum { STORETEST_CLAIMS = 64 };

typedef void storetest_read_fn(const struct store_op *op, void *ctx);

struct storetest {
    const char *url;
    bool own_database; /* given back when it closes */
    struct loop *loop;
    struct store *store;
    struct store_op op;
    struct storetest *outer; /* the fixture that was in use before */
    struct timer guard, probe;
    bool closed;
    bool (*until)(void *ctx);
    storetest_read_fn *read;
    void *ctx;
    /* of the last operation */
    int finished, err, rows;
    struct err error;
    bool sent;
    /* of the store */
    int ups, downs, wakes;
    int32_t lane;
    /* of storetest_claim */
    struct store_claimed claimed[STORETEST_CLAIMS];
    int claims;
};

extern const struct store_workflow storetest_workflows[2]; /* "echo" and "wait", version "1" */

/* Fills what the tests do not care about; url NULL makes a fresh copy of the template. */
struct store_options storetest_options(struct storetest *t, const char *url);
void storetest_open(struct storetest *t, const struct store_options *o);
/* A fresh database, an open store, registered, with a living worker STORETEST_WORKER. */
void storetest_start(struct storetest *t);
/* Operations may be in flight: they are finished, and counted in t->finished. */
void storetest_close(struct storetest *t);

/* The done callback of every operation here. */
void storetest_done(struct store_op *op, int err, const struct err *e);
/* Runs the loop until the operation just started is done; gives its error. */
int storetest_wait(struct storetest *t);
/* Runs the loop until `until` says true; it is asked each millisecond. */
void storetest_until(struct storetest *t, bool (*until)(void *ctx), void *ctx);

/* Starts an execution of "echo" from SQL. */
int64_t storetest_execution(const char *workflow);
/* Claims what is due on all lanes and shards into t->claimed; gives how many. */
int storetest_claim(struct storetest *t);
/* Starts an execution, claims it, gives the claim (input is gone). */
struct store_claimed storetest_claimed(struct storetest *t, const char *workflow);

#endif
