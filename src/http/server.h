/*
 * http/server.h - an HTTP/1.1 server on the loop: listens, reads heads, hands requests over, writes
 * their answers in order.
 *
 *   LISTENING -http_server_drain-> DRAINING -last connection closed-> CLOSED
 *
 * Strict: what two parsers could read in two ways is answered with 400 and the connection closed
 * (parse.h lists the rules).  Each wait has a limit: head, body, idle, slow reader.  Pipelined
 * requests are read while their answers are written, a few at a time, and answered in order.
 * An idle connection holds a few hundred bytes (and its TLS state).  Loop thread only.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/config.h"
#include "http/request.h"

struct http_server;

struct http_server_options {
    const struct config *config; /* borrowed: its http and tls options */
    bool reuse_port;             /* several processes listen on the same port */
    const char *host;            /* borrowed; NULL: CONFIG_HOST and CONFIG_PORT */
    int port;                    /* of `host` */
    bool plain;                  /* no TLS, whatever the configuration says */
    /* A head was read; r is the callee's until it is finished. */
    void (*request)(void *ctx, struct http_request *r);
    void *ctx;
};

struct http_server_stats {
    int64_t connections, connections_max, accepted, refused; /* refused: over a cap */
    int64_t requests, bad_requests, bytes_in, bytes_out, timeouts;
};

/* Listens.  With port 0 the system chooses one.  IFP_EUNAVAILABLE when the address is taken. */
int http_server_open(struct loop *l, const struct http_server_options *o, struct http_server **ret,
                     struct err *e) MUSTCHECK;
int http_server_port(const struct http_server *s);
/* Reads the certificate and key anew; on failure the old ones stay in use. */
int http_server_reload(struct http_server *s, struct err *e) MUSTCHECK;
/* Takes the connections that wait and accepts no more; idle ones close a moment later, others after
 * their answer (`connection: close`), all after CONFIG_DRAIN; then `drained`.  Twice is fine. */
void http_server_drain(struct http_server *s, loop_fn *drained, void *ctx);
/* At once; requests under way see `gone` and must still be finished before `closed` comes. */
void http_server_close(struct http_server *s, loop_fn *closed, void *ctx);
struct http_server_stats http_server_stats(const struct http_server *s);
/* Connections of one key (any number that names it): false over CONFIG_HTTP_PER_KEY.  Counted until
 * the connection closes or names another key. */
bool http_conn_claim(struct http_request *r, int64_t key) MUSTCHECK;

#endif
