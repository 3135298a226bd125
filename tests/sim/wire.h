/*
 * tests/sim/wire.h - parameters and answers as src/store writes and reads them: PostgreSQL's binary
 * format in, rows of cells out.
 *
 * What the model does not know is harmless: a column beyond an answer's reads as null, 0 or false.
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "pg/pgargs.h"
#include "pg/pgres.h"

/* A statement on its way: a copy, as the request may be used again before the server runs it. */
struct wire_call {
    const char *name; /* of the statement */
    int count;
    struct {
        const uint8_t *data;
        int len; /* -1: null */
    } args[PGARGS_MAX];
};
struct wire_call *wire_copy(const char *name, const struct pgargs *args);

int64_t wire_int(const struct wire_call *c, int arg); /* null is 0 */

struct wire_array {
    int count;
    struct wire_item {
        const char *text; /* NULL: null; not zero-terminated */
        int len;
    } * items;
};
/* An array parameter; an absent one is empty. */
struct wire_array wire_array(const struct wire_call *c, int arg);
/* Numbers of any width; timestamps in microseconds since 1970, INT64_MIN for -infinity. */
int64_t wire_int_at(const struct wire_array *a, int i, int64_t null);
int64_t wire_time_at(const struct wire_array *a, int i, int64_t null);

/* An answer, filled from left to right. */
struct pgres *wire_answer(int columns);
void wire_row(struct pgres *r);
void wire_add_int(struct pgres *r, int64_t n);
void wire_add_null(struct pgres *r);
void wire_add_text(struct pgres *r, const char *text); /* copied; NULL: null */

#endif
