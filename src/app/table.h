/*
 * app/table.h - rows for people or for programs: the same cells make an aligned text table or a
 * JSON array, so a command describes its columns once.
 *
 * Fill it cell by cell, from left to right; a row ends by itself.  Fails sticky when memory is out:
 * the functions that print or hand out give IFP_ENOMEM.  In texts, control characters become
 * blanks: what a workflow wrote into an error must not steer a terminal.
 */
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table_column {
    const char *key;   /* in JSON; NULL ends the list */
    const char *title; /* in text; NULL: the column shows only in JSON */
};

struct table {
    const struct table_column *columns; /* borrowed */
    bool json;
    int column;            /* of the next cell */
    size_t rows;           /* finished ones */
    struct buf cells;      /* text: each zero-terminated, of the columns with a title */
    struct jsondoc *array; /* owned; JSON: the rows but the last */
    struct jsondoc *row;   /* owned; JSON: the last one */
    bool broken;
};

void table_init(struct table *t, const struct table_column *columns, bool json);
void table_release(struct table *t);
/* Cells; NULL, and 0 of a time, stand for nothing: "-" and null. */
void table_str(struct table *t, const char *s);
void table_int(struct table *t, int64_t n);
void table_id(struct table *t, int64_t n); /* a 63-bit number: a string in JSON; 0: nothing */
void table_time(struct table *t, int64_t unix_ms);
void table_json(struct table *t, const char *json); /* as it is */
/* Text: the table with a head, or one `key  value` line a column for the first row. */
int table_print(struct table *t, FILE *out, struct err *e) MUSTCHECK;
int table_print_record(struct table *t, FILE *out, struct err *e) MUSTCHECK;
/* JSON: the array of all rows, or the last row, now the caller's. */
int table_take_rows(struct table *t, struct jsondoc **ret, struct err *e) MUSTCHECK;
int table_take_row(struct table *t, struct jsondoc **ret, struct err *e) MUSTCHECK;

/* True when `out` is a terminal that wants colours (NO_COLOR is not set, TERM is not dumb). */
bool table_colors(FILE *out);

#endif
