/*
 * tests/lib/crashtest.c - see crashtest.h.  Plain libpq, blocking, so that what is under test does
 * not check itself; the test program has nothing else to do meanwhile.
 */
#include "lib/crashtest.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/moves.h"
#include "lib/testdb.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    WORKERS_MAX = 64,
    SQL_SIZE = 4096,
    TEXT_SIZE = 8192,
    LOOK_US = 20000,
    LIMIT_S = 30,
    LOG_TAIL = 4000
};

static pid_t alive[WORKERS_MAX]; /* to be killed by crashtest_cleanup */
static char folder[32];          /* of all ledgers and logs; removed at exit */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "crashtest: %s: %s\n", what, why);
    exit(1);
}

/* ---- the database --------------------------------------------------------------------------- */

static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

/* The server ended the connection, or cannot be reached. */
static bool is_away(const PGresult *r)
{
    const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    return !code || strncmp(code, "57P", 3) == 0 || strncmp(code, "08", 2) == 0;
}

/* NULL while the server is away; a refused statement ends the program. */
static PGresult *run(struct crashtest *t, const char *sql)
{
    PGresult *r;
    ExecStatusType status;

    if (PQstatus(t->db) != CONNECTION_OK)
        PQreset(t->db);
    r = PQexec(t->db, sql);
    status = PQresultStatus(r);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return r;
    if (!is_away(r))
        die(sql, PQerrorMessage(t->db));
    PQclear(r);
    PQreset(t->db);
    return NULL;
}

int64_t crashtest_int8(struct crashtest *t, const char *sql)
{
    PGresult *r = run(t, sql);
    int64_t value = -1;

    if (r)
        value = PQntuples(r) > 0 ? strtoll(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    return value;
}

static void remove_folder(void)
{
    if (folder[0])
        (void)rmdir(folder); /* its files went with crashtest_close; after a failure they stay */
}

static void make_files(struct crashtest *t)
{
    static int count;

    if (!folder[0]) {
        (void)snprintf(folder, sizeof(folder), "/tmp/ifp-crash-XXXXXX");
        if (!mkdtemp(folder) || chmod(folder, 0755) != 0) /* the server reads the ledger */
            die(folder, "cannot make this folder");
        (void)atexit(remove_folder);
    }
    count++;
    (void)snprintf(t->ledger, sizeof(t->ledger), "%s/ledger-%d", folder, count);
    (void)snprintf(t->log, sizeof(t->log), "%s/log-%d", folder, count);
    (void)close(open(t->ledger, O_WRONLY | O_CREAT, 0644));
}

static void connect_to(struct crashtest *t)
{
    make_files(t);
    t->db = PQconnectdb(t->url);
    if (PQstatus(t->db) != CONNECTION_OK)
        die("connect", PQerrorMessage(t->db));
    (void)PQsetNoticeProcessor(t->db, ignore_notice, NULL);
}

void crashtest_open_empty(struct crashtest *t)
{
    *t = (struct crashtest){ 0 };
    testdb_create_empty(&t->url);
    connect_to(t);
}

void crashtest_open(struct crashtest *t)
{
    *t = (struct crashtest){ 0 };
    testdb_create(&t->url);
    connect_to(t);
    PQclear(run(t, "select inferpipe.workflow_register(1, array['" CRASHTEST_WORKFLOW "'],"
                   " array['1'], array['default'], array[null::int8])"));
}

void crashtest_close(struct crashtest *t)
{
    PQfinish(t->db);
    testdb_give_back(t->url);
    (void)unlink(t->ledger);
    (void)unlink(t->log);
}

void crashtest_start(struct crashtest *t, int count, const char *input, bool mail)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof(sql),
                   "select count(case when %s then inferpipe.send(s.id, 'go', to_json(s.id)) end)"
                   " from (select inferpipe.start('" CRASHTEST_WORKFLOW "', '%s') as id"
                   "       from generate_series(1, %d)) s",
                   mail ? "true" : "false", input, count);
    if (crashtest_int8(t, sql) < 0)
        die("start", "the server is away");
}

int64_t crashtest_deliver(struct crashtest *t)
{
    int64_t left = crashtest_int8(
        t, "select count(*) + 0 * count(case when r.wait_key = inferpipe.name_key('go') then"
           " inferpipe.send(inferpipe.id_text(r.exec_id), 'go',"
           " to_json(inferpipe.id_text(r.exec_id)), 'once') end)"
           " from inferpipe._inferpipe_runs r");

    return left;
}

/* ---- workers -------------------------------------------------------------------------------- */

static void set(const char *name, const char *value)
{
    if ((value ? setenv(name, value, 1) : unsetenv(name)) != 0)
        _exit(1);
}

/* In the child: the program lies beside the tests.  A parent that died before tells nobody. */
static void become_worker(const struct crashtest *t, const struct crashtest_settings *s,
                          pid_t parent)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    int log = open(t->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

    if (len < 0 || log < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    path[len] = '\0';
    for (int i = 0; i < 2; i++)
        *strrchr(path, '/') = '\0';
    (void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/programs/crashy");
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    set("DATABASE_URL", t->url);
    set("CRASHY_LEDGER", t->ledger);
    set("INFERPIPE_CRASH_AT", s->crash_at);
    set("INFERPIPE_FAULT", NULL);
    set("INFERPIPE_LEASE", s->lease ? s->lease : "1s");
    set("INFERPIPE_SLOTS", s->slots);
    set("INFERPIPE_TICK", s->tick ? s->tick : "100ms");
    (void)execl(path, "crashy", "worker", (char *)NULL);
    _exit(127);
}

static void remember(pid_t from, pid_t to)
{
    for (size_t i = 0; i < ARRAY_LEN(alive); i++)
        if (alive[i] == from) {
            alive[i] = to;
            return;
        }
    die("workers", "too many");
}

void crashtest_spawn(struct crashtest *t, struct crashtest_worker *w,
                     const struct crashtest_settings *s)
{
    static const struct crashtest_settings plain;
    pid_t self = getpid();

    w->status = 0;
    w->pid = fork();
    if (w->pid < 0)
        die("fork", "failed");
    if (w->pid == 0)
        become_worker(t, s ? s : &plain, self);
    remember(0, w->pid);
}

bool crashtest_ended(struct crashtest_worker *w)
{
    if (w->pid == 0)
        return true;
    if (waitpid(w->pid, &w->status, WNOHANG) != w->pid)
        return false;
    remember(w->pid, 0);
    w->pid = 0;
    return true;
}

void crashtest_signal(const struct crashtest_worker *w, int signum)
{
    if (w->pid > 0)
        (void)kill(w->pid, signum);
}

static bool has_ended(void *ctx)
{
    return crashtest_ended(ctx);
}

void crashtest_until_ended(struct crashtest *t, struct crashtest_worker *w)
{
    if (crashtest_wait(NULL, LIMIT_S, has_ended, w))
        return;
    crashtest_show_log(t);
    fail_msg("the worker did not end within %d s", LIMIT_S);
}

void crashtest_stop(struct crashtest *t, struct crashtest_worker *w)
{
    crashtest_signal(w, SIGTERM);
    crashtest_until_ended(t, w);
    if (w->status != 0) {
        crashtest_show_log(t);
        fail_msg("the worker did not end in order, status %x", (unsigned)w->status);
    }
}

int crashtest_cleanup(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(alive); i++) {
        if (alive[i] == 0)
            continue;
        (void)kill(alive[i], SIGKILL);
        (void)waitpid(alive[i], NULL, 0);
        alive[i] = 0;
    }
    return 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct look {
    struct timer timer;
    struct loop *loop;
    crashtest_fn *done;
    void *ctx;
    int64_t until_us;
    bool ok;
};

static void on_look(void *ctx)
{
    struct look *k = ctx;

    k->ok = k->done(k->ctx);
    if (k->ok || clock_mono_us() >= k->until_us ||
        (timer_start(&k->timer, LOOK_US) != 0 && timer_start(&k->timer, LOOK_US) != 0))
        loop_stop(k->loop);
}

bool crashtest_wait(struct loop *l, int seconds, crashtest_fn *done, void *ctx)
{
    struct look k = { .loop = l,
                      .done = done,
                      .ctx = ctx,
                      .until_us = clock_mono_us() + INT64_C(1000000) * seconds };
    struct err e;

    if (!l && loop_open(&k.loop, &e) != 0)
        die("loop", e.text);
    timer_init(&k.timer, k.loop, on_look, &k);
    /* A fault that is armed may hit us: then once more. */
    if (timer_start(&k.timer, 0) != 0 && timer_start(&k.timer, 0) != 0)
        die("loop", "no timer");
    loop_run(k.loop);
    timer_stop(&k.timer);
    if (!l)
        loop_close(k.loop);
    return k.ok;
}

static bool is_finished(void *ctx)
{
    return crashtest_deliver(ctx) == 0;
}

void crashtest_finish(struct crashtest *t, struct loop *l)
{
    if (crashtest_wait(l, LIMIT_S, is_finished, t))
        return;
    crashtest_show_log(t);
    fail_msg("after %d s %" PRId64 " executions have not ended", LIMIT_S,
             crashtest_int8(t, "select count(*) from inferpipe._inferpipe_runs"));
}

struct question {
    struct crashtest *test;
    const char *sql;
};

static bool is_positive(void *ctx)
{
    const struct question *q = ctx;

    return crashtest_int8(q->test, q->sql) > 0;
}

void crashtest_until_sql(struct crashtest *t, const char *sql)
{
    struct question q = { t, sql };

    if (crashtest_wait(NULL, LIMIT_S, is_positive, &q))
        return;
    crashtest_show_log(t);
    fail_msg("not within %d s: %s", LIMIT_S, sql);
}

struct search {
    const struct crashtest *test;
    const char *text;
};

static bool is_logged(void *ctx)
{
    const struct search *s = ctx;
    FILE *log = fopen(s->test->log, "r");
    char line[1024];
    bool found = false;

    while (log && !found && fgets(line, sizeof(line), log))
        found = strstr(line, s->text) != NULL;
    if (log)
        (void)fclose(log);
    return found;
}

void crashtest_until_log(struct crashtest *t, const char *text)
{
    struct search s = { t, text };

    if (crashtest_wait(NULL, LIMIT_S, is_logged, &s))
        return;
    crashtest_show_log(t);
    fail_msg("not in the log within %d s: %s", LIMIT_S, text);
}

/* ---- checking ------------------------------------------------------------------------------- */

/* The rule is the table in C: the copy that the template holds is replaced by it. */
static void load_moves(struct crashtest *t)
{
    char sql[SQL_SIZE];
    size_t len = (size_t)snprintf(sql, sizeof(sql),
                                  "truncate inferpipe_test.legal_moves;"
                                  "insert into inferpipe_test.legal_moves values");

    for (int i = 0; i < moves_count; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s(%d, %d)", i ? "," : "",
                                (int)moves_rules[i].from, (int)moves_rules[i].to);
    PQclear(run(t, sql));
}

static void load_ledger(struct crashtest *t)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof(sql),
                   "truncate inferpipe_test.ledger; copy inferpipe_test.ledger from '%s'",
                   t->ledger);
    PQclear(run(t, sql));
}

int crashtest_violations(struct crashtest *t, char *ret_text, size_t size)
{
    char sql[SQL_SIZE];
    size_t len = 0;
    PGresult *r;
    int count;

    load_ledger(t);
    load_moves(t);
    (void)snprintf(sql, sizeof(sql), "select * from inferpipe_test.violations(%d)",
                   (int)CRASHTEST_ROWS);
    r = run(t, sql);
    count = PQntuples(r);
    ret_text[0] = '\0';
    for (int i = 0; i < count && len < size; i++)
        len += (size_t)snprintf(ret_text + len, size - len, "%s: %s: %s\n", PQgetvalue(r, i, 0),
                                PQgetvalue(r, i, 1), PQgetvalue(r, i, 2));
    PQclear(r);
    return count;
}

/* Executions that ended as they should: the path, and the time that was recorded once. */
static int64_t count_completed(struct crashtest *t)
{
    return crashtest_int8(
        t, "select count(*) from inferpipe._inferpipe_results r"
           " join inferpipe._inferpipe_steps s on s.exec_id = r.exec_id and s.kind = 5"
           " cross join lateral (select convert_from(r.output, 'UTF8')::json as o) o"
           " where r.status = 1 and o.o ->> 'path' = '" CRASHTEST_PATH "'"
           "   and o.o ->> 'now' = convert_from(s.result, 'UTF8')");
}

static void show_others(struct crashtest *t)
{
    PGresult *r = run(t, "select inferpipe.id_text(r.exec_id), r.status, r.error_code, r.error,"
                         " convert_from(r.output, 'UTF8') from inferpipe._inferpipe_results r"
                         " where r.status <> 1 or convert_from(r.output, 'UTF8')::json ->> 'path'"
                         " <> '" CRASHTEST_PATH "' limit 20");

    for (int i = 0; i < PQntuples(r); i++)
        fprintf(stderr, "%s: status %s %s %s %s\n", PQgetvalue(r, i, 0), PQgetvalue(r, i, 1),
                PQgetvalue(r, i, 2), PQgetvalue(r, i, 3), PQgetvalue(r, i, 4));
    PQclear(r);
}

void crashtest_check(struct crashtest *t, int completed, int canceled)
{
    char text[TEXT_SIZE];
    int found = crashtest_violations(t, text, sizeof(text));
    int64_t right = count_completed(t);
    int64_t ended =
        crashtest_int8(t, "select count(*) from inferpipe._inferpipe_results where status = 3");
    int64_t all = crashtest_int8(t, "select count(*) from inferpipe._inferpipe_executions");

    if (found == 0 && right == completed && ended == canceled && all == completed + canceled)
        return;
    crashtest_show_log(t);
    show_others(t);
    fail_msg("of %" PRId64 " executions %" PRId64 " completed as they should (%d wanted), %" PRId64
             " canceled (%d wanted); %d violations:\n%s",
             all, right, completed, ended, canceled, found, text);
}

void crashtest_show_log(const struct crashtest *t)
{
    char text[LOG_TAIL + 1];
    int fd = open(t->log, O_RDONLY);
    ssize_t len;

    if (fd < 0)
        return;
    (void)lseek(fd, -LOG_TAIL, SEEK_END); /* a shorter one is read from its beginning */
    len = read(fd, text, LOG_TAIL);
    if (len > 0)
        fprintf(stderr, "... the end of %s:\n%.*s\n", t->log, (int)len, text);
    (void)close(fd);
}

/* ---- the server ----------------------------------------------------------------------------- */

bool crashtest_server_ours(void)
{
    return getenv("INFERPIPE_TEST_PGDATA") && getenv("INFERPIPE_TEST_PGBIN");
}

void crashtest_server(const char *action)
{
    const char *data = getenv("INFERPIPE_TEST_PGDATA"), *as = getenv("INFERPIPE_TEST_RUNAS");
    char command[1024];

    (void)snprintf(command, sizeof(command),
                   "cd / && %s '%s/pg_ctl' -D '%s' -l '%s/../log' -w -t 60 -m immediate %s"
                   " >/dev/null 2>&1",
                   as ? as : "", getenv("INFERPIPE_TEST_PGBIN"), data, data, action);
    if (system(command) != 0)
        die("pg_ctl", action);
}

void crashtest_reconnect(struct crashtest *t)
{
    PQreset(t->db);
    if (PQstatus(t->db) != CONNECTION_OK)
        die("connect", PQerrorMessage(t->db));
}
