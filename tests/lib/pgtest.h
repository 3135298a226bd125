/*
 * tests/lib/pgtest.h - what the tests of pg/ share: a loop, a second connection that looks on from
 * the outside (and kills), and requests that count how often they finished.
 */
#ifndef LIB_PGTEST_H
#define LIB_PGTEST_H

#include "lib/looptest.h"
#include "pg/pgconn.h"
#include "pg/pgsync.h"

#define PGTEST_APPLICATION "pgtest"

struct pgtest {
    struct loop *loop;    /* owned */
    struct pgsync *admin; /* owned */
    int ups, downs, closed;
    int finished;          /* calls, in all */
    struct err down_error; /* of the last on_down */
};

/* One "select $1::int8" or another statement; its done counts. */
struct pgcall {
    struct pgreq req;
    struct pgtest *test; /* borrowed */
    int done;
    int err;
    int order;     /* among all that finished, from 1 */
    int64_t value; /* first column of the first row, when it is int8 */
    struct err error;
    void (*then)(struct pgcall *call);
    void *ctx;
};

/* cmocka's group set-up and tear-down: fail when DATABASE_URL is missing. */
int pgtest_setup(void **state);
int pgtest_teardown(void **state);
/* Forgets the counts and ends the backends of the test before. */
void pgtest_reset(struct pgtest *t);
struct pgconn_options pgtest_options(struct pgtest *t);
void pgtest_on_closed(void *t);
void pgtest_script(struct pgtest *t, const char *sql);
/* Waits until a connection of the test runs a statement with this text in it. */
void pgtest_until_running(struct pgtest *t, const char *text);
/* Kills all connections of the test and waits until they are gone; gives how many. */
int pgtest_terminate(struct pgtest *t);

void pgcall_init(struct pgcall *c, struct pgtest *t, const struct pgstmt *stmt);
void pgcall_init_echo(struct pgcall *c, struct pgtest *t, int64_t value);
void pgcall_release(struct pgcall *c);

extern const struct pgstmt pgtest_echo;  /* select $1 */
extern const struct pgstmt pgtest_sleep; /* 30 seconds */

#endif
