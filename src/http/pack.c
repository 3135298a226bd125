/*
 * http/pack.c - two uses of zlib beside gzip.c; its memory is base/mem's, so tests can fail it.
 *
 * A stream gets a window of 4 KiB: zlib's default would hold 256 KiB for each that is open.
 * Unpacking grows its room by doubling and stops one byte over the limit.
 */
#include "http/pack.h"

#include "base/mem.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { LEVEL = 4, WRAP_GZIP = 16, WINDOW = 15, STREAM_WINDOW = 12, STREAM_MEMORY = 4 };
enum { PIECE = 4096, UNPACK_FIRST = 16384 };

struct pack {
    z_stream z;
};

static void *take(void *ctx, unsigned items, unsigned size)
{
    (void)ctx;
    return mem_alloc((size_t)items * size);
}

static void give(void *ctx, void *ptr)
{
    (void)ctx;
    mem_free(ptr);
}

/* ---- bodies ---- */

/* Twice the room, up to max + 1: one byte over tells that it is too long. */
static bool grow(z_stream *z, struct arena *a, char **to, size_t *cap, size_t max)
{
    size_t len = *cap - z->avail_out;
    size_t bigger = MIN(MAX(*cap * 2, (size_t)UNPACK_FIRST), max + 1);
    char *next = arena_alloc(a, bigger);

    if (!next)
        return false;
    if (len > 0)
        memcpy(next, *to, len);
    *to = next;
    *cap = bigger;
    z->next_out = (Bytef *)next + len;
    z->avail_out = (uInt)(bigger - len);
    return true;
}

int pack_undo(struct slice packed, size_t max, struct arena *a, struct slice *ret, struct err *e)
{
    z_stream z = { .zalloc = take, .zfree = give };
    size_t cap = 0, len = 0;
    char *to = NULL;
    int rc = Z_OK;

    z.next_in = (Bytef *)(uintptr_t)packed.text;
    z.avail_in = (uInt)packed.len;
    if (packed.len > INT_MAX || max > INT_MAX - 1)
        return err_set(e, IFP_ETOOLARGE, "the body is too long");
    if (inflateInit2(&z, WINDOW + WRAP_GZIP) != Z_OK)
        return err_set(e, IFP_ENOMEM, "out of memory");
    while (rc == Z_OK && len <= max) {
        if (z.avail_out == 0 && !grow(&z, a, &to, &cap, max)) {
            (void)inflateEnd(&z);
            return err_set(e, IFP_ENOMEM, "out of memory");
        }
        rc = inflate(&z, Z_NO_FLUSH);
        len = cap - z.avail_out;
    }
    (void)inflateEnd(&z);
    if (len > max)
        return err_set(e, IFP_ETOOLARGE, "the body is too long once it is unpacked");
    if (rc != Z_STREAM_END || z.avail_in > 0)
        return err_set(e, IFP_EINVALID, "the body is not in the form of gzip");
    *ret = (struct slice){ to, len };
    return 0;
}

/* ---- streams ---- */

struct pack *pack_open(void)
{
    struct pack *z = mem_zalloc(sizeof(*z));

    if (!z)
        return NULL;
    z->z.zalloc = take;
    z->z.zfree = give;
    if (deflateInit2(&z->z, LEVEL, Z_DEFLATED, STREAM_WINDOW + WRAP_GZIP, STREAM_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(z);
        return NULL;
    }
    return z;
}

int pack_put(struct pack *z, const char *text, size_t len, bool last, struct buf *out)
{
    char piece[PIECE];

    assert(len < INT_MAX);
    z->z.next_in = (Bytef *)(uintptr_t)text;
    z->z.avail_in = (uInt)len;
    do {
        z->z.next_out = (Bytef *)piece;
        z->z.avail_out = sizeof(piece);
        (void)deflate(&z->z, last ? Z_FINISH : Z_SYNC_FLUSH); /* no error is possible here */
        buf_put(out, piece, sizeof(piece) - z->z.avail_out);
    } while (z->z.avail_out == 0);
    return buf_broken(out) ? IFP_ENOMEM : 0;
}

void pack_close(struct pack *z)
{
    if (!z)
        return;
    (void)deflateEnd(&z->z);
    mem_free(z);
}
