/*
 * tests/lib/apiserver.h - the routes of executions in a child process, without keys: every request
 * is of workspace 1.  For tests of these routes alone; with everything around them: httptest.h.
 */
#ifndef LIB_APISERVER_H
#define LIB_APISERVER_H

#include "base/config.h"
#include "lib/httptest.h"

#include <sys/types.h>

struct apiserver {
    pid_t pid; /* 0: none */
    int port;
};

struct apiserver_option {
    enum config_id id;
    const char *value;
};

/* Before any engine runs in this process. */
void apiserver_start(struct apiserver *s, const char *url, const struct apiserver_option *options,
                     size_t n);
/* SIGTERM: streams end, then it closes everything; asserts that it ended well. */
void apiserver_stop(struct apiserver *s);
/* SIGKILL. */
void apiserver_kill(struct apiserver *s);
/* One request on a connection of its own; `headers` are lines with their ends, or NULL. */
void apiserver_ask(const struct apiserver *s, const char *method, const char *path,
                   const char *headers, const char *body, struct httptest_answer *ret);

#endif
