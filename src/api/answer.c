/*
 * api/answer.c - text that grows in an arena by doubling; what is outgrown goes with the request.
 *
 * Commas need no state: one is due unless a bracket was just opened.  Brackets are counted, so that
 * an answer whose brackets do not match is an assertion here and no broken document at the client.
 */
#include "api/answer.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/jsontext.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAP = 512, TIME_SIZE = 32 };

void answer_begin(struct answer *a, struct arena *arena)
{
    memset(a, 0, sizeof(*a));
    a->arena = arena;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool reserve(struct answer *a, size_t more)
{
    size_t cap = a->cap ? a->cap : FIRST_CAP;
    char *text;

    while (cap - a->len < more)
        cap *= 2;
    if (a->broken || cap == a->cap)
        return !a->broken;
    text = arena_alloc(a->arena, cap);
    if (!text) {
        a->broken = true;
        return false;
    }
    if (a->len > 0)
        memcpy(text, a->text, a->len);
    a->text = text;
    a->cap = cap;
    return true;
}

static void put(struct answer *a, const char *text, size_t len)
{
    if (!reserve(a, len))
        return;
    memcpy(a->text + a->len, text, len);
    a->len += len;
}

static void put_quoted(struct answer *a, const char *text, size_t len)
{
    size_t plain = 0; /* start of the bytes not yet written */

    put(a, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        char letter = jsontext_escape((unsigned char)text[i]);
        char escape[8];

        if (!letter)
            continue;
        put(a, text + plain, i - plain);
        if (letter == 'u')
            (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)text[i]);
        else
            (void)snprintf(escape, sizeof(escape), "\\%c", letter);
        put(a, escape, strlen(escape));
        plain = i + 1;
    }
    put(a, text + plain, len - plain);
    put(a, "\"", 1);
}

/* What stands in front of every value. */
static void put_name(struct answer *a, const char *name)
{
    assert(a->depth == 0 ? a->len == 0 || a->broken
                         : (name == NULL) == ((a->arrays >> a->depth & 1) != 0));
    if (a->len > 0 && a->text[a->len - 1] != '{' && a->text[a->len - 1] != '[')
        put(a, ",", 1);
    if (!name)
        return;
    put(a, "\"", 1);
    put(a, name, strlen(name));
    put(a, "\":", 2);
}

/* ---- values --------------------------------------------------------------------------------- */

static void open_bracket(struct answer *a, const char *name, bool array)
{
    put_name(a, name);
    put(a, array ? "[" : "{", 1);
    a->depth++;
    assert(a->depth <= ANSWER_DEPTH_MAX);
    a->arrays &= ~(UINT64_C(1) << a->depth);
    a->arrays |= (uint64_t)array << a->depth;
}

void answer_object(struct answer *a, const char *name)
{
    open_bracket(a, name, false);
}

void answer_array(struct answer *a, const char *name)
{
    open_bracket(a, name, true);
}

void answer_close(struct answer *a)
{
    assert(a->depth > 0);
    put(a, (a->arrays >> a->depth) & 1 ? "]" : "}", 1);
    a->depth--;
}

void answer_text(struct answer *a, const char *name, const char *value)
{
    size_t len = value ? strlen(value) : 0;

    if (!value)
        return;
    if (!jsonscan_utf8_ok(value, len)) {
        value = jsonscan_clean(a->arena, value, len * 3);
        a->broken |= !value;
        len = value ? strlen(value) : 0;
    }
    put_name(a, name);
    if (value)
        put_quoted(a, value, len);
}

void answer_int(struct answer *a, const char *name, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);

    put_name(a, name);
    put(a, text, (size_t)len);
}

void answer_bool(struct answer *a, const char *name, bool value)
{
    put_name(a, name);
    put(a, value ? "true" : "false", value ? 4 : 5);
}

void answer_null(struct answer *a, const char *name)
{
    put_name(a, name);
    put(a, "null", 4);
}

void answer_raw(struct answer *a, const char *name, struct slice value)
{
    if (!value.text)
        return;
    put_name(a, name);
    put(a, value.text, value.len);
}

void answer_time(struct answer *a, const char *name, int64_t us)
{
    char text[TIME_SIZE];

    if (us == 0)
        return;
    clock_format_utc(us, text, sizeof(text));
    answer_text(a, name, text);
}

void answer_id(struct answer *a, const char *name, int64_t exec_id)
{
    char text[IFP_ID_SIZE];

    if (exec_id == 0)
        return;
    ids_execution_format(exec_id, text);
    answer_text(a, name, text);
}

struct slice answer_end(struct answer *a)
{
    assert(a->depth == 0);
    if (a->broken)
        return (struct slice){ 0 };
    return (struct slice){ a->text, a->len };
}

/* ---- errors --------------------------------------------------------------------------------- */

void answer_error_members(struct answer *a, const struct err *e, const struct answer_problem *p)
{
    answer_text(a, "code", p && p->code ? p->code : ifp_error_name(e->code));
    answer_text(a, "message", e->text);
    answer_id(a, "executionId", p ? p->execution : 0);
    if (!p || !p->body || p->body->error_count == 0)
        return;
    answer_array(a, "errors");
    for (int i = 0; i < p->body->error_count; i++) {
        answer_object(a, NULL);
        answer_text(a, "pointer", p->body->errors[i].pointer);
        answer_text(a, "message", p->body->errors[i].message);
        answer_close(a);
    }
    answer_close(a);
}
