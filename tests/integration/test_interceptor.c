/*
 * tests/integration/test_interceptor.c - interceptors of a program's own, and the choice among all
 * of them, as clients of its server see it.
 */
#include "lib/httptest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAM "tests/programs/guarded"

static struct httptest t;
static struct httptest_server s;
static char tail[] = "/tmp/ifp-tail-XXXXXX";

static void start(const char *chain)
{
    const char *const args[] = { "--http-chain", chain, NULL };

    httptest_open(&t);
    httptest_serve(&t, &s, PROGRAM, args);
}

static void stop(void)
{
    httptest_stop(&s);
    httptest_close(&t);
}

static void ask(const char *path, const char *headers, struct httptest_answer *ret)
{
    httptest_request(&t, s.port, "GET", path, headers, NULL, ret);
}

static void a_program_guards_its_routes(void **state)
{
    struct httptest_answer a;
    char text[256] = "";
    FILE *in;

    (void)state;
    assert_true(mkstemp(tail) >= 0);
    assert_int_equal(setenv("GUARDED_TAIL", tail, 1), 0);
    start("");
    ask("/openapi.json", "x-gateway: us-1\r\n", &a);
    httptest_expect(&a, 403, "/message", "\"come through the gateway\"");
    httptest_expect(&a, 403, "/code", "\"FORBIDDEN\"");
    httptest_release(&a);
    ask("/openapi.json", "x-gateway: eu-1\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(httptest_header(&a, "x-served-by"), "guarded");
    httptest_release(&a);
    httptest_request(NULL, s.port, "GET", "/openapi.json", NULL, NULL, &a);
    assert_int_equal(a.status, 401); /* the key comes first: the program sees nothing of it */
    httptest_release(&a);
    stop();
    in = fopen(tail, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    assert_int_equal(fclose(in), 0);
    assert_string_equal(text, "GET /openapi.json openapi 200\n");
    assert_int_equal(unlink(tail), 0);
    assert_int_equal(unsetenv("GUARDED_TAIL"), 0);
}

static void the_option_takes_them_away_like_any_other(void **state)
{
    struct httptest_answer a;

    (void)state;
    start("health=none; openapi=-gateway,-security-headers");
    ask("/openapi.json", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_null(httptest_header(&a, "x-served-by"));
    assert_null(httptest_header(&a, "x-content-type-options"));
    httptest_release(&a);
    ask("/health", NULL, &a);
    assert_int_equal(a.status, 200);
    httptest_release(&a);
    ask("/ready", NULL, &a);
    assert_int_equal(a.status, 403);
    assert_string_equal(httptest_header(&a, "x-content-type-options"), "nosniff");
    httptest_release(&a);
    stop();
}

static void a_wrong_option_keeps_the_server_from_starting(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "health=-colour", "there is no interceptor \"colour\"" },
        { "nowhere=none", "there is no route \"nowhere\"" },
        { "openapi=-auth", "\"auth\" cannot be taken from \"openapi\", which needs a key" },
    };

    (void)state;
    httptest_open(&t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *const args[] = { "--http-chain", cases[i].text, NULL };

        httptest_spawn(&t, &s, "inferpipe", args);
        assert_int_not_equal(httptest_until_ended(&s), 0);
        httptest_until_log(&s, cases[i].message);
    }
    httptest_close(&t);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_teardown(f, httptest_cleanup)
    const struct CMUnitTest tests[] = {
        CASE(a_program_guards_its_routes),
        CASE(the_option_takes_them_away_like_any_other),
        CASE(a_wrong_option_keeps_the_server_from_starting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
