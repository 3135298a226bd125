/*
 * base/mem.h - all heap memory of the runtime goes through here, so that a test can fail the n-th
 * allocation (base/fault.h).  Sizes of zero give a valid pointer.  NULL means out of memory, and is
 * an operating error everywhere: the request at hand fails, the process lives.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/base.h"

#include <stddef.h>

void *mem_alloc(size_t size) MUSTCHECK;
void *mem_zalloc(size_t size) MUSTCHECK;
/* NULL and an untouched `ptr` when memory is out or count * size overflows. */
void *mem_resize(void *ptr, size_t count, size_t size) MUSTCHECK;
char *mem_strdup(const char *s) MUSTCHECK; /* NULL gives NULL */
char *mem_strndup(const char *s, size_t len) MUSTCHECK;
void mem_free(void *ptr); /* NULL is fine */

#endif
