/*
 * http/request.h - one request and its answer, as interceptors and handlers see them.
 *
 *   head read -> http_server_options.request(ctx, r) -> [body asked for -> body here] -> answered
 *
 * Who was given a request finishes it exactly once: with http_answer or one of its kin, or with
 * http_stream_begin ... http_stream_end.  That holds also when the client has gone meanwhile (the
 * answer is dropped then); `gone` is only a hint to be early.  After the finishing call the request
 * belongs to the server again and must not be touched.
 *
 * http_answer_early lets somebody else (the timeout) answer the client meanwhile.  The request then
 * lives on unseen until its owner finishes it, and that answer is dropped.
 *
 * All memory of a request and its answer is in its arena.  Slices are raw bytes of the request,
 * valid until it is finished.  Loop thread only; while a work pool has a request, the loop leaves
 * its arena alone.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "base/traceparent.h"
#include "http/header.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* any other token: routers answer 405 or 501 */
    HTTP_METHODS
};

enum { HTTP_ID_SIZE = 65, HTTP_PEER_SIZE = 46, HTTP_PARAMS_MAX = 4 };

struct http_conn;
struct http_request;
struct invocation;
struct route;

/* What the chain of interceptors wants to know of an answer. */
struct http_watch {
    /* Just before the head of the answer leaves, from inside http_answer or http_stream_begin, with
     * `status` and `answer` set: headers may still be added, the body replaced.  Does not come when
     * the client has gone, nor for http_answer_early. */
    void (*answering)(void *ctx, struct http_request *r);
    /* The last byte was handed to the kernel, or the client has gone: last look, nothing may be
     * answered any more.  Exactly once; after the finishing call or after http_answer_early, or
     * from inside of them. */
    void (*finished)(void *ctx, struct http_request *r);
    void *ctx;
};

struct http_request {
    enum http_method method;
    struct slice target;      /* as it came */
    struct slice path, query; /* of the target; path is in normal form (no "." or "..", no %2f) */
    struct http_header *headers;
    size_t header_count;
    struct slice body;         /* whole, once http_body said so; empty before */
    char id[HTTP_ID_SIZE];     /* x-request-id: the client's when it is fit to print, else ours */
    char peer[HTTP_PEER_SIZE]; /* the client's address */
    bool secure;               /* came over TLS */
    int64_t start_us;          /* clock_mono_us when its first byte was read */
    struct arena arena;

    /* Set by the router: */
    const struct route *route;            /* borrowed; NULL: none fits */
    struct slice params[HTTP_PARAMS_MAX]; /* decoded, zero-terminated: of {name} in its path */
    /* Of who answers: */
    void *caller;                  /* borrowed: who asks, set by authentication (api/) */
    struct invocation *invocation; /* borrowed: of the chain (chain.h) */
    struct traceparent trace;      /* its span, set by the interceptor `tracing`; zero: none */
    struct http_watch watch;
    /* The client closed the connection or it broke; may be NULL.  Comes once, from the loop, and
     * never after the finishing call. */
    void (*gone)(void *ctx, struct http_request *r);
    void *gone_ctx;

    /* Of the answer, for `watch`: */
    int status;          /* 0: not answered yet */
    int error;           /* IFP_E* when http_answer_error or _early answered, else 0 */
    struct slice answer; /* the body, when it is known as a whole */
    const char *answer_type;
    int64_t answer_bytes; /* of body, that were sent */

    struct http_conn *conn; /* borrowed; of server.c alone */
    struct list link;       /* in a list of server.c */
};

/* The value of a header, name in lower case; text NULL: absent.  Of several, the first; those that
 * must not come twice (Host, Content-Length, Authorization, Idempotency-Key) were refused. */
struct slice http_header(const struct http_request *r, const char *name);
/* A parameter of the query, percent-decoded and zero-terminated, in the arena; IFP_ENOTFOUND when
 * absent, IFP_EINVALID when given twice or not UTF-8 (text in e). */
int http_query(struct http_request *r, const char *name, struct slice *ret,
               struct err *e) MUSTCHECK;

/* Asks for the body: `fn` is called once, from the loop or at once, when r->body is whole.  At most
 * `max` bytes: more answers 413 by itself (as do a slow body 408 and a broken one 400), and `fn`
 * does not come.  Sends 100 Continue when the client waits for it. */
typedef void http_body_fn(void *ctx, struct http_request *r);
void http_body(struct http_request *r, size_t max, http_body_fn *fn, void *ctx);

/* Adds a header to the answer, copied; before the finishing call, or from `answering`.  Names in
 * lower case; one of the same name is replaced; control characters in values become '?'.
 * Content-type, content-length, transfer-encoding, connection, date and x-request-id are the
 * server's. */
void http_answer_header(struct http_request *r, const char *name, const char *value);
/* Finishes: `body` must live in r->arena or be static; type NULL: no body.  A second answer in the
 * same turn is a bug that is logged, and is dropped. */
void http_answer(struct http_request *r, int status, const char *type, struct slice body);
/* Finishes with the error object of RFC 9457 and the fields beside it. */
void http_answer_error(struct http_request *r, const struct err *e);
/* The same with another status than that of its code: 405, 415. */
void http_answer_status(struct http_request *r, int status, const struct err *e);
/* Answers the error while the owner is still at work, with the headers added so far, in memory that
 * is not the arena (a pool thread may be using that).  `gone` comes; what the owner answers is
 * dropped, its finishing call frees the request.  A body under way: its `fn` does not come, the
 * server finishes the request, the connection closes.  False, and nothing done, when an answer has
 * begun.  Afterwards `r` must not be touched by the caller, who is not the owner. */
bool http_answer_early(struct http_request *r, const struct err *e);

/* An answer in parts, each sent at once.  begin sends the head; write copies and gives the bytes
 * that wait for the client (stop writing over http_stream_room and wait for `drained`);
 * http_stream_end finishes. */
void http_stream_begin(struct http_request *r, int status, const char *type,
                       void (*drained)(void *ctx, struct http_request *r), void *ctx);
size_t http_stream_write(struct http_request *r, const char *data, size_t len);
enum { HTTP_STREAM_ROOM = 65536 };
/* From `answering`: the parts leave packed by gzip, each readable when it comes. */
void http_stream_pack(struct http_request *r);
void http_stream_end(struct http_request *r);
/* True once the client has gone: what is written is dropped. */
bool http_is_gone(const struct http_request *r);

#endif
