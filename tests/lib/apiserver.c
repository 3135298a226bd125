/* tests/lib/apiserver.c - see apiserver.h. */
#include "lib/apiserver.h"

#include "api/api.h"
#include "api/runs.h"
#include "base/mem.h"

#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    struct api api;
    struct config config;
    struct caller caller;
} server;

static void die(const struct err *e)
{
    fprintf(stderr, "apiserver: %s\n", e->text);
    _exit(3);
}

/* ---- the child ------------------------------------------------------------------------------ */

static void call_handler(void *ctx, struct http_request *r)
{
    r->route->handler(ctx, r);
}

static void on_request(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    const char *allow;
    struct err e;

    r->caller = &server.caller;
    if (router_find(api->router, r, &allow) != 0) {
        err_set(&e, IFP_ENOTFOUND, "no such route");
        http_answer_error(r, &e);
    } else if (r->route->flags & ROUTE_BODY) {
        http_body(r, (size_t)config_int(api->config, CONFIG_HTTP_BODY_MAX), call_handler, api);
    } else {
        call_handler(api, r);
    }
}

static void on_front_closed(void *ctx)
{
    loop_stop(ctx);
}

static void on_runs_closed(void *ctx)
{
    struct api *api = ctx;

    front_close(api->front, on_front_closed, api->loop);
}

static void on_server_closed(void *ctx)
{
    struct api *api = ctx;

    runs_close(api->runs, on_runs_closed, api);
}

static void on_term(void *ctx)
{
    struct api *api = ctx;

    runs_drain(api->runs);
    http_server_close(api->server, on_server_closed, api);
}

static void open_all(struct api *api)
{
    const struct route *tables[] = { routes_executions, routes_steer };
    const size_t counts[] = { routes_executions_count, routes_steer_count };
    struct http_server_options o = { .config = &server.config, .request = on_request, .ctx = api };
    struct err e;

    if (loop_open(&api->loop, &e) != 0 ||
        front_open(api->loop, &server.config, &api->front, &e) != 0 ||
        runs_open(api->loop, &server.config, api->front, &api->runs, &e) != 0 ||
        router_open(tables, counts, ARRAY_LEN(tables), &api->router, &e) != 0 ||
        http_server_open(api->loop, &o, &api->server, &e) != 0 ||
        loop_on_signal(api->loop, SIGTERM, on_term, api, &e) != 0)
        die(&e);
}

static void serve(int ready, const char *url, const struct apiserver_option *options, size_t n)
{
    struct api *api = &server.api;
    struct err e;
    int port;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (config_init(&server.config, &e) != 0 ||
        config_set(&server.config, CONFIG_PORT, "0", CONFIG_FROM_FLAG, &e) != 0 ||
        config_set(&server.config, CONFIG_DATABASE_URL, url, CONFIG_FROM_FLAG, &e) != 0)
        die(&e);
    for (size_t i = 0; i < n; i++)
        if (config_set(&server.config, options[i].id, options[i].value, CONFIG_FROM_FLAG, &e) != 0)
            die(&e);
    server.caller = (struct caller){ .workspace_id = 1, .scopes = SCOPE_ALL };
    api->config = &server.config;
    open_all(api);
    port = http_server_port(api->server);
    if (write(ready, &port, sizeof(port)) != sizeof(port))
        _exit(3);
    loop_run(api->loop);
    router_close(api->router);
    loop_close(api->loop);
    config_release(&server.config);
    _exit(0);
}

/* ---- the test ------------------------------------------------------------------------------- */

void apiserver_start(struct apiserver *s, const char *url, const struct apiserver_option *options,
                     size_t n)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        serve(ends[1], url, options, n);
    close(ends[1]);
    assert_int_equal(read(ends[0], &s->port, sizeof(s->port)), sizeof(s->port));
    close(ends[0]);
}

void apiserver_stop(struct apiserver *s)
{
    int status;

    if (s->pid == 0)
        return;
    assert_int_equal(kill(s->pid, SIGTERM), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    assert_int_equal(status, 0);
}

void apiserver_kill(struct apiserver *s)
{
    assert_int_equal(kill(s->pid, SIGKILL), 0);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    s->pid = 0;
}

void apiserver_ask(const struct apiserver *s, const char *method, const char *path,
                   const char *headers, const char *body, struct httptest_answer *ret)
{
    struct httptest_conn c;

    assert_true(httptest_connect(&c, s->port));
    assert_true(httptest_try(&c, method, path, headers, body, ret));
    httptest_disconnect(&c);
}
