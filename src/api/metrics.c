/* api/metrics.c - see the header. */
#include "api/metrics.h"

#include "api/api.h"
#include "http/server.h"
#include "store/gauges.h"

#include <string.h>

static void print(struct http_request *r)
{
    struct err e;
    struct buf b;
    char *text = NULL;

    buf_init(&b);
    metrics_print(&b);
    if (!buf_broken(&b))
        text = arena_strndup(&r->arena, b.data, b.len);
    if (text) {
        http_answer(r, 200, METRICS_TYPE, (struct slice){ text, b.len });
    } else {
        (void)err_set(&e, IFP_ENOMEM, "metrics: out of memory");
        http_answer_error(r, &e);
    }
    buf_release(&b);
}

struct scrape { /* in the request's arena */
    struct gauges_wait wait;
    struct http_request *request; /* borrowed */
};

static void on_fresh(void *ctx)
{
    print(((struct scrape *)ctx)->request);
}

void metrics_answer(struct gauges *g, struct http_request *r)
{
    struct scrape *s = g ? arena_zalloc(&r->arena, sizeof(*s)) : NULL;

    if (!s) {
        print(r);
        return;
    }
    s->request = r;
    s->wait.done = on_fresh;
    s->wait.ctx = s;
    gauges_refresh(g, &s->wait);
}

void metrics_route(void *ctx, struct http_request *r)
{
    metrics_answer(((struct api *)ctx)->gauges, r);
}

static void read_server(void *ctx)
{
    const struct metrics_server *m = ctx;
    struct http_server_stats s = http_server_stats(m->server);

    metrics_set(METRIC_HTTP_CONNECTIONS, NULL, s.connections);
    metrics_set(METRIC_HTTP_ACCEPTED, NULL, s.accepted);
    metrics_set(METRIC_HTTP_REFUSED, NULL, s.refused);
    metrics_set(METRIC_HTTP_BAD, NULL, s.bad_requests);
    metrics_set(METRIC_HTTP_TIMEOUTS, NULL, s.timeouts);
    metrics_set(METRIC_HTTP_RECEIVED, NULL, s.bytes_in);
    metrics_set(METRIC_HTTP_SENT, NULL, s.bytes_out);
}

void metrics_server_add(struct metrics_server *m, struct http_server *server)
{
    m->server = server;
    metrics_source_add(&m->source, read_server, m);
}

void metrics_server_remove(struct metrics_server *m)
{
    if (m->server)
        metrics_source_remove(&m->source);
    m->server = NULL;
}
