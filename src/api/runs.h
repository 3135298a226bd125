/*
 * api/runs.h - executions over HTTP: starting, waiting for them, following their streams.
 *
 * Everything here is asynchronous over the front: starts go by group commit (store/starts.h), who
 * waits or follows is a watch of one hub (store/hub.h), and the rest is one statement each
 * (runs_ask).  Loop thread only.
 */
#ifndef API_RUNS_H
#define API_RUNS_H

#include "api/answer.h"
#include "api/caller.h"
#include "store/front.h"
#include "store/hub.h"
#include "store/starts.h"
#include "store/statements.h"

struct api;

struct api_runs {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    struct front *front;         /* borrowed */
    struct starts *starts;       /* owned */
    struct hub *hub;             /* owned */
    struct list streams;         /* struct run_stream: those that are being followed */
    bool draining;
    int closing_left;
    loop_fn *closed;
    void *closed_ctx;
};

int runs_open(struct loop *l, const struct config *config, struct front *front,
              struct api_runs **ret, struct err *e) MUSTCHECK;
/* Streams end now, so that their clients go on elsewhere, with Last-Event-ID. */
void runs_drain(struct api_runs *r);
/* When every request is finished, and before the front is closed.  NULL is fine, then `closed`
 * comes all the same. */
void runs_close(struct api_runs *r, loop_fn *closed, void *ctx);

/* ---- one statement of a request ------------------------------------------------------------- */

/* In the request's arena.  `answer` finishes the request, or asks again; errors are answered before
 * it comes. */
struct run_ask {
    struct pgreq req;
    struct api_runs *runs;        /* borrowed */
    struct http_request *request; /* borrowed */
    void (*answer)(struct run_ask *ask, const struct pgres *res);
    /* May be NULL: an error is answered as it is.  True: it has finished the request. */
    bool (*failed)(struct run_ask *ask, const struct err *e);
    void *data; /* of the handler */
    int64_t exec_id;
    bool unknown; /* an answer was lost before: the statement may have been carried out already */
    int tries;
};

/* NULL when memory is out, the request is finished then.  Add the arguments, then runs_ask_send.
 * The first one is the caller's workspace, and is there already. */
struct run_ask *runs_ask(struct api *api, struct http_request *r, enum statement statement,
                         void (*answer)(struct run_ask *, const struct pgres *));
/* The same with the id of an execution from the path as the second argument; one that is no id is
 * answered with 404. */
struct run_ask *runs_ask_one(struct api *api, struct http_request *r, enum statement statement,
                             void (*answer)(struct run_ask *, const struct pgres *));
/* Sends; a lost answer is asked for again, so the statement must bear it. */
void runs_ask_send(struct run_ask *ask);

/* ---- answers -------------------------------------------------------------------------------- */

/* x-inferpipe-trace, from what is stored with the execution. */
void runs_trace_header(struct http_request *r, int64_t exec_id, const char *traceparent);
/* {tokens, usd} of an execution; nothing when nobody said. */
void runs_answer_cost(struct answer *a, int64_t tokens, const char *usd);
/* {id, url, tags}.  `options` as stored with it, for the tags; NULL: none. */
void runs_answer_trace(const struct api_runs *runs, struct answer *a, int64_t exec_id,
                       const char *traceparent, const char *options);
/* Finishes with the error that the execution ended with. */
void runs_answer_failed(struct http_request *r, const struct hub_end *end);
/* 404 for what is not an execution of the caller's. */
void runs_answer_missing(struct http_request *r);
/* 503: too many wait already.  True: the request is finished. */
bool runs_answer_full(struct api_runs *runs, struct http_request *r);

/* Follows the stream as Server-Sent Events, until its end; finishes the request.  `told`: as in
 * hub_follow. */
void runs_stream(struct api_runs *runs, struct http_request *r, int64_t exec_id, bool told);

#endif
