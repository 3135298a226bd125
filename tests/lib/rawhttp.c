/* tests/lib/rawhttp.c - see rawhttp.h. */
#define _GNU_SOURCE 1 /* memmem */

#include "lib/rawhttp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEADER_SIZE = 512 };

void raw_open(struct raw *c, int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    memset(c, 0, sizeof(*c));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void forget_answer(struct raw *c)
{
    free(c->answer.head);
    free(c->answer.body);
    memset(&c->answer, 0, sizeof(c->answer));
}

void raw_close(struct raw *c)
{
    forget_answer(c);
    free(c->data);
    close(c->fd);
    c->fd = -1;
}

bool raw_send(struct raw *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool raw_puts(struct raw *c, const char *text)
{
    return raw_send(c, text, strlen(text));
}

/* More bytes; false at the end of the connection. */
static bool fill(struct raw *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    ssize_t n;

    if (c->cap - c->len < 65536) {
        c->cap = (c->cap + 65536) * 2;
        c->data = realloc(c->data, c->cap);
        assert_non_null(c->data);
    }
    assert_int_equal(poll(&p, 1, RAW_TIME_MS), 1);
    n = recv(c->fd, c->data + c->len, c->cap - c->len - 1, 0);
    if (n > 0)
        c->len += (size_t)n;
    return n > 0;
}

/* Takes n bytes off the front, as a text of its own. */
static char *take(struct raw *c, size_t n)
{
    char *text;

    while (c->len < n)
        if (!fill(c))
            fail_msg("the connection ended %zu bytes early", n - c->len);
    text = malloc(n + 1);
    assert_non_null(text);
    memcpy(text, c->data, n);
    text[n] = '\0';
    c->len -= n;
    memmove(c->data, c->data + n, c->len);
    return text;
}

/* Up to and with the first `mark`; NULL when the connection ends before any byte. */
static char *take_to(struct raw *c, const char *mark)
{
    for (;;) {
        char *at = c->len ? memmem(c->data, c->len, mark, strlen(mark)) : NULL;

        if (at)
            return take(c, (size_t)(at - c->data) + strlen(mark));
        if (!fill(c)) {
            if (c->len > 0)
                fail_msg("the connection ended within: %.*s", (int)c->len, c->data);
            return NULL;
        }
    }
}

const char *raw_header(struct raw *c, const char *name)
{
    static char value[HEADER_SIZE];
    size_t len = strlen(name);

    for (const char *line = strchr(c->answer.head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            (void)snprintf(value, sizeof(value), "%.*s", (int)(strcspn(line + len + 2, "\r\n")),
                           line + len + 2);
            return value;
        }
    }
    return NULL;
}

static void add_body(struct raw *c, const char *data, size_t len)
{
    c->answer.body = realloc(c->answer.body, c->answer.body_len + len + 1);
    assert_non_null(c->answer.body);
    memcpy(c->answer.body + c->answer.body_len, data, len);
    c->answer.body_len += len;
    c->answer.body[c->answer.body_len] = '\0';
}

static void read_chunks(struct raw *c)
{
    size_t size = 1;

    while (size > 0) {
        char *line = take_to(c, "\r\n");
        char *end, *data;

        assert_non_null(line);
        size = strtoul(line, &end, 16);
        assert_true(end > line && *end == '\r');
        data = take(c, size + 2);
        assert_string_equal(data + size, "\r\n");
        add_body(c, data, size);
        free(data);
        free(line);
    }
}

static void read_body(struct raw *c)
{
    const char *length = raw_header(c, "content-length");
    const char *coding;

    add_body(c, "", 0);
    if (length) {
        size_t n = strtoul(length, NULL, 10);
        char *data = take(c, n);

        add_body(c, data, n);
        free(data);
        return;
    }
    coding = raw_header(c, "transfer-encoding");
    if (coding && strcmp(coding, "chunked") == 0) {
        read_chunks(c);
    } else if (c->answer.status != 204 && c->answer.status != 304) {
        while (fill(c))
            ;
        add_body(c, c->data, c->len);
        c->len = 0;
    }
}

bool raw_read_head(struct raw *c)
{
    do {
        forget_answer(c);
        c->answer.head = take_to(c, "\r\n\r\n");
        if (!c->answer.head)
            return false;
        assert_int_equal(strncmp(c->answer.head, "HTTP/1.1 ", 9), 0);
        c->answer.status = (int)strtol(c->answer.head + 9, NULL, 10);
    } while (c->answer.status == 100);
    return true;
}

bool raw_read(struct raw *c)
{
    if (!raw_read_head(c))
        return false;
    read_body(c);
    return true;
}

const char *raw_bytes(struct raw *c, size_t n)
{
    free(c->answer.body);
    c->answer.body = take(c, n);
    return c->answer.body;
}

bool raw_ended(struct raw *c)
{
    return c->len == 0 && !fill(c);
}

int raw_ask(struct raw *c, const char *request)
{
    assert_true(raw_puts(c, request));
    assert_true(raw_read(c));
    return c->answer.status;
}
