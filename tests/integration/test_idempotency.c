/*
 * tests/integration/test_idempotency.c - Idempotency-Key on routes that create other things than
 * executions, on two real servers: the first answer is given again, sealed from everybody else.
 */
#include "lib/httptest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"
#define JSON "content-type: application/json\r\n"
#define HOOK "{\"url\":\"https://example.com/a\"}"
#define NIGHTLY "{\"name\":\"nightly\",\"schedule\":\"30 2 * * *\",\"workflowId\":\"test-echo\"}"

static struct httptest t;
static struct httptest_server one, two;

static int setup(void **state)
{
    static const char *const args[] = { "--engine", "off", NULL };

    (void)state;
    setenv("INFERPIPE_SECRET_KEY",
           "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 1);
    httptest_open(&t);
    httptest_serve(&t, &one, PROGRAM, args);
    httptest_serve(&t, &two, PROGRAM, args);
    return 0;
}

static int teardown(void **state)
{
    httptest_stop(&one);
    httptest_stop(&two);
    (void)httptest_cleanup(state);
    httptest_close(&t);
    return 0;
}

static struct httptest_answer post(const struct httptest_server *s, const char *path,
                                   const char *key, const char *body)
{
    struct httptest_answer a;
    char headers[256];

    snprintf(headers, sizeof(headers), JSON "idempotency-key: %s\r\n", key);
    httptest_request(&t, s->port, "POST", path, headers, body, &a);
    return a;
}

static void a_repeat_gets_the_first_answer_with_its_secret(void **state)
{
    struct httptest_answer first = post(&one, "/v1/webhooks", "w1", HOOK);
    struct httptest_answer again = post(&two, "/v1/webhooks", "w1", HOOK);

    (void)state;
    httptest_expect(&first, 201, "/url", "\"https://example.com/a\"");
    assert_non_null(httptest_json(&first, "/secret"));
    assert_null(httptest_header(&first, "idempotency-replayed"));
    assert_int_equal(again.status, 201);
    assert_string_equal(again.body, first.body);
    assert_string_equal(httptest_header(&again, "idempotency-replayed"), "true");
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_webhooks"), 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_idempotency"
                                 " where position('whsec'::bytea in body) > 0"),
                     0);
    httptest_release(&first);
    httptest_release(&again);
}

static void every_route_that_makes_a_secret_repeats_it(void **state)
{
    static const struct {
        const char *path, *body, *secret;
    } routes[] = {
        { "/v1/keys", "{\"name\":\"repeated\",\"scopes\":[\"executions:read\"]}", "/key" },
        { "/v1/webhooks/secret", "{}", "/secret" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        struct httptest_answer first, again;
        char key[16];

        snprintf(key, sizeof(key), "s%zu", i);
        first = post(&one, routes[i].path, key, routes[i].body);
        again = post(&two, routes[i].path, key, routes[i].body);
        assert_true(first.status == 200 || first.status == 201);
        assert_non_null(httptest_json(&first, routes[i].secret));
        assert_string_equal(again.body, first.body);
        assert_string_equal(httptest_header(&again, "idempotency-replayed"), "true");
        httptest_release(&first);
        httptest_release(&again);
    }
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_api_keys"
                                 " where name = 'repeated'"),
                     1);
}

static void another_request_under_the_key_is_refused(void **state)
{
    struct httptest_answer a = post(&two, "/v1/webhooks", "w1", "{\"url\":\"https://b.com/b\"}");

    (void)state;
    httptest_expect(&a, 422, "/code", "\"IDEMPOTENCY_MISMATCH\"");
    httptest_release(&a);
    a = post(&two, "/v1/cron", "w1", NIGHTLY);
    httptest_expect(&a, 422, "/code", "\"IDEMPOTENCY_MISMATCH\"");
    httptest_release(&a);
}

static void another_caller_is_not_given_the_answer(void **state)
{
    struct httptest other = t;
    struct httptest_answer a;

    (void)state;
    httptest_make_key(&t, "default", NULL, other.key);
    snprintf(other.auth, sizeof(other.auth), "authorization: Bearer %s\r\n", other.key);
    httptest_request(&other, one.port, "POST", "/v1/webhooks", JSON "idempotency-key: w1\r\n", HOOK,
                     &a);
    httptest_expect(&a, 409, "/code", "\"CONFLICT\"");
    assert_null(strstr(a.body, "whsec"));
    httptest_release(&a);
}

static void a_failure_is_not_kept(void **state)
{
    struct httptest_answer a = post(&one, "/v1/cron", "c0", NIGHTLY);

    (void)state;
    httptest_expect(&a, 201, "/name", "\"nightly\"");
    httptest_release(&a);
    a = post(&two, "/v1/cron", "c1", NIGHTLY); /* it is there */
    httptest_expect(&a, 409, "/code", "\"CONFLICT\"");
    httptest_release(&a);
    testdb_exec("delete from inferpipe._inferpipe_cron_jobs");
    a = post(&two, "/v1/cron", "c1", NIGHTLY);
    httptest_expect(&a, 201, "/name", "\"nightly\"");
    httptest_release(&a);
    a = post(&one, "/v1/cron", "c1", NIGHTLY);
    httptest_expect(&a, 201, "/name", "\"nightly\"");
    httptest_release(&a);
}

static void a_claim_whose_server_died_is_in_the_way_for_its_time_only(void **state)
{
    struct httptest_answer a = post(&one, "/v1/webhooks", "w2", HOOK);

    (void)state;
    assert_int_equal(a.status, 201);
    httptest_release(&a);
    testdb_exec("update inferpipe._inferpipe_idempotency set status = null, body = null,"
                " expires_at = now() + interval '1 minute'"
                " where key = inferpipe.text_uuid('w2')");
    a = post(&two, "/v1/webhooks", "w2", HOOK);
    httptest_expect(&a, 409, "/code", "\"CONFLICT\"");
    httptest_release(&a);
    testdb_exec("update inferpipe._inferpipe_idempotency set expires_at = now()"
                " where key = inferpipe.text_uuid('w2')");
    a = post(&two, "/v1/webhooks", "w2", HOOK);
    assert_int_equal(a.status, 201);
    assert_null(httptest_header(&a, "idempotency-replayed"));
    httptest_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_gets_the_first_answer_with_its_secret),
        cmocka_unit_test(every_route_that_makes_a_secret_repeats_it),
        cmocka_unit_test(another_request_under_the_key_is_refused),
        cmocka_unit_test(another_caller_is_not_given_the_answer),
        cmocka_unit_test(a_failure_is_not_kept),
        cmocka_unit_test(a_claim_whose_server_died_is_in_the_way_for_its_time_only),
    };

    return cmocka_run_group_tests_name("idempotency", tests, setup, teardown);
}
