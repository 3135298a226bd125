/*
 * http/request.c - looking things up in a request.
 */
#include "http/request.h"

#include "http/conn.h"

#include <string.h>

struct slice http_header(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.len == len && memcmp(r->headers[i].name.text, name, len) == 0)
            return r->headers[i].value;
    return (struct slice){ NULL, 0 };
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in forms' way: + is a space.  False when an escape is broken. */
static bool decode(struct slice from, char *to, size_t *ret_len)
{
    size_t n = 0;

    for (size_t i = 0; i < from.len; i++) {
        char c = from.text[i];

        if (c == '%') {
            if (i + 2 >= from.len || hex(from.text[i + 1]) < 0 || hex(from.text[i + 2]) < 0)
                return false;
            c = (char)(hex(from.text[i + 1]) * 16 + hex(from.text[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        to[n++] = c;
    }
    to[n] = '\0';
    *ret_len = n;
    return true;
}

/* Cuts the next "name=value" off the front. */
static bool next_pair(struct slice *query, struct slice *ret_name, struct slice *ret_value)
{
    const char *end, *mark;
    struct slice pair = *query;

    if (query->len == 0)
        return false;
    end = memchr(pair.text, '&', pair.len);
    if (end)
        pair.len = (size_t)(end - pair.text);
    query->text += pair.len + (end ? 1 : 0);
    query->len -= pair.len + (end ? 1 : 0);
    mark = memchr(pair.text, '=', pair.len);
    *ret_name = pair;
    *ret_value = (struct slice){ pair.text + pair.len, 0 };
    if (mark) {
        ret_name->len = (size_t)(mark - pair.text);
        *ret_value = (struct slice){ mark + 1, pair.len - ret_name->len - 1 };
    }
    return true;
}

int http_query(struct http_request *r, const char *name, struct slice *ret, struct err *e)
{
    struct slice query = r->query, key, value, found = { NULL, 0 };
    size_t len;
    char *text;

    while (next_pair(&query, &key, &value)) {
        if (key.len != strlen(name) || memcmp(key.text, name, key.len) != 0)
            continue;
        if (found.text)
            return err_set(e, IFP_EINVALID, "query: %s is given twice", name);
        found = value;
    }
    if (!found.text)
        return IFP_ENOTFOUND;
    text = arena_alloc(&r->arena, found.len + 1);
    if (!text)
        return err_set(e, IFP_ENOMEM, "query: out of memory");
    if (!decode(found, text, &len) || !jsonscan_utf8_ok(text, len) || memchr(text, '\0', len))
        return err_set(e, IFP_EINVALID, "query: %s is not percent-encoded UTF-8", name);
    *ret = (struct slice){ text, len };
    return 0;
}

bool http_is_gone(const struct http_request *r)
{
    const struct exchange *x = CONTAINER_OF(r, const struct exchange, r);

    return x->state == EXCHANGE_ORPHAN || r->conn->ended || sm_is(&r->conn->sm, CONN_CLOSED);
}
