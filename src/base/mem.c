/*
 * base/mem.c - malloc with a fault point in front.
 *
 * Each call that may fail is one hit of FAULT_ALLOC, so a test fails the 1st, 2nd, 3rd ... of them
 * and sees every way out of memory can strike.  Sizes above PTRDIFF_MAX are refused here: no object
 * may be that large, and sanitizers would abort instead of returning NULL.  Any thread.
 */
#include "base/mem.h"

#include "base/fault.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* True when this allocation must fail. */
static bool refused(size_t size)
{
    return size > PTRDIFF_MAX || fault_hit(FAULT_ALLOC);
}

void *mem_alloc(size_t size)
{
    return refused(size) ? NULL : malloc(MAX(size, 1));
}

void *mem_zalloc(size_t size)
{
    return refused(size) ? NULL : calloc(1, MAX(size, 1));
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || refused(bytes))
        return NULL;
    return realloc(ptr, MAX(bytes, 1));
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}
