/*
 * tests/lib/rawhttp.h - a blocking client that sends bytes as they are and reads whole answers.
 * Every wait is bounded by RAW_TIME_MS; what fails in the test's own doing ends the test.
 */
#ifndef LIB_RAWHTTP_H
#define LIB_RAWHTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { RAW_TIME_MS = 20000 };

struct raw {
    int fd;
    char *data; /* read and not given out */
    size_t len, cap;
    struct raw_answer {
        int status;
        char *head; /* lines with CR LF, zero-terminated */
        char *body; /* decoded, zero-terminated */
        size_t body_len;
    } answer; /* of the last raw_read */
};

void raw_open(struct raw *c, int port); /* 127.0.0.1 */
void raw_close(struct raw *c);
/* False when the other side has gone. */
bool raw_send(struct raw *c, const char *data, size_t len);
bool raw_puts(struct raw *c, const char *text);
/* The next answer in full, after any 100 Continue, into c->answer; `head_only` for answers to HEAD.
 * False when the connection ended before one had begun; an answer that is cut ends the test. */
bool raw_read(struct raw *c);
bool raw_read_head(struct raw *c);
/* Exactly n more bytes, zero-terminated, valid until the next call. */
const char *raw_bytes(struct raw *c, size_t n);
/* True when the other side ends the connection without another byte. */
bool raw_ended(struct raw *c);
/* The value of a header of the last answer, or NULL; valid until the next answer. */
const char *raw_header(struct raw *c, const char *name);
/* Sends, reads one answer and gives its status. */
int raw_ask(struct raw *c, const char *request);

#endif
