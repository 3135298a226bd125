/*
 * pg/pgres.c - reads what PostgreSQL's "send" functions wrote.
 *
 * struct pgres is libpq's PGresult under a name of ours, so that libpq-fe.h stays inside pg/.
 * Every reader asserts the column's type and width: the statements are ours, so another type is a
 * bug of ours, and reading 4 bytes as 8 must not go unnoticed in any build.
 */
#include "pg/pgres.h"

#include "pg/pgargs.h"

#include <assert.h>
#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

/* Types that travel as plain text beside text itself (pg_type.oid). */
enum { OID_NAME = 19, OID_JSON = 114, OID_UNKNOWN = 705, OID_BPCHAR = 1042, OID_VARCHAR = 1043 };

static const PGresult *raw(const struct pgres *r)
{
    return (const PGresult *)(const void *)r;
}

static const char *fixed(const struct pgres *r, int row, int col, enum pgtype type, int width)
{
    assert(row >= 0 && row < PQntuples(raw(r)));
    assert(col >= 0 && col < PQnfields(raw(r)));
    assert(PQftype(raw(r), col) == (Oid)type);
    assert(PQfformat(raw(r), col) == 1);
    assert(PQgetlength(raw(r), row, col) == width); /* also when null was not asked for */
    return PQgetvalue(raw(r), row, col);
}

int pgres_rows(const struct pgres *r)
{
    return PQntuples(raw(r));
}

bool pgres_null(const struct pgres *r, int row, int col)
{
    assert(row >= 0 && row < PQntuples(raw(r)));
    assert(col >= 0 && col < PQnfields(raw(r)));
    return PQgetisnull(raw(r), row, col);
}

bool pgres_bool(const struct pgres *r, int row, int col)
{
    return *fixed(r, row, col, PGTYPE_BOOL, 1) != 0;
}

int16_t pgres_int2(const struct pgres *r, int row, int col)
{
    uint16_t v;

    memcpy(&v, fixed(r, row, col, PGTYPE_INT2, sizeof(v)), sizeof(v));
    return (int16_t)be16toh(v);
}

int32_t pgres_int4(const struct pgres *r, int row, int col)
{
    uint32_t v;

    memcpy(&v, fixed(r, row, col, PGTYPE_INT4, sizeof(v)), sizeof(v));
    return (int32_t)be32toh(v);
}

int64_t pgres_int8(const struct pgres *r, int row, int col)
{
    uint64_t v;

    memcpy(&v, fixed(r, row, col, PGTYPE_INT8, sizeof(v)), sizeof(v));
    return (int64_t)be64toh(v);
}

int64_t pgres_timestamptz(const struct pgres *r, int row, int col)
{
    uint64_t v;
    int64_t us;

    memcpy(&v, fixed(r, row, col, PGTYPE_TIMESTAMPTZ, sizeof(v)), sizeof(v));
    us = (int64_t)be64toh(v);
    if (us == INT64_MIN || us > INT64_MAX - PG_EPOCH_UNIX_US)
        return us == INT64_MIN ? INT64_MIN : INT64_MAX;
    return us + PG_EPOCH_UNIX_US;
}

static bool is_text(Oid type)
{
    return type == PGTYPE_TEXT || type == OID_VARCHAR || type == OID_NAME || type == OID_JSON ||
           type == OID_BPCHAR || type == OID_UNKNOWN;
}

const char *pgres_text(const struct pgres *r, int row, int col)
{
    if (pgres_null(r, row, col))
        return NULL;
    assert(is_text(PQftype(raw(r), col)));
    return PQgetvalue(raw(r), row, col);
}

struct slice pgres_bytes(const struct pgres *r, int row, int col)
{
    Oid type = PQftype(raw(r), col);

    if (pgres_null(r, row, col))
        return (struct slice){ NULL, 0 };
    assert(type == PGTYPE_BYTEA || type == PGTYPE_UUID || is_text(type));
    return (struct slice){ PQgetvalue(raw(r), row, col), (size_t)PQgetlength(raw(r), row, col) };
}
