/*
 * pg/pgargs.h - the parameters of one statement in PostgreSQL's binary format, and arrays of them.
 *
 * struct pgargs is built once, left to right, with one call a parameter; struct pgarray is a column
 * of a batch, one call an element.  Both fail sticky when memory is out; pgconn and pgsync refuse a
 * broken one with IFP_ENOMEM.  Format: the "send" functions of PostgreSQL's types: integers in
 * network order, timestamptz as microseconds since 2000-01-01 UTC, arrays with array_send's header.
 */
#ifndef PG_PGARGS_H
#define PG_PGARGS_H

#include "base/base.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PGARGS_MAX = 96 };
#define PG_EPOCH_UNIX_US INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */

/* Type numbers (pg_type.oid) of what we send. */
enum pgtype {
    PGTYPE_BOOL = 16,
    PGTYPE_BYTEA = 17,
    PGTYPE_INT8 = 20,
    PGTYPE_INT2 = 21,
    PGTYPE_INT4 = 23,
    PGTYPE_TEXT = 25,
    PGTYPE_TIMESTAMPTZ = 1184,
    PGTYPE_UUID = 2950
};

struct pgarray {
    struct buf data; /* elements, without the header */
    enum pgtype type;
    int count;
    bool has_null;
};

void pgarray_init(struct pgarray *a, enum pgtype type);
void pgarray_release(struct pgarray *a);
void pgarray_reset(struct pgarray *a); /* empty again, keeps the memory */
void pgarray_null(struct pgarray *a);
/* The element's type must be the array's (asserted). */
void pgarray_int2(struct pgarray *a, int16_t v);
void pgarray_int4(struct pgarray *a, int32_t v);
void pgarray_int8(struct pgarray *a, int64_t v);
void pgarray_timestamptz(struct pgarray *a, int64_t unix_us);
void pgarray_text(struct pgarray *a, const char *s);                 /* NULL gives null */
void pgarray_bytes(struct pgarray *a, const void *data, size_t len); /* text or bytea; NULL: null */

struct pgargs {
    struct buf data; /* owned; all values, one after the other */
    int count;
    struct {
        size_t offset;
        int len; /* -1 is null */
        enum pgtype type;
        bool array;
    } items[PGARGS_MAX];
};

void pgargs_init(struct pgargs *a);
void pgargs_release(struct pgargs *a);
void pgargs_reset(struct pgargs *a);
void pgargs_null(struct pgargs *a, enum pgtype type);
void pgargs_bool(struct pgargs *a, bool v);
void pgargs_int2(struct pgargs *a, int16_t v);
void pgargs_int4(struct pgargs *a, int32_t v);
void pgargs_int8(struct pgargs *a, int64_t v);
void pgargs_timestamptz(struct pgargs *a, int64_t unix_us);
void pgargs_text(struct pgargs *a, const char *s);                 /* NULL gives null */
void pgargs_bytes(struct pgargs *a, const void *data, size_t len); /* bytea; NULL gives null */
void pgargs_uuid(struct pgargs *a, const uint8_t bytes[16]);       /* NULL gives null */
void pgargs_array(struct pgargs *a, const struct pgarray *array);  /* copies */

#endif
