/* tests/lib/openapicheck.c - walks the document as raw slices; a fault is told with its place. */
#define _GNU_SOURCE /* memmem */
#include "lib/openapicheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { POINTER_SIZE = 256, IDS_MAX = 256 };

struct check {
    struct slice document;
    struct slice ids[IDS_MAX];
    size_t id_count;
};

static bool same(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static bool find(struct slice value, const char *pointer, struct slice *ret)
{
    return jsonscan_find(value, pointer, ret) == 0;
}

/* The text of a string without its quotes; ours have no escapes. */
static struct slice text_of(struct slice value)
{
    assert_int_equal(jsonscan_type(value), IFP_JSON_STRING);
    return (struct slice){ value.text + 1, value.len - 2 };
}

static struct slice need(struct slice value, const char *pointer, struct slice where)
{
    struct slice found;

    if (!find(value, pointer, &found))
        fail_msg("%.*s has no %s", (int)where.len, where.text, pointer);
    return found;
}

static struct slice follow(const struct check *c, struct slice value)
{
    struct slice ref, target;
    char pointer[POINTER_SIZE];

    if (jsonscan_type(value) != IFP_JSON_OBJECT || !find(value, "/$ref", &ref))
        return value;
    ref = text_of(ref);
    assert_true(ref.len > 2 && ref.text[0] == '#');
    (void)snprintf(pointer, sizeof(pointer), "%.*s", (int)ref.len - 1, ref.text + 1);
    if (!find(c->document, pointer, &target))
        fail_msg("%s leads nowhere", pointer);
    return target;
}

/* Every $ref anywhere leads somewhere. */
static void check_references(const struct check *c, struct slice value)
{
    struct slice key, member;
    size_t pos = 0;
    enum ifp_json_type type = jsonscan_type(value);

    if (type != IFP_JSON_OBJECT && type != IFP_JSON_ARRAY)
        return;
    (void)follow(c, value);
    while (jsonscan_each(value, &pos, &key, &member))
        check_references(c, member);
}

static bool in_path(struct slice path, struct slice name)
{
    char wanted[POINTER_SIZE], text[POINTER_SIZE];

    (void)snprintf(wanted, sizeof(wanted), "{%.*s}", (int)name.len, name.text);
    (void)snprintf(text, sizeof(text), "%.*s", (int)path.len, path.text);
    return strstr(text, wanted) != NULL;
}

static void check_parameters(const struct check *c, struct slice path, struct slice operation)
{
    struct slice list = need(operation, "/parameters", path), key, one, other, flag;
    size_t pos = 0, names = 0, params = 0;

    for (size_t i = 0; i < path.len; i++)
        names += path.text[i] == '{';
    while (jsonscan_each(list, &pos, &key, &one)) {
        struct slice in, name;
        size_t next = pos;

        one = follow(c, one);
        in = text_of(need(one, "/in", path));
        name = text_of(need(one, "/name", path));
        (void)need(one, "/schema", name);
        (void)need(one, "/description", name);
        if (in.len == 4 && memcmp(in.text, "path", 4) == 0) {
            params++;
            assert_true(in_path(path, name));
            assert_true(find(one, "/required", &flag) && flag.len == 4);
        }
        while (jsonscan_each(list, &next, &key, &other)) {
            other = follow(c, other);
            if (same(need(other, "/name", path), need(one, "/name", path)) &&
                same(need(other, "/in", path), need(one, "/in", path)))
                fail_msg("%.*s: %.*s comes twice", (int)path.len, path.text, (int)name.len,
                         name.text);
        }
    }
    if (params != names)
        fail_msg("%.*s: %zu path parameters", (int)path.len, path.text, params);
}

static void check_responses(const struct check *c, struct slice path, struct slice operation)
{
    struct slice all = need(operation, "/responses", path), key, value;
    size_t pos = 0;
    bool success = false;

    while (jsonscan_each(all, &pos, &key, &value)) {
        success = success || key.text[0] == '2';
        (void)need(follow(c, value), "/description", path);
    }
    if (!success)
        fail_msg("%.*s has no success", (int)path.len, path.text);
}

static void check_tag(const struct check *c, struct slice path, struct slice operation)
{
    struct slice tag = need(operation, "/tags/0", path), tags = need(c->document, "/tags", path);
    struct slice key, one;
    size_t pos = 0;

    while (jsonscan_each(tags, &pos, &key, &one))
        if (same(need(one, "/name", path), tag))
            return;
    fail_msg("%.*s: its tag is not described", (int)path.len, path.text);
}

static void check_operation(struct check *c, struct slice path, struct slice operation)
{
    struct slice id = text_of(need(operation, "/operationId", path)), value, key, scheme;
    size_t pos = 0;

    assert_true(c->id_count < IDS_MAX);
    for (size_t i = 0; i < c->id_count; i++)
        if (same(c->ids[i], id))
            fail_msg("operation %.*s is there twice", (int)id.len, id.text);
    c->ids[c->id_count++] = id;
    assert_true(text_of(need(operation, "/summary", id)).len > 0);
    value = need(operation, "/security", id);
    while (jsonscan_each(value, &pos, &key, &scheme))
        (void)need(scheme, "/key", id);
    check_tag(c, id, operation);
    check_parameters(c, path, operation);
    check_responses(c, id, operation);
}

/* Is it named by a $ref, or spare? */
static void check_used(const struct check *c, const char *kind, struct slice name,
                       const char *spare)
{
    char ref[POINTER_SIZE], word[POINTER_SIZE], around[POINTER_SIZE * 4];
    int n = snprintf(ref, sizeof(ref), "\"#/components/%s/%.*s\"", kind, (int)name.len, name.text);

    (void)snprintf(word, sizeof(word), " %.*s ", (int)name.len, name.text);
    (void)snprintf(around, sizeof(around), " %s ", spare);
    if (!memmem(c->document.text, c->document.len, ref, (size_t)n) && !strstr(around, word))
        fail_msg("nothing uses %s", ref);
}

static void check_components(const struct check *c, const char *spare)
{
    static const char *const kinds[] = { "schemas", "responses", "parameters" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct slice all, key, value;
        char pointer[POINTER_SIZE];
        size_t pos = 0;

        (void)snprintf(pointer, sizeof(pointer), "/components/%s", kinds[i]);
        all = need(c->document, pointer, (struct slice){ "the document", 12 });
        while (jsonscan_each(all, &pos, &key, &value))
            check_used(c, kinds[i], key, spare);
    }
}

void openapicheck(struct slice document, const char *spare)
{
    struct check c = { .document = document };
    struct slice whole = { "the document", 12 }, path, methods, method, operation;
    struct err e;
    size_t pos = 0;

    if (jsonscan_check(document.text, document.len, &e) < 0)
        fail_msg("%s", e.text);
    assert_true(same(text_of(need(document, "/openapi", whole)), (struct slice){ "3.1.0", 5 }));
    (void)need(document, "/info/title", whole);
    (void)need(document, "/info/version", whole);
    (void)need(document, "/info/license/identifier", whole);
    (void)need(document, "/servers/0/url", whole);
    (void)need(document, "/components/securitySchemes/key", whole);
    check_references(&c, document);
    while (jsonscan_each(need(document, "/paths", whole), &pos, &path, &methods)) {
        size_t at = 0;

        while (jsonscan_each(methods, &at, &method, &operation))
            check_operation(&c, path, operation);
    }
    check_components(&c, spare);
}

int openapicheck_operations(struct slice document)
{
    struct slice paths, path, methods, method, operation;
    size_t pos = 0;
    int n = 0;

    assert_int_equal(jsonscan_find(document, "/paths", &paths), 0);
    while (jsonscan_each(paths, &pos, &path, &methods)) {
        size_t at = 0;

        while (jsonscan_each(methods, &at, &method, &operation))
            n++;
    }
    return n;
}
