/*
 * http/gzip.h - gzip for whole answers: who takes it, what is worth it, and the doing.
 *
 * One struct gzip serves one loop: its memory (some 256 KiB) is taken at the first answer and kept.
 */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdbool.h>

/* Smaller gains nothing, larger would keep the loop from others for too long. */
enum { GZIP_MIN = 1024, GZIP_MAX = 4194304 };

struct gzip;

int gzip_open(struct gzip **ret, struct err *e) MUSTCHECK;
void gzip_close(struct gzip *g); /* NULL is fine */
/* Does this value of Accept-Encoding (text NULL: none) take gzip? */
bool gzip_accepted(struct slice accept);
/* Is it a type whose texts shrink? */
bool gzip_worthwhile(const char *type);
/* The compressed text, in the arena; text NULL when it would not be smaller or memory is out, in
 * which case the arena is as good as before. */
struct slice gzip_whole(struct gzip *g, struct arena *a, struct slice text);

#endif
