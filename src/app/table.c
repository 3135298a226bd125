/*
 * app/table.c - cells to aligned text or to JSON objects.
 *
 * Text is measured in code points: right for all but wide and combining characters, which only cost
 * alignment.  On a terminal the last column is cut at the edge, in a pipe nothing is.
 */
#include "app/table.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_MAX = 24, GAP = 2, CELL_MAX = 200 };

void table_init(struct table *t, const struct table_column *columns, bool json)
{
    *t = (struct table){ .columns = columns, .json = json };
    buf_init(&t->cells);
    if (json) {
        t->array = jsondoc_array();
        t->broken = !t->array;
    }
}

void table_release(struct table *t)
{
    buf_release(&t->cells);
    jsondoc_free(t->array);
    jsondoc_free(t->row);
    *t = (struct table){ 0 };
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* Opens a row when the last one is full; gives the key of the cell. */
static const char *next_key(struct table *t)
{
    const char *key = t->columns[t->column].key;

    assert(key);
    if (!t->json || t->column > 0)
        return key;
    if (t->row && !jsondoc_add(t->array, NULL, t->row))
        t->broken = true;
    t->row = jsondoc_object();
    t->broken |= !t->row;
    return key;
}

static void end_cell(struct table *t)
{
    t->column++;
    assert(t->column <= COLUMNS_MAX);
    if (t->columns[t->column].key)
        return;
    t->column = 0;
    t->rows++;
}

/* Blanks for control characters: C0, DEL, and C1 in its UTF-8 form (0xc2 0x80 to 0xc2 0x9f). */
static void put_clean(struct buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s, next = (unsigned char)s[1];

        if (ch == 0xc2 && next >= 0x80 && next <= 0x9f) {
            buf_putc(b, ' ');
            s++;
        } else {
            buf_putc(b, ch < 0x20 || ch == 0x7f ? ' ' : *s);
        }
    }
    buf_putc(b, '\0');
}

static void put_text(struct table *t, const char *s)
{
    if (t->columns[t->column].title)
        put_clean(&t->cells, s && *s ? s : "-");
}

void table_str(struct table *t, const char *s)
{
    const char *key = next_key(t);

    if (t->json)
        t->broken |= !jsondoc_add_str(t->row, key, s);
    else
        put_text(t, s);
    end_cell(t);
}

void table_int(struct table *t, int64_t n)
{
    const char *key = next_key(t);
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    if (t->json)
        t->broken |= !jsondoc_add_int(t->row, key, n);
    else
        put_text(t, text);
    end_cell(t);
}

void table_id(struct table *t, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    table_str(t, n ? text : NULL);
}

void table_time(struct table *t, int64_t unix_ms)
{
    char text[32];

    if (unix_ms != 0)
        clock_format_utc(unix_ms * 1000, text, sizeof(text));
    table_str(t, unix_ms != 0 ? text : NULL);
}

void table_json(struct table *t, const char *json)
{
    const char *key = next_key(t);

    if (t->json && json)
        t->broken |= !jsondoc_add_raw(t->row, key, json);
    else if (t->json)
        t->broken |= !jsondoc_add_str(t->row, key, NULL);
    else
        put_text(t, json);
    end_cell(t);
}

/* ---- text ----------------------------------------------------------------------------------- */

static size_t width_of(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* The bytes of the first `width` code points. */
static size_t bytes_of(const char *s, size_t width)
{
    size_t at = 0;

    for (; s[at]; at++)
        if (((unsigned char)s[at] & 0xc0) != 0x80 && width-- == 0)
            break;
    return at;
}

bool table_colors(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(out)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static size_t line_width(FILE *out)
{
    struct winsize size;

    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return SIZE_MAX;
    return size.ws_col;
}

static int check(const struct table *t, struct err *e)
{
    assert(t->column == 0);
    if (t->broken || buf_broken(&t->cells))
        return err_set(e, IFP_ENOMEM, "out of memory");
    return 0;
}

struct layout {
    size_t width[COLUMNS_MAX]; /* of the columns with a title */
    const char *title[COLUMNS_MAX];
    int count;
    size_t line; /* columns of the terminal */
};

static void measure(const struct table *t, struct layout *l)
{
    const char *cell = t->cells.data;

    for (const struct table_column *d = t->columns; d->key; d++) {
        if (!d->title)
            continue;
        l->title[l->count] = d->title;
        l->width[l->count++] = width_of(d->title);
    }
    assert(l->count > 0);
    for (size_t i = 0; i < t->rows * (size_t)l->count; i++) {
        size_t at = i % (size_t)l->count;

        l->width[at] = MIN(MAX(l->width[at], width_of(cell)), CELL_MAX);
        cell += strlen(cell) + 1;
    }
}

/* Writes the cell in column `at`; the last one ends the line and fills up no blanks. */
static void print_cell(FILE *out, const struct layout *l, int at, const char *cell)
{
    size_t used = 0, width = width_of(cell);

    for (int i = 0; i < at; i++)
        used += l->width[i] + GAP;
    if (at + 1 < l->count)
        fprintf(out, "%s%*s", cell, width < l->width[at] ? (int)(l->width[at] - width) + GAP : GAP,
                "");
    else if (used + width > l->line && used < l->line)
        fprintf(out, "%.*s\n", (int)bytes_of(cell, l->line - used), cell);
    else
        fprintf(out, "%s\n", cell);
}

int table_print(struct table *t, FILE *out, struct err *e)
{
    struct layout l = { .line = line_width(out) };
    const char *cell = t->cells.data;
    bool colors = table_colors(out);
    int rc = check(t, e);

    if (rc != 0)
        return rc;
    measure(t, &l);
    if (colors)
        fputs("\033[1m", out);
    for (int i = 0; i < l.count; i++)
        print_cell(out, &l, i, l.title[i]);
    if (colors)
        fputs("\033[0m", out);
    for (size_t i = 0; i < t->rows * (size_t)l.count; i++) {
        print_cell(out, &l, (int)(i % (size_t)l.count), cell);
        cell += strlen(cell) + 1;
    }
    return 0;
}

int table_print_record(struct table *t, FILE *out, struct err *e)
{
    const char *cell = t->cells.data;
    size_t width = 0;
    int rc = check(t, e);

    if (rc != 0)
        return rc;
    assert(t->rows == 1);
    for (const struct table_column *d = t->columns; d->key; d++)
        width = MAX(width, d->title ? width_of(d->title) : 0);
    for (const struct table_column *d = t->columns; d->key; d++) {
        if (!d->title)
            continue;
        fprintf(out, "%-*s%s\n", (int)width + GAP, d->title, cell);
        cell += strlen(cell) + 1;
    }
    return 0;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

int table_take_rows(struct table *t, struct jsondoc **ret, struct err *e)
{
    struct jsondoc *row = t->row;
    int rc;

    t->row = NULL;
    if (row && !jsondoc_add(t->array, NULL, row))
        t->broken = true;
    rc = check(t, e);
    if (rc != 0)
        return rc;
    *ret = t->array;
    t->array = NULL;
    return 0;
}

int table_take_row(struct table *t, struct jsondoc **ret, struct err *e)
{
    int rc = check(t, e);

    if (rc != 0)
        return rc;
    assert(t->row);
    *ret = t->row;
    t->row = NULL;
    return 0;
}
