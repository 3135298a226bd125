/*
 * app/cmd_dev.c - `dev`: a private PostgreSQL, the schema, and servers with engines, in one
 * command.
 *
 *   BOOTING -database answers-> SERVING -SIGTERM-> DRAINING -servers ended-> STOPPING -> ENDED
 *      \________________________ any failure: the same way down ______________/
 *
 * While BOOTING the database is tried every 20 ms; once it answers it is created, migrated, and the
 * children start, each a `serve`.  "ready" is said when they are.  A signal, children that gave up,
 * or a PostgreSQL that ended leads down: children first (they drain), then PostgreSQL.  Nothing
 * that dev did not start is touched.  Killed with SIGKILL, it takes its children along: the kernel
 * sends them their signals (app/child.h).
 */
#include "app/app.h"
#include "app/cluster.h"
#include "app/cmd.h"
#include "app/devkey.h"
#include "app/place.h"
#include "app/supervise.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sm.h"
#include "net/reserve.h"
#include "pg/pgsync.h"
#include "store/dbclient.h"
#include "store/migrate.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US INT64_C(20000)
#define BOOT_US INT64_C(60000000) /* a server that recovers after a crash may take its time */
#define WORKERS_US INT64_C(10000000)
#define HALT_US INT64_C(30000000)
#define DATABASE "inferpipe"
#define EGRESS "127.0.0.0/8,::1"
enum { BASE_CONNECTIONS = 30, LEAST_CONNECTIONS = 100, CONNECT_TIMEOUT_MS = 1000 };
enum { HTTP_URL_SIZE = 300, PORT_TEXT = 8 };

enum { BOOTING, SERVING, DRAINING, STOPPING, ENDED };
static const struct sm_state dev_states[] = {
    [BOOTING] = { "booting", SM_TO(SERVING) | SM_TO(STOPPING) | SM_TO(ENDED) },
    [SERVING] = { "serving", SM_TO(DRAINING) | SM_TO(STOPPING) | SM_TO(ENDED) },
    [DRAINING] = { "draining", SM_TO(STOPPING) | SM_TO(ENDED) },
    [STOPPING] = { "stopping", SM_TO(ENDED) },
    [ENDED] = { "ended", 0 },
};

struct dev {
    struct sm sm;
    struct cli *cli;   /* borrowed */
    struct loop *loop; /* owned */
    struct cluster cluster;
    struct supervise *workers; /* owned; NULL: not started yet */
    bool workers_ended;
    int reserved_fd;    /* keeps the port for them; -1: none */
    struct timer timer; /* BOOTING, SERVING: the next look; STOPPING: patience with the server */
    int64_t give_up_us;
    int signals;
    int exit_code;
    struct err *e;              /* borrowed: the first failure */
    char url[CLUSTER_URL_SIZE]; /* of the database */
    char http[HTTP_URL_SIZE];   /* of the server */
    char key[APIKEY_SIZE];      /* for its routes */
};

static void on_look(void *ctx);
static void on_workers_stopped(void *ctx, int exit_code);
static void go_down(struct dev *d);

/* ---- the way down --------------------------------------------------------------------------- */

static void fail(struct dev *d, const struct err *why)
{
    if (d->e->code == 0)
        *d->e = *why;
    go_down(d);
}

static void end(struct dev *d)
{
    timer_stop(&d->timer);
    sm_move(&d->sm, ENDED);
    loop_stop(d->loop);
}

static void on_halt_late(void *ctx)
{
    struct dev *d = ctx;

    LOG_WARN("PostgreSQL does not end in time, it is stopped at once");
    cluster_stop(&d->cluster, true);
}

static void stop_server(struct dev *d)
{
    if (d->cluster.pid == 0) {
        end(d);
        return;
    }
    sm_move(&d->sm, STOPPING);
    timer_init(&d->timer, d->loop, on_halt_late, d);
    if (timer_start(&d->timer, HALT_US) != 0)
        LOG_WARN("out of memory: waiting for PostgreSQL without a limit");
    cluster_stop(&d->cluster, false);
}

static void go_down(struct dev *d)
{
    if (sm_is(&d->sm, ENDED) || sm_is(&d->sm, DRAINING) || sm_is(&d->sm, STOPPING))
        return;
    timer_stop(&d->timer);
    if (d->workers && !d->workers_ended) {
        sm_move(&d->sm, DRAINING);
        supervise_stop(d->workers, false);
    } else {
        stop_server(d);
    }
}

static void on_workers_stopped(void *ctx, int exit_code)
{
    struct dev *d = ctx;

    d->workers_ended = true;
    d->exit_code = exit_code;
    if (sm_is(&d->sm, DRAINING))
        stop_server(d);
    else
        go_down(d);
}

static void on_signal(void *ctx)
{
    struct dev *d = ctx;

    LOG_INFO(++d->signals > 1 ? "stopping at once" : "stopping");
    if (d->signals > 1 && d->workers && !d->workers_ended)
        supervise_stop(d->workers, true);
    if (d->signals > 1 && sm_is(&d->sm, STOPPING))
        cluster_stop(&d->cluster, true);
    go_down(d);
}

static void on_server_ended(struct dev *d, int status)
{
    char how[CHILD_TEXT_SIZE];
    struct err why;

    if (sm_is(&d->sm, STOPPING)) {
        end(d);
        return;
    }
    child_describe(status, how);
    err_clear(&why);
    err_set(&why, IFP_ESERVER, "PostgreSQL ended: %s: see %s/postgres.log", how, d->cluster.folder);
    fail(d, &why);
}

static void on_child(void *ctx)
{
    struct dev *d = ctx;
    int status;

    if (d->workers && !d->workers_ended)
        supervise_reap(d->workers);
    if (cluster_reap(&d->cluster, &status))
        on_server_ended(d, status);
}

/* ---- the way up ----------------------------------------------------------------------------- */

static int connect_to(const char *url, struct pgsync **ret, struct err *e)
{
    struct pgsync_options options = {
        .conninfo = url,
        .application = "inferpipe dev",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };

    return pgsync_open(&options, ret, e);
}

static int has_database(struct pgsync *db, bool *ret, struct err *e)
{
    static const struct pgstmt look = {
        "dev_database", "select count(*)::int8 from pg_catalog.pg_database where datname = $1::text"
    };
    struct pgargs args;
    struct pgres *res;
    int rc;

    pgargs_init(&args);
    pgargs_text(&args, DATABASE);
    rc = pgsync_exec(db, &look, &args, &res, e);
    pgargs_release(&args);
    if (rc != 0)
        return rc;
    *ret = pgres_int8(res, 0, 0) > 0;
    pgsync_free_result(res);
    return 0;
}

static int make_database(struct pgsync *db, struct err *e)
{
    bool there;
    int rc = has_database(db, &there, e);

    if (rc == 0 && !there)
        rc = pgsync_script(db, "create database " DATABASE, e);
    return rc;
}

static void on_migration(void *ctx, int version, const char *name, bool applied)
{
    (void)ctx;
    if (applied)
        LOG_INFO("migrated", LOG_INT("version", version), LOG_STR("name", name));
}

static int migrate(const struct dev *d, struct err *e)
{
    struct pgsync *db;
    int version, rc = connect_to(d->url, &db, e);

    if (rc != 0)
        return rc;
    rc = migrate_up(db, false, on_migration, NULL, &version, e);
    pgsync_close(db);
    return rc;
}

static int write_file(const char *path, const char *before, const char *url, const char *after,
                      struct err *e)
{
    FILE *out = fopen(path, "we");
    bool good = out && fprintf(out, "%s%s%s\n", before, url, after) > 0;

    if (out && fclose(out) != 0)
        good = false;
    if (!good)
        return err_set(e, IFP_ESERVER, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

/* For scripts: FOLDER/env, and the file they wait for. */
static int write_files(const struct dev *d, struct err *e)
{
    const char *ready = cli_value(d->cli, "ready-file");
    char path[PLACE_SIZE], after[HTTP_URL_SIZE + APIKEY_SIZE + 768];
    int rc = place_join(d->cluster.folder, "env", path, e);

    (void)snprintf(after, sizeof(after),
                   "'\nexport INFERPIPE_BASE_URL='%s'\nexport INFERPIPE_API_KEY='%s'\n"
                   "export INFERPIPE_WORKSPACE_ID='%s'\nexport INFERPIPE_SECRET_KEY='%s'",
                   d->http, d->key, config_text(&d->cli->config, CONFIG_WORKSPACE),
                   config_text(&d->cli->config, CONFIG_SECRET_KEY));
    if (rc == 0)
        rc = write_file(path, "export DATABASE_URL='", d->url, after, e);
    if (rc == 0 && ready)
        rc = write_file(ready, "", d->url, "", e);
    return rc;
}

static void print_ready(const struct dev *d)
{
    const char *program = d->cli->argv0, *folder = d->cluster.folder;

    printf("ready DATABASE_URL=%s\n", d->url);
    printf("listening %s\nkey %s\n", d->http, d->key);
    if (!cli_value(d->cli, "worker") && d->cli->app->workflow_count == 0)
        printf("no workflows: this program has none (give it --worker PROGRAM)\n");
    printf("try:\n  curl -H 'authorization: Bearer %s' %s/v1/workflows\n", d->key, d->http);
    printf("  . %s/env\n  %s workflow list\n  %s doctor\n", folder, program, program);
    if (strcmp(config_text(&d->cli->config, CONFIG_EGRESS_ALLOW), EGRESS) == 0)
        printf("webhooks may reach this machine (egress-allow " EGRESS ")\n");
    printf("Ctrl-C stops the server, then the database.\n");
}

static void say_ready(const struct dev *d)
{
    struct jsondoc *doc;
    struct err ignored;

    if (!d->cli->json) {
        print_ready(d);
        fflush(stdout);
        return;
    }
    doc = jsondoc_object();
    jsondoc_add_bool(doc, "ready", true);
    jsondoc_add_str(doc, "url", d->http);
    jsondoc_add_str(doc, "key", d->key);
    jsondoc_add_str(doc, "database_url", d->url);
    jsondoc_add_str(doc, "folder", d->cluster.folder);
    jsondoc_add_int(doc, "processes", config_int(&d->cli->config, CONFIG_PROCESSES));
    if (cmd_print(doc, &ignored) != 0)
        LOG_WARN("cannot print", LOG_ERR(&ignored));
    fflush(stdout);
}

/* A setting for the children; what the user said stays. */
static int prefer(struct dev *d, enum config_id id, const char *text, struct err *e)
{
    if (d->cli->config.values[id].source != CONFIG_FROM_DEFAULT)
        return 0;
    return config_set(&d->cli->config, id, text, CONFIG_FROM_FLAG, e);
}

static int start_workers(struct dev *d, struct err *e)
{
    const char *given = cli_value(d->cli, "worker");
    char secret[SECRETBOX_TEXT_SIZE];
    struct supervise_options options = {
        .program = given ? given : "/proc/self/exe",
        .name = given ? given : d->cli->program,
        .command = "serve",
        .flag = "--share-port",
        .config = &d->cli->config,
        .stopped = on_workers_stopped,
        .ctx = d,
    };
    int rc = config_set(&d->cli->config, CONFIG_DATABASE_URL, d->url, CONFIG_FROM_FLAG, e);

    if (rc == 0)
        rc = prefer(d, CONFIG_PUBLIC_DOCS, "on", e);
    if (rc == 0)
        rc = prefer(d, CONFIG_EGRESS_ALLOW, EGRESS, e);
    if (rc == 0)
        rc = devkey_secret(d->cluster.folder, secret, e);
    if (rc == 0)
        rc = prefer(d, CONFIG_SECRET_KEY, secret, e);
    return rc == 0 ? supervise_open(d->loop, &options, &d->workers, e) : rc;
}

/* Before anything is started: a port that is taken would only be seen by the children. */
static int reserve(struct dev *d, struct err *e)
{
    struct config *config = &d->cli->config;
    const char *host = config_text(config, CONFIG_HOST);
    char text[PORT_TEXT];
    int port = 0;
    int rc = reserve_port(host, (int)config_int(config, CONFIG_PORT), &d->reserved_fd, &port, e);

    if (rc != 0)
        return err_wrap(e, "give another --port, or --port 0");
    (void)snprintf(text, sizeof(text), "%d", port);
    (void)snprintf(d->http, sizeof(d->http), strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d",
                   host, port);
    return config_set(config, CONFIG_PORT, text, CONFIG_FROM_FLAG, e);
}

/* Files first: who reads the line may read them. */
static void announce(struct dev *d)
{
    struct err e;

    err_clear(&e);
    if (write_files(d, &e) != 0)
        fail(d, &e);
    else
        say_ready(d);
}

/* Ready means that a workflow can be started: each child serves and its engine works. */
static void on_workers_look(void *ctx)
{
    struct dev *d = ctx;
    int up = supervise_ready(d->workers);

    assert(sm_is(&d->sm, SERVING));
    if (up < config_int(&d->cli->config, CONFIG_PROCESSES)) {
        if (clock_mono_us() < d->give_up_us && timer_start(&d->timer, LOOK_US) == 0)
            return;
        LOG_WARN("not all processes are up yet", LOG_INT("processes", up));
    }
    announce(d);
}

static int ensure_key(struct dev *d, struct err *e)
{
    struct client client;
    int rc = dbclient_open(&d->cli->config, d->url, &client, e);

    if (rc != 0)
        return rc;
    rc = devkey_ensure(&client, d->cluster.folder, d->key, e);
    client_release(&client);
    return rc;
}

/* The server answers: everything else, in order. */
static int serve(struct dev *d, struct pgsync *db, struct err *e)
{
    int rc = make_database(db, e);

    pgsync_close(db);
    if (rc == 0)
        rc = migrate(d, e);
    if (rc == 0)
        rc = ensure_key(d, e);
    if (rc == 0)
        rc = start_workers(d, e);
    if (rc != 0)
        return rc;
    d->give_up_us = clock_mono_us() + WORKERS_US;
    timer_init(&d->timer, d->loop, on_workers_look, d);
    return timer_start(&d->timer, LOOK_US) == 0 ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

static void on_look(void *ctx)
{
    struct dev *d = ctx;
    char url[CLUSTER_URL_SIZE];
    struct pgsync *db;
    struct err e;
    int rc;

    assert(sm_is(&d->sm, BOOTING));
    err_clear(&e);
    cluster_url(&d->cluster, "postgres", url);
    rc = connect_to(url, &db, &e);
    if (rc == IFP_EUNAVAILABLE && clock_mono_us() < d->give_up_us) {
        rc = timer_start(&d->timer, LOOK_US);
        if (rc == 0)
            return;
        err_set(&e, rc, "out of memory");
    }
    if (rc == 0) {
        sm_move(&d->sm, SERVING);
        rc = serve(d, db, &e);
    }
    if (rc != 0)
        fail(d, &e);
}

/* ---- the command ---------------------------------------------------------------------------- */

static int max_connections(const struct config *config)
{
    int64_t each = config_int(config, CONFIG_CONNECTIONS) +
                   config_int(config, CONFIG_TX_CONNECTIONS) +
                   config_int(config, CONFIG_HTTP_DB_CONNECTIONS) +
                   config_int(config, CONFIG_HTTP_OFFLOAD) + 3;
    int64_t all = BASE_CONNECTIONS + each * config_int(config, CONFIG_PROCESSES);

    return (int)MAX(all, LEAST_CONNECTIONS);
}

static int start(struct dev *d, struct err *e)
{
    int rc = loop_on_signal(d->loop, SIGTERM, on_signal, d, e);

    signal(SIGPIPE, SIG_IGN);
    if (rc == 0)
        rc = loop_on_signal(d->loop, SIGINT, on_signal, d, e);
    if (rc == 0)
        rc = loop_on_signal(d->loop, SIGHUP, on_signal, d, e);
    if (rc == 0)
        rc = loop_on_signal(d->loop, SIGCHLD, on_child, d, e);
    if (rc == 0 && timer_start(&d->timer, 0) != 0)
        rc = err_set(e, IFP_ENOMEM, "out of memory");
    if (rc == 0)
        rc = cluster_start(&d->cluster, max_connections(&d->cli->config), e);
    if (rc != 0)
        timer_stop(&d->timer);
    return rc;
}

static int check_options(const struct cli *c, struct err *e)
{
    const char *program = cli_value(c, "worker");

    if (c->config.values[CONFIG_DATABASE_URL].source == CONFIG_FROM_FLAG)
        return err_set(e, IFP_EINVALID,
                       "--database-url: dev makes a database of its own; `worker` uses that one");
    if (program && access(program, X_OK) != 0)
        return err_set(e, IFP_EINVALID, "--worker: cannot run \"%s\": %s", program,
                       strerror(errno));
    return 0;
}

int cmd_dev_run(struct cli *c, struct err *e)
{
    struct dev d = { .cli = c, .e = e, .reserved_fd = -1 };
    int rc = check_options(c, e);

    if (rc == 0)
        rc = cluster_open(&d.cluster, config_text(&c->config, CONFIG_DATA_DIR), e);
    if (rc != 0)
        return rc;
    rc = reserve(&d, e);
    if (rc != 0)
        goto out;
    cluster_url(&d.cluster, DATABASE, d.url);
    sm_init(&d.sm, dev_states, BOOTING);
    d.give_up_us = clock_mono_us() + BOOT_US;
    rc = loop_open(&d.loop, e);
    if (rc != 0)
        goto out;
    timer_init(&d.timer, d.loop, on_look, &d);
    rc = start(&d, e);
    if (rc == 0) {
        loop_run(d.loop);
        rc = e->code != 0 ? e->code : d.exit_code;
    }
    supervise_close(d.workers);
    loop_close(d.loop);
out:
    cluster_close(&d.cluster);
    if (d.reserved_fd >= 0)
        close(d.reserved_fd);
    return rc;
}
