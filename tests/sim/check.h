/*
 * tests/sim/check.h - what must be true, told to the checker where it happens.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "sim/db.h"

void check_open(void); /* before a schedule */
/* While it runs: a commit is about to write for (worker, fence); a row was written; any statement
 * was carried out. */
void check_write(const struct db_exec *x, int64_t worker, int64_t fence);
void check_row(const struct db_exec *x, const struct db_row *row);
void check_database(void);
/* The journal of the execution is about to begin anew, with this input. */
void check_continued(const struct db_exec *x, const char *input);
/* The worker heard that this row is durable. */
void check_promise(int64_t exec_id, int64_t key, const char *result);
/* A message was sent to the execution, with this payload. */
void check_sent(int exec, const char *payload);
void check_canceled(int exec);

struct check_body {
    int64_t exec_id, key, worker;
    int32_t fence;
};
/* A step's body begins. */
void check_body(const struct check_body *b);

/* At the end, when nothing is left to do or the time is over. */
void check_end(void);

#endif
