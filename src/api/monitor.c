/*
 * api/monitor.c - see the header.  The gauges of the database come over a connection of its own:
 * what a worker does must not wait for who watches it, nor the other way round.
 */
#include "api/monitor.h"

#include "api/metrics.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/route.h"
#include "http/server.h"
#include "store/gauges.h"

#include <assert.h>
#include <string.h>

enum { QUEUE_MAX = 4 };

struct monitor {
    struct http_server *server; /* owned */
    struct pgconn *db;          /* owned */
    struct gauges *gauges;      /* owned */
    loop_fn *closed;
    void *closed_ctx;
};

static void exec(void *ctx, struct pgreq *req)
{
    pgconn_exec(((struct monitor *)ctx)->db, req);
}

static bool is_path(const struct http_request *r, const char *path)
{
    return r->path.len == strlen(path) && memcmp(r->path.text, path, r->path.len) == 0;
}

static void on_request(void *ctx, struct http_request *r)
{
    static const char healthy[] = "{\"status\":\"healthy\",\"version\":\"" IFP_VERSION "\"}";
    struct monitor *m = ctx;
    struct err e;

    if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
        (void)err_set(&e, IFP_EINVALID, "only GET is allowed here");
        http_answer_header(r, "allow", "GET, HEAD");
        http_answer_status(r, 405, &e);
    } else if (is_path(r, "/metrics")) {
        metrics_answer(m->gauges, r);
    } else if (is_path(r, "/health")) {
        http_answer(r, 200, "application/json", (struct slice){ healthy, sizeof(healthy) - 1 });
    } else {
        (void)err_set(&e, IFP_ENOTFOUND, "here are /metrics and /health alone");
        http_answer_error(r, &e);
    }
}

static int open_database(struct monitor *m, struct loop *l, const struct config *config,
                         struct err *e)
{
    struct pgconn_options o = {
        .conninfo = config_text(config, CONFIG_DATABASE_URL),
        .application = "inferpipe metrics",
        .async_commit = true,
        .prepare = config_int(config, CONFIG_PREPARE) != 0,
        .queue_max = QUEUE_MAX,
        .connect_timeout_ms = config_int(config, CONFIG_CONNECT_TIMEOUT),
        .statement_timeout_ms = config_int(config, CONFIG_STATEMENT_TIMEOUT),
    };
    int rc = pgconn_open(l, &o, &m->db, e);

    return rc == 0 ? gauges_open(l, config_text(config, CONFIG_WORKSPACE), exec, m, &m->gauges, e)
                   : rc;
}

static int open_server(struct monitor *m, struct loop *l, const struct config *config,
                       struct err *e)
{
    struct http_server_options o = {
        .config = config,
        .host = config_text(config, CONFIG_METRICS_HOST),
        .port = (int)config_int(config, CONFIG_METRICS_PORT),
        .plain = true,
        .request = on_request,
        .ctx = m,
    };
    int rc = http_server_open(l, &o, &m->server, e);

    return rc == 0 ? 0 : err_wrap(e, "metrics-port");
}

int monitor_open(struct loop *l, const struct config *config, struct monitor **ret, struct err *e)
{
    struct monitor *m;
    int rc;

    *ret = NULL;
    if (config_int(config, CONFIG_METRICS_PORT) < 0)
        return 0;
    m = mem_zalloc(sizeof(*m));
    if (!m)
        return err_set(e, IFP_ENOMEM, "metrics-port: out of memory");
    rc = open_server(m, l, config, e);
    if (rc == 0)
        rc = open_database(m, l, config, e);
    *ret = m; /* closed by the caller in any case */
    if (rc == 0)
        LOG_INFO("metrics are served", LOG_STR("host", config_text(config, CONFIG_METRICS_HOST)),
                 LOG_INT("port", monitor_port(m)));
    return rc;
}

int monitor_port(const struct monitor *m)
{
    return http_server_port(m->server);
}

static void on_database_closed(void *ctx)
{
    struct monitor *m = ctx;
    loop_fn *closed = m->closed;
    void *closed_ctx = m->closed_ctx;

    gauges_close(m->gauges);
    mem_free(m);
    closed(closed_ctx);
}

static void on_server_closed(void *ctx)
{
    struct monitor *m = ctx;

    m->server = NULL;
    if (m->db)
        pgconn_close(m->db, on_database_closed, m);
    else
        on_database_closed(m);
}

void monitor_close(struct monitor *m, loop_fn *closed, void *ctx)
{
    if (!m) {
        closed(ctx);
        return;
    }
    assert(!m->closed);
    m->closed = closed;
    m->closed_ctx = ctx;
    if (m->server)
        http_server_close(m->server, on_server_closed, m);
    else
        on_server_closed(m);
}
