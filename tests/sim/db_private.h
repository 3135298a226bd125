/*
 * tests/sim/db_private.h - what db.c and db_run.c share.
 */
#ifndef TESTS_SIM_DB_PRIVATE_H
#define TESTS_SIM_DB_PRIVATE_H

#include "sim/db.h"

struct db_worker *db_worker_find(int64_t id);

/* The functions of sql/schema with these names. */
const struct pgres *db_claim(const struct wire_call *c, struct err *e);
const struct pgres *db_owned(const struct wire_call *c);
const struct pgres *db_journal(const struct wire_call *c);
const struct pgres *db_flush(const struct wire_call *c);

#endif
