/*
 * tests/integration/test_starts.c - starts by group commit: many in few statements, each refused
 * alone, and none lost or made twice when connections break with the answers on their way.
 */
#include "store/starts.h"

#include "base/fault.h"
#include "base/metrics.h"
#include "lib/enginetest.h"
#include "lib/looptest.h"
#include "store/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1200 };

static struct fixture {
    struct enginetest *t;
    struct config config;
    struct front *front;
    struct starts *starts;
    int done, failed, closed;
    int errors[MANY];
    struct start items[MANY];
    char keys[MANY][16];
    struct err e;
} f;

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(echo) };

static void on_done(struct start *s, int err, const struct err *e)
{
    f.errors[s - f.items] = err;
    f.done++;
    f.failed += err != 0;
    if (err)
        f.e = *e;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    f.closed++;
}

static void open_starts(void **state, const char *queue_max)
{
    struct err e;

    memset(&f, 0, sizeof(f));
    f.t = *state;
    enginetest_define(f.t, workflows, ARRAY_LEN(workflows));
    assert_int_equal(config_init(&f.config, &e), 0);
    assert_int_equal(config_set(&f.config, CONFIG_DATABASE_URL, f.t->url, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_set(&f.config, CONFIG_DB_QUEUE, queue_max, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(front_open(f.t->loop, &f.config, &f.front, &e), 0);
    assert_int_equal(starts_open(f.front, &f.starts, &e), 0);
}

static void close_starts(void)
{
    starts_close(f.starts, on_closed, NULL);
    looptest_count(f.t->loop, &f.closed, 1);
    front_close(f.front, on_closed, NULL);
    looptest_count(f.t->loop, &f.closed, 2);
    config_release(&f.config);
}

static struct start *add(int i)
{
    struct start *s = &f.items[i];

    *s = (struct start){ .workspace_id = 1,
                         .workflow = "echo",
                         .input = { "{\"n\": 1.50}", 11 },
                         .prio = 3,
                         .done = on_done };
    return s;
}

static void all_that_come_together_go_together(void **state)
{
    int64_t before = metrics_get(METRIC_STARTED, "api");

    open_starts(state, "10000");
    for (int i = 0; i < MANY; i++)
        starts_add(f.starts, add(i));
    looptest_count(f.t->loop, &f.done, MANY);
    assert_int_equal(f.failed, 0);
    for (int i = 0; i < MANY; i++)
        assert_true(f.items[i].created);
    assert_int_equal(metrics_get(METRIC_STARTED, "api"), before + MANY);
    enginetest_sql("1200", "select count(*) from inferpipe._inferpipe_runs");
    assert_true(testdb_int8("select count(distinct xmin::text) from inferpipe._inferpipe_runs") <
                10);
    enginetest_sql("t", "select bool_and(created_at = inferpipe.id_time(exec_id)) from"
                        " inferpipe._inferpipe_executions");
    assert_int_equal(starts_created_us(f.items[0].exec_id),
                     testdb_int8f("select (extract(epoch from created_at) * 1000000)::int8 from"
                                  " inferpipe._inferpipe_executions where exec_id = %lld",
                                  (long long)f.items[0].exec_id));
    close_starts();
}

static void one_that_is_refused_leaves_the_others_alone(void **state)
{
    open_starts(state, "10000");
    for (int i = 0; i < 100; i++)
        (void)add(i);
    f.items[17].workflow = "nope";
    f.items[20].key = f.items[21].key = "k";
    f.items[40].key = "k";
    f.items[40].input = (struct slice){ "2", 1 };
    f.items[60].metadata = (struct slice){ "{\"n\": 1e500000}", 15 }; /* too much for jsonb */
    f.items[80].queue_key = "customer";
    f.items[81].options = (struct slice){ "{\"tags\": {\"a\": \"b\"}}", 20 };
    f.items[82].deadline_ms = 60000;
    f.items[83].flags = STARTS_FLAG_AWAITED;
    f.items[84].message = "go";
    f.items[84].payload = (struct slice){ "7", 1 };
    for (int i = 0; i < 100; i++)
        starts_add(f.starts, &f.items[i]);
    looptest_count(f.t->loop, &f.done, 100);
    assert_int_equal(f.failed, 3);
    assert_int_equal(f.errors[17], IFP_ENOTFOUND);
    assert_int_equal(f.errors[40], IFP_EMISMATCH);
    assert_int_equal(f.errors[60], IFP_ESERVER);
    assert_int_equal(f.items[20].exec_id, f.items[21].exec_id);
    assert_int_equal(f.items[20].created + f.items[21].created, 1);
    enginetest_sql("96", "select count(*) from inferpipe._inferpipe_runs");
    enginetest_sql("64", "select flags from inferpipe._inferpipe_runs where exec_id = %lld",
                   (long long)f.items[83].exec_id);
    enginetest_sql("7",
                   "select convert_from(payload, 'UTF8') from inferpipe._inferpipe_messages"
                   " where exec_id = %lld and name = 'go'",
                   (long long)f.items[84].exec_id);
    enginetest_sql("b",
                   "select options -> 'tags' ->> 'a' from inferpipe._inferpipe_executions"
                   " where exec_id = %lld",
                   (long long)f.items[81].exec_id);
    close_starts();
}

/* Breaks the n-th connection use; each start must have made exactly one execution. */
static void start_with_fault(enum fault_kind kind, uint64_t n)
{
    int before = f.done;

    fault_arm(kind, n, false);
    for (int i = 0; i < 50; i++) {
        add(i);
        if (i % 2)
            f.items[i].key = f.keys[i];
        snprintf(f.keys[i], sizeof(f.keys[i]), "%d-%d-%d", i, (int)kind, (int)n);
        starts_add(f.starts, &f.items[i]);
    }
    looptest_count(f.t->loop, &f.done, before + 50);
    fault_arm(kind, 0, false);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(f.errors[i], 0);
        assert_true(f.items[i].created);
    }
}

static void a_lost_connection_loses_and_doubles_nothing(void **state)
{
    int64_t expected = 0;

    open_starts(state, "10000");
    for (uint64_t n = 1; n <= 6; n++) {
        start_with_fault(FAULT_REPLY, n);
        start_with_fault(FAULT_STATEMENT, n);
        expected += 100;
        assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"), expected);
        assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_executions"),
                         expected);
    }
    close_starts();
}

static void more_than_may_wait_are_refused_at_once(void **state)
{
    open_starts(state, "10");
    for (int i = 0; i < 11; i++)
        starts_add(f.starts, add(i));
    assert_int_equal(f.done, 0);
    looptest_count(f.t->loop, &f.done, 11);
    assert_int_equal(f.failed, 1);
    assert_int_equal(f.errors[10], IFP_ERATELIMITED);
    close_starts();
}

static void closing_ends_what_waits(void **state)
{
    open_starts(state, "10000");
    for (int i = 0; i < 3; i++)
        starts_add(f.starts, add(i));
    close_starts();
    assert_int_equal(f.done, 3);
    assert_int_equal(f.errors[0], IFP_ECANCELED);
}

static void two_workspaces_do_not_mix(void **state)
{
    open_starts(state, "10000");
    testdb_exec("insert into inferpipe._inferpipe_workspaces (slug) values ('other')");
    for (int i = 0; i < 20; i++) {
        add(i);
        if (i % 2)
            f.items[i].workspace_id = 2;
        starts_add(f.starts, &f.items[i]);
    }
    looptest_count(f.t->loop, &f.done, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(f.errors[i], i % 2 ? IFP_ENOTFOUND : 0);
    enginetest_sql("10", "select count(*) from inferpipe._inferpipe_runs where workspace_id = 1");
    close_starts();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, enginetest_setup, enginetest_teardown)
        TEST(all_that_come_together_go_together),
        TEST(one_that_is_refused_leaves_the_others_alone),
        TEST(a_lost_connection_loses_and_doubles_nothing),
        TEST(more_than_may_wait_are_refused_at_once),
        TEST(closing_ends_what_waits),
        TEST(two_workspaces_do_not_mix),
    };

    return cmocka_run_group_tests_name("starts", tests, NULL, NULL);
}
