/*
 * tests/fault/test_serve_away.c - a server while PostgreSQL is stopped, and after it came back: it
 * lives on, says that it is not ready, and serves again by itself.
 *
 * The database is made once: the connection that makes it does not live longer than the server.
 */
#include "base/clock.h"
#include "lib/crashtest.h"
#include "lib/httptest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"
#define SECOND INT64_C(1000000)

static struct httptest t;
static bool is_down;

static void stop_postgres(void)
{
    is_down = true;
    crashtest_server("stop");
}

static void start_postgres(void)
{
    crashtest_server("start");
    is_down = false;
}

static int restore(void **state)
{
    if (is_down)
        start_postgres();
    return httptest_cleanup(state);
}

/* Asks until the answer has this status; fails after 60 s. */
static void until_status(int port, const char *path, int status, struct httptest_answer *a)
{
    int64_t give_up = clock_mono_us() + 60 * SECOND;

    for (;;) {
        httptest_request(NULL, port, "GET", path, NULL, NULL, a);
        if (a->status == status)
            return;
        if (clock_mono_us() > give_up)
            fail_msg("%s never answered %d, last: %s%s", path, status, a->head, a->body);
        httptest_release(a);
        httptest_pause();
    }
}

static void it_lives_while_the_database_is_away_and_serves_once_it_is_back(void **state)
{
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_serve(&t, &s, PROGRAM, NULL);
    stop_postgres();
    until_status(s.port, "/ready", 503, &a);
    httptest_expect(&a, 503, "/failing", "\"database\"");
    httptest_release(&a);
    httptest_request(NULL, s.port, "GET", "/health", NULL, NULL, &a);
    httptest_expect(&a, 200, "/status", "\"healthy\"");
    httptest_release(&a);
    start_postgres();
    until_status(s.port, "/ready", 200, &a);
    httptest_release(&a);
    httptest_stop(&s);
}

static void it_comes_up_before_the_database_does(void **state)
{
    static const char *const args[] = { "--connect-timeout", "1s", NULL };
    struct httptest_server s;

    (void)state;
    stop_postgres();
    httptest_spawn(&t, &s, PROGRAM, args);
    httptest_until_log(&s, "listening http://127.0.0.1:");
    assert_int_equal(access(s.ready, F_OK), -1);
    start_postgres();
    httptest_until_ready(&s);
    httptest_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_lives_while_the_database_is_away_and_serves_once_it_is_back,
                                  restore),
        cmocka_unit_test_teardown(it_comes_up_before_the_database_does, restore),
    };

    if (!crashtest_server_ours())
        return 0; /* a server that is not ours to stop */
    httptest_open(&t);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
