/*
 * http/pack.h - gzip where a text is not whole: streams packed part by part, and the bodies of
 * requests unpacked.  Whole answers are gzip.h's.
 */
#ifndef HTTP_PACK_H
#define HTTP_PACK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdbool.h>
#include <stddef.h>

/* IFP_ETOOLARGE when it is over `max` unpacked, IFP_EINVALID when it is not one whole member of
 * gzip.  Stops at the limit: no bomb goes off. */
int pack_undo(struct slice packed, size_t max, struct arena *a, struct slice *ret,
              struct err *e) MUSTCHECK;

struct pack; /* a stream's; about 30 kB */
/* NULL when memory is out. */
struct pack *pack_open(void);
/* Appends to `out` what makes `text` readable at the other end; `last` ends the stream. */
int pack_put(struct pack *z, const char *text, size_t len, bool last, struct buf *out) MUSTCHECK;
void pack_close(struct pack *z); /* NULL is fine */

#endif
