/*
 * base/buf.c - doubles its memory when it is full; out of memory makes it broken, not shorter: what
 * was written before stays until reset or release, but is never given out.
 */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUF_CAP_MIN = 64 };

void buf_init(struct buf *b)
{
    *b = (struct buf){ 0 };
}

void buf_release(struct buf *b)
{
    mem_free(b->data);
    buf_init(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->broken = false;
}

/* Makes room for `more` bytes; false (and broken) when there is none. */
static bool reserve(struct buf *b, size_t more)
{
    size_t need, cap;
    char *data;

    assert(b->len <= b->cap);
    if (b->broken)
        return false;
    if (more <= b->cap - b->len)
        return true;
    if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 2)
        goto fail;
    cap = MAX(MAX(need, b->cap * 2), (size_t)BUF_CAP_MIN);
    data = mem_resize(b->data, cap, 1);
    if (!data)
        goto fail;
    b->data = data;
    b->cap = cap;
    return true;

fail:
    b->broken = true;
    return false;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        b->broken = true;
    if (!reserve(b, (size_t)len + 1))
        return;
    va_start(args, format);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

/* The low `bytes` bytes of v, the highest of them first. */
static void put_be(struct buf *b, uint64_t v, unsigned bytes)
{
    unsigned char out[8];

    assert(bytes <= sizeof(out));
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
    buf_put(b, out, bytes);
}

void buf_be16(struct buf *b, uint16_t v)
{
    put_be(b, v, 2);
}

void buf_be32(struct buf *b, uint32_t v)
{
    put_be(b, v, 4);
}

void buf_be64(struct buf *b, uint64_t v)
{
    put_be(b, v, 8);
}

bool buf_broken(const struct buf *b)
{
    return b->broken;
}

const char *buf_cstr(struct buf *b)
{
    if (!reserve(b, 1))
        return NULL;
    b->data[b->len] = '\0';
    return b->data;
}

char *buf_take(struct buf *b)
{
    char *data = NULL;

    if (buf_cstr(b)) {
        data = b->data;
        b->data = NULL;
    }
    buf_release(b);
    return data;
}
