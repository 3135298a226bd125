/*
 * tests/lib/testdb.h - a database of its own for each test: a copy of the template `ifp_template`
 * on the cluster that DATABASE_URL (or PGHOST and its like) names.
 *
 * A test may give its copy back, which is then emptied for the next: far cheaper than another copy.
 * Copies are dropped at exit, with force, by the process that made them; on a server of
 * scripts/testdb they end with the server.  Every mistake ends the program with a text: a test
 * without its database has nothing to say.
 */
#ifndef TESTS_LIB_TESTDB_H
#define TESTS_LIB_TESTDB_H

#include <stdbool.h>
#include <stdint.h>

/* *ret_url is a connection string, valid until the program ends.  The other calls then use this
 * database, until the next testdb_create. */
void testdb_create(const char **ret_url);
/* Its url may not be used any more: the next testdb_create may give the same database again, with
 * its other sessions ended, all rows of schema inferpipe gone and the clock put right.  What was
 * made outside that schema stays; one whose tables or functions were changed is not used again. */
void testdb_give_back(const char *url);
/* The same from an empty database, for the migrations. */
void testdb_create_empty(const char **ret_url);

/* A statement or several; must succeed. */
void testdb_exec(const char *sql);
/* The first column of the first row as an integer; null and no row give INT64_MIN. */
int64_t testdb_int8(const char *sql);
/* The same as text, valid until the next call; NULL for null and no row. */
const char *testdb_text(const char *sql);
/* printf forms of the two, for ids in a statement. */
void testdb_execf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As testdb_execf, past the audit trigger: for states that only a crash or a bug leaves behind. */
void testdb_forcef(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t testdb_int8f(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A second session, with a transaction of its own: it may hold locks. */
struct testdb_session;
struct testdb_session *testdb_session_open(void);
void testdb_session_exec(struct testdb_session *s, const char *sql);
void testdb_session_close(struct testdb_session *s);

#endif
