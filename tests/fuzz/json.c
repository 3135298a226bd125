/*
 * tests/fuzz/json.c - the JSON scanner: what it takes can be walked, looked up, decoded and quoted
 * again without a surprise, and every slice of it is JSON itself.
 */
#include "base/jsonscan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(struct slice value)
{
    struct arena a;
    struct buf quoted;
    struct slice again;
    char *text, *second;
    size_t len, second_len;
    int rc;

    arena_init(&a, 0);
    buf_init(&quoted);
    rc = jsonscan_string(value, &a, &text, &len);
    assert(rc == 0 && text[len] == '\0' && jsonscan_utf8_ok(text, len) && len == strlen(text));
    if (!jsonscan_quote(&quoted, text, len))
        abort();
    again = (struct slice){ quoted.data, quoted.len };
    rc = jsonscan_string(again, &a, &second, &second_len);
    assert(rc == 0 && second_len == len && memcmp(text, second, len) == 0);
    buf_release(&quoted);
    arena_release(&a);
}

static void check_number(struct slice value)
{
    int64_t whole;
    double real;
    int rc = jsonscan_int(value, &whole);

    if (jsonscan_double(value, &real) == 0 && rc == 0)
        assert((double)whole == real || (real > 9e15 || real < -9e15));
}

static void walk(struct slice value, int depth)
{
    enum ifp_json_type type = jsonscan_type(value);
    struct slice key, member;
    struct err e;
    size_t pos = 0, n = 0;
    int rc = jsonscan_check(value.text, value.len, &e);

    assert(rc == 0 && depth <= JSONSCAN_DEPTH_MAX);
    if (type == IFP_JSON_STRING)
        check_string(value);
    if (type == IFP_JSON_NUMBER)
        check_number(value);
    if (type != IFP_JSON_OBJECT && type != IFP_JSON_ARRAY)
        return;
    while (jsonscan_each(value, &pos, &key, &member)) {
        assert(member.len > 0 && member.text >= value.text &&
               member.text + member.len <= value.text + value.len);
        walk(member, depth + 1);
        n++;
    }
    assert(n == jsonscan_len(value));
}

/* Looks up what the text itself says, as a pointer. */
static void look_up(struct slice value)
{
    struct slice found;
    char pointer[64];
    size_t len = MIN(value.len, sizeof(pointer) - 1);

    memcpy(pointer, value.text, len);
    pointer[0] = '/';
    pointer[len] = '\0';
    if (jsonscan_find(value, pointer, &found) == 0)
        walk(found, 0);
    if (jsonscan_find(value, "/0", &found) == 0)
        walk(found, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = { (const char *)data, size };
    struct err e;

    if (jsonscan_check(value.text, value.len, &e) < 0) {
        assert(e.code == IFP_EINVALID || e.code == IFP_ENOMEM || e.code == IFP_ETOOLARGE);
        return 0;
    }
    if (size > 4096)
        return 0; /* each member is checked anew, which is quadratic */
    walk(value, 0);
    look_up(value);
    return 0;
}
