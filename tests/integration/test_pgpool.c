/*
 * tests/integration/test_pgpool.c - the pool: spreading, limits, waiting, loss, cancel, close.
 * Needs DATABASE_URL.
 */
#include "pg/pgpool.h"

#include "base/fault.h"
#include "lib/pgtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 300 };

static struct pgcall calls[MANY];

static struct pgpool_options pool_options(struct pgtest *t, int connections, int depth)
{
    return (struct pgpool_options){
        .conn = pgtest_options(t), .connections = connections, .depth = depth, .wait_ms = 10000
    };
}

static struct pgpool *open_with(struct pgtest *t, const struct pgpool_options *o)
{
    struct pgpool *p = NULL;
    struct err e;

    pgtest_reset(t);
    if (pgpool_open(t->loop, o, &p, &e) < 0)
        fail_msg("%s", e.text);
    return p;
}

static struct pgpool *open_ready(struct pgtest *t, int connections, int depth)
{
    struct pgpool_options o = pool_options(t, connections, depth);
    struct pgpool *p = open_with(t, &o);

    looptest_count(t->loop, &t->ups, 1);
    assert_true(pgpool_ready(p));
    return p;
}

static void close_pool(struct pgtest *t, struct pgpool *p)
{
    pgpool_close(p, pgtest_on_closed, t);
    assert_int_equal(t->closed, 0);
    looptest_count(t->loop, &t->closed, 1);
}

static void start_echoes(struct pgtest *t, struct pgpool *p, int from, int to)
{
    for (int i = from; i < to; i++) {
        pgcall_init_echo(&calls[i], t, i);
        pgpool_exec(p, &calls[i].req);
    }
}

static void start_sleeps(struct pgtest *t, struct pgpool *p, int from, int to)
{
    for (int i = from; i < to; i++) {
        pgcall_init(&calls[i], t, &pgtest_sleep);
        pgpool_exec(p, &calls[i].req);
    }
}

static void release_calls(int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(calls[i].done, 1);
        pgcall_release(&calls[i]);
    }
}

static void all_requests_are_answered(void **state)
{
    struct pgtest *t = *state;
    struct pgpool *p = open_ready(t, 3, 4);

    start_echoes(t, p, 0, MANY);
    assert_int_equal(t->finished, 0);
    looptest_count(t->loop, &t->finished, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].err, 0);
        assert_int_equal(calls[i].value, i);
    }
    assert_int_equal(pgpool_waiting(p), 0);
    assert_int_equal(t->ups, 1);
    release_calls(MANY);
    close_pool(t, p);
}

static bool two_run(void *ctx)
{
    return calls[0].req.sent && calls[1].req.sent && calls[0].req.conn && calls[1].req.conn &&
           ctx != NULL;
}

static void each_connection_has_its_depth_and_the_rest_waits(void **state)
{
    struct pgtest *t = *state;
    struct pgpool *p = open_ready(t, 2, 0);

    start_sleeps(t, p, 0, 2);
    looptest_until(t->loop, two_run, t);
    assert_ptr_not_equal(calls[0].req.conn, calls[1].req.conn);
    start_echoes(t, p, 2, 4);
    assert_int_equal(pgpool_waiting(p), 2);
    assert_false(calls[2].req.sent);
    close_pool(t, p);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].err, IFP_ECANCELED);
        assert_int_equal(calls[i].req.sent, i < 2);
    }
    release_calls(4);
}

static void the_queue_has_a_limit(void **state)
{
    struct pgtest *t = *state;
    struct pgpool_options o = pool_options(t, 1, 1);
    struct pgpool *p;

    o.conn.queue_max = 3;
    p = open_with(t, &o);
    start_echoes(t, p, 0, 5);
    assert_int_equal(pgpool_waiting(p), 3);
    looptest_count(t->loop, &t->finished, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(calls[i].err, i < 3 ? 0 : IFP_ERATELIMITED);
    release_calls(5);
    close_pool(t, p);
}

static void waiting_for_a_server_ends_in_time_with_its_reason(void **state)
{
    struct pgtest *t = *state;
    struct pgpool_options o = pool_options(t, 2, 1);
    struct pgpool *p;

    o.conn.conninfo = "host=/nonexistent";
    o.wait_ms = 30;
    p = open_with(t, &o);
    start_echoes(t, p, 0, 2);
    looptest_count(t->loop, &t->finished, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i].err, IFP_EUNAVAILABLE);
        assert_false(calls[i].req.sent);
        assert_non_null(strstr(calls[i].error.text, "/nonexistent"));
    }
    assert_false(pgpool_ready(p));
    release_calls(2);
    close_pool(t, p);
}

static void waiting_for_a_busy_pool_ends_in_time(void **state)
{
    struct pgtest *t = *state;
    struct pgpool_options o = pool_options(t, 1, 1);
    struct pgpool *p;

    o.wait_ms = 300;
    p = open_with(t, &o);
    looptest_count(t->loop, &t->ups, 1);
    start_sleeps(t, p, 0, 1);
    start_echoes(t, p, 1, 2);
    looptest_count(t->loop, &calls[1].done, 1);
    assert_int_equal(calls[1].err, IFP_EUNAVAILABLE);
    assert_false(calls[1].req.sent);
    assert_non_null(strstr(calls[1].error.text, "busy"));
    assert_int_equal(calls[0].done, 0); /* it was taken: its time is the statement's */
    close_pool(t, p);
    release_calls(2);
}

static void a_loss_gives_back_what_was_not_sent(void **state)
{
    struct pgtest *t = *state;
    struct pgpool *p = open_ready(t, 1, 5);

    fault_arm(FAULT_STATEMENT, 3, false); /* two are sent, three go back and out again */
    start_echoes(t, p, 0, 7);
    looptest_count(t->loop, &t->finished, 7);
    fault_arm(FAULT_STATEMENT, 0, false);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(calls[i].err, i < 2 ? IFP_EUNAVAILABLE : 0);
        assert_int_equal(calls[i].order, i + 1);
    }
    assert_int_equal(t->downs, 1);
    assert_int_equal(t->ups, 2);
    release_calls(7);
    close_pool(t, p);
}

static void a_waiting_request_can_be_canceled(void **state)
{
    struct pgtest *t = *state;
    struct pgpool *p = open_ready(t, 1, 1);

    start_sleeps(t, p, 0, 1);
    start_echoes(t, p, 1, 3);
    pgreq_cancel(&calls[1].req);
    assert_int_equal(t->finished, 0);
    looptest_count(t->loop, &t->finished, 1);
    assert_int_equal(calls[1].err, IFP_ECANCELED);
    assert_int_equal(pgpool_waiting(p), 1);
    close_pool(t, p);
    release_calls(3);
}

static void killed_backends_leave_no_request_behind(void **state)
{
    struct pgtest *t = *state;
    struct pgpool *p = open_ready(t, 3, 2);
    int lost = 0;

    start_sleeps(t, p, 0, 1);
    pgtest_until_running(t, "pg_sleep");
    start_echoes(t, p, 1, 50);
    assert_true(pgtest_terminate(t) > 0);
    looptest_count(t->loop, &t->finished, 50);
    for (int i = 0; i < 50; i++) {
        assert_true(calls[i].err == 0 || (calls[i].err == IFP_EUNAVAILABLE && calls[i].req.sent));
        lost += calls[i].err != 0;
    }
    assert_in_range(lost, 1, 6); /* at most what three connections had in flight */
    release_calls(50);
    close_pool(t, p);
}

static void opening_fails_clean_at_each_allocation(void **state)
{
    struct pgtest *t = *state;
    struct pgpool_options o = pool_options(t, 2, 1);
    struct pgpool *p = NULL;
    struct err e;
    int rc = IFP_ENOMEM;

    pgtest_reset(t);
    for (uint64_t n = 1; rc != 0; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        rc = pgpool_open(t->loop, &o, &p, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
        assert_true(n < 40);
    }
    close_pool(t, p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_requests_are_answered),
        cmocka_unit_test(each_connection_has_its_depth_and_the_rest_waits),
        cmocka_unit_test(the_queue_has_a_limit),
        cmocka_unit_test(waiting_for_a_server_ends_in_time_with_its_reason),
        cmocka_unit_test(waiting_for_a_busy_pool_ends_in_time),
        cmocka_unit_test(a_loss_gives_back_what_was_not_sent),
        cmocka_unit_test(a_waiting_request_can_be_canceled),
        cmocka_unit_test(killed_backends_leave_no_request_behind),
        cmocka_unit_test(opening_fails_clean_at_each_allocation),
    };

    return cmocka_run_group_tests(tests, pgtest_setup, pgtest_teardown);
}
