/*
 * base/value.c - the public JSON values: getters by JSON Pointer, and the builder.
 *
 * Getters never fail loudly: whatever is wrong (no value, bad pointer, another type, memory) gives
 * the caller's default.  The builder writes text straight into a buffer while it reads the format,
 * then the strict scanner looks at the whole once: so a duplicate key or bad UTF-8 from an argument
 * is found by the same rules that hold for payloads from outside.
 */
#include "base/value.h"

#include "base/buf.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void value_owner_init(struct value_owner *o, struct arena *arena)
{
    o->magic = VALUE_OWNER_MAGIC;
    o->arena = arena;
}

static const ifp_json *make(struct arena *a, struct slice text, bool whole)
{
    struct ifp_json *v = arena_alloc(a, sizeof(*v));

    if (!v)
        return NULL;
    *v = (struct ifp_json){ .slice = text, .arena = a, .whole = whole };
    return v;
}

const ifp_json *value_wrap(struct arena *a, struct slice text)
{
    return make(a, text, true);
}

const ifp_json *value_copy(struct arena *a, struct slice text)
{
    char *copy = arena_strndup(a, text.text, text.len);

    return copy ? make(a, (struct slice){ copy, text.len }, true) : NULL;
}

struct slice value_slice(const ifp_json *value)
{
    return value ? value->slice : (struct slice){ "null", 4 };
}

/* ---- getters -------------------------------------------------------------------------------- */

static bool find(const ifp_json *value, const char *pointer, struct slice *ret)
{
    if (!value || !pointer)
        return false;
    if (pointer[0] == '\0') {
        *ret = value->slice;
        return true;
    }
    return jsonscan_find(value->slice, pointer, ret) == 0;
}

const ifp_json *ifp_json_get(const ifp_json *value, const char *pointer)
{
    struct slice at;

    if (!find(value, pointer, &at))
        return NULL;
    return at.text == value->slice.text && at.len == value->slice.len
               ? value
               : make(value->arena, at, false);
}

enum ifp_json_type ifp_json_typeof(const ifp_json *value, const char *pointer)
{
    struct slice at;

    return find(value, pointer, &at) ? jsonscan_type(at) : IFP_JSON_NONE;
}

const char *ifp_json_str(const ifp_json *value, const char *pointer, const char *fallback)
{
    struct slice at;
    char *text;
    size_t len;

    if (!find(value, pointer, &at) || jsonscan_type(at) != IFP_JSON_STRING)
        return fallback;
    return jsonscan_string(at, value->arena, &text, &len) == 0 ? text : fallback;
}

int64_t ifp_json_int(const ifp_json *value, const char *pointer, int64_t fallback)
{
    struct slice at;
    int64_t number;

    if (!find(value, pointer, &at) || jsonscan_type(at) != IFP_JSON_NUMBER)
        return fallback;
    return jsonscan_int(at, &number) == 0 ? number : fallback;
}

double ifp_json_double(const ifp_json *value, const char *pointer, double fallback)
{
    struct slice at;
    double number;

    if (!find(value, pointer, &at) || jsonscan_type(at) != IFP_JSON_NUMBER)
        return fallback;
    return jsonscan_double(at, &number) == 0 ? number : fallback;
}

bool ifp_json_bool(const ifp_json *value, const char *pointer, bool fallback)
{
    struct slice at;

    if (!find(value, pointer, &at) || jsonscan_type(at) != IFP_JSON_BOOL)
        return fallback;
    return at.text[0] == 't';
}

size_t ifp_json_len(const ifp_json *value, const char *pointer)
{
    struct slice at;

    return find(value, pointer, &at) ? jsonscan_len(at) : 0;
}

const char *ifp_json_text(const ifp_json *value, size_t *ret_len)
{
    struct slice text = value_slice(value);

    if (value && !value->whole) {
        text.text = arena_strndup(value->arena, text.text, text.len);
        if (!text.text)
            text = (struct slice){ "null", 4 };
    }
    if (ret_len)
        *ret_len = text.len;
    return text.text;
}

/* ---- builder -------------------------------------------------------------------------------- */

struct builder {
    struct buf out;
    const char *format;
    va_list args;
    bool bad;
    bool value_before; /* the last item was a value: a second one would run into it */
};

/* As short as it can be and still read back as the same double: 0.95, not 0.94999999999999996.
 * printf takes the decimal point from the host program's locale; JSON knows one only. */
static void put_double(struct builder *b, double number)
{
    static const char others[] = "+-0123456789e";
    char text[40];
    size_t point;

    if (!isfinite(number)) {
        b->bad = true;
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    point = strspn(text, others);
    buf_put(&b->out, text, point);
    if (text[point] == '\0')
        return;
    buf_putc(&b->out, '.');
    buf_puts(&b->out, text + point + strcspn(text + point, others));
}

static void put_string(struct builder *b, const char *s)
{
    if (!s)
        buf_puts(&b->out, "null");
    else if (!jsonscan_quote(&b->out, s, strlen(s)))
        b->bad = true;
}

static void put_value(struct builder *b, const ifp_json *value)
{
    struct slice text = value_slice(value);

    buf_put(&b->out, text.text, text.len);
}

/* False for a value right behind a value: "[i i]" must not make 12 of 1 and 2. */
static bool may_follow(struct builder *b, char c)
{
    bool is_value = strchr("sbiIfvn", c) != NULL;
    bool ok = !is_value || !b->value_before;

    if (!isspace((unsigned char)c))
        b->value_before = is_value;
    return ok;
}

/* One placeholder, or one character of JSON that stands for itself. */
static void put_item(struct builder *b, char c)
{
    if (!may_follow(b, c)) {
        b->bad = true;
        return;
    }
    switch (c) {
    case 's':
        put_string(b, va_arg(b->args, const char *));
        break;
    case 'b':
        buf_puts(&b->out, va_arg(b->args, int) ? "true" : "false");
        break;
    case 'i':
        buf_printf(&b->out, "%d", va_arg(b->args, int));
        break;
    case 'I':
        buf_printf(&b->out, "%" PRId64, va_arg(b->args, int64_t));
        break;
    case 'f':
        put_double(b, va_arg(b->args, double));
        break;
    case 'v':
        put_value(b, va_arg(b->args, const ifp_json *));
        break;
    case 'n':
        buf_puts(&b->out, "null");
        break;
    case '{':
    case '}':
    case '[':
    case ']':
    case ',':
    case ':':
        buf_putc(&b->out, c);
        break;
    default:
        b->bad = !isspace((unsigned char)c);
    }
}

static int finish(struct builder *b, struct arena *a, const ifp_json **ret)
{
    struct err e;
    const ifp_json *value;

    if (b->bad)
        return IFP_EINVALID;
    if (buf_broken(&b->out))
        return IFP_ENOMEM;
    if (jsonscan_check(b->out.data, b->out.len, &e) != 0)
        return e.code;
    value = value_copy(a, (struct slice){ b->out.data, b->out.len });
    if (!value)
        return IFP_ENOMEM;
    *ret = value;
    return 0;
}

int ifp_json_build(void *ctx, const ifp_json **ret, const char *format, ...)
{
    struct value_owner *owner = ctx;
    struct builder b = { .format = format };
    int rc;

    assert(owner && owner->magic == VALUE_OWNER_MAGIC && ret && format);
    buf_init(&b.out);
    va_start(b.args, format);
    for (const char *p = format; *p && !b.bad; p++)
        put_item(&b, *p);
    va_end(b.args);
    rc = finish(&b, owner->arena, ret);
    buf_release(&b.out);
    return rc;
}

int ifp_json_parse(void *ctx, const char *text, size_t len, const ifp_json **ret)
{
    struct value_owner *owner = ctx;
    struct err e;
    const ifp_json *value;

    assert(owner && owner->magic == VALUE_OWNER_MAGIC && ret);
    if (jsonscan_check(text, len, &e) != 0)
        return e.code;
    value = value_copy(owner->arena, (struct slice){ text, len });
    if (!value)
        return IFP_ENOMEM;
    *ret = value;
    return 0;
}
