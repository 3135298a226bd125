/*
 * http/parse.c - llhttp behind two functions, with the guard in front of one and beside the other.
 *
 * A head: parse_find walks the new bytes once, refuses what may never stand in a head, and finds
 * the empty line.  The request line is cut here, as llhttp does not tell a method that it does not
 * know from one that is malformed; the headers are llhttp's, given the whole head at once, so each
 * name and value is one span.
 *
 * A body: llhttp decodes; what it does not hand out as data is framing (chunk sizes, extensions,
 * trailers), and the guard walks those gaps.  Measured with 8.1.0, strict: without the guard a lone
 * CR ends a trailer's line and a chunk's extension may hold anything.
 */
#include "http/parse.h"

#include <assert.h>
#include <llhttp.h>
#include <string.h>

struct guard {
    char before;   /* the byte of framing before, or 0 */
    int lines;     /* to the end of the chunk's size line; 0: among trailers */
    size_t length; /* bytes of framing since the last data */
};

struct parse_body {
    llhttp_t llhttp;
    struct guard guard;
    bool chunked, done, refused;
    int64_t length;
    const char *at; /* of the present call: framing is looked at up to here */
    parse_data_fn *fn;
    void *ctx;
};

/* llhttp's view of a head while it is parsed. */
struct reader {
    struct parse_head *head;
    size_t room; /* in head->headers */
    struct slice name, value;
    bool chunked, complete;
    uint64_t length;
};

static ptrdiff_t fault(struct parse_fault *ret, int status, const char *why)
{
    *ret = (struct parse_fault){ status, why };
    return -1;
}

/* ---- the head's end ---- */

static bool is_plain(unsigned char c)
{
    return c > 0x20 && c != 0x7f;
}

static ptrdiff_t too_long(const char *data, size_t len, struct parse_fault *ret)
{
    if (!memchr(data, '\n', len))
        return fault(ret, 414, "the request line is too long");
    return fault(ret, 431, "the head is too long");
}

ptrdiff_t parse_find(const char *data, size_t len, size_t *seen, const struct parse_limits *limits,
                     struct parse_fault *ret_fault)
{
    size_t end = MIN(len, limits->head_max);
    size_t i;

    for (i = *seen; i < end; i++) {
        unsigned char c = (unsigned char)data[i];
        char before;

        if (is_plain(c))
            continue;
        before = i > 0 ? data[i - 1] : '\0';
        if (c == '\r') {
            if (i + 1 == end)
                break; /* looked at again once it is known what follows */
            if (data[i + 1] != '\n')
                return fault(ret_fault, 400, "a CR stands alone");
        } else if (c == ' ' || c == '\t') {
            if (before == '\n' || i == 0)
                return fault(ret_fault, 400, "a line begins with white space");
        } else if (c == '\n') {
            if (before != '\r')
                return fault(ret_fault, 400, "a line does not end with CR LF");
            if (i < 3)
                return fault(ret_fault, 400, "there is no request line");
            if (data[i - 2] == '\n')
                return (ptrdiff_t)i + 1;
        } else {
            return fault(ret_fault, 400, "the head holds a control character");
        }
    }
    *seen = i;
    return len >= limits->head_max ? too_long(data, end, ret_fault) : 0;
}

/* ---- the request line ---- */

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
              (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return len > 0;
}

static bool knows_method(struct slice m)
{
    static const char *const known[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strlen(known[i]) == m.len && memcmp(known[i], m.text, m.len) == 0)
            return true;
    return false;
}

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.text[i] <= 0x20 || (unsigned char)s.text[i] >= 0x7f)
            return false;
    return s.len > 0;
}

/* "HTTP/1.1": 1, "HTTP/1.0": 0, another version -1, no version -2. */
static int version_of(struct slice s)
{
    if (s.len != 8 || memcmp(s.text, "HTTP/", 5) != 0 || s.text[6] != '.' || s.text[5] < '0' ||
        s.text[5] > '9' || s.text[7] < '0' || s.text[7] > '9')
        return -2;
    return s.text[5] == '1' && s.text[7] <= '1' ? s.text[7] - '0' : -1;
}

static ptrdiff_t cut_request_line(const char *text, size_t len, const struct parse_limits *limits,
                                  struct parse_head *ret, struct parse_fault *ret_fault)
{
    const char *end = memchr(text, '\r', len);
    const char *one = memchr(text, ' ', len);
    const char *two = one && one < end ? memchr(one + 1, ' ', (size_t)(end - one - 1)) : NULL;

    if (!two)
        return fault(ret_fault, 400, "the request line is not method, target, version");
    ret->method = (struct slice){ text, (size_t)(one - text) };
    ret->target = (struct slice){ one + 1, (size_t)(two - one - 1) };
    ret->minor = version_of((struct slice){ two + 1, (size_t)(end - two - 1) });
    if (!is_token(ret->method.text, ret->method.len))
        return fault(ret_fault, 400, "the method is not a token");
    if (!is_visible(ret->target) || ret->minor == -2)
        return fault(ret_fault, 400, "the request line is not method, target, version");
    if (ret->minor < 0)
        return fault(ret_fault, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (ret->target.len > limits->target_max)
        return fault(ret_fault, 414, "the target is too long");
    if (!knows_method(ret->method))
        return fault(ret_fault, 501, "the method is not known");
    return 0;
}

/* ---- the headers ---- */

static int on_name(llhttp_t *p, const char *at, size_t len)
{
    struct reader *reader = p->data;

    reader->name = (struct slice){ at, len };
    reader->value = (struct slice){ at + len, 0 };
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    struct reader *reader = p->data;

    reader->value = (struct slice){ at, len };
    return 0;
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (s.text[0] == ' ' || s.text[0] == '\t')) {
        s.text++;
        s.len--;
    }
    while (s.len > 0 && (s.text[s.len - 1] == ' ' || s.text[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int on_header(llhttp_t *p)
{
    struct reader *reader = p->data;

    if (reader->head->count == reader->room || !is_token(reader->name.text, reader->name.len))
        return -1;
    reader->head->headers[reader->head->count++] =
        (struct http_header){ reader->name, trimmed(reader->value) };
    return 0;
}

static int on_headers(llhttp_t *p)
{
    struct reader *reader = p->data;

    p->upgrade = 0; /* other protocols are not spoken: the request stands for itself */
    reader->complete = true;
    reader->chunked = (p->flags & F_CHUNKED) != 0;
    reader->length = (p->flags & F_CONTENT_LENGTH) ? p->content_length : 0;
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len);
static int on_message(llhttp_t *p);

static const llhttp_settings_t settings = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_header,
    .on_headers_complete = on_headers,
};
static const llhttp_settings_t body_settings = {
    .on_body = on_body,
    .on_message_complete = on_message,
};

static void lower_names(char *text, const struct parse_head *head)
{
    for (size_t i = 0; i < head->count; i++) {
        char *name = text + (head->headers[i].name.text - text);

        for (size_t k = 0; k < head->headers[i].name.len; k++)
            if (name[k] >= 'A' && name[k] <= 'Z')
                name[k] = (char)(name[k] | 0x20);
    }
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;

    for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
        n++;
    return n;
}

/* What reads the body goes on where the head's parser stopped. */
static struct parse_body *new_body(const llhttp_t *p, const struct reader *reader, struct arena *a)
{
    struct parse_body *b = arena_zalloc(a, sizeof(*b));

    if (!b)
        return NULL;
    b->llhttp = *p;
    b->llhttp.settings = (void *)(uintptr_t)&body_settings; /* llhttp only reads them */
    b->llhttp.data = b;
    b->chunked = reader->chunked;
    b->length = reader->chunked ? -1 : (int64_t)reader->length;
    b->guard = (struct guard){ .before = '\n', .lines = 1 };
    return b;
}

int parse_head(char *text, size_t len, const struct parse_limits *limits, struct arena *a,
               struct parse_head *ret, struct parse_body **ret_body, struct parse_fault *ret_fault)
{
    struct reader reader = { .head = ret };
    llhttp_t p;

    *ret = (struct parse_head){ 0 };
    *ret_body = NULL;
    if (cut_request_line(text, len, limits, ret, ret_fault) < 0)
        return -1;
    reader.room = count_lines(text, len) - 2; /* the request line and the empty one */
    if (reader.room > limits->headers_max)
        return (int)fault(ret_fault, 431, "there are too many headers");
    ret->headers = arena_alloc(a, reader.room * sizeof(*ret->headers));
    if (!ret->headers)
        return (int)fault(ret_fault, 503, "out of memory");
    llhttp_init(&p, HTTP_REQUEST, &settings);
    p.data = &reader;
    if (llhttp_execute(&p, text, len) != HPE_OK || !reader.complete || ret->count != reader.room)
        return (int)fault(ret_fault, 400, "the headers are malformed");
    lower_names(text, ret);
    if (!reader.chunked && reader.length == 0)
        return 0;
    *ret_body = new_body(&p, &reader, a);
    if (!*ret_body)
        return (int)fault(ret_fault, 503, "out of memory");
    return 0;
}

/* ---- bodies ---- */

static bool guard_byte(struct guard *g, char c)
{
    char before = g->before;

    g->before = c;
    if (++g->length > (g->lines > 0 ? PARSE_CHUNK_LINE_MAX : PARSE_TRAILERS_MAX))
        return false;
    if (before == '\r' && c != '\n')
        return false;
    if (c == '\n') {
        if (g->lines > 0 && --g->lines == 0)
            g->length = 0;
        return before == '\r';
    }
    if (c == ' ' || c == '\t')
        return g->lines == 0 && before != '\n';
    return c == '\r' || is_plain((unsigned char)c);
}

/* Looks at the framing from b->at to `end`. */
static bool guard_gap(struct parse_body *b, const char *end)
{
    while (b->at < end)
        if (!guard_byte(&b->guard, *b->at++))
            return false;
    return true;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct parse_body *b = p->data;

    if (b->chunked) {
        if (!guard_gap(b, at))
            return -1;
        b->guard = (struct guard){ .lines = 2 }; /* the data's line end, the next size */
        b->at = at + len;
    }
    return b->fn(b->ctx, at, len) ? 0 : -1;
}

static int on_message(llhttp_t *p)
{
    struct parse_body *b = p->data;

    b->done = true;
    return HPE_PAUSED;
}

enum parse_step parse_body(struct parse_body *b, const char *data, size_t len, size_t *ret_used,
                           parse_data_fn *fn, void *ctx)
{
    llhttp_errno_t rc;
    const char *end;

    assert(!b->done);
    b->at = data;
    b->fn = fn;
    b->ctx = ctx;
    rc = llhttp_execute(&b->llhttp, data, len);
    end = b->done ? llhttp_get_error_pos(&b->llhttp) : data + len;
    *ret_used = (size_t)(end - data);
    if ((rc != HPE_OK && !b->done) || (b->chunked && !guard_gap(b, end)))
        return PARSE_BAD;
    return b->done ? PARSE_DONE : PARSE_MORE;
}

int64_t parse_body_length(const struct parse_body *b)
{
    return b->length;
}
