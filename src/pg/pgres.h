/*
 * pg/pgres.h - reads the rows of an answer, which always come in binary format.
 * Borrowed: text and bytes live as long as the result.  A wrong column type or width is a bug of
 * ours and asserts; SQL null must be asked for first.
 */
#ifndef PG_PGRES_H
#define PG_PGRES_H

#include "base/base.h"
#include "base/jsonscan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgres; /* a PGresult */

int pgres_rows(const struct pgres *r);
bool pgres_null(const struct pgres *r, int row, int col);
bool pgres_bool(const struct pgres *r, int row, int col);
int16_t pgres_int2(const struct pgres *r, int row, int col);
int32_t pgres_int4(const struct pgres *r, int row, int col);
int64_t pgres_int8(const struct pgres *r, int row, int col);
/* Microseconds since 1970; +-infinity gives INT64_MAX or INT64_MIN. */
int64_t pgres_timestamptz(const struct pgres *r, int row, int col);
/* Zero-terminated (libpq does that); NULL for SQL null. */
const char *pgres_text(const struct pgres *r, int row, int col);
/* text NULL for SQL null. */
struct slice pgres_bytes(const struct pgres *r, int row, int col);

#endif
