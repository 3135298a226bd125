/*
 * api/body.c - walks an object once, field by field.
 *
 *   check the text -> each member: find its field, read it by type -> fields that are missing
 *
 * Tables are short, so a field is found by comparing names.  A name written with escapes is decoded
 * first: {"input": 1} and {"\u0069nput": 1} are the same document.
 *
 * Failure: memory that runs out is IFP_ENOMEM and wins over every mistake of the client.
 */
#include "api/body.h"

#include "core/civil.h"
#include "store/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 256, FIELDS_MAX = 64 };

void body_init(struct body *b, struct arena *a)
{
    memset(b, 0, sizeof(*b));
    b->arena = a;
}

void body_refuse(struct body *b, const char *pointer, const char *format, ...)
{
    char text[MESSAGE_MAX];
    struct body_error *error;
    va_list args;

    if (b->error_count == BODY_ERRORS_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error = &b->errors[b->error_count];
    error->pointer = arena_strndup(b->arena, pointer, strlen(pointer));
    error->message = jsonscan_clean(b->arena, text, sizeof(text) - 1); /* may be cut in a letter */
    if (error->pointer && error->message)
        b->error_count++;
}

int body_result(const struct body *b, struct err *e)
{
    if (b->arena->broken)
        return err_set(e, IFP_ENOMEM, "body: out of memory");
    if (b->error_count == 0)
        return 0;
    return err_set(e, IFP_EINVALID, "%s%s%s", b->errors[0].pointer,
                   b->errors[0].pointer[0] ? ": " : "", b->errors[0].message);
}

/* ---- one value ------------------------------------------------------------------------------ */

static int read_text(struct body *b, const struct body_field *f, const char *at, struct slice value,
                     const char **ret)
{
    char *text;
    size_t len;

    if (jsonscan_type(value) != IFP_JSON_STRING) {
        body_refuse(b, at, "must be a string");
        return IFP_EINVALID;
    }
    if (jsonscan_string(value, b->arena, &text, &len) != 0)
        return IFP_ENOMEM; /* sticks to the arena */
    assert(strlen(text) == len);
    if (f->type == BODY_TEXT && (len < (size_t)f->min || len > (size_t)f->max)) {
        body_refuse(b, at, "must be %lld to %lld bytes long", (long long)f->min, (long long)f->max);
        return IFP_EINVALID;
    }
    *ret = text;
    return 0;
}

static void read_slug(struct body *b, const struct body_field *f, const char *at,
                      struct slice value, const char **ret)
{
    const char *text;
    struct err e;

    if (read_text(b, f, at, value, &text) != 0)
        return;
    if (client_check_slug("", text, &e) == 0)
        *ret = text;
    else
        body_refuse(b, at, "%s", e.text + strlen(": "));
}

static void read_word(struct body *b, const struct body_field *f, const char *at,
                      struct slice value, int *ret)
{
    char all[MESSAGE_MAX] = "";
    const char *text;

    if (read_text(b, f, at, value, &text) != 0)
        return;
    for (int i = 0; f->words[i]; i++) {
        size_t used = strlen(all);

        if (strcmp(text, f->words[i]) == 0) {
            *ret = i;
            return;
        }
        (void)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", f->words[i]);
    }
    body_refuse(b, at, "must be one of %s", all);
}

static void read_int(struct body *b, const struct body_field *f, const char *at, struct slice value,
                     int64_t *ret)
{
    int64_t n;

    if (jsonscan_type(value) == IFP_JSON_NUMBER && jsonscan_int(value, &n) == 0 && n >= f->min &&
        n <= f->max)
        *ret = n;
    else
        body_refuse(b, at, "must be a whole number from %lld to %lld", (long long)f->min,
                    (long long)f->max);
}

static void read_time(struct body *b, const struct body_field *f, const char *at,
                      struct slice value, int64_t *ret)
{
    const char *text;
    int64_t ms;

    if (read_text(b, f, at, value, &text) != 0)
        return;
    if (civil_parse(text, &ms))
        *ret = ms * 1000;
    else
        body_refuse(b, at, "must be a time as 2026-03-08T07:00:00Z");
}

static void read_slice(struct body *b, const struct body_field *f, const char *at,
                       struct slice value, struct slice *ret)
{
    enum ifp_json_type type = jsonscan_type(value);

    if (f->type == BODY_OBJECT && type != IFP_JSON_OBJECT)
        body_refuse(b, at, "must be an object");
    else if (f->type == BODY_ARRAY && type != IFP_JSON_ARRAY)
        body_refuse(b, at, "must be an array");
    else if (f->type == BODY_ARRAY &&
             ((int64_t)jsonscan_len(value) < f->min || (int64_t)jsonscan_len(value) > f->max))
        body_refuse(b, at, "must have %lld to %lld elements", (long long)f->min, (long long)f->max);
    else if (f->type != BODY_ARRAY && f->max > 0 && (int64_t)value.len > f->max)
        body_refuse(b, at, "must be at most %lld bytes long", (long long)f->max);
    else
        *ret = value;
}

static void read_object(struct body *b, struct slice json, const char *at,
                        const struct body_field *fields, size_t count, void *ret);

static void read_field(struct body *b, const struct body_field *f, const char *at,
                       struct slice value, void *ret)
{
    void *member = (char *)ret + f->offset;

    switch (f->type) {
    case BODY_TEXT:
        (void)read_text(b, f, at, value, member);
        break;
    case BODY_SLUG:
        read_slug(b, f, at, value, member);
        break;
    case BODY_WORD:
        read_word(b, f, at, value, member);
        break;
    case BODY_INT:
        read_int(b, f, at, value, member);
        break;
    case BODY_BOOL:
        if (jsonscan_type(value) == IFP_JSON_BOOL)
            *(bool *)member = value.text[0] == 't';
        else
            body_refuse(b, at, "must be true or false");
        break;
    case BODY_TIME:
        read_time(b, f, at, value, member);
        break;
    case BODY_VALUE:
    case BODY_OBJECT:
    case BODY_ARRAY:
        read_slice(b, f, at, value, member);
        break;
    case BODY_GROUP:
        read_object(b, value, at, f->fields, f->count, ret);
        break;
    }
}

/* ---- an object ------------------------------------------------------------------------------ */

/* The pointer of a member; a part of it when it is very long: it is for people. */
static void point_at(char ret[BODY_POINTER_MAX], const char *at, const char *name, size_t len)
{
    size_t used = strlen(at);

    assert(used < BODY_POINTER_MAX);
    memcpy(ret, at, used);
    if (used + 1 < BODY_POINTER_MAX)
        ret[used++] = '/';
    for (size_t i = 0; i < len && used + 2 < BODY_POINTER_MAX; i++) {
        bool escaped = name[i] == '~' || name[i] == '/';

        if (escaped)
            ret[used++] = '~';
        ret[used++] = !escaped ? name[i] : name[i] == '~' ? '0' : '1';
    }
    ret[used] = '\0';
}

/* The key without its escapes. */
static struct slice plain_key(struct body *b, struct slice raw)
{
    struct slice quoted = { raw.text - 1, raw.len + 2 };
    char *text;
    size_t len;

    if (!memchr(raw.text, '\\', raw.len))
        return raw;
    if (jsonscan_string(quoted, b->arena, &text, &len) != 0)
        return raw; /* the arena is broken, which body_result tells */
    return (struct slice){ text, len };
}

static size_t find_field(const struct body_field *fields, size_t count, struct slice key)
{
    size_t i = 0;

    while (i < count &&
           (strlen(fields[i].name) != key.len || memcmp(fields[i].name, key.text, key.len) != 0))
        i++;
    return i;
}

static void read_object(struct body *b, struct slice json, const char *at,
                        const struct body_field *fields, size_t count, void *ret)
{
    char pointer[BODY_POINTER_MAX];
    struct slice key, value;
    uint64_t seen = 0;
    size_t pos = 0, i;

    assert(count <= FIELDS_MAX);
    if (jsonscan_type(json) != IFP_JSON_OBJECT) {
        body_refuse(b, at, "must be an object");
        return;
    }
    while (jsonscan_each(json, &pos, &key, &value)) {
        key = plain_key(b, key);
        i = find_field(fields, count, key);
        point_at(pointer, at, key.text, key.len);
        if (i == count) {
            body_refuse(b, pointer, "there is no such field");
            continue;
        }
        if (fields[i].type != BODY_VALUE && jsonscan_type(value) == IFP_JSON_NULL)
            continue;
        seen |= UINT64_C(1) << i;
        read_field(b, &fields[i], pointer, value, ret);
    }
    for (i = 0; i < count; i++) {
        if (!fields[i].required || (seen & (UINT64_C(1) << i)) != 0)
            continue;
        point_at(pointer, at, fields[i].name, strlen(fields[i].name));
        body_refuse(b, pointer, "is missing");
    }
}

int body_read_checked(struct body *b, struct slice json, const char *at,
                      const struct body_field *fields, size_t count, void *ret, struct err *e)
{
    read_object(b, json, at, fields, count, ret);
    return body_result(b, e);
}

int body_read(struct body *b, struct slice json, const char *at, const struct body_field *fields,
              size_t count, void *ret, struct err *e)
{
    static const struct slice empty = { "{}", 2 };
    int err = 0;

    if (json.len == 0)
        json = empty;
    else
        err = jsonscan_check(json.text, json.len, e);
    if (err == IFP_ENOMEM)
        return err;
    if (err) {
        body_refuse(b, at, "%s", e->text);
        return body_result(b, e);
    }
    return body_read_checked(b, json, at, fields, count, ret, e);
}
