/*
 * base/err.h - how an error travels: the number is returned, the text is in a caller's struct err.
 *
 * Numbers are inferpipe.h's IFP_E*.  A function that may fail for reasons worth telling takes a
 * `struct err *` (never NULL) and fills it; on the way up err_wrap puts the context in front
 * ("claim: connect: timed out").  Library code returns errors; the layer that decides logs them.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/base.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stddef.h>

enum { ERR_TEXT_SIZE = 512 };

struct err {
    int code;         /* IFP_E*, 0 for none */
    char sqlstate[6]; /* of PostgreSQL, "" when it is not from there */
    char text[ERR_TEXT_SIZE];
};

void err_clear(struct err *e);
/* Sets code and text; gives the code back, for `return err_set(e, IFP_EINVALID, "...")`. */
int err_set(struct err *e, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " in front of the text; cuts the end when it does not fit, on a UTF-8 border. */
int err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

int err_http_status(int code);
bool err_retryable(int code);
/* The number with this name on the wire, or 0. */
int err_from_name(const char *name);
/* The exit code of a command that ended so: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused,
 * 5 timeout. */
int err_exit_code(int code);

#endif
