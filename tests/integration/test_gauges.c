/*
 * tests/integration/test_gauges.c - the gauges of the database: what they say, that scrapes share
 * one statement, and what a scrape gets while the database does not answer.
 */
#include "store/gauges.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "lib/looptest.h"
#include "lib/testdb.h"
#include "store/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { SCRAPES = 50, SECOND = 1000000 };

static struct fixture {
    const char *url;
    struct loop *loop;
    struct config config;
    struct front *front;
    struct gauges *gauges;
    struct gauges_wait waits[SCRAPES];
    struct pgreq *held; /* a statement that goes nowhere until the test lets it */
    bool hold;
    int sent, done, closed;
    int64_t ahead_us;
} fixture;

static void on_exec(void *ctx, struct pgreq *req)
{
    struct fixture *t = ctx;

    t->sent++;
    if (t->hold)
        t->held = req;
    else
        front_exec(t->front, req);
}

static void on_done(void *ctx)
{
    ((struct fixture *)ctx)->done++;
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->closed++;
}

static int64_t tell_time(void *ctx)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * (int64_t)SECOND + now.tv_nsec / 1000 + ((struct fixture *)ctx)->ahead_us;
}

static int setup(void **state)
{
    struct fixture *t = *state = &fixture;
    struct err e;

    memset(t, 0, sizeof(*t));
    testdb_create(&t->url);
    clock_replace(tell_time, NULL, t);
    t->loop = looptest_open();
    assert_int_equal(config_init(&t->config, &e), 0);
    assert_int_equal(config_set(&t->config, CONFIG_DATABASE_URL, t->url, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(front_open(t->loop, &t->config, &t->front, &e), 0);
    assert_int_equal(gauges_open(t->loop, "default", on_exec, t, &t->gauges, &e), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *t = *state;

    front_close(t->front, on_closed, t);
    looptest_count(t->loop, &t->closed, 1);
    gauges_close(t->gauges);
    looptest_close(t->loop);
    config_release(&t->config);
    clock_replace(NULL, NULL, NULL);
    testdb_give_back(t->url);
    return 0;
}

/* So many scrapes at once; waits until all have what they want. */
static void scrape(struct fixture *t, int count)
{
    int wanted = t->done + count;

    for (int i = 0; i < count; i++) {
        t->waits[i] = (struct gauges_wait){ .done = on_done, .ctx = t };
        gauges_refresh(t->gauges, &t->waits[i]);
    }
    looptest_count(t->loop, &t->done, wanted);
    assert_int_equal(t->done, wanted);
}

static void register_workflow(void)
{
    testdb_exec("select inferpipe.workflow_register(1, array['order'], array['1'],"
                " array['mail'], array[null::int8])");
}

static void they_tell_what_is_in_the_database(void **state)
{
    struct fixture *t = *state;

    register_workflow();
    testdb_exec("select inferpipe.start('order') from generate_series(1, 30)");
    scrape(t, 1);
    assert_int_equal(metrics_get(METRIC_DB_READ, NULL), 1);
    assert_int_equal(metrics_get(METRIC_DEPTH, "mail"), 30);
    assert_int_equal(metrics_get(METRIC_LIVE, "ready"), 30);
    assert_int_equal(metrics_get(METRIC_LIVE, "timer"), 0);
    assert_int_equal(metrics_get(METRIC_STRANDED, NULL), 30);
    assert_int_equal(metrics_get(METRIC_WORKERS, NULL), 0);
    assert_int_equal(metrics_get(METRIC_DEFAULT_ROWS, NULL), 0);
    assert_true(metrics_get(METRIC_OLDEST, "mail") > 0);
}

static void scrapes_share_one_statement_in_five_seconds(void **state)
{
    struct fixture *t = *state;

    scrape(t, SCRAPES);
    assert_int_equal(t->sent, 1);
    t->ahead_us += 3 * SECOND;
    scrape(t, SCRAPES);
    assert_int_equal(t->sent, 1);
    t->ahead_us += 3 * SECOND;
    scrape(t, SCRAPES);
    assert_int_equal(t->sent, 2);
}

static void a_database_that_does_not_answer_holds_nobody_up(void **state)
{
    struct fixture *t = *state;

    register_workflow();
    testdb_exec("select inferpipe.start('order')");
    scrape(t, 1);
    assert_int_equal(metrics_get(METRIC_DEPTH, "mail"), 1);
    t->ahead_us += 10 * (int64_t)SECOND;
    t->hold = true;
    t->waits[0] = (struct gauges_wait){ .done = on_done, .ctx = t };
    gauges_refresh(t->gauges, &t->waits[0]);
    assert_int_equal(t->done, 1);
    t->ahead_us += 2 * SECOND;
    looptest_count(t->loop, &t->done, 2);
    assert_int_equal(metrics_get(METRIC_DB_READ, NULL), 0);
    assert_int_equal(metrics_get(METRIC_DEPTH, "mail"), INT64_MIN); /* absent */
    t->ahead_us += 10 * (int64_t)SECOND;
    t->hold = false;
    front_exec(t->front, t->held); /* its answer comes after all */
    scrape(t, 1);
    assert_int_equal(metrics_get(METRIC_DEPTH, "mail"), 1);
    assert_int_equal(metrics_get(METRIC_DB_READ, NULL), 1);
    assert_int_equal(t->sent, 2);
}

static void a_statement_that_fails_makes_them_absent(void **state)
{
    struct fixture *t = *state;

    scrape(t, 1);
    assert_int_equal(metrics_get(METRIC_DB_READ, NULL), 1);
    testdb_exec("drop function inferpipe.gauges(text)");
    t->ahead_us += 10 * (int64_t)SECOND;
    scrape(t, 1);
    assert_int_equal(metrics_get(METRIC_DB_READ, NULL), 0);
    assert_int_equal(metrics_get(METRIC_WORKERS, NULL), INT64_MIN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(they_tell_what_is_in_the_database),
        TEST(scrapes_share_one_statement_in_five_seconds),
        TEST(a_database_that_does_not_answer_holds_nobody_up),
        TEST(a_statement_that_fails_makes_them_absent),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
