/*
 * tests/lib/httptest.h - `serve` as a child of the test, on a port of its own beside a database of
 * its own, and a blocking client that sees every byte.
 *
 * Mistakes of the set-up end the program; what a test waits for and does not get fails the test,
 * with the end of the server's log.  All servers are killed by httptest_cleanup, or by the kernel
 * with us.
 */
#ifndef LIB_HTTPTEST_H
#define LIB_HTTPTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HTTPTEST_PATH_SIZE = 128, HTTPTEST_KEY_SIZE = 128, HTTPTEST_ARGS_MAX = 16 };

struct httptest {
    const char *url;                   /* of the database */
    char key[HTTPTEST_KEY_SIZE];       /* of workspace "default", with all scopes */
    char auth[HTTPTEST_KEY_SIZE + 32]; /* "authorization: Bearer ..." and its line end */
};

/* A copy of the template. */
void httptest_open(struct httptest *t);
void httptest_close(struct httptest *t);
/* One more key; scopes are names with blanks between them, NULL: all. */
void httptest_make_key(const struct httptest *t, const char *workspace, const char *scopes,
                       char ret[HTTPTEST_KEY_SIZE]);
/* cmocka's tear-down: kills and reaps all servers that still live. */
int httptest_cleanup(void **state);

/* Between two looks at what is waited for. */
void httptest_pause(void);

/* ---- servers -------------------------------------------------------------------------------- */

struct httptest_server {
    pid_t pid; /* 0: none */
    int port, status;
    char ready[HTTPTEST_PATH_SIZE], log[HTTPTEST_PATH_SIZE];
};

/* Starts `serve` of a program under the build folder ("examples/samples") with these arguments,
 * which end with NULL, and waits until it is ready. */
void httptest_serve(struct httptest *t, struct httptest_server *s, const char *program,
                    const char *const *args);
/* The same without waiting: the port is known once it is ready. */
void httptest_spawn(struct httptest *t, struct httptest_server *s, const char *program,
                    const char *const *args);
void httptest_until_ready(struct httptest_server *s);
/* SIGTERM; fails when it does not end with exit code 0 within a minute. */
void httptest_stop(struct httptest_server *s);
/* Until it has ended by itself; its exit code. */
int httptest_until_ended(struct httptest_server *s);
/* SIGKILL. */
void httptest_kill(struct httptest_server *s);
/* Until the server's log has this text. */
void httptest_until_log(const struct httptest_server *s, const char *text);
/* How often the log has this text. */
int httptest_log_count(const struct httptest_server *s, const char *text);

/* ---- the client ----------------------------------------------------------------------------- */

struct httptest_conn {
    int fd; /* -1: none */
    char *in;
    size_t len, cap;  /* bytes read and not consumed */
    bool chunked;     /* the stream under way */
    size_t chunk;     /* bytes left of its chunk */
    bool stream_over; /* its last chunk was seen */
};

struct httptest_answer {
    int status;
    char *head; /* owned: its lines, names as they came */
    char *body; /* owned, zero-terminated */
    size_t len;
    bool keep; /* the connection stays open */
};

/* False when nobody listens, or the connection breaks before the whole answer has come. */
bool httptest_connect(struct httptest_conn *c, int port);
bool httptest_send(struct httptest_conn *c, const char *bytes, size_t len);
bool httptest_receive(struct httptest_conn *c, struct httptest_answer *ret);
/* `headers` are lines with their ends, or NULL; `body` NULL: none. */
bool httptest_try(struct httptest_conn *c, const char *method, const char *path,
                  const char *headers, const char *body, struct httptest_answer *ret);
void httptest_disconnect(struct httptest_conn *c);
void httptest_release(struct httptest_answer *a);

/* On a connection of its own; must work.  With the test's key when t is not NULL. */
void httptest_request(const struct httptest *t, int port, const char *method, const char *path,
                      const char *headers, const char *body, struct httptest_answer *ret);
/* The value of a header, in a buffer that the next call uses again; NULL: absent. */
const char *httptest_header(const struct httptest_answer *a, const char *name);
/* The JSON text at the pointer of the body, in a buffer that the next call uses again; NULL when
 * nothing is there. */
const char *httptest_json(const struct httptest_answer *a, const char *pointer);
/* Fails unless the status is this one, and the text at the pointer. */
void httptest_expect(const struct httptest_answer *a, int status, const char *pointer,
                     const char *json);

/* ---- server-sent events --------------------------------------------------------------------- */

struct httptest_event {
    char id[32], name[32];
    char *data; /* owned, in the connection; until the next event */
};

/* Sends the request and reads the head; the status. */
int httptest_follow(struct httptest_conn *c, const char *method, const char *path,
                    const char *headers, const char *body);
/* False at the end of the stream or of the connection.  Comments are skipped. */
bool httptest_event(struct httptest_conn *c, struct httptest_event *ret);

#endif
