/*
 * tests/fault/test_outage.c - the database is away: before a worker starts, while it works, longer
 * than a lease.  That is waited for, and nobody is taken for dead.  A database that is there and
 * will never do is told at once, by exit code 4.
 *
 * All databases are made before the server is stopped for the first time: the connection that makes
 * them does not live longer than that.  On a server that is not ours to stop only the others run.
 */
#include "base/base.h"
#include "base/clock.h"
#include "lib/crashtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The lease is longer than the longest pause between two tries to connect (5 s): then the others
 * have no reason to give up a worker that is late. */
enum { EXECUTIONS = 20, DOWN_S = 7 };
#define LEASE "6s"

static struct crashtest no_schema, newer_schema, late, late_no_schema, outage;

static bool is_down;

static void stop_server(void)
{
    is_down = true;
    crashtest_server("stop");
}

static void start_server(void)
{
    crashtest_server("start");
    is_down = false;
    crashtest_reconnect(&late);
    crashtest_reconnect(&outage);
}

/* A test that failed in between leaves the server to the next one as it found it. */
static int restore(void **state)
{
    if (is_down)
        start_server();
    return crashtest_cleanup(state);
}

static int open_all(void **state)
{
    (void)state;
    crashtest_open_empty(&no_schema);
    crashtest_open_empty(&late_no_schema);
    crashtest_open(&newer_schema);
    crashtest_open(&late);
    crashtest_open(&outage);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    crashtest_close(&no_schema);
    crashtest_close(&late_no_schema);
    crashtest_close(&newer_schema);
    crashtest_close(&late);
    crashtest_close(&outage);
    return 0;
}

/* ---- a database that will not do ------------------------------------------------------------ */

static void refuses(struct crashtest *t, const char *why)
{
    struct crashtest_worker w;

    crashtest_spawn(t, &w, NULL);
    crashtest_until_ended(t, &w);
    crashtest_until_log(t, why);
    assert_true(WIFEXITED(w.status));
    assert_int_equal(WEXITSTATUS(w.status), 4);
}

static void a_database_without_the_schema_is_refused(void **state)
{
    (void)state;
    refuses(&no_schema, "run `inferpipe migrate`");
}

static void a_newer_schema_is_refused(void **state)
{
    (void)state;
    assert_int_equal(crashtest_int8(&newer_schema,
                                    "insert into inferpipe._inferpipe_migrations"
                                    " (version, name, checksum)"
                                    " select 1 + max(version), 'later', max(checksum)"
                                    " from inferpipe._inferpipe_migrations returning 1"),
                     1);
    refuses(&newer_schema, "use a newer");
}

/* ---- a database that is away ---------------------------------------------------------------- */

static void a_worker_waits_for_a_database_that_is_away(void **state)
{
    struct crashtest_worker w, wrong;

    (void)state;
    crashtest_start(&late, EXECUTIONS, "{\"quick\": true}", true);
    stop_server();
    crashtest_spawn(&late, &w, NULL);
    crashtest_spawn(&late_no_schema, &wrong, NULL);
    crashtest_until_log(&late, "the database does not answer yet");
    crashtest_until_log(&late_no_schema, "the database does not answer yet");
    start_server();
    crashtest_finish(&late, NULL);
    crashtest_stop(&late, &w);
    crashtest_check(&late, EXECUTIONS, 0);
    crashtest_until_ended(&late_no_schema, &wrong);
    crashtest_until_log(&late_no_schema, "run `inferpipe migrate`");
    assert_true(WIFEXITED(wrong.status));
    assert_int_equal(WEXITSTATUS(wrong.status), 4);
}

static bool is_past(void *ctx)
{
    return clock_mono_us() >= *(int64_t *)ctx;
}

static void an_outage_longer_than_the_lease_loses_nothing(void **state)
{
    struct crashtest_settings s = { .lease = LEASE };
    struct crashtest_worker w[2];
    int64_t until_us;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        crashtest_spawn(&outage, &w[i], &s);
    crashtest_start(&outage, EXECUTIONS, "{\"ms\": 500}", true);
    crashtest_start(&outage, EXECUTIONS, "{\"ms\": 100}", false);
    crashtest_until_sql(&outage, "select count(*) from inferpipe._inferpipe_steps");
    stop_server();
    until_us = clock_mono_us() + INT64_C(1000000) * DOWN_S;
    assert_true(crashtest_wait(NULL, DOWN_S + 1, is_past, &until_us));
    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        assert_false(crashtest_ended(&w[i]));
    start_server();
    crashtest_finish(&outage, NULL);
    assert_int_equal(crashtest_int8(&outage, "select count(*) from inferpipe._inferpipe_workers"
                                             " where state <> 0 or died_of is not null"),
                     0);
    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        crashtest_stop(&outage, &w[i]);
    crashtest_check(&outage, EXECUTIONS * 2, 0);
}

int main(void)
{
    const struct CMUnitTest here[] = {
        cmocka_unit_test_teardown(a_database_without_the_schema_is_refused, restore),
        cmocka_unit_test_teardown(a_newer_schema_is_refused, restore),
        cmocka_unit_test_teardown(a_worker_waits_for_a_database_that_is_away, restore),
        cmocka_unit_test_teardown(an_outage_longer_than_the_lease_loses_nothing, restore),
    };
    const struct CMUnitTest elsewhere[] = { here[0], here[1] };

    if (crashtest_server_ours())
        return cmocka_run_group_tests(here, open_all, close_all);
    print_message("INFERPIPE_TEST_PGDATA is not set: nothing is stopped\n");
    return cmocka_run_group_tests(elsewhere, open_all, close_all);
}
