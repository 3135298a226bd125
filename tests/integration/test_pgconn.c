/*
 * tests/integration/test_pgconn.c - one connection on the loop: order, isolation of errors, loss at
 * each moment, limits, cancel, close, prepared statements, notifications.  Needs DATABASE_URL.
 */
#include "pg/pgconn.h"

#include "base/clock.h"
#include "base/fault.h"
#include "lib/pgtest.h"
#include "pg/pginternal.h"
#include "pg/pglisten.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { PIPE = PGPIPE_DEPTH, MANY = 300 };

static struct pgcall calls[MANY];

static const struct pgstmt divide = { "divide", "select 1 / 0" };
static const struct pgstmt missing = { "missing", "select * from ifp_test_missing" };
static const struct pgstmt star = { "star", "select * from ifp_test_star" };
static const struct pgstmt deallocate_all = { NULL, "deallocate all" };
static const struct pgstmt one = { "one", "select 1" };
static const struct pgstmt copy = { NULL, "copy (select 1) to stdout" };

static struct pgconn *open_with(struct pgtest *t, const struct pgconn_options *o)
{
    struct pgconn *c = NULL;
    struct err e;

    if (pgconn_open(t->loop, o, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static struct pgconn *open_ready(struct pgtest *t)
{
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c;

    pgtest_reset(t);
    c = open_with(t, &o);
    looptest_count(t->loop, &t->ups, 1);
    assert_true(pgconn_ready(c));
    return c;
}

static void close_conn(struct pgtest *t, struct pgconn *c)
{
    int before = t->closed;

    pgconn_close(c, pgtest_on_closed, t);
    assert_int_equal(t->closed, before); /* from the loop, never from inside */
    looptest_count(t->loop, &t->closed, before + 1);
}

static void start_echoes(struct pgtest *t, struct pgconn *c, int from, int to)
{
    for (int i = from; i < to; i++) {
        pgcall_init_echo(&calls[i], t, i);
        pgconn_exec(c, &calls[i].req);
    }
}

static void release_calls(int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(calls[i].done, 1);
        pgcall_release(&calls[i]);
    }
}

/* Runs one statement to its end and gives its error number. */
static int run(struct pgtest *t, struct pgconn *c, const struct pgstmt *stmt, struct err *ret_e)
{
    struct pgcall call;

    pgcall_init(&call, t, stmt);
    pgconn_exec(c, &call.req);
    looptest_count(t->loop, &call.done, 1);
    if (ret_e)
        *ret_e = call.error;
    pgcall_release(&call);
    return call.err;
}

static void many_requests_are_answered_in_order(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    start_echoes(t, c, 0, MANY);
    assert_int_equal(pgconn_load(c), MANY);
    assert_int_equal(t->finished, 0);
    looptest_count(t->loop, &t->finished, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].err, 0);
        assert_int_equal(calls[i].value, i);
        assert_int_equal(calls[i].order, i + 1);
    }
    assert_int_equal(pgconn_load(c), 0);
    release_calls(MANY);
    close_conn(t, c);
}

static void an_error_leaves_the_others_alone(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    start_echoes(t, c, 0, 1);
    pgcall_init(&calls[1], t, &divide);
    pgconn_exec(c, &calls[1].req);
    start_echoes(t, c, 2, 4);
    looptest_count(t->loop, &t->finished, 4);
    assert_int_equal(calls[1].err, IFP_ESERVER);
    assert_string_equal(calls[1].error.sqlstate, "22012");
    assert_int_equal(calls[0].value, 0);
    assert_int_equal(calls[2].value, 2);
    assert_int_equal(calls[3].value, 3);
    assert_int_equal(t->downs, 0);
    release_calls(4);
    close_conn(t, c);
}

static void statements_work_without_prepare(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c;

    pgtest_reset(t);
    o.prepare = false;
    o.async_commit = true;
    c = open_with(t, &o);
    start_echoes(t, c, 0, 3); /* before it is up: they wait */
    looptest_count(t->loop, &t->finished, 3);
    assert_int_equal(calls[2].value, 2);
    release_calls(3);
    close_conn(t, c);
}

static void a_prepare_that_failed_is_tried_again(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init(&calls[0], t, &missing);
    pgcall_init(&calls[1], t, &missing); /* sent before the first's PREPARE has failed */
    pgconn_exec(c, &calls[0].req);
    pgconn_exec(c, &calls[1].req);
    looptest_count(t->loop, &t->finished, 2);
    assert_int_equal(calls[0].err, IFP_ESCHEMA);
    assert_int_equal(calls[1].err, IFP_ESCHEMA);
    release_calls(2);
    pgtest_script(t, "create table ifp_test_missing (n int)");
    assert_int_equal(run(t, c, &missing, NULL), 0);
    assert_int_equal(run(t, c, &missing, NULL), 0);
    pgtest_script(t, "drop table ifp_test_missing");
    close_conn(t, c);
}

static void a_stale_plan_is_prepared_anew(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);
    struct err e;

    pgtest_script(t, "create table ifp_test_star (n int)");
    assert_int_equal(run(t, c, &star, NULL), 0);
    assert_int_equal(run(t, c, &star, NULL), 0);
    pgtest_script(t, "alter table ifp_test_star add column m int");
    assert_int_equal(run(t, c, &star, &e), IFP_ESERVER);
    assert_string_equal(e.sqlstate, "0A000");
    assert_int_equal(run(t, c, &star, NULL), 0);
    assert_int_equal(run(t, c, &star, NULL), 0);
    pgtest_script(t, "drop table ifp_test_star");
    close_conn(t, c);
}

static void a_prepared_statement_that_the_server_lost_comes_back(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);
    struct err e;

    start_echoes(t, c, 0, 1);
    looptest_count(t->loop, &calls[0].done, 1);
    release_calls(1);
    assert_int_equal(run(t, c, &deallocate_all, NULL), 0);
    start_echoes(t, c, 0, 1);
    looptest_count(t->loop, &calls[0].done, 1);
    assert_int_equal(calls[0].err, IFP_ESERVER);
    e = calls[0].error;
    assert_string_equal(e.sqlstate, "26000");
    release_calls(1);
    start_echoes(t, c, 0, 1);
    looptest_count(t->loop, &calls[0].done, 1);
    assert_int_equal(calls[0].err, 0);
    release_calls(1);
    close_conn(t, c);
}

static void a_killed_backend_loses_what_was_sent_and_nothing_else(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init(&calls[0], t, &pgtest_sleep);
    pgconn_exec(c, &calls[0].req);
    start_echoes(t, c, 1, PIPE + 10); /* ten more than fit on the wire */
    pgtest_until_running(t, "pg_sleep");
    assert_int_equal(pgtest_terminate(t), 1);
    looptest_count(t->loop, &t->finished, PIPE + 10);
    for (int i = 0; i < PIPE; i++) {
        assert_int_equal(calls[i].err, IFP_EUNAVAILABLE);
        assert_true(calls[i].req.sent);
    }
    for (int i = PIPE; i < PIPE + 10; i++) {
        assert_int_equal(calls[i].err, 0);
        assert_int_equal(calls[i].value, i);
    }
    assert_int_equal(t->downs, 1);
    assert_int_equal(t->ups, 2);
    assert_string_equal(t->down_error.sqlstate, "57P01");
    release_calls(PIPE + 10);
    close_conn(t, c);
}

static void an_idle_connection_that_is_killed_comes_back(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    assert_int_equal(pgtest_terminate(t), 1);
    looptest_count(t->loop, &t->downs, 1);
    looptest_count(t->loop, &t->ups, 2);
    start_echoes(t, c, 0, 1);
    looptest_count(t->loop, &t->finished, 1);
    assert_int_equal(calls[0].err, 0);
    release_calls(1);
    close_conn(t, c);
}

static void copy_ends_the_connection_and_not_the_process(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    assert_int_equal(run(t, c, &copy, NULL), IFP_EUNAVAILABLE);
    looptest_count(t->loop, &t->ups, 2);
    close_conn(t, c);
}

static void the_queue_has_a_limit(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c;

    pgtest_reset(t);
    o.queue_max = 3;
    c = open_with(t, &o);
    start_echoes(t, c, 0, 5);
    assert_int_equal(t->finished, 0);
    looptest_count(t->loop, &t->finished, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(calls[i].err, i < 3 ? 0 : IFP_ERATELIMITED);
    assert_false(calls[4].req.sent);
    release_calls(5);
    close_conn(t, c);
}

static bool has_failed(void *ctx)
{
    return pgconn_last_error(ctx)->code != 0;
}

static void a_server_that_is_not_there_is_tried_again_and_requests_wait(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c;

    pgtest_reset(t);
    o.conninfo = "host=/nonexistent password=geheim";
    c = open_with(t, &o);
    start_echoes(t, c, 0, 2);
    looptest_until(t->loop, has_failed, c);
    assert_int_equal(pgconn_last_error(c)->code, IFP_EUNAVAILABLE);
    assert_null(strstr(pgconn_last_error(c)->text, "geheim"));
    assert_false(pgconn_ready(c));
    assert_int_equal(t->finished, 0);
    close_conn(t, c);
    assert_int_equal(t->ups + t->downs, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i].err, IFP_ECANCELED);
        assert_false(calls[i].req.sent);
    }
    release_calls(2);
}

static void waiting_and_sent_requests_can_be_canceled(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init(&calls[0], t, &pgtest_sleep);
    pgconn_exec(c, &calls[0].req);
    pgtest_until_running(t, "pg_sleep");
    start_echoes(t, c, 1, 2);
    pgreq_cancel(&calls[0].req);
    pgreq_cancel(&calls[1].req);
    assert_int_equal(t->finished, 0);
    looptest_count(t->loop, &t->finished, 2);
    assert_int_equal(calls[0].err, IFP_ECANCELED);
    assert_int_equal(calls[1].err, IFP_ECANCELED);
    assert_true(calls[0].req.sent && calls[0].req.abandoned);
    assert_false(calls[1].req.sent);
    pgreq_cancel(&calls[0].req);         /* over: nothing happens */
    assert_int_equal(pgconn_load(c), 1); /* the answer is still to come */
    release_calls(2);
    close_conn(t, c);
}

static void closing_finishes_everything_as_canceled(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init(&calls[0], t, &pgtest_sleep);
    pgconn_exec(c, &calls[0].req);
    pgtest_until_running(t, "pg_sleep");
    start_echoes(t, c, 1, PIPE + 5);
    close_conn(t, c);
    assert_int_equal(t->finished, PIPE + 5);
    assert_int_equal(t->downs, 0);
    for (int i = 0; i < PIPE + 5; i++)
        assert_int_equal(calls[i].err, IFP_ECANCELED);
    assert_true(calls[0].req.sent);
    release_calls(PIPE + 5);
}

static void close_from(struct pgcall *call)
{
    if (call->done == 1)
        pgconn_close(call->ctx, pgtest_on_closed, call->test);
}

static void a_callback_may_close_its_connection(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    start_echoes(t, c, 0, 3);
    calls[0].then = close_from;
    calls[0].ctx = c;
    looptest_count(t->loop, &t->closed, 1);
    assert_int_equal(calls[0].err, 0);
    assert_int_equal(calls[1].err, IFP_ECANCELED);
    assert_int_equal(calls[2].err, IFP_ECANCELED);
    release_calls(3);
}

static void start_again(struct pgcall *call)
{
    if (call->done < 3)
        pgconn_exec(call->ctx, &call->req);
}

static void a_request_may_be_started_again_from_its_callback(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init_echo(&calls[0], t, 5);
    calls[0].then = start_again;
    calls[0].ctx = c;
    pgconn_exec(c, &calls[0].req);
    looptest_count(t->loop, &calls[0].done, 3);
    assert_int_equal(calls[0].value, 5);
    close_conn(t, c);
    pgcall_release(&calls[0]);
}

struct first {
    struct pgconn *conn;
    struct pgtest *test;
};

static void start_on_up(void *ctx)
{
    struct first *f = ctx;

    start_echoes(f->test, f->conn, 0, 2);
}

static void what_on_up_starts_goes_first(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct first f = { NULL, t };

    pgtest_reset(t);
    o.on_up = start_on_up;
    o.ctx = &f;
    o.on_down = NULL;
    f.conn = open_with(t, &o);
    start_echoes(t, f.conn, 2, 4);
    looptest_count(t->loop, &t->finished, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(calls[i].order, i + 1);
    release_calls(4);
    close_conn(t, f.conn);
}

static int64_t ahead_us;

static int64_t clock_ahead(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + ahead_us;
}

static void a_server_that_stays_silent_counts_as_lost(void **state)
{
    struct pgtest *t = *state;
    struct pgconn *c = open_ready(t);

    pgcall_init(&calls[0], t, &pgtest_sleep);
    pgconn_exec(c, &calls[0].req);
    pgtest_until_running(t, "pg_sleep");
    ahead_us = INT64_C(21) * 1000000; /* over statement_timeout and the 5 seconds */
    clock_replace(clock_ahead, NULL, NULL);
    looptest_count(t->loop, &t->finished, 1);
    clock_replace(NULL, NULL, NULL);
    assert_int_equal(calls[0].err, IFP_EUNAVAILABLE);
    release_calls(1);
    close_conn(t, c);
}

struct listening {
    struct pgtest *test;
    struct pglisten listen;
    int notified, missed;
    char payload[32];
};

static void listen_up(void *ctx)
{
    struct listening *l = ctx;

    l->test->ups++;
    pglisten_up(&l->listen);
}

static void listen_notify(void *ctx, const char *channel, const char *payload)
{
    struct listening *l = ctx;

    pglisten_notify(&l->listen, channel, payload);
}

static void on_notified(void *ctx, const char *payload)
{
    struct listening *l = ctx;

    l->notified++;
    snprintf(l->payload, sizeof(l->payload), "%s", payload);
}

static void on_missed(void *ctx)
{
    ((struct listening *)ctx)->missed++;
}

static void listening_goes_on_after_a_loss(void **state)
{
    struct pgtest *t = *state;
    struct pgconn_options o = pgtest_options(t);
    struct listening l = { .test = t };
    struct pgconn *c;

    pgtest_reset(t);
    o.on_up = listen_up;
    o.on_down = NULL;
    o.on_notify = listen_notify;
    o.ctx = &l;
    c = open_with(t, &o);
    pglisten_init(&l.listen, c, "ifp_test_conn");
    l.listen.notified = on_notified;
    l.listen.missed = on_missed;
    l.listen.ctx = &l;
    looptest_count(t->loop, &l.missed, 1);
    pgtest_script(t, "notify ifp_test_conn, 'one'");
    looptest_count(t->loop, &l.notified, 1);
    assert_string_equal(l.payload, "one");
    assert_int_equal(pgtest_terminate(t), 1);
    looptest_count(t->loop, &l.missed, 2);
    pgtest_script(t, "notify ifp_test_conn, 'two'");
    looptest_count(t->loop, &l.notified, 2);
    assert_string_equal(l.payload, "two");
    close_conn(t, c);
    pglisten_release(&l.listen);
}

/* One life of a connection with five requests, in which the n-th fault happens; true when there
 * was an n-th. */
static bool live_with_fault(struct pgtest *t, enum fault_kind kind, uint64_t n)
{
    struct pgconn_options o = pgtest_options(t);
    struct pgconn *c = NULL;
    struct err e;
    bool hit;
    int rc;

    pgtest_reset(t);
    looptest_count(t->loop, &t->finished, 0); /* makes room for timers before memory fails */
    fault_arm(kind, n, false);
    rc = pgconn_open(t->loop, &o, &c, &e);
    if (rc < 0) {
        assert_int_equal(rc, IFP_ENOMEM);
        fault_arm(kind, 0, false);
        return true;
    }
    start_echoes(t, c, 0, 5);
    looptest_count(t->loop, &t->finished, 5);
    hit = fault_count(kind) >= n;
    fault_arm(kind, 0, false);
    for (int i = 0; i < 5; i++)
        assert_true(calls[i].err == 0 || calls[i].err == IFP_EUNAVAILABLE ||
                    calls[i].err == IFP_ENOMEM);
    assert_int_equal(run(t, c, &one, NULL), 0); /* it has healed */
    close_conn(t, c);
    release_calls(5);
    return hit;
}

static void fault_loop(struct pgtest *t, enum fault_kind kind, uint64_t limit)
{
    uint64_t n = 1;

    while (live_with_fault(t, kind, n))
        assert_true(++n < limit);
    assert_true(n > 1); /* the loop found faults to make */
}

static void every_request_finishes_once_whatever_allocation_fails(void **state)
{
    fault_loop(*state, FAULT_ALLOC, 200);
}

static void every_request_finishes_once_whatever_statement_breaks(void **state)
{
    fault_loop(*state, FAULT_STATEMENT, 50);
}

static void every_request_finishes_once_whatever_answer_is_lost(void **state)
{
    fault_loop(*state, FAULT_REPLY, 50);
}

static void every_request_finishes_once_whatever_write_fails(void **state)
{
    fault_loop(*state, FAULT_WRITE, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests_are_answered_in_order),
        cmocka_unit_test(an_error_leaves_the_others_alone),
        cmocka_unit_test(statements_work_without_prepare),
        cmocka_unit_test(a_prepare_that_failed_is_tried_again),
        cmocka_unit_test(a_stale_plan_is_prepared_anew),
        cmocka_unit_test(a_prepared_statement_that_the_server_lost_comes_back),
        cmocka_unit_test(a_killed_backend_loses_what_was_sent_and_nothing_else),
        cmocka_unit_test(an_idle_connection_that_is_killed_comes_back),
        cmocka_unit_test(copy_ends_the_connection_and_not_the_process),
        cmocka_unit_test(the_queue_has_a_limit),
        cmocka_unit_test(a_server_that_is_not_there_is_tried_again_and_requests_wait),
        cmocka_unit_test(waiting_and_sent_requests_can_be_canceled),
        cmocka_unit_test(closing_finishes_everything_as_canceled),
        cmocka_unit_test(a_callback_may_close_its_connection),
        cmocka_unit_test(a_request_may_be_started_again_from_its_callback),
        cmocka_unit_test(what_on_up_starts_goes_first),
        cmocka_unit_test(a_server_that_stays_silent_counts_as_lost),
        cmocka_unit_test(listening_goes_on_after_a_loss),
        cmocka_unit_test(every_request_finishes_once_whatever_allocation_fails),
        cmocka_unit_test(every_request_finishes_once_whatever_statement_breaks),
        cmocka_unit_test(every_request_finishes_once_whatever_answer_is_lost),
        cmocka_unit_test(every_request_finishes_once_whatever_write_fails),
    };

    return cmocka_run_group_tests(tests, pgtest_setup, pgtest_teardown);
}
