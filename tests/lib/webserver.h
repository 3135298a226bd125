/*
 * tests/lib/webserver.h - an HTTP server in a child process, with handlers made for tests.
 *
 *   GET  /hello            "hello"
 *   ANY  /echo             the body, at most CONFIG_HTTP_BODY_MAX; also /echo?max=n
 *   ANY  /skip             "skipped", without asking for the body
 *   ANY  /hold             answered "held" by /release; tells `gone`
 *   ANY  /early            http_answer_early at once, the owner's own answer by /release
 *   GET  /release          answers all that are held, then itself with how many
 *   GET  /big?size=n       n bytes
 *   GET  /stream?n=&size=  n parts of `size` bytes, and no more than the client takes
 *   GET  /packed           three parts, packed
 *   GET  /tail             a stream that stays open: each /release adds "tick\n" to it
 *   GET  /claim?key=n      200, or 429 when http_conn_claim says no
 *   GET  /fault?n=n        the n-th allocation from now fails; 0: none, and "hit" if one has
 *   GET  /show             method, path, query, id and headers as the handler sees them
 *   GET  /stats            JSON: what http_server_stats says, gone, held, finished, produced
 *   else                   404
 *
 * It drains on SIGTERM and reloads on SIGHUP.  Every request must have been finished once when it
 * ends, or its status is not 0.
 */
#ifndef LIB_WEBSERVER_H
#define LIB_WEBSERVER_H

#include "base/config.h"

#include <stdint.h>
#include <sys/types.h>

struct webserver {
    pid_t pid;
    int port;
};

struct webserver_option {
    enum config_id id;
    const char *value;
};

void webserver_start(struct webserver *s, const struct webserver_option *options, size_t n);
/* SIGTERM, and its end: asserts that it ended well. */
void webserver_stop(struct webserver *s);
/* A number of /stats, asked on a connection of its own. */
int64_t webserver_stat(const struct webserver *s, const char *name);
/* Waits until that number is `wanted`, up to RAW_TIME_MS. */
void webserver_until(const struct webserver *s, const char *name, int64_t wanted);
/* Resident memory of the child in kB. */
long webserver_rss_kb(const struct webserver *s);

#endif
