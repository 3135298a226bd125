/*
 * tests/integration/test_front.c - the server's connections: requests, notifications, what happens
 * to both when PostgreSQL drops the connections, and closing with everything under way.
 */
#include "store/front.h"

#include "lib/looptest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct pgstmt echo = { "front_echo", "select $1::int8" };
static const struct pgstmt slow = { "front_slow", "select 1::int8 from pg_sleep(30)" };

struct fixture {
    struct loop *loop;
    struct config config;
    struct front *front;
    struct pgreq req;
    struct front_sub sub, other;
    int finished, err, notified, missed, other_notified, closed;
    int64_t value;
    char payload[64];
};

static void on_done(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct fixture *t = CONTAINER_OF(req, struct fixture, req);

    (void)e;
    t->finished++;
    t->err = err;
    t->value = err ? 0 : pgres_int8(res, 0, 0);
}

static void on_notified(void *ctx, const char *payload)
{
    struct fixture *t = ctx;

    t->notified++;
    strncpy(t->payload, payload, sizeof(t->payload) - 1);
}

static void on_missed(void *ctx)
{
    ((struct fixture *)ctx)->missed++;
}

static void on_other(void *ctx, const char *payload)
{
    (void)payload;
    ((struct fixture *)ctx)->other_notified++;
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->closed++;
}

static void open_front(struct fixture *t, const char *listen)
{
    const char *url;
    struct err e;

    memset(t, 0, sizeof(*t));
    testdb_create(&url);
    t->loop = looptest_open();
    assert_int_equal(config_init(&t->config, &e), 0);
    assert_int_equal(config_set(&t->config, CONFIG_DATABASE_URL, url, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_set(&t->config, CONFIG_LISTEN, listen, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(front_open(t->loop, &t->config, &t->front, &e), 0);
    pgreq_init(&t->req);
    t->req.done = on_done;
    t->sub = (struct front_sub){
        .channel = "front_test", .notified = on_notified, .missed = on_missed, .ctx = t
    };
    t->other = (struct front_sub){
        .channel = "front_test", .notified = on_other, .missed = on_missed, .ctx = t
    };
}

static void close_front(struct fixture *t)
{
    front_close(t->front, on_closed, t);
    looptest_count(t->loop, &t->closed, 1);
    pgreq_release(&t->req);
    config_release(&t->config);
    looptest_close(t->loop);
}

static void ask(struct fixture *t, int64_t value)
{
    int before = t->finished;

    pgargs_reset(&t->req.args);
    pgargs_int8(&t->req.args, value);
    t->req.stmt = &echo;
    front_exec(t->front, &t->req);
    looptest_count(t->loop, &t->finished, before + 1);
    assert_int_equal(t->err, 0);
    assert_int_equal(t->value, value);
}

static void a_request_is_answered_and_may_be_used_again(void **state)
{
    struct fixture t;

    (void)state;
    open_front(&t, "on");
    ask(&t, 42);
    assert_true(front_ready(t.front));
    ask(&t, 43);
    assert_int_equal(front_waiting(t.front), 0);
    close_front(&t);
}

static void subscribers_hear_what_is_notified_until_they_unsubscribe(void **state)
{
    struct fixture t;

    (void)state;
    open_front(&t, "on");
    front_subscribe(t.front, &t.sub);
    front_subscribe(t.front, &t.other);
    looptest_count(t.loop, &t.missed, 2); /* LISTEN was carried out */
    assert_true(front_listening(t.front));
    testdb_exec("select pg_notify('front_test', 'one')");
    looptest_count(t.loop, &t.other_notified, 1);
    assert_int_equal(t.notified, 1);
    assert_string_equal(t.payload, "one");
    front_unsubscribe(t.front, &t.sub);
    testdb_exec("select pg_notify('front_test', 'two')");
    looptest_count(t.loop, &t.other_notified, 2);
    assert_int_equal(t.notified, 1);
    close_front(&t);
}

static void after_a_loss_requests_work_and_missed_comes(void **state)
{
    struct fixture t;

    (void)state;
    open_front(&t, "on");
    front_subscribe(t.front, &t.sub);
    looptest_count(t.loop, &t.missed, 1);
    ask(&t, 1);
    testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name = 'inferpipe serve'");
    looptest_count(t.loop, &t.missed, 2);
    ask(&t, 2);
    testdb_exec("select pg_notify('front_test', 'back')");
    looptest_count(t.loop, &t.notified, 1);
    close_front(&t);
}

static void without_listen_there_is_no_listener(void **state)
{
    struct fixture t;

    (void)state;
    open_front(&t, "off");
    front_subscribe(t.front, &t.sub);
    ask(&t, 7);
    assert_false(front_listening(t.front));
    assert_int_equal(testdb_int8("select count(*) from pg_stat_activity where datname ="
                                 " current_database() and query ilike 'listen%'"),
                     0);
    front_unsubscribe(t.front, &t.sub);
    close_front(&t);
}

static void closing_finishes_what_is_under_way(void **state)
{
    struct fixture t;

    (void)state;
    open_front(&t, "on");
    front_subscribe(t.front, &t.sub);
    ask(&t, 1);
    t.req.stmt = &slow;
    pgargs_reset(&t.req.args);
    front_exec(t.front, &t.req);
    close_front(&t);
    assert_int_equal(t.finished, 2);
    assert_int_equal(t.err, IFP_ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_and_may_be_used_again),
        cmocka_unit_test(subscribers_hear_what_is_notified_until_they_unsubscribe),
        cmocka_unit_test(after_a_loss_requests_work_and_missed_comes),
        cmocka_unit_test(without_listen_there_is_no_listener),
        cmocka_unit_test(closing_finishes_what_is_under_way),
    };

    return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
