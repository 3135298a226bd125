/*
 * base/arena.c - blocks of growing size, cut from front to back.
 *
 * A request that does not fit in the newest block gets a new one; the rest of the old block stays
 * unused, which wastes at most half for small requests.  The first block is small, half a kilobyte
 * with its header: an execution has three arenas, and most of them hold little.  Under ASan all
 * bytes that are not handed out are poisoned, with a gap between neighbours, so an overrun inside
 * an arena is reported like one of malloc's.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { ARENA_GAP = 16 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { ARENA_GAP = 0 };
#endif

enum { ARENA_ALIGN = alignof(max_align_t), ARENA_BLOCK_MIN = 464, ARENA_BLOCK_MAX = 65536 };

struct arena_block {
    struct arena_block *next; /* owned, the older one */
    size_t size;              /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){ .limit = limit };
}

/* A block with room for `need` bytes becomes the newest; false when memory is out. */
static bool add_block(struct arena *a, size_t need)
{
    size_t grown = a->head ? MIN(a->head->size * 2, (size_t)ARENA_BLOCK_MAX) : ARENA_BLOCK_MIN;
    size_t size = MAX(need, grown);
    struct arena_block *block = mem_alloc(sizeof(*block) + size);

    if (!block)
        return false;
    block->next = a->head;
    block->size = size;
    block->used = 0;
    POISON(block->data, size);
    a->head = block;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = (MAX(size, 1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    void *ptr;

    if (a->broken || size > PTRDIFF_MAX / 2)
        goto fail;
    if (a->limit && need > a->limit - a->used) {
        a->full = true;
        goto fail;
    }
    if ((!a->head || a->head->size - a->head->used < need + ARENA_GAP) &&
        !add_block(a, need + ARENA_GAP))
        goto fail;
    ptr = a->head->data + a->head->used;
    a->head->used += need + ARENA_GAP;
    a->used += need;
    assert(a->head->used <= a->head->size && (!a->limit || a->used <= a->limit));
    UNPOISON(ptr, size);
    return ptr;

fail:
    a->broken = true;
    return NULL;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    void *ptr = arena_alloc(a, size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_alloc(a, len + 1);

    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0)
        text = arena_alloc(a, (size_t)len + 1);
    if (!text) {
        a->broken = true;
        return NULL;
    }
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->next) {
        struct arena_block *older = a->head->next;

        mem_free(a->head);
        a->head = older;
    }
    if (a->head) {
        POISON(a->head->data, a->head->size);
        a->head->used = 0;
    }
    a->used = 0;
    a->broken = false;
    a->full = false;
}

void arena_release(struct arena *a)
{
    arena_reset(a);
    mem_free(a->head);
    a->head = NULL;
}
