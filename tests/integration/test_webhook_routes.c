/*
 * tests/integration/test_webhook_routes.c - the routes of webhooks on a real server: endpoints,
 * secrets, deliveries to a real receiver; and what another workspace sees of them: nothing.
 */
#include "api/sign.h"
#include "base/clock.h"
#include "lib/httptest.h"
#include "lib/receiver.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAM "examples/samples"
enum { TEXT = 256 };

static struct httptest t;
static struct httptest_server server;

static int setup(void **state)
{
    static const char *const args[] = { "--egress-allow", "127.0.0.1", "--webhook-retry-first",
                                        "20ms", NULL };

    (void)state;
    setenv("INFERPIPE_SECRET_KEY",
           "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 1);
    httptest_open(&t);
    httptest_serve(&t, &server, PROGRAM, args);
    return 0;
}

static int teardown(void **state)
{
    httptest_stop(&server);
    (void)httptest_cleanup(state);
    httptest_close(&t);
    return 0;
}

static struct httptest_answer ask(const char *method, const char *path, const char *body)
{
    struct httptest_answer a;

    httptest_request(&t, server.port, method, path,
                     body ? "content-type: application/json\r\n" : NULL, body, &a);
    return a;
}

static void ask_expect(const char *method, const char *path, const char *body, int status,
                       const char *pointer, const char *json)
{
    struct httptest_answer a = ask(method, path, body);

    httptest_expect(&a, status, pointer, json);
    httptest_release(&a);
}

/* The text at the pointer, without its quotes. */
static void keep(const struct httptest_answer *a, const char *pointer, char ret[TEXT])
{
    const char *text = httptest_json(a, pointer);

    assert_non_null(text);
    snprintf(ret, TEXT, "%.*s", (int)strlen(text) - 2, text + 1);
}

/* Makes an endpoint; its path, and its secret. */
static void make(const struct receiver *r, char path[TEXT], char secret[TEXT])
{
    char body[TEXT], id[64];
    struct httptest_answer a;

    snprintf(body, sizeof(body), "{\"url\":\"http://127.0.0.1:%d/x\",\"workflowId\":\"test-echo\"}",
             receiver_port(r));
    a = ask("POST", "/v1/webhooks", body);
    assert_int_equal(a.status, 201);
    keep(&a, "/id", path);
    snprintf(id, sizeof(id), "%.60s", path);
    snprintf(path, TEXT, "/v1/webhooks/%s", id);
    keep(&a, "/secret", secret);
    httptest_release(&a);
}

static const char *below(const char *path, const char *rest)
{
    static char text[2 * TEXT];

    snprintf(text, sizeof(text), "%s%s", path, rest);
    return text;
}

static void endpoints_are_made_shown_changed_and_deleted(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    char path[TEXT], secret[TEXT];
    struct httptest_answer a;

    (void)state;
    make(r, path, secret);
    assert_memory_equal(secret, "whsec_", 6);
    a = ask("GET", path, NULL);
    httptest_expect(&a, 200, "/events/2", "\"execution.canceled\"");
    httptest_expect(&a, 200, "/workflowId", "\"test-echo\"");
    httptest_expect(&a, 200, "/enabled", "true");
    assert_null(strstr(a.body, "whsec"));
    httptest_release(&a);
    ask_expect("PATCH", path, "{\"events\":[\"execution.failed\"],\"enabled\":false}", 200,
               "/events/0", "\"execution.failed\"");
    a = ask("GET", "/v1/webhooks", NULL);
    httptest_expect(&a, 200, "/data/0/disabledReason", "\"by a person\"");
    httptest_expect(&a, 200, "/nextCursor", "null");
    assert_null(httptest_json(&a, "/data/1"));
    assert_null(strstr(a.body, "whsec"));
    httptest_release(&a);
    ask_expect("PATCH", path, "{\"enabled\":true}", 200, "/enabled", "true");
    a = ask("DELETE", path, NULL);
    assert_int_equal(a.status, 204);
    httptest_release(&a);
    ask_expect("GET", path, NULL, 404, "/code", "\"NOT_FOUND\"");
    ask_expect("DELETE", path, NULL, 404, "/code", "\"NOT_FOUND\"");
    receiver_close(r);
}

static void mistakes_are_named_by_pointer(void **state)
{
    static const struct {
        const char *body, *pointer;
    } cases[] = {
        { "{}", "\"/url\"" },
        { "{\"url\":\"file:///etc/passwd\"}", "\"/url\"" },
        { "{\"url\":\"http://u:p@x/\"}", "\"/url\"" },
        { "{\"url\":\"https://x/\",\"events\":[\"started\"]}", "\"/events\"" },
        { "{\"url\":\"https://x/\",\"events\":[]}", "\"/events\"" },
        { "{\"url\":\"https://x/\",\"workflowId\":\"A B\"}", "\"/workflowId\"" },
        { "{\"url\":\"https://x/\",\"secret\":\"s\"}", "\"/secret\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        ask_expect("POST", "/v1/webhooks", cases[i].body, 400, "/errors/0/pointer",
                   cases[i].pointer);
    ask_expect("GET", "/v1/webhooks/7", NULL, 404, "/code", "\"NOT_FOUND\"");
    ask_expect("GET", "/v1/webhooks/whk_0000000000001", NULL, 404, "/code", "\"NOT_FOUND\"");
}

static int verify(const struct receiver_request *q, const char *secret)
{
    char signature[512];
    struct err e;

    receiver_header(q, "x-inferpipe-signature", signature, sizeof(signature));
    return sign_verify(secret, (struct slice){ signature, strlen(signature) },
                       (struct slice){ q->body, q->body_len }, clock_real_us() / 1000000, &e);
}

static void until_ended(const char *path, const char *pointer)
{
    for (;;) {
        struct httptest_answer a = ask("GET", below(path, "/deliveries"), NULL);
        const char *status = httptest_json(&a, pointer);
        bool ended = status && strcmp(status, "\"completed\"") == 0;

        httptest_release(&a);
        if (ended)
            return;
        httptest_pause();
    }
}

static void deliveries_are_listed_and_sent_again(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    char path[TEXT], secret[TEXT], next[TEXT], first[TEXT], event[TEXT], again[3 * TEXT];
    struct httptest_answer a;

    (void)state;
    make(r, path, secret);
    a = ask("POST", below(path, "/rotate"), "{\"overlapMs\":60000}");
    httptest_expect(&a, 200, "/rotating", "true");
    keep(&a, "/secret", next);
    httptest_release(&a);
    a = ask("POST", below(path, "/test"), NULL);
    assert_int_equal(a.status, 202);
    keep(&a, "/id", first);
    httptest_release(&a);
    assert_true(receiver_wait(r, 1));
    assert_int_equal(verify(receiver_get(r, 1), secret), 0);
    assert_int_equal(verify(receiver_get(r, 1), next), 0);
    until_ended(path, "/data/0/status");
    a = ask("GET", below(path, "/deliveries"), NULL);
    httptest_expect(&a, 200, "/data/0/attempts", "1");
    httptest_expect(&a, 200, "/data/0/type", "\"webhook.test\"");
    keep(&a, "/data/0/eventId", event);
    httptest_release(&a);
    snprintf(again, sizeof(again), "%s/deliveries/%s/redeliver", path, first);
    a = ask("POST", again, NULL);
    assert_int_equal(a.status, 202);
    httptest_release(&a);
    assert_true(receiver_wait(r, 2));
    assert_non_null(strstr(receiver_get(r, 2)->body, event));
    a = ask("GET", below(path, "/deliveries?limit=1"), NULL);
    assert_int_equal(a.status, 200);
    keep(&a, "/nextCursor", event);
    httptest_release(&a);
    snprintf(again, sizeof(again), "%s/deliveries?limit=1&cursor=%s", path, event);
    a = ask("GET", again, NULL);
    httptest_expect(&a, 200, "/nextCursor", "null");
    keep(&a, "/data/0/id", event);
    assert_string_equal(event, first);
    httptest_release(&a);
    ask_expect("GET", below(path, "/deliveries?limit=0"), NULL, 400, "/code", "\"INVALID_INPUT\"");
    ask_expect("GET", below(path, "/deliveries?cursor=x"), NULL, 400, "/code", "\"INVALID_INPUT\"");
    a = ask("DELETE", path, NULL);
    httptest_release(&a);
    receiver_close(r);
}

static void the_workspace_has_a_secret_of_its_own(void **state)
{
    struct httptest_answer a = ask("POST", "/v1/webhooks/secret", NULL);
    char first[TEXT];

    (void)state;
    httptest_expect(&a, 200, "/id", "\"workspace\"");
    keep(&a, "/secret", first);
    httptest_release(&a);
    a = ask("POST", "/v1/webhooks/secret", "{\"overlapMs\":0}");
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.body, first));
    httptest_release(&a);
    ask_expect("POST", "/v1/webhooks/secret", "{\"overlapMs\":2592000001}", 400,
               "/errors/0/pointer", "\"/overlapMs\"");
    a = ask("GET", "/v1/webhooks", NULL);
    assert_null(httptest_json(&a, "/data/0"));
    httptest_release(&a);
}

/* From the start over HTTP to the receiver: as the SDK's users see it. */
static void a_start_brings_its_own_url(void **state)
{
    struct receiver *r = receiver_open(NULL, NULL);
    struct httptest_answer a = ask("POST", "/v1/webhooks/secret", "{\"overlapMs\":0}");
    char body[TEXT], secret[TEXT], id[TEXT];
    const struct receiver_request *q;

    (void)state;
    keep(&a, "/secret", secret);
    httptest_release(&a);
    snprintf(body, sizeof(body),
             "{\"input\":{\"n\":1.50},\"mode\":\"sync\",\"metadata\":{\"customerId\":\"cus_1\"},"
             "\"webhookUrl\":\"http://127.0.0.1:%d/own\"}",
             receiver_port(r));
    a = ask("POST", "/v1/workflows/test-echo/executions", body);
    assert_int_equal(a.status, 200);
    keep(&a, "/id", id);
    httptest_release(&a);
    assert_true(receiver_wait(r, 1));
    q = receiver_get(r, 1);
    assert_memory_equal(q->head, "POST /own ", 10);
    assert_non_null(strstr(q->body, id));
    assert_non_null(strstr(q->body, "1.50"));
    assert_non_null(strstr(q->body, "\"metadata\":{\"customerId\": \"cus_1\"}"));
    assert_int_equal(verify(q, secret), 0);
    a = ask("GET", "/v1/executions", NULL); /* deliveries only when they are asked for */
    assert_non_null(strstr(a.body, id));
    assert_null(strstr(a.body, "inferpipe.webhook"));
    httptest_release(&a);
    ask_expect("GET", "/v1/executions?workflow=inferpipe.webhook&limit=1", NULL, 200,
               "/data/0/workflowId", "\"inferpipe.webhook\"");
    ask_expect("POST", "/v1/workflows/test-echo/executions",
               "{\"webhookUrl\":\"http://user:pass@example.com/\"}", 400, "/errors/0/pointer",
               "\"/webhookUrl\"");
    receiver_close(r);
}

/* With a key of theirs, or one that may only look. */
static void others_see_and_change_nothing(void **state)
{
    static const struct {
        const char *method, *rest, *body;
    } cases[] = {
        { "GET", "", NULL },
        { "PATCH", "", "{\"enabled\":false}" },
        { "DELETE", "", NULL },
        { "POST", "/rotate", "{}" },
        { "POST", "/test", NULL },
        { "GET", "/deliveries", NULL },
        { "POST", "/deliveries/exe_0000000000001/redeliver", NULL },
    };
    struct receiver *r = receiver_open(NULL, NULL);
    char path[TEXT], secret[TEXT], key[HTTPTEST_KEY_SIZE], headers[2 * TEXT];
    struct httptest_answer a;

    (void)state;
    make(r, path, secret);
    testdb_exec("insert into inferpipe._inferpipe_workspaces (slug) values ('other')");
    httptest_make_key(&t, "other", NULL, key);
    snprintf(headers, sizeof(headers),
             "authorization: Bearer %s\r\ncontent-type: application/json\r\n", key);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        httptest_request(NULL, server.port, cases[i].method, below(path, cases[i].rest), headers,
                         cases[i].body, &a);
        if (a.status != 404)
            fail_msg("%s %s: %d", cases[i].method, cases[i].rest, a.status);
        httptest_release(&a);
    }
    httptest_make_key(&t, "default", "webhooks:read", key);
    snprintf(headers, sizeof(headers),
             "authorization: Bearer %s\r\ncontent-type: application/json\r\n", key);
    httptest_request(NULL, server.port, "GET", path, headers, NULL, &a);
    assert_int_equal(a.status, 200);
    httptest_release(&a);
    httptest_request(NULL, server.port, "DELETE", path, headers, NULL, &a);
    assert_int_equal(a.status, 403);
    httptest_release(&a);
    assert_int_equal(receiver_count(r), 0);
    a = ask("DELETE", path, NULL);
    assert_int_equal(a.status, 204);
    httptest_release(&a);
    receiver_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_made_shown_changed_and_deleted),
        cmocka_unit_test(mistakes_are_named_by_pointer),
        cmocka_unit_test(deliveries_are_listed_and_sent_again),
        cmocka_unit_test(the_workspace_has_a_secret_of_its_own),
        cmocka_unit_test(a_start_brings_its_own_url),
        cmocka_unit_test(others_see_and_change_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
