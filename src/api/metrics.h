/* api/metrics.h - what GET /metrics answers, and what a server tells of its connections. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "base/metrics.h"
#include "http/request.h"

struct gauges;
struct http_server;

/* A route_handler_fn: `ctx` is the struct api. */
void metrics_route(void *ctx, struct http_request *r);
/* Brings the gauges of the database up to date (store/gauges.h; NULL: none) and answers with all
 * metrics. */
void metrics_answer(struct gauges *g, struct http_request *r);

/* The counters of a server, read with each scrape. */
struct metrics_server {
    struct metrics_source source;
    struct http_server *server; /* borrowed */
};
void metrics_server_add(struct metrics_server *m, struct http_server *server);
void metrics_server_remove(struct metrics_server *m); /* before the server closes */

#endif
