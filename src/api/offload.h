/*
 * api/offload.h - a request's blocking client call on a pool thread.
 *
 * For what is not hot: listings, schedules, queues, keys, repair.  Each thread has a client
 * (store/client.h), kept open; before the call it is given the caller's workspace, so the call can
 * see no other.  CONFIG_HTTP_OFFLOAD_QUEUE calls may wait; one more answers 503.
 */
#ifndef API_OFFLOAD_H
#define API_OFFLOAD_H

#include "base/config.h"
#include "http/request.h"
#include "loop/work.h"
#include "store/client.h"

struct offload;
struct offload_call;

/* Pool thread: does the work, in call->request's arena; 0, or IFP_E* with its text in `e`.  Nothing
 * else of the request may be written. */
typedef int offload_fn(struct offload_call *call, struct client *client, struct err *e);
/* Loop thread: answers the request.  rc is what fn gave. */
typedef void offload_done_fn(struct offload_call *call, int rc, const struct err *e);

/* In the request's arena. */
struct offload_call {
    struct work work;
    struct offload *offload;      /* borrowed */
    struct http_request *request; /* borrowed */
    offload_fn *fn;
    offload_done_fn *done; /* NULL: errors are answered as such; success as below */
    void *data;            /* of the handler */
    /* What `fn` leaves for the standard answer: a JSON text in the arena (text NULL: 204). */
    struct slice json;
    int status;    /* 0: 200 */
    bool replayed; /* it is the answer of an earlier request with this Idempotency-Key */
    struct err err;
    int rc; /* of fn */
};

int offload_open(struct loop *l, const struct config *config, struct offload **ret,
                 struct err *e) MUSTCHECK;
/* Waits for calls under way, whose requests are answered.  NULL is fine. */
void offload_close(struct offload *o);
/* Loop thread.  Runs fn for the request's caller; done NULL gives the standard answer.  The request
 * is answered by it, or at once when that cannot be. */
void offload_run(struct offload *o, struct http_request *r, offload_fn *fn, offload_done_fn *done,
                 void *data);

#endif
