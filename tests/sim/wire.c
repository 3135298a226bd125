/*
 * tests/sim/wire.c - stands for src/pg/pgres.c, and reads what src/pg/pgargs.c wrote.
 * All memory is the schedule's.
 */
#include "sim/wire.h"

#include "sim/sim.h"

#include <assert.h>
#include <string.h>

struct cell {
    bool null;
    int64_t number;
    const char *text;
};

struct pgres {
    int columns, rows, cap, at;
    struct cell *cells;
};

/* ---- parameters ------------------------------------------------------------------------------ */

struct wire_call *wire_copy(const char *name, const struct pgargs *args)
{
    struct wire_call *c = world_alloc(sizeof(*c));
    uint8_t *data = world_alloc(args->data.len + 1);

    assert(!args->data.broken);
    memcpy(data, args->data.data ? args->data.data : "", args->data.len);
    c->name = arena_strndup(&sim.arena, name, strlen(name));
    assert(c->name);
    c->count = args->count;
    for (int i = 0; i < args->count; i++) {
        c->args[i].data = data + args->items[i].offset;
        c->args[i].len = args->items[i].len;
    }
    return c;
}

static int64_t big_endian(const uint8_t *at, int len)
{
    int64_t n = at[0] & 0x80 && len > 1 ? -1 : 0;

    for (int i = 0; i < len; i++)
        n = (int64_t)((uint64_t)n << 8 | at[i]);
    return n;
}

int64_t wire_int(const struct wire_call *c, int arg)
{
    assert(arg < c->count);
    return c->args[arg].len <= 0 ? 0 : big_endian(c->args[arg].data, c->args[arg].len);
}

struct wire_array wire_array(const struct wire_call *c, int arg)
{
    struct wire_array a = { 0 };
    const uint8_t *at;

    if (arg >= c->count || c->args[arg].len < 20)
        return a; /* null, or without a dimension */
    at = c->args[arg].data;
    a.count = (int)big_endian(at + 12, 4);
    a.items = world_alloc((size_t)a.count * sizeof(*a.items) + 1);
    at += 20;
    for (int i = 0; i < a.count; i++) {
        int len = (int)big_endian(at, 4);

        a.items[i].text = len < 0 ? NULL : (const char *)at + 4;
        a.items[i].len = len;
        at += 4 + MAX(len, 0);
    }
    return a;
}

int64_t wire_int_at(const struct wire_array *a, int i, int64_t null)
{
    assert(i >= 0);
    if (i >= a->count || !a->items[i].text)
        return null;
    return big_endian((const uint8_t *)a->items[i].text, a->items[i].len);
}

int64_t wire_time_at(const struct wire_array *a, int i, int64_t null)
{
    int64_t us = wire_int_at(a, i, INT64_MAX);

    if (us == INT64_MAX)
        return null;
    return us == INT64_MIN ? us : us + PG_EPOCH_UNIX_US;
}

/* ---- answers --------------------------------------------------------------------------------- */

struct pgres *wire_answer(int columns)
{
    struct pgres *r = world_alloc(sizeof(*r));

    assert(columns > 0);
    r->columns = columns;
    return r;
}

void wire_row(struct pgres *r)
{
    assert(r->rows == 0 || r->at == r->columns);
    if (r->rows == r->cap) {
        struct cell *old = r->cells;
        int cap = r->cap ? r->cap * 2 : 8;

        r->cells = world_alloc((size_t)(cap * r->columns) * sizeof(*r->cells));
        if (old)
            memcpy(r->cells, old, (size_t)(r->cap * r->columns) * sizeof(*old));
        r->cap = cap;
    }
    r->rows++;
    r->at = 0;
}

static struct cell *next_cell(struct pgres *r)
{
    assert(r->rows > 0 && r->at < r->columns);
    return &r->cells[(r->rows - 1) * r->columns + r->at++];
}

void wire_add_int(struct pgres *r, int64_t n)
{
    *next_cell(r) = (struct cell){ .number = n };
}

void wire_add_null(struct pgres *r)
{
    *next_cell(r) = (struct cell){ .null = true };
}

void wire_add_text(struct pgres *r, const char *text)
{
    struct cell *cell = next_cell(r);

    cell->null = !text;
    cell->text = text ? arena_strndup(&sim.arena, text, strlen(text)) : NULL;
}

static struct cell cell_at(const struct pgres *r, int row, int col)
{
    assert(row >= 0 && row < r->rows);
    if (col >= r->columns)
        return (struct cell){ .null = true };
    return r->cells[row * r->columns + col];
}

int pgres_rows(const struct pgres *r)
{
    return r->rows;
}

bool pgres_null(const struct pgres *r, int row, int col)
{
    return cell_at(r, row, col).null;
}

bool pgres_bool(const struct pgres *r, int row, int col)
{
    return cell_at(r, row, col).number != 0;
}

int16_t pgres_int2(const struct pgres *r, int row, int col)
{
    return (int16_t)cell_at(r, row, col).number;
}

int32_t pgres_int4(const struct pgres *r, int row, int col)
{
    return (int32_t)cell_at(r, row, col).number;
}

int64_t pgres_int8(const struct pgres *r, int row, int col)
{
    return cell_at(r, row, col).number;
}

int64_t pgres_timestamptz(const struct pgres *r, int row, int col)
{
    return cell_at(r, row, col).number;
}

const char *pgres_text(const struct pgres *r, int row, int col)
{
    return cell_at(r, row, col).text;
}

struct slice pgres_bytes(const struct pgres *r, int row, int col)
{
    const char *text = cell_at(r, row, col).text;

    return (struct slice){ text, text ? strlen(text) : 0 };
}
