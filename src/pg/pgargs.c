/*
 * pg/pgargs.c - writes parameters and arrays as PostgreSQL's "receive" functions read them.
 *
 * Values go one after the other into one buffer, and offsets are kept instead of pointers because
 * the buffer moves when it grows; pgparam.c turns them into pointers when the statement is sent.
 * What is too large for the protocol's 32-bit lengths breaks the builder like missing memory does.
 */
#include "pg/pgargs.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* The ends of the time line stand for infinity, as they do on the server. */
static int64_t pg_time(int64_t unix_us)
{
    if (unix_us == INT64_MAX)
        return INT64_MAX;
    if (unix_us < INT64_MIN + PG_EPOCH_UNIX_US)
        return INT64_MIN;
    return unix_us - PG_EPOCH_UNIX_US;
}

void pgarray_init(struct pgarray *a, enum pgtype type)
{
    buf_init(&a->data);
    a->type = type;
    a->count = 0;
    a->has_null = false;
}

void pgarray_release(struct pgarray *a)
{
    buf_release(&a->data);
    a->count = 0;
    a->has_null = false;
}

void pgarray_reset(struct pgarray *a)
{
    buf_reset(&a->data);
    a->count = 0;
    a->has_null = false;
}

void pgarray_null(struct pgarray *a)
{
    buf_be32(&a->data, UINT32_MAX); /* a length of -1 */
    a->has_null = true;
    a->count++;
}

void pgarray_int2(struct pgarray *a, int16_t v)
{
    assert(a->type == PGTYPE_INT2);
    buf_be32(&a->data, 2);
    buf_be16(&a->data, (uint16_t)v);
    a->count++;
}

void pgarray_int4(struct pgarray *a, int32_t v)
{
    assert(a->type == PGTYPE_INT4);
    buf_be32(&a->data, 4);
    buf_be32(&a->data, (uint32_t)v);
    a->count++;
}

void pgarray_int8(struct pgarray *a, int64_t v)
{
    assert(a->type == PGTYPE_INT8);
    buf_be32(&a->data, 8);
    buf_be64(&a->data, (uint64_t)v);
    a->count++;
}

void pgarray_timestamptz(struct pgarray *a, int64_t unix_us)
{
    assert(a->type == PGTYPE_TIMESTAMPTZ);
    buf_be32(&a->data, 8);
    buf_be64(&a->data, (uint64_t)pg_time(unix_us));
    a->count++;
}

void pgarray_bytes(struct pgarray *a, const void *data, size_t len)
{
    assert(a->type == PGTYPE_TEXT || a->type == PGTYPE_BYTEA);
    if (!data) {
        pgarray_null(a);
        return;
    }
    if (len > INT_MAX) {
        a->data.broken = true;
        return;
    }
    buf_be32(&a->data, (uint32_t)len);
    buf_put(&a->data, data, len);
    a->count++;
}

void pgarray_text(struct pgarray *a, const char *s)
{
    assert(a->type == PGTYPE_TEXT);
    pgarray_bytes(a, s, s ? strlen(s) : 0);
}

void pgargs_init(struct pgargs *a)
{
    buf_init(&a->data);
    a->count = 0;
}

void pgargs_release(struct pgargs *a)
{
    buf_release(&a->data);
    a->count = 0;
}

void pgargs_reset(struct pgargs *a)
{
    buf_reset(&a->data);
    a->count = 0;
}

/* Begins a parameter at the end of the data; `finish` gives it its length. */
static void begin(struct pgargs *a, enum pgtype type, bool array)
{
    assert(a->count < PGARGS_MAX);
    a->items[a->count].offset = a->data.len;
    a->items[a->count].len = -1;
    a->items[a->count].type = type;
    a->items[a->count].array = array;
}

static void finish(struct pgargs *a)
{
    size_t len = a->data.len - a->items[a->count].offset;

    if (len > INT_MAX)
        a->data.broken = true;
    else
        a->items[a->count].len = (int)len;
    a->count++;
}

void pgargs_null(struct pgargs *a, enum pgtype type)
{
    begin(a, type, false);
    a->count++;
}

void pgargs_bool(struct pgargs *a, bool v)
{
    begin(a, PGTYPE_BOOL, false);
    buf_putc(&a->data, v ? 1 : 0);
    finish(a);
}

void pgargs_int2(struct pgargs *a, int16_t v)
{
    begin(a, PGTYPE_INT2, false);
    buf_be16(&a->data, (uint16_t)v);
    finish(a);
}

void pgargs_int4(struct pgargs *a, int32_t v)
{
    begin(a, PGTYPE_INT4, false);
    buf_be32(&a->data, (uint32_t)v);
    finish(a);
}

void pgargs_int8(struct pgargs *a, int64_t v)
{
    begin(a, PGTYPE_INT8, false);
    buf_be64(&a->data, (uint64_t)v);
    finish(a);
}

void pgargs_timestamptz(struct pgargs *a, int64_t unix_us)
{
    begin(a, PGTYPE_TIMESTAMPTZ, false);
    buf_be64(&a->data, (uint64_t)pg_time(unix_us));
    finish(a);
}

static void put(struct pgargs *a, enum pgtype type, const void *data, size_t len)
{
    if (!data) {
        pgargs_null(a, type);
        return;
    }
    begin(a, type, false);
    buf_put(&a->data, data, len);
    finish(a);
}

void pgargs_text(struct pgargs *a, const char *s)
{
    put(a, PGTYPE_TEXT, s, s ? strlen(s) : 0);
}

void pgargs_bytes(struct pgargs *a, const void *data, size_t len)
{
    put(a, PGTYPE_BYTEA, data, len);
}

void pgargs_uuid(struct pgargs *a, const uint8_t bytes[16])
{
    put(a, PGTYPE_UUID, bytes, 16);
}

/* array_recv's header: dimensions, whether there are nulls, element type; for the one dimension its
 * size and lower bound.  An empty array has no dimension. */
void pgargs_array(struct pgargs *a, const struct pgarray *array)
{
    begin(a, array->type, true);
    buf_be32(&a->data, array->count > 0 ? 1 : 0);
    buf_be32(&a->data, array->has_null ? 1 : 0);
    buf_be32(&a->data, (uint32_t)array->type);
    if (array->count > 0) {
        buf_be32(&a->data, (uint32_t)array->count);
        buf_be32(&a->data, 1);
        buf_put(&a->data, array->data.data, array->data.len);
    }
    if (buf_broken(&array->data))
        a->data.broken = true;
    finish(a);
}
