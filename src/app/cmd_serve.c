/*
 * app/cmd_serve.c - `serve`: the server and, unless switched off, the engine, in this process on
 * one loop; or a supervisor with children that are such servers and share a port.
 *
 *   SERVING -SIGTERM-> DRAINING -server drained-> LEAVING -engine stopped-> CLOSING -> ENDED
 *      \______________ the engine failed ____________________________________/
 *
 * The server drains first, while the engine still works: a client that waits for the end of an
 * execution may get it.  A second signal ends at once with exit code 1: what was under way is the
 * business of the other processes, as after a crash.  SIGHUP has the certificate read anew.
 */
#include "api/api.h"
#include "app/app.h"
#include "app/cmd.h"
#include "app/runner.h"
#include "app/supervise.h"
#include "base/log.h"
#include "base/sm.h"
#include "net/reserve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US INT64_C(20000)
enum { URL_SIZE = 300, PORT_TEXT = 8 };

enum { SERVING, DRAINING, LEAVING, CLOSING, ENDED };
static const struct sm_state serve_states[] = {
    [SERVING] = { "serving", SM_TO(DRAINING) | SM_TO(CLOSING) },
    [DRAINING] = { "draining", SM_TO(LEAVING) | SM_TO(CLOSING) },
    [LEAVING] = { "leaving", SM_TO(CLOSING) },
    [CLOSING] = { "closing", SM_TO(ENDED) },
    [ENDED] = { "ended", 0 },
};

struct serve {
    struct sm sm;                /* in a server process */
    struct cli *cli;             /* borrowed */
    struct loop *loop;           /* owned */
    struct runner runner;        /* its engine is NULL when switched off, and once it stopped */
    struct api *api;             /* owned; in a server process, until CLOSING is over */
    struct supervise *supervise; /* owned; in a supervisor */
    int reserved_fd;             /* of a supervisor: keeps the port; -1: none */
    bool child;                  /* of a supervisor, which says what it hears from us */
    struct timer look;           /* until all is ready */
    int signals;
    int exit_code;
    struct err *e; /* borrowed: why it ended */
};

/* ---- the way down --------------------------------------------------------------------------- */

static void on_closed(void *ctx)
{
    struct serve *s = ctx;

    s->api = NULL;
    sm_move(&s->sm, ENDED);
    loop_stop(s->loop);
}

static void close_server(struct serve *s)
{
    sm_move(&s->sm, CLOSING);
    timer_stop(&s->look);
    api_close(s->api, on_closed, s);
}

static void on_drained(void *ctx)
{
    struct serve *s = ctx;

    if (!sm_is(&s->sm, DRAINING))
        return; /* the engine failed meanwhile */
    if (!s->runner.engine) {
        close_server(s);
        return;
    }
    sm_move(&s->sm, LEAVING);
    engine_drain(s->runner.engine);
}

static void on_engine_stopped(void *ctx, int err, const struct err *e)
{
    struct serve *s = ctx;

    if (err != 0)
        *s->e = *e;
    s->exit_code = err;
    if (!sm_is(&s->sm, CLOSING))
        close_server(s);
}

static void on_signal(void *ctx)
{
    struct serve *s = ctx;

    if (++s->signals > 1 && !s->supervise)
        _exit(1);
    LOG_INFO(s->signals > 1 ? "stopping at once" : "stopping");
    timer_stop(&s->look);
    if (s->supervise) {
        supervise_stop(s->supervise, s->signals > 1);
    } else if (sm_is(&s->sm, SERVING)) {
        sm_move(&s->sm, DRAINING);
        api_drain(s->api, on_drained, s);
    }
}

static void on_hangup(void *ctx)
{
    struct serve *s = ctx;

    if (s->supervise)
        supervise_reload(s->supervise);
    else if (s->api)
        api_reload(s->api);
}

static void on_child(void *ctx)
{
    struct serve *s = ctx;

    if (s->supervise)
        supervise_reap(s->supervise);
}

static void on_children_stopped(void *ctx, int exit_code)
{
    struct serve *s = ctx;

    s->exit_code = exit_code;
    loop_stop(s->loop);
}

/* ---- the way up ----------------------------------------------------------------------------- */

static void write_url(const struct serve *s, int port, char ret[URL_SIZE])
{
    const struct config *config = &s->cli->config;
    const char *host = config_text(config, CONFIG_HOST);
    bool colons = strchr(host, ':') != NULL;

    (void)snprintf(ret, URL_SIZE, "http%s://%s%s%s:%d",
                   config_text(config, CONFIG_TLS_CERT)[0] ? "s" : "", colons ? "[" : "", host,
                   colons ? "]" : "", port);
}

static void say_listening(const struct serve *s, const char *url)
{
    struct jsondoc *doc;
    struct err e;

    if (!s->cli->json) {
        printf("listening %s\n", url);
    } else {
        doc = jsondoc_object();
        jsondoc_add_str(doc, "listening", url);
        if (cmd_print_line(doc, &e) != 0)
            LOG_WARN("cannot print", LOG_ERR(&e));
    }
    fflush(stdout);
}

static void write_ready_file(const struct serve *s, const char *url)
{
    const char *path = cli_value(s->cli, "ready-file");
    FILE *out = path ? fopen(path, "we") : NULL;

    if (!path)
        return;
    if (!out || fprintf(out, "%s\n", url) < 0 || fclose(out) != 0)
        LOG_ERROR("cannot write the ready file", LOG_STR("path", path),
                  LOG_STR("reason", strerror(errno)));
}

static bool engine_works(void *ctx)
{
    struct serve *s = ctx;

    return s->runner.engine && engine_ready(s->runner.engine);
}

static bool is_ready(struct serve *s)
{
    if (s->supervise)
        return supervise_ready(s->supervise) == (int)config_int(&s->cli->config, CONFIG_PROCESSES);
    return api_ready(s->api) && (!s->runner.engine || engine_works(s));
}

/* For those that wait for the file, and for a supervisor. */
static void on_look(void *ctx)
{
    struct serve *s = ctx;
    char url[URL_SIZE];

    if (!is_ready(s)) {
        if (timer_start(&s->look, LOOK_US) != 0)
            LOG_WARN("out of memory: nobody is told that the server is ready");
        return;
    }
    write_url(s, (int)config_int(&s->cli->config, CONFIG_PORT), url);
    write_ready_file(s, url);
    if (s->child)
        supervise_tell_ready();
    LOG_INFO("ready", LOG_STR("url", url));
}

/* The port that the system chose stands in the settings from now on: children read it there. */
static int keep_port(struct serve *s, int port, struct err *e)
{
    char text[PORT_TEXT];

    (void)snprintf(text, sizeof(text), "%d", port);
    return config_set(&s->cli->config, CONFIG_PORT, text, CONFIG_FROM_FLAG, e);
}

static void announce(struct serve *s, int port)
{
    char url[URL_SIZE];

    write_url(s, port, url);
    if (!s->child)
        say_listening(s, url);
    on_look(s);
}

static int start_supervisor(struct serve *s, struct err *e)
{
    const struct config *config = &s->cli->config;
    struct supervise_options options = {
        .program = "/proc/self/exe",
        .name = s->cli->program,
        .command = "serve",
        .flag = "--share-port",
        .config = config,
        .stopped = on_children_stopped,
        .ctx = s,
    };
    int port = 0;
    int rc = reserve_port(config_text(config, CONFIG_HOST), (int)config_int(config, CONFIG_PORT),
                          &s->reserved_fd, &port, e);

    if (rc == 0)
        rc = keep_port(s, port, e);
    if (rc == 0)
        rc = supervise_open(s->loop, &options, &s->supervise, e);
    if (rc == 0)
        announce(s, port);
    return rc;
}

static int start_server(struct serve *s, struct err *e)
{
    bool engine = config_int(&s->cli->config, CONFIG_ENGINE) != 0;
    struct api_options options = {
        .config = &s->cli->config,
        .program = s->cli->app->name,
        .share_port = cli_value(s->cli, "share-port") != NULL,
        .engine_ready = engine ? engine_works : NULL,
        .engine_ctx = s,
        .extend = app_interceptor_add,
        .extend_ctx = s->cli->app,
    };
    int rc = api_open(s->loop, &options, &s->api, e);

    if (rc != 0)
        return rc;
    rc = keep_port(s, api_port(s->api), e);
    if (rc == 0 && engine)
        rc = runner_open(&s->runner, s->loop, s->cli, on_engine_stopped, s, e);
    if (rc == 0) {
        announce(s, api_port(s->api));
    } else {
        close_server(s);
        loop_run(s->loop);
    }
    return rc;
}

static int catch_signals(struct serve *s, struct err *e)
{
    int rc;

    signal(SIGPIPE, SIG_IGN); /* a client that has gone must not end a server */
    rc = loop_on_signal(s->loop, SIGTERM, on_signal, s, e);
    if (rc == 0)
        rc = loop_on_signal(s->loop, SIGINT, on_signal, s, e);
    if (rc == 0)
        rc = loop_on_signal(s->loop, SIGHUP, on_hangup, s, e);
    if (rc == 0)
        rc = loop_on_signal(s->loop, SIGCHLD, on_child, s, e);
    return rc;
}

/* A file of an earlier run says nothing of this one. */
static int forget_ready_file(const struct serve *s, struct err *e)
{
    const char *path = cli_value(s->cli, "ready-file");

    if (path && unlink(path) != 0 && errno != ENOENT)
        return err_set(e, IFP_EINVALID, "--ready-file %s: %s", path, strerror(errno));
    return 0;
}

static void end(struct serve *s)
{
    supervise_close(s->supervise);
    runner_close(&s->runner);
    timer_stop(&s->look);
    loop_close(s->loop);
    if (s->reserved_fd >= 0)
        close(s->reserved_fd);
}

int cmd_serve_run(struct cli *c, struct err *e)
{
    bool supervised = cli_value(c, "supervise") || config_int(&c->config, CONFIG_PROCESSES) > 1;
    struct serve s = { .cli = c, .e = e, .reserved_fd = -1, .child = supervise_is_child() };
    int rc = forget_ready_file(&s, e);

    sm_init(&s.sm, serve_states, SERVING);
    if (rc == 0)
        rc = runner_check_database(c, e);
    if (rc == 0)
        rc = loop_open(&s.loop, e);
    if (rc != 0)
        return rc;
    timer_init(&s.look, s.loop, on_look, &s);
    rc = catch_signals(&s, e);
    if (rc == 0)
        rc = supervised ? start_supervisor(&s, e) : start_server(&s, e);
    if (rc == 0) {
        loop_run(s.loop);
        rc = s.exit_code;
    }
    end(&s);
    return rc;
}
