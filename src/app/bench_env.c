/*
 * app/bench_env.c - the world of a benchmark: databases made for it, SQL, worker processes.
 *
 * Workers are this program's own `bench worker`, ended with SIGKILL: the database goes with them.
 */
#define _GNU_SOURCE 1 /* pipe2 */
#include "app/bench.h"
#include "app/child.h"
#include "app/wait.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/migrate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 10000, LOOK_MS = 2, LOOK_PAUSE = 4, UP_MS = 20000, OUTPUT_SIZE = 65536 };

/* ---- databases and SQL ---------------------------------------------------------------------- */

static int open_db(const char *url, bool runtime, struct pgsync **ret, struct err *e)
{
    return pgsync_open(&(struct pgsync_options){ .conninfo = url,
                                                 .application = "inferpipe bench",
                                                 .connect_timeout_ms = CONNECT_MS,
                                                 .runtime_settings = runtime },
                       ret, e);
}

int bench_open(struct bench *b, struct cli *c, struct err *e)
{
    *b = (struct bench){ .cli = c };
    snprintf(b->name, sizeof(b->name), "inferpipe_bench_%d", (int)getpid());
    snprintf(b->url, sizeof(b->url), "dbname=%s", b->name);
    return open_db("dbname=postgres", false, &b->server, e);
}

static int drop_database(struct bench *b, struct err *e)
{
    char sql[160];

    if (b->has_client)
        client_release(&b->client);
    b->has_client = false;
    pgsync_close(b->db);
    b->db = NULL;
    snprintf(sql, sizeof(sql), "drop database if exists %s with (force)", b->name);
    return pgsync_script(b->server, sql, e);
}

void bench_close(struct bench *b)
{
    struct err ignored;

    bench_kill_all(b);
    if (b->server && drop_database(b, &ignored) != 0)
        fprintf(stderr, "bench: the database %s stays: %s\n", b->name, ignored.text);
    pgsync_close(b->server);
}

/* Makes the workflows known, so that executions can be started before the first worker. */
static int register_flows(struct bench *b, struct err *e)
{
    return bench_sql(b,
                     "select inferpipe.workflow_register(1, n, array_fill('1'::text, array[6]),"
                     " array_fill('default'::text, array[6]), array_fill(null::int8, array[6]))"
                     " from (select array['bench-empty', 'bench-1', 'bench-10', 'bench-sleep',"
                     " 'bench-hold', 'bench-fan']) x(n)",
                     e);
}

static int open_client(struct bench *b, struct err *e)
{
    const struct config *c = &b->cli->config;
    const struct client_limits limits = { config_int(c, CONFIG_PAYLOAD_MAX),
                                          config_int(c, CONFIG_PAYLOAD_INLINE),
                                          config_int(c, CONFIG_IDEMPOTENCY_TTL) };
    int rc = client_open(&b->client, b->url, "default", &limits, e);

    b->has_client = rc == 0;
    return rc;
}

int bench_fresh(struct bench *b, struct err *e)
{
    char sql[160];
    struct pgsync *owner;
    int version, rc;

    bench_kill_all(b);
    err_clear(e);
    IFP_TRY(drop_database(b, e));
    snprintf(sql, sizeof(sql), "create database %s", b->name);
    IFP_TRY(pgsync_script(b->server, sql, e));
    IFP_TRY(open_db(b->url, false, &owner, e));
    rc = migrate_up(owner, false, NULL, NULL, &version, e);
    pgsync_close(owner);
    if (rc == 0)
        rc = open_db(b->url, true, &b->db, e);
    if (rc == 0)
        rc = open_client(b, e);
    return rc == 0 ? register_flows(b, e) : rc;
}

int bench_sql(struct bench *b, const char *sql, struct err *e)
{
    return pgsync_script(b->db, sql, e);
}

int bench_ask(struct bench *b, const char *sql, int64_t *ret, struct err *e)
{
    const struct pgstmt stmt = { NULL, sql };
    struct pgargs none;
    struct pgres *res;

    pgargs_init(&none);
    IFP_TRY(pgsync_exec(b->db, &stmt, &none, &res, e));
    *ret = pgres_rows(res) == 0 || pgres_null(res, 0, 0) ? 0 : pgres_int8(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int bench_until(struct bench *b, const char *sql, int64_t want, int64_t limit_ms, struct err *e)
{
    int64_t now_us = clock_mono_us(), end_us = now_us + limit_ms * 1000, n = 0;

    for (;;) {
        int64_t asked_us = now_us;

        IFP_TRY(bench_ask(b, sql, &n, e));
        if (want == 0 ? n == 0 : n >= want)
            return 0;
        now_us = clock_mono_us();
        if (now_us > end_us)
            return err_set(e, IFP_ETIMEOUT, "%" PRId64 " after %" PRId64 " ms: %s", n, limit_ms,
                           sql);
        wait_ms(MAX(LOOK_MS, (now_us - asked_us) * LOOK_PAUSE / 1000));
        now_us = clock_mono_us();
    }
}

int bench_start(struct bench *b, const char *flow, int64_t n, struct err *e)
{
    ifp_start_item items[CLIENT_BATCH_MAX];
    int64_t ids[CLIENT_BATCH_MAX];
    bool created[CLIENT_BATCH_MAX];

    assert(n > 0 && n <= CLIENT_BATCH_MAX);
    IFP_TRY(client_ready(&b->client, e));
    for (int64_t i = 0; i < n; i++)
        items[i] = (ifp_start_item){ .workflow = flow, .input = "12345" };
    return client_start_many(&b->client, items, (size_t)n, ids, created, e);
}

int bench_fill(struct bench *b, const char *flow, int64_t n, const char *input, struct err *e)
{
    char sql[1024];

    assert(n > 0 && strlen(input) < 100);
    snprintf(sql, sizeof(sql),
             "with l as materialized (select inferpipe.lane_intern(1, null, '%s', '1') as lane),"
             " x as materialized (select inferpipe.id_new() as id"
             " from generate_series(1, %" PRId64 ")),"
             " e as (insert into inferpipe._inferpipe_executions"
             " (exec_id, created_at, seed, workspace_id, lane, prio, codec, input)"
             " select id, clock_timestamp(), id * 31, 1, lane, 3, 0, '%s'::bytea from x, l)"
             " insert into inferpipe._inferpipe_runs"
             " (exec_id, ready_at, workspace_id, lane, shard, prio)"
             " select id, clock_timestamp(), 1, lane, id %% 8, 3 from x, l;"
             " select inferpipe.wake(1, array[inferpipe.lane_intern(1, null, '%s', '1')])",
             flow, n, input, flow);
    return bench_sql(b, sql, e);
}

/* ---- processes ------------------------------------------------------------------------------ */

static int spawn_worker(struct bench *b, const char *const *settings, pid_t *ret, struct err *e)
{
    char options[BENCH_OPTIONS_MAX][64];
    char *argv[BENCH_OPTIONS_MAX + 8];
    int n = 0;

    argv[n++] = (char *)b->cli->argv0;
    argv[n++] = (char *)"bench";
    argv[n++] = (char *)"worker";
    argv[n++] = (char *)"--log-level=error";
    argv[n++] = (char *)"--database-url";
    argv[n++] = b->url;
    for (int i = 0; settings && settings[i]; i++) {
        assert(i < BENCH_OPTIONS_MAX);
        snprintf(options[i], sizeof(options[i]), "--%s", settings[i]);
        argv[n++] = options[i];
    }
    argv[n] = NULL;
    return child_spawn(
        &(struct child_spec){
            .file = "/proc/self/exe", .argv = argv, .output_fd = -1, .death_signal = SIGKILL },
        ret, e);
}

int bench_worker(struct bench *b, const char *const *settings, struct bench_worker **ret,
                 struct err *e)
{
    struct bench_worker *w = NULL;
    char sql[160];

    for (int i = 0; i < BENCH_WORKERS_MAX && !w; i++)
        if (b->workers[i].pid == 0)
            w = &b->workers[i];
    assert(w);
    IFP_TRY(spawn_worker(b, settings, &w->pid, e));
    if (ret)
        *ret = w;
    snprintf(sql, sizeof(sql),
             "select count(*) from inferpipe._inferpipe_workers where state = 0 and pid = %d",
             (int)w->pid);
    return bench_until(b, sql, 1, UP_MS, e);
}

void bench_kill(struct bench_worker *w)
{
    if (w->pid == 0)
        return;
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
}

void bench_kill_all(struct bench *b)
{
    for (int i = 0; i < BENCH_WORKERS_MAX; i++)
        bench_kill(&b->workers[i]);
}

/* Everything up to the end of the pipe. */
static int read_all(int fd, char **ret, struct err *e)
{
    struct buf text;
    char part[4096];
    ssize_t n;

    buf_init(&text);
    while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && text.len < OUTPUT_SIZE)
            buf_put(&text, part, (size_t)n);
    *ret = buf_take(&text);
    return *ret ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

int bench_program(struct bench *b, char *const *argv, char **ret_output, struct err *e)
{
    char env[80];
    int fds[2], status = 0, rc;
    pid_t pid;

    snprintf(env, sizeof(env), "PGDATABASE=%s", b->name);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(e, IFP_ESERVER, "pipe: %s", strerror(errno));
    rc = child_spawn(&(struct child_spec){ .file = argv[0],
                                           .argv = argv,
                                           .env = env,
                                           .output_fd = fds[1],
                                           .death_signal = SIGKILL },
                     &pid, e);
    close(fds[1]);
    if (rc == 0) {
        rc = read_all(fds[0], ret_output, e);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(fds[0]);
    if (rc == 0 && status != 0) {
        rc = err_set(e, IFP_ESERVER, "%s: %.200s", argv[0], *ret_output);
        mem_free(*ret_output);
    }
    return rc;
}
