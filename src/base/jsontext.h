/*
 * base/jsontext.h - characters: UTF-8 sequences and the escapes of JSON strings.  For the JSON
 * files of base/ and the log; everybody else uses jsonscan.h.
 */
#ifndef BASE_JSONTEXT_H
#define BASE_JSONTEXT_H

#include "base/base.h"

#include <stddef.h>

/* Bytes of the UTF-8 sequence that begins at s (RFC 3629: no overlong form, no surrogate, at most
 * U+10FFFF), or 0 when there is none within len. */
size_t jsontext_utf8(const char *s, size_t len);
/* The escape of one byte: 'n' for a newline, 'u' when only \u00XX will do, 0 when it needs none. */
char jsontext_escape(unsigned char c);
/* Decodes the valid escape at *at (a backslash; a pair of surrogates is one escape), moves *at
 * behind it and gives the UTF-8 bytes written. */
size_t jsontext_unescape(const char **at, char ret[4]);

/* Walks the decoded bytes of a valid string's raw text, up to `end` or the closing quote. */
struct jsontext_bytes {
    const char *at; /* borrowed */
    const char *end;
    char decoded[4]; /* of the escape just read: bytes next..count are still to be given */
    size_t next, count;
};

void jsontext_bytes_init(struct jsontext_bytes *b, const char *raw, const char *end);
/* The next byte, or -1 at the end. */
int jsontext_bytes_next(struct jsontext_bytes *b);

#endif
