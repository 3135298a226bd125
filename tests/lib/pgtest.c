/* tests/lib/pgtest.c - see pgtest.h. */
#include "lib/pgtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const struct pgstmt pgtest_echo = { "pgtest_echo", "select $1" };
const struct pgstmt pgtest_sleep = { "pgtest_sleep", "select pg_sleep(30)" };

int pgtest_setup(void **state)
{
    static struct pgtest test;
    struct err e;
    struct pgsync_options o = { .conninfo = getenv("DATABASE_URL"),
                                .application = "pgtest admin",
                                .connect_timeout_ms = 10000,
                                .statement_timeout_ms = 20000 };

    if (!o.conninfo) {
        fprintf(stderr, "DATABASE_URL is not set\n");
        return -1;
    }
    if (pgsync_open(&o, &test.admin, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return -1;
    }
    test.loop = looptest_open();
    *state = &test;
    return 0;
}

int pgtest_teardown(void **state)
{
    struct pgtest *t = *state;

    pgsync_close(t->admin);
    looptest_close(t->loop);
    return 0;
}

static void on_up(void *ctx)
{
    ((struct pgtest *)ctx)->ups++;
}

static void on_down(void *ctx, const struct err *e)
{
    struct pgtest *t = ctx;

    t->downs++;
    t->down_error = *e;
}

void pgtest_on_closed(void *t)
{
    ((struct pgtest *)t)->closed++;
}

struct pgconn_options pgtest_options(struct pgtest *t)
{
    return (struct pgconn_options){ .conninfo = getenv("DATABASE_URL"),
                                    .application = PGTEST_APPLICATION,
                                    .prepare = true,
                                    .queue_max = 1000,
                                    .connect_timeout_ms = 10000,
                                    .statement_timeout_ms = 15000,
                                    .on_up = on_up,
                                    .on_down = on_down,
                                    .ctx = t };
}

void pgtest_script(struct pgtest *t, const char *sql)
{
    struct err e;

    if (pgsync_script(t->admin, sql, &e) < 0)
        fail_msg("%s: %s", sql, e.text);
}

static int ask(struct pgtest *t, const char *sql, const char *arg)
{
    struct pgstmt stmt = { NULL, sql };
    struct pgres *res = NULL;
    struct pgargs a;
    struct err e;
    int n = 0;

    pgargs_init(&a);
    pgargs_text(&a, PGTEST_APPLICATION);
    if (arg)
        pgargs_text(&a, arg);
    if (pgsync_exec(t->admin, &stmt, &a, &res, &e) < 0)
        fail_msg("%s: %s", sql, e.text);
    n = pgres_int4(res, 0, 0);
    pgsync_free_result(res);
    pgargs_release(&a);
    return n;
}

struct running {
    struct pgtest *test;
    const char *text;
};

static bool is_running(void *ctx)
{
    const struct running *r = ctx;

    return ask(r->test,
               "select count(*)::int4 from pg_stat_activity where application_name = $1"
               " and state = 'active' and position($2 in query) > 0",
               r->text) > 0;
}

void pgtest_until_running(struct pgtest *t, const char *text)
{
    struct running r = { t, text };

    looptest_until(t->loop, is_running, &r);
}

int pgtest_terminate(struct pgtest *t)
{
    return ask(t,
               "select count(pg_terminate_backend(pid, 10000))::int4 from pg_stat_activity"
               " where application_name = $1",
               NULL);
}

static void on_done(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct pgcall *c = CONTAINER_OF(req, struct pgcall, req);

    assert_int_equal(e->code, err);
    assert_true((res == NULL) == (err != 0));
    assert_false(pgreq_busy(req));
    c->done++;
    c->err = err;
    c->error = *e;
    c->order = ++c->test->finished;
    if (res && req->stmt == &pgtest_echo)
        c->value = pgres_int8(res, 0, 0);
    if (c->then)
        c->then(c);
}

void pgtest_reset(struct pgtest *t)
{
    (void)pgtest_terminate(t); /* a backend may still carry out what its client gave up */
    t->ups = t->downs = t->closed = t->finished = 0;
    err_clear(&t->down_error);
}

void pgcall_init(struct pgcall *c, struct pgtest *t, const struct pgstmt *stmt)
{
    *c = (struct pgcall){ .test = t, .value = -1 };
    pgreq_init(&c->req);
    c->req.stmt = stmt;
    c->req.done = on_done;
}

void pgcall_init_echo(struct pgcall *c, struct pgtest *t, int64_t value)
{
    pgcall_init(c, t, &pgtest_echo);
    pgargs_int8(&c->req.args, value);
}

void pgcall_release(struct pgcall *c)
{
    pgreq_release(&c->req);
}
