/*
 * base/jsonscan.h - a strict RFC 8259 scanner and look-ups that return exact slices of the text.
 *
 * Payloads are kept and forwarded byte for byte; this file only looks.  Refused, with the byte
 * offset in the error: anything outside the grammar, invalid UTF-8, raw control characters, a lone
 * surrogate or \u0000 (PostgreSQL cannot store it), duplicate keys, nesting over the limit, text
 * after the value, and the empty text.  One pass, memory only for the keys of open objects.
 */
#ifndef BASE_JSONSCAN_H
#define BASE_JSONSCAN_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSONSCAN_DEPTH_MAX = 64 };

struct slice {
    const char *text; /* borrowed; NULL when there is nothing */
    size_t len;
};

int jsonscan_check(const char *text, size_t len, struct err *e) MUSTCHECK;

/* All below: on a text that jsonscan_check passed; white space around a value is not part of it. */
enum ifp_json_type jsonscan_type(struct slice value);
/* IFP_ENOTFOUND when nothing is at the pointer, IFP_EINVALID when the pointer is malformed. */
int jsonscan_find(struct slice value, const char *pointer, struct slice *ret) MUSTCHECK;
size_t jsonscan_len(struct slice value);
/* Walks members (or elements, with an empty key): *pos starts at 0; false at the end.  The key is
 * its raw text without quotes. */
bool jsonscan_each(struct slice value, size_t *pos, struct slice *ret_key, struct slice *ret_value);
/* Decodes a string value; the result is zero-terminated, in the arena. */
int jsonscan_string(struct slice value, struct arena *a, char **ret, size_t *ret_len) MUSTCHECK;
/* An integer that fits int64: any spelling without a remaining fraction ("10", "1e1", "1.0e1"). */
int jsonscan_int(struct slice value, int64_t *ret) MUSTCHECK;
int jsonscan_double(struct slice value, double *ret) MUSTCHECK;

/* Writes a string with quotes and escapes; false (and nothing written) when it is not UTF-8 or
 * has a zero byte. */
bool jsonscan_quote(struct buf *b, const char *s, size_t len);
bool jsonscan_utf8_ok(const char *s, size_t len);
/* Copies a zero-terminated text into the arena with invalid UTF-8 replaced by U+FFFD, at most max
 * bytes of it, cut between characters: for error texts, which must always be storable.  NULL when
 * memory is out. */
char *jsonscan_clean(struct arena *a, const char *s, size_t max);

#endif
