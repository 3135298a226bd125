/*
 * http/gzip.c - zlib at its fastest level: the loop waits meanwhile, and JSON shrinks to a fifth
 * even so.
 *
 * Accept-Encoding (RFC 9110, 12.5.3): gzip (or x-gzip) with a weight above 0, or "*" with one when
 * gzip is not named.  What cannot be read is not taken.
 */
#include "http/gzip.h"

#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8, SHRINKS_BY = 32 };

struct gzip {
    z_stream z;
    bool ready; /* z has its memory */
};

int gzip_open(struct gzip **ret, struct err *e)
{
    *ret = mem_zalloc(sizeof(**ret));
    return *ret ? 0 : err_set(e, IFP_ENOMEM, "gzip: out of memory");
}

void gzip_close(struct gzip *g)
{
    if (!g)
        return;
    if (g->ready)
        (void)deflateEnd(&g->z);
    mem_free(g);
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.text[0] == ' ' || s.text[0] == '\t'))
        s = (struct slice){ s.text + 1, s.len - 1 };
    while (s.len > 0 && (s.text[s.len - 1] == ' ' || s.text[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cuts off what is before the first `c`, or all of it. */
static struct slice cut(struct slice *rest, char c)
{
    const char *end = rest->len > 0 ? memchr(rest->text, c, rest->len) : NULL;
    struct slice part = { rest->text, end ? (size_t)(end - rest->text) : rest->len };

    *rest = end ? (struct slice){ end + 1, rest->len - part.len - 1 } : (struct slice){ 0 };
    return trim(part);
}

static bool same(struct slice s, const char *text)
{
    return s.text && s.len == strlen(text) && strncasecmp(s.text, text, s.len) == 0;
}

/* Is the weight ("q=0.5", or nothing) above 0?  A digit that is not 0 makes it so. */
static bool weighs(struct slice parameters)
{
    struct slice q = cut(&parameters, ';');

    if (!q.text || q.len == 0)
        return true;
    if (q.len < 3 || (q.text[0] | 0x20) != 'q' || q.text[1] != '=')
        return false;
    for (size_t i = 2; i < q.len; i++)
        if (q.text[i] >= '1' && q.text[i] <= '9')
            return true;
    return false;
}

bool gzip_accepted(struct slice accept)
{
    bool any = false;

    while (accept.text) {
        struct slice item = cut(&accept, ',');
        struct slice coding = item.text ? cut(&item, ';') : item;

        if (same(coding, "gzip") || same(coding, "x-gzip"))
            return weighs(item);
        if (same(coding, "*"))
            any = weighs(item);
    }
    return any;
}

bool gzip_worthwhile(const char *type)
{
    struct slice rest = { type, type ? strlen(type) : 0 }, name = cut(&rest, ';');

    return same(name, "application/json") || same(name, "application/problem+json") ||
           same(name, "text/html") || same(name, "text/plain") || same(name, "text/css") ||
           same(name, "text/javascript") || same(name, "image/svg+xml");
}

struct slice gzip_whole(struct gzip *g, struct arena *a, struct slice text)
{
    size_t room = text.len - text.len / SHRINKS_BY;
    struct slice none = { 0 };
    char *to;

    assert(text.len >= GZIP_MIN && text.len <= GZIP_MAX);
    if (!g->ready)
        g->ready = deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                                Z_DEFAULT_STRATEGY) == Z_OK;
    if (!g->ready || a->broken)
        return none;
    to = arena_alloc(a, room);
    if (!to) {
        a->broken = a->full = false; /* the answer leaves as it is */
        return none;
    }
    (void)deflateReset(&g->z);
    g->z.next_in = (Bytef *)(uintptr_t)text.text;
    g->z.avail_in = (uInt)text.len;
    g->z.next_out = (Bytef *)to;
    g->z.avail_out = (uInt)room;
    if (deflate(&g->z, Z_FINISH) != Z_STREAM_END)
        return none;
    return (struct slice){ to, room - g->z.avail_out };
}
