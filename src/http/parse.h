/*
 * http/parse.h - bytes to heads and bodies of requests: llhttp, and a guard around it.
 *
 * llhttp reads; the guard sees each byte that is framing, and refuses what llhttp lets through and
 * another parser could read in another way: a line end that is not CR LF, a control character, a
 * line that continues the one before.  What the lines then say is judged by head.h.
 *
 * A head is looked for first (parse_find) and parsed as a whole, in place, so its names and values
 * are slices of it.  A body is parsed as it comes.  Pure: no clock, no socket.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "base/arena.h"
#include "http/header.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a request is refused: the status of the answer, after which the connection is closed. */
struct parse_fault {
    int status;
    const char *why; /* static */
};

struct parse_limits {
    size_t head_max, target_max, headers_max;
};

/* Bytes of a chunked body that are not its data: extensions of one chunk, and all trailers. */
enum { PARSE_CHUNK_LINE_MAX = 256, PARSE_TRAILERS_MAX = 8192 };

/* Length of the head at the front of the bytes (with the empty line), 0 while it is not whole, or
 * -1 and the fault.  *seen, 0 for a new head, remembers what was looked at, so that a head that
 * comes byte by byte is still looked at once. */
ptrdiff_t parse_find(const char *data, size_t len, size_t *seen, const struct parse_limits *limits,
                     struct parse_fault *ret_fault) MUSTCHECK;

struct parse_head {
    struct slice method, target; /* slices of the text */
    int minor;                   /* HTTP/1.minor: 0 or 1 */
    struct http_header *headers; /* in the arena; names made lower case in the text */
    size_t count;
};

struct parse_body;

/* `text` is a whole head as parse_find gave it; names in it are made lower case.  *ret_body is what
 * reads the body, in the arena, or NULL when there is none.  -1 and the fault; 503: no memory. */
int parse_head(char *text, size_t len, const struct parse_limits *limits, struct arena *a,
               struct parse_head *ret, struct parse_body **ret_body,
               struct parse_fault *ret_fault) MUSTCHECK;

enum parse_step { PARSE_MORE, PARSE_DONE, PARSE_BAD };

/* Gets the bytes of the body, false to stop (as PARSE_BAD). */
typedef bool parse_data_fn(void *ctx, const char *data, size_t len);

/* *ret_used bytes were read; less than `len` only with PARSE_DONE (the rest is the next head) and
 * PARSE_BAD. */
enum parse_step parse_body(struct parse_body *b, const char *data, size_t len, size_t *ret_used,
                           parse_data_fn *fn, void *ctx) MUSTCHECK;
/* The length that the head told, or -1 when it is chunked. */
int64_t parse_body_length(const struct parse_body *b);

#endif
