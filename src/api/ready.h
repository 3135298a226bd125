/*
 * api/ready.h - whether this server can serve: what /ready says.
 *
 * It can while it is not draining, the database answers, its schema fits, and the engine of this
 * process (if there is one) works.  The database is asked once for all requests that wait for the
 * answer.  Loop thread only.
 */
#ifndef API_READY_H
#define API_READY_H

#include "http/request.h"
#include "store/front.h"

struct ready;

struct ready_options {
    struct front *front; /* borrowed */
    const bool *draining;
    /* Does the engine of this process work?  NULL: there is none. */
    bool (*engine)(void *ctx);
    void *engine_ctx;
};

int ready_open(const struct ready_options *o, struct ready **ret, struct err *e) MUSTCHECK;
/* No question may be under way: after the server has closed.  NULL is fine. */
void ready_close(struct ready *y);
/* Answers the request: 200, or 503 with the name of the first check that failed. */
void ready_answer(struct ready *y, struct http_request *request);

#endif
