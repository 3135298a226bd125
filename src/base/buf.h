/*
 * base/buf.h - a byte buffer that grows.  Fails sticky like an arena: later writes do nothing once
 * memory was out, so a builder checks buf_broken once at its end.  `data` is not zero-terminated
 * unless buf_cstr made it so.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* owned */
    size_t len;
    size_t cap;
    bool broken;
};

void buf_init(struct buf *b);
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* empty and whole again, keeps the memory */
void buf_put(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_be16(struct buf *b, uint16_t v); /* network order, for PostgreSQL's binary format */
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
bool buf_broken(const struct buf *b);
/* Zero-terminates and gives `data`; NULL when broken. */
const char *buf_cstr(struct buf *b);
/* Hands the zero-terminated memory to the caller (mem_free); NULL when broken.  Leaves it empty. */
char *buf_take(struct buf *b);

#endif
