/*
 * tests/integration/test_pgsetup.c - a pooler that drops our connection options is refused.
 *
 * The pooler is a thread that hands bytes on between a socket in a folder of its own and the real
 * server; in what the client sends first it turns "enable_seqscan=off" into "enable_seqscan=yes".
 * Needs DATABASE_URL, with a server on a Unix socket.
 */
#include "lib/pgtest.h"
#include "pg/pginternal.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct pooler {
    pthread_t thread;
    int listening;
    int stop[2]; /* a pipe: closed at its writing end, the thread ends */
    char folder[32];
    struct sockaddr_un here, server;
};

static const char honest[] = "enable_seqscan=off", forged[] = "enable_seqscan=yes";

/* The first piece of each connection is its start-up message. */
static bool pass_on(int from, int to, bool first)
{
    char bytes[8192];
    ssize_t n = read(from, bytes, sizeof(bytes));
    ssize_t len = (ssize_t)sizeof(honest) - 1;

    if (n <= 0)
        return false;
    for (ssize_t i = 0; first && i + len <= n; i++) {
        if (memcmp(bytes + i, honest, (size_t)len) == 0)
            memcpy(bytes + i, forged, (size_t)len);
    }
    return write(to, bytes, (size_t)n) == n;
}

static void serve(const struct pooler *p, int client)
{
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool first = true, open;

    open = connect(server, (const struct sockaddr *)&p->server, sizeof(p->server)) == 0;
    while (open) {
        struct pollfd fds[] = { { .fd = client, .events = POLLIN },
                                { .fd = server, .events = POLLIN },
                                { .fd = p->stop[0], .events = POLLIN } };

        poll(fds, 3, -1);
        if (fds[0].revents) {
            open = pass_on(client, server, first);
            first = false;
        }
        if (open && fds[1].revents)
            open = pass_on(server, client, false);
        if (fds[2].revents)
            open = false;
    }
    close(server);
    close(client);
}

static void *pooler_main(void *arg)
{
    struct pooler *p = arg;

    for (;;) {
        struct pollfd fds[] = { { .fd = p->listening, .events = POLLIN },
                                { .fd = p->stop[0], .events = POLLIN } };

        poll(fds, 2, -1);
        if (fds[1].revents)
            return NULL;
        serve(p, accept(p->listening, NULL, NULL));
    }
}

static void name_socket(struct sockaddr_un *ret, const char *folder, const char *port)
{
    int len;

    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    len = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/.s.PGSQL.%s", folder, port);
    assert_in_range(len, 1, sizeof(ret->sun_path) - 1);
}

static void pooler_open(struct pooler *p, struct pgtest *t)
{
    const PGconn *admin = (const PGconn *)pgsync_raw(t->admin);

    snprintf(p->folder, sizeof(p->folder), "/tmp/pgsetup-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    name_socket(&p->here, p->folder, PQport(admin));
    name_socket(&p->server, PQhost(admin), PQport(admin));
    assert_int_equal(pipe(p->stop), 0);
    p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listening, (struct sockaddr *)&p->here, sizeof(p->here)), 0);
    assert_int_equal(listen(p->listening, 5), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, pooler_main, p), 0);
}

static void pooler_close(struct pooler *p)
{
    close(p->stop[1]);
    pthread_join(p->thread, NULL);
    close(p->stop[0]);
    close(p->listening);
    unlink(p->here.sun_path);
    rmdir(p->folder);
}

static void conninfo(const struct pooler *p, struct pgtest *t, char *ret, size_t size)
{
    const PGconn *admin = (const PGconn *)pgsync_raw(t->admin);

    snprintf(ret, size, "host=%s port=%s user=%s dbname=%s", p->folder, PQport(admin),
             PQuser(admin), PQdb(admin));
}

static bool is_refused(void *conn)
{
    return pgconn_last_error(conn)->code != 0;
}

static void a_connection_refuses_a_pooler_that_changes_settings(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c = NULL;
    struct pooler p;
    char text[256];
    struct err e;

    pgtest_reset(t);
    pooler_open(&p, t);
    conninfo(&p, t, text, sizeof(text));
    o.conninfo = text;
    assert_int_equal(pgconn_open(t->loop, &o, &c, &e), 0);
    looptest_until(t->loop, is_refused, c);
    assert_int_equal(pgconn_last_error(c)->code, IFP_ESCHEMA);
    assert_non_null(strstr(pgconn_last_error(c)->text, "enable_seqscan is \"on\""));
    assert_false(pgconn_ready(c));
    assert_int_equal(t->ups + t->downs, 0);
    pgconn_close(c, pgtest_on_closed, t);
    looptest_count(t->loop, &t->closed, 1);
    pooler_close(&p);
}

static void a_blocking_connection_refuses_it_only_for_hot_functions(void **state)
{
    struct pgtest *t = *state;
    struct pgsync_options o = { .application = PGTEST_APPLICATION,
                                .connect_timeout_ms = 10000,
                                .runtime_settings = true };
    struct pgsync *c = NULL;
    struct pooler p;
    char text[256];
    struct err e;

    pooler_open(&p, t);
    conninfo(&p, t, text, sizeof(text));
    o.conninfo = text;
    assert_int_equal(pgsync_open(&o, &c, &e), IFP_ESCHEMA);
    assert_non_null(strstr(e.text, "enable_seqscan"));
    o.runtime_settings = false;
    assert_int_equal(pgsync_open(&o, &c, &e), 0);
    pgsync_close(c);
    pooler_close(&p);
}

static void the_users_own_options_come_first_and_ours_win(void **state)
{
    struct pgtest *t = *state;
    struct pgsync_options o = { .application = PGTEST_APPLICATION,
                                .connect_timeout_ms = 10000,
                                .runtime_settings = true };
    const PGconn *admin = (const PGconn *)pgsync_raw(t->admin);
    struct pgstmt stmt = { NULL, "select current_setting('work_mem'),"
                                 " current_setting('application_name')" };
    struct pgres *res = NULL;
    struct pgsync *c = NULL;
    char text[256];
    struct err e;

    snprintf(text, sizeof(text),
             "host=%s port=%s user=%s dbname=%s application_name=mine"
             " options='-c plan_cache_mode=auto -c work_mem=7MB'",
             PQhost(admin), PQport(admin), PQuser(admin), PQdb(admin));
    o.conninfo = text;
    assert_int_equal(pgsync_open(&o, &c, &e), 0);
    assert_int_equal(pgsync_exec(c, &stmt, NULL, &res, &e), 0);
    assert_string_equal(pgres_text(res, 0, 0), "7MB");
    assert_string_equal(pgres_text(res, 0, 1), "mine");
    pgsync_free_result(res);
    pgsync_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_refuses_a_pooler_that_changes_settings),
        cmocka_unit_test(a_blocking_connection_refuses_it_only_for_hot_functions),
        cmocka_unit_test(the_users_own_options_come_first_and_ours_win),
    };

    return cmocka_run_group_tests(tests, pgtest_setup, pgtest_teardown);
}
