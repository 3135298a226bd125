/*
 * http/mediatype.c - reads a media type as far as the question goes: type, subtype, charset.
 * "application/json" and "application/...+json" are JSON; a charset may only be utf-8.
 */
#include "http/mediatype.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.text[0]))
        s = (struct slice){ s.text + 1, s.len - 1 };
    while (s.len > 0 && is_blank(s.text[s.len - 1]))
        s.len--;
    return s;
}

static bool same(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.text, text, s.len) == 0;
}

static bool starts(struct slice s, const char *text)
{
    return s.len >= strlen(text) && strncasecmp(s.text, text, strlen(text)) == 0;
}

static bool ends(struct slice s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && strncasecmp(s.text + s.len - len, text, len) == 0;
}

static struct slice cut(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->text, ';', rest->len) : NULL;
    struct slice part = { rest->text, end ? (size_t)(end - rest->text) : rest->len };

    *rest = end ? (struct slice){ end + 1, rest->len - part.len - 1 } : (struct slice){ 0 };
    return trim(part);
}

bool mediatype_is_json(struct slice value)
{
    struct slice type = cut(&value);

    if (!same(type, "application/json") && !(starts(type, "application/") && ends(type, "+json")))
        return false;
    while (value.text) {
        struct slice parameter = cut(&value);

        if (starts(parameter, "charset=") && !same(parameter, "charset=utf-8") &&
            !same(parameter, "charset=\"utf-8\""))
            return false;
    }
    return true;
}

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    struct slice type;

    (void)self;
    (void)slot;
    if (!r->route || (r->route->flags & (ROUTE_BODY | ROUTE_ANY_BODY)) != ROUTE_BODY)
        return CHAIN_NEXT;
    type = http_header(r, "content-type");
    if (!type.text || mediatype_is_json(type))
        return CHAIN_NEXT;
    (void)err_set(e, IFP_EINVALID, "the body must be sent as content-type: application/json");
    http_answer_header(r, "accept", "application/json");
    http_answer_status(r, 415, e);
    return CHAIN_ANSWERED;
}

const struct interceptor mediatype_interceptor = { .name = "content-type", .enter = on_enter };
