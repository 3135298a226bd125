/*
 * pg/pgparam.c - a struct pgargs as the parallel arrays that libpq takes.
 *
 * Types are always named, so that the server does not guess them from the statement's text, and
 * formats are always binary.
 */
#include "pg/pginternal.h"

#include <assert.h>

/* The array type of each element type (pg_type.typarray). */
static const struct {
    enum pgtype element;
    Oid array;
} arrays[] = {
    { PGTYPE_BOOL, 1000 }, { PGTYPE_BYTEA, 1001 },       { PGTYPE_INT2, 1005 },
    { PGTYPE_INT4, 1007 }, { PGTYPE_TEXT, 1009 },        { PGTYPE_INT8, 1016 },
    { PGTYPE_UUID, 2951 }, { PGTYPE_TIMESTAMPTZ, 1185 },
};

static Oid array_type(enum pgtype element)
{
    size_t i = 0;

    while (arrays[i].element != element) {
        i++;
        assert(i < ARRAY_LEN(arrays)); /* else a type was added without its array */
    }
    return arrays[i].array;
}

int pgparam_bind(const struct pgargs *args, struct pgparam *ret, struct err *e)
{
    const char *data;

    ret->count = 0;
    if (!args)
        return 0;
    if (buf_broken(&args->data))
        return err_set(e, IFP_ENOMEM, "statement parameters: out of memory");
    assert(args->count <= PGARGS_MAX);
    data = args->data.data ? args->data.data : ""; /* NULL would mean SQL null */
    for (int i = 0; i < args->count; i++) {
        bool null = args->items[i].len < 0;
        enum pgtype type = args->items[i].type;

        ret->types[i] = args->items[i].array ? array_type(type) : (Oid)type;
        ret->values[i] = null ? NULL : data + args->items[i].offset;
        ret->lengths[i] = null ? 0 : args->items[i].len;
        ret->formats[i] = 1;
    }
    ret->count = args->count;
    return 0;
}
