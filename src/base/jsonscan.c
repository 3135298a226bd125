/*
 * base/jsonscan.c - the checker, and what makes any text storable.  Look-ups are in jsonptr.c.
 *
 * One walk from left to right by recursive descent, at most JSONSCAN_DEPTH_MAX deep.  The only
 * memory is a stack with one small entry for each key of the objects that are open; an object
 * that closes looks for duplicates among its own entries and drops them.
 *
 * Duplicates are found by sorting, not in a hash table: whoever sends the text could choose keys
 * that all fall into one bucket.  Entries are ordered by a hash first, so that the bytes of two
 * keys are compared only when their hashes agree, and by the bytes then, so that even equal hashes
 * for all keys cost no more than n log n comparisons.  Heap sort, as it needs no memory and has no
 * bad case.
 */
#include "base/jsonscan.h"

#include "base/jsontext.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* Positions are kept in 32 bits to have twice as many keys in a cache line. */
#define TEXT_MAX UINT32_MAX

struct key {
    uint32_t hash;
    uint32_t offset; /* of the first byte behind the quote */
};

struct scan {
    const char *start, *at, *end; /* borrowed */
    struct err *e;                /* borrowed */
    int depth;
    struct key *keys; /* owned; of open objects, the innermost last */
    size_t key_count, key_cap;
};

static int check_value(struct scan *s);

static int fail_at(struct scan *s, const char *at, const char *what)
{
    return err_set(s->e, IFP_EINVALID, "invalid JSON at byte %zu: %s", (size_t)(at - s->start),
                   what);
}

static int fail(struct scan *s, const char *what)
{
    return fail_at(s, s->at, s->at == s->end ? "the text ends too early" : what);
}

static bool next_is(const struct scan *s, char c)
{
    return s->at < s->end && *s->at == c;
}

static bool take(struct scan *s, char c)
{
    if (!next_is(s, c))
        return false;
    s->at++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* ---- Strings -------------------------------------------------------------------------------- */

/* Four hexadecimal digits, or -1. */
static int take_hex4(struct scan *s)
{
    int v = 0;

    if (s->end - s->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s->at[i];

        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    s->at += 4;
    return v;
}

/* Behind "\u". */
static int check_unicode_escape(struct scan *s)
{
    const char *escape = s->at - 2;
    int c = take_hex4(s);

    if (c < 0)
        return fail_at(s, escape, "\\u wants four hexadecimal digits");
    if (c == 0)
        return fail_at(s, escape, "\\u0000 cannot be stored");
    if (c < 0xd800 || c > 0xdfff)
        return 0;
    if (c <= 0xdbff && take(s, '\\') && take(s, 'u')) {
        c = take_hex4(s);
        if (c >= 0xdc00 && c <= 0xdfff)
            return 0;
    }
    return fail_at(s, escape, "half of a surrogate pair");
}

/* Behind the backslash. */
static int check_escape(struct scan *s)
{
    if (take(s, 'u'))
        return check_unicode_escape(s);
    if (s->at == s->end || *s->at == '\0' || !strchr("\"\\/bfnrt", *s->at))
        return fail(s, "no such escape");
    s->at++;
    return 0;
}

static int check_string(struct scan *s)
{
    if (!take(s, '"'))
        return fail(s, "expected a string");
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;
        size_t bytes = 1;

        if (c == '"') {
            s->at++;
            return 0;
        }
        if (c == '\\') {
            s->at++;
            if (check_escape(s) != 0)
                return IFP_EINVALID;
            continue;
        }
        if (c < 0x20)
            return fail(s, "a control character in a string");
        if (c >= 0x80)
            bytes = jsontext_utf8(s->at, (size_t)(s->end - s->at));
        if (bytes == 0)
            return fail_at(s, s->at, "invalid UTF-8");
        s->at += bytes;
    }
    return fail(s, "");
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static uint32_t hash_key(const char *raw, const char *end)
{
    struct jsontext_bytes bytes;
    uint32_t hash = 2166136261u; /* FNV-1a */
    int c;

    jsontext_bytes_init(&bytes, raw, end);
    while ((c = jsontext_bytes_next(&bytes)) >= 0)
        hash = (hash ^ (uint32_t)c) * 16777619u;
    return hash;
}

static int compare_keys(const struct scan *s, struct key a, struct key b)
{
    struct jsontext_bytes left, right;
    int l, r;

    if (a.hash != b.hash)
        return a.hash < b.hash ? -1 : 1;
    jsontext_bytes_init(&left, s->start + a.offset, s->end);
    jsontext_bytes_init(&right, s->start + b.offset, s->end);
    do {
        l = jsontext_bytes_next(&left);
        r = jsontext_bytes_next(&right);
    } while (l == r && l >= 0);
    return l - r;
}

static int push_key(struct scan *s, const char *raw)
{
    if (s->key_count == s->key_cap) {
        size_t cap = s->key_cap ? s->key_cap * 2 : 32;
        struct key *keys = mem_resize(s->keys, cap, sizeof(*keys));

        if (!keys)
            return err_set(s->e, IFP_ENOMEM, "out of memory for the keys of a JSON object");
        s->keys = keys;
        s->key_cap = cap;
    }
    s->keys[s->key_count++] = (struct key){
        .hash = hash_key(raw, s->end),
        .offset = (uint32_t)(raw - s->start),
    };
    return 0;
}

/* Lets keys[root] sink until no child is greater. */
static void sift_down(const struct scan *s, struct key *keys, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        struct key moved = keys[root];

        if (child >= count)
            return;
        if (child + 1 < count && compare_keys(s, keys[child], keys[child + 1]) < 0)
            child++;
        if (compare_keys(s, moved, keys[child]) >= 0)
            return;
        keys[root] = keys[child];
        keys[child] = moved;
        root = child;
    }
}

static void sort_keys(const struct scan *s, struct key *keys, size_t count)
{
    for (size_t root = count / 2; root > 0; root--)
        sift_down(s, keys, root - 1, count);
    for (size_t last = count; last > 1; last--) {
        struct key greatest = keys[0];

        keys[0] = keys[last - 1];
        keys[last - 1] = greatest;
        sift_down(s, keys, 0, last - 1);
    }
}

/* Checks the keys from `first` on, those of the object that closes, and drops them. */
static int close_keys(struct scan *s, size_t first)
{
    size_t count = s->key_count - first;
    uint32_t offset = UINT32_MAX;
    struct key *keys;

    assert(first <= s->key_count);
    s->key_count = first;
    if (count < 2)
        return 0; /* also without any memory for keys */
    keys = s->keys + first;
    sort_keys(s, keys, count);
    for (size_t i = 1; i < count; i++)
        if (compare_keys(s, keys[i - 1], keys[i]) == 0)
            offset = MIN(offset, MAX(keys[i - 1].offset, keys[i].offset));
    return offset == UINT32_MAX ? 0 : fail_at(s, s->start + offset - 1, "a duplicate key");
}

/* ---- Values --------------------------------------------------------------------------------- */

static int enter(struct scan *s)
{
    if (s->depth == JSONSCAN_DEPTH_MAX)
        return fail(s, "nested too deep");
    s->depth++;
    s->at++;
    skip_space(s);
    return 0;
}

static int check_member(struct scan *s)
{
    const char *quote = s->at;
    int rc = check_string(s);

    if (rc == 0)
        rc = push_key(s, quote + 1);
    if (rc != 0)
        return rc;
    skip_space(s);
    if (!take(s, ':'))
        return fail(s, "expected \":\"");
    return check_value(s);
}

/* From the opening bracket to the closing one; `check_item` begins at an item's first byte. */
static int check_items(struct scan *s, char close, int (*check_item)(struct scan *s))
{
    int rc = enter(s);

    if (rc != 0)
        return rc;
    if (!next_is(s, close)) {
        do {
            skip_space(s);
            rc = check_item(s);
            if (rc != 0)
                return rc;
            skip_space(s);
        } while (take(s, ','));
    }
    if (!take(s, close))
        return fail(s, "expected \",\" or the closing bracket");
    s->depth--;
    return 0;
}

static int check_object(struct scan *s)
{
    size_t first = s->key_count;
    int rc = check_items(s, '}', check_member);

    return rc == 0 ? close_keys(s, first) : rc;
}

static int check_digits(struct scan *s)
{
    if (s->at == s->end || *s->at < '0' || *s->at > '9')
        return fail(s, "expected a digit");
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return 0;
}

static int check_number(struct scan *s)
{
    int rc = 0;

    (void)take(s, '-');
    if (!take(s, '0'))
        rc = check_digits(s);
    if (rc == 0 && take(s, '.'))
        rc = check_digits(s);
    if (rc == 0 && (take(s, 'e') || take(s, 'E'))) {
        if (!take(s, '+'))
            (void)take(s, '-');
        rc = check_digits(s);
    }
    return rc;
}

static int check_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return fail_at(s, s->at, "expected a value");
    s->at += len;
    return 0;
}

static int check_value(struct scan *s)
{
    skip_space(s);
    if (s->at == s->end)
        return fail(s, "");
    switch (*s->at) {
    case '{':
        return check_object(s);
    case '[':
        return check_items(s, ']', check_value);
    case '"':
        return check_string(s);
    case 't':
        return check_word(s, "true");
    case 'f':
        return check_word(s, "false");
    case 'n':
        return check_word(s, "null");
    default:
        if (*s->at != '-' && (*s->at < '0' || *s->at > '9'))
            return fail(s, "expected a value");
        return check_number(s);
    }
}

int jsonscan_check(const char *text, size_t len, struct err *e)
{
    struct scan s = { .e = e };
    int rc;

    assert(e != NULL && (text != NULL || len == 0));
    if (len > TEXT_MAX)
        return err_set(e, IFP_ETOOLARGE, "a JSON text of %zu bytes", len);
    s.start = s.at = len > 0 ? text : "";
    s.end = s.start + len;
    rc = check_value(&s);
    skip_space(&s);
    if (rc == 0 && s.at != s.end)
        rc = fail(&s, "text after the value");
    assert(rc != 0 || (s.depth == 0 && s.key_count == 0));
    mem_free(s.keys);
    return rc;
}

/* ---- Making text storable ------------------------------------------------------------------- */

bool jsonscan_utf8_ok(const char *s, size_t len)
{
    for (size_t i = 0, bytes; i < len; i += bytes) {
        bytes = jsontext_utf8(s + i, len - i);
        if (bytes == 0)
            return false;
    }
    return true;
}

bool jsonscan_quote(struct buf *b, const char *s, size_t len)
{
    size_t plain = 0; /* start of the bytes not yet written */

    assert(s != NULL);
    if (!jsonscan_utf8_ok(s, len) || memchr(s, '\0', len))
        return false;
    buf_putc(b, '"');
    for (size_t i = 0; i < len; i++) {
        char letter = jsontext_escape((unsigned char)s[i]);

        if (!letter)
            continue;
        buf_put(b, s + plain, i - plain);
        if (letter == 'u')
            buf_printf(b, "\\u%04x", (unsigned)s[i]);
        else
            buf_put(b, (const char[]){ '\\', letter }, 2);
        plain = i + 1;
    }
    buf_put(b, s + plain, len - plain);
    buf_putc(b, '"');
    return true;
}

char *jsonscan_clean(struct arena *a, const char *s, size_t max)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t len, need = 0;
    char *clean;

    assert(s != NULL && max <= SIZE_MAX / 8);
    len = strnlen(s, max + 4); /* a character that begins within max may end behind it */
    clean = arena_alloc(a, MIN(max, len * 3) + 1);
    if (!clean)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t bytes = jsontext_utf8(s + i, len - i);
        size_t out = bytes ? bytes : sizeof(replacement) - 1;

        if (need + out > max)
            break;
        memcpy(clean + need, bytes ? s + i : replacement, out);
        need += out;
        i += bytes ? bytes : 1;
    }
    clean[need] = '\0';
    return clean;
}
