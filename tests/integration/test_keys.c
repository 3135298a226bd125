/*
 * tests/integration/test_keys.c - keys over HTTP, with a real server: made, used, rotated and
 * revoked, each seen by two servers; tokens; rate limits; and no secret in any log or listing.
 */
#include "base/apikey.h"
#include "base/clock.h"
#include "lib/httptest.h"
#include "lib/signtest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 2, TEXT_SIZE = 8192 };
#define BOX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct fixture {
    struct httptest http;
    struct httptest_server servers[SERVERS];
};

static int set_up(void **state)
{
    static const char *const args[] = { "--secret-key", BOX, "--auth-failures", "1000000", NULL };
    static struct fixture t;

    memset(&t, 0, sizeof(t));
    httptest_open(&t.http);
    for (int i = 0; i < SERVERS; i++)
        httptest_serve(&t.http, &t.servers[i], "inferpipe", args);
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    for (int i = 0; i < SERVERS; i++)
        httptest_stop(&t->servers[i]);
    httptest_close(&t->http);
    return httptest_cleanup(state);
}

/* With this key (NULL: the test's own) at one of the servers; to be released. */
static struct httptest_answer ask(struct fixture *t, int server, const char *key,
                                  const char *method, const char *path, const char *body)
{
    struct httptest_answer a;
    char headers[TEXT_SIZE + 128];

    (void)snprintf(headers, sizeof(headers), "authorization: Bearer %s\r\n%s",
                   key ? key : t->http.key, body ? "content-type: application/json\r\n" : "");
    httptest_request(NULL, t->servers[server].port, method, path, headers, body, &a);
    return a;
}

static int status_of(struct fixture *t, int server, const char *key, const char *method,
                     const char *path, const char *body)
{
    struct httptest_answer a = ask(t, server, key, method, path, body);
    int status = a.status;

    httptest_release(&a);
    return status;
}

/* A text of the answer without its quotes. */
static void take_text(const struct httptest_answer *a, const char *pointer, char *ret, size_t size)
{
    const char *json = httptest_json(a, pointer);

    assert_non_null(json);
    assert_int_equal(json[0], '"');
    (void)snprintf(ret, size, "%.*s", (int)strlen(json) - 2, json + 1);
}

static void make_key(struct fixture *t, const char *body, char key[APIKEY_SIZE])
{
    struct httptest_answer a = ask(t, 0, NULL, "POST", "/v1/keys", body);

    httptest_expect(&a, 201, "/state", "\"active\"");
    take_text(&a, "/key", key, APIKEY_SIZE);
    httptest_release(&a);
}

static void path_of(const char *key, const char *rest, char ret[64])
{
    (void)snprintf(ret, 64, "/v1/keys/%.16s%s", key, rest);
}

static void a_key_is_made_shown_once_and_used(void **state)
{
    struct fixture *t = *state;
    struct httptest_answer a;
    char key[APIKEY_SIZE], path[64];

    make_key(t,
             "{\"name\":\"c\\u00e9\",\"scopes\":[\"keys:read\",\"queues:read\"],"
             "\"expiresInMs\":60000,\"ratePerMinute\":600,\"burst\":50}",
             key);
    path_of(key, "", path);
    a = ask(t, 1, key, "GET", path, NULL);
    httptest_expect(&a, 200, "/name", "\"c\xc3\xa9\"");
    httptest_expect(&a, 200, "/scopes", "[\"queues:read\",\"keys:read\"]");
    httptest_expect(&a, 200, "/ratePerMinute", "600");
    httptest_expect(&a, 200, "/burst", "50");
    assert_non_null(httptest_json(&a, "/expiresAt"));
    assert_null(httptest_json(&a, "/key"));
    assert_null(strstr(a.body, key + APIKEY_LEN - APIKEY_SECRET_LEN));
    assert_non_null(httptest_header(&a, "x-ratelimit-limit"));
    httptest_release(&a);
    a = ask(t, 0, key, "GET", "/v1/keys?limit=1", NULL);
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.body, key + APIKEY_LEN - APIKEY_SECRET_LEN));
    httptest_release(&a);
    assert_int_equal(status_of(t, 0, key, "POST", "/v1/keys", "{}"), 403);
    for (int i = 0; i < SERVERS; i++)
        assert_int_equal(httptest_log_count(&t->servers[i], key + APIKEY_LEN - APIKEY_SECRET_LEN),
                         0);
}

static void mistakes_are_named_by_pointer(void **state)
{
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        { "{\"scopes\":[]}", "\"/scopes\"" },
        { "{\"scopes\":[\"keys:read\",\"keys:reed\"]}", "\"/scopes/1\"" },
        { "{\"scopes\":[1]}", "\"/scopes/0\"" },
        { "{\"scopes\":\"*\"}", "\"/scopes\"" },
        { "{\"expiresInMs\":999}", "\"/expiresInMs\"" },
        { "{\"expiresInMs\":315360000001}", "\"/expiresInMs\"" },
        { "{\"ratePerMinute\":0}", "\"/ratePerMinute\"" },
        { "{\"ratePerMinute\":10000001}", "\"/ratePerMinute\"" },
        { "{\"burst\":5}", "\"/burst\"" },
        { "{\"secret\":\"x\"}", "\"/secret\"" },
    };
    struct fixture *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct httptest_answer a = ask(t, 0, NULL, "POST", "/v1/keys", bad[i].body);

        httptest_expect(&a, 400, "/errors/0/pointer", bad[i].pointer);
        httptest_release(&a);
    }
    assert_int_equal(status_of(t, 0, NULL, "GET", "/v1/keys?limit=0", NULL), 400);
    assert_int_equal(status_of(t, 0, NULL, "GET", "/v1/keys?limit=1001", NULL), 400);
    assert_int_equal(status_of(t, 0, NULL, "GET", "/v1/keys?cursor=x", NULL), 400);
    assert_int_equal(status_of(t, 0, NULL, "GET", "/v1/keys/nope", NULL), 400);
    assert_int_equal(status_of(t, 0, NULL, "GET", "/v1/keys/ifp_000000000000", NULL), 404);
}

static void nobody_gives_more_than_he_has(void **state)
{
    struct fixture *t = *state;
    struct httptest_answer a;
    char weak[APIKEY_SIZE], strong[APIKEY_SIZE], path[64];

    make_key(t, "{\"scopes\":[\"keys:write\",\"queues:read\"]}", weak);
    make_key(t, "{}", strong);
    assert_int_equal(status_of(t, 0, weak, "POST", "/v1/keys", "{\"scopes\":[\"*\"]}"), 403);
    a = ask(t, 0, weak, "POST", "/v1/keys", "{\"scopes\":[\"queues:read\",\"cron:write\"]}");
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.body, "cron:write"));
    httptest_release(&a);
    path_of(strong, "/rotate", path);
    assert_int_equal(status_of(t, 0, weak, "POST", path, "{}"), 403);
    a = ask(t, 0, weak, "POST", "/v1/keys", "{}"); /* all that it has */
    httptest_expect(&a, 201, "/scopes", "[\"queues:read\",\"keys:write\"]");
    httptest_release(&a);
    assert_int_equal(status_of(t, 0, weak, "POST", "/v1/jwt-keys",
                               "{\"kid\":\"k\",\"alg\":\"HS256\",\"issuer\":\"i\",\"audience\":"
                               "\"a\",\"secret\":\"01234567890123456789012345678901\",\"scopes\":"
                               "[\"executions:write\"]}"),
                     403);
    assert_int_equal(status_of(t, 0, strong, "GET", "/v1/queues", NULL), 200);
}

/* Until both servers answer so: they hear of changes by notification. */
static void until_status(struct fixture *t, const char *key, int status)
{
    int64_t since = clock_mono_us();

    for (int i = 0; i < SERVERS; i++)
        while (status_of(t, i, key, "GET", "/v1/queues", NULL) != status) {
            if (clock_mono_us() - since > 20000000)
                fail_msg("server %d does not answer %d", i, status);
            httptest_pause();
        }
}

static void a_rotated_and_a_revoked_key_stop_everywhere(void **state)
{
    struct fixture *t = *state;
    struct httptest_answer a;
    char key[APIKEY_SIZE], next[APIKEY_SIZE], path[64];

    make_key(t, "{\"scopes\":[\"queues:read\"]}", key);
    until_status(t, key, 200);
    path_of(key, "/rotate", path);
    a = ask(t, 0, NULL, "POST", path, "{\"overlapMs\":3600000}");
    assert_int_equal(a.status, 201);
    take_text(&a, "/key", next, sizeof(next));
    httptest_release(&a);
    until_status(t, key, 200);
    until_status(t, next, 200);
    path_of(next, "/rotate", path);
    a = ask(t, 1, NULL, "POST", path, "{\"overlapMs\":0}");
    assert_int_equal(a.status, 201);
    httptest_release(&a);
    until_status(t, next, 401);
    path_of(key, "", path);
    assert_int_equal(status_of(t, 1, NULL, "DELETE", path, NULL), 204);
    assert_int_equal(status_of(t, 1, NULL, "DELETE", path, NULL), 204);
    until_status(t, key, 401);
    a = ask(t, 0, NULL, "GET", path, NULL);
    httptest_expect(&a, 200, "/state", "\"revoked\"");
    httptest_release(&a);
}

static void two_servers_share_a_rate(void **state)
{
    struct fixture *t = *state;
    struct httptest_answer a;
    char key[APIKEY_SIZE];
    int granted = 0, refused = 0;

    make_key(t, "{\"scopes\":[\"queues:read\"],\"ratePerMinute\":6,\"burst\":10}", key);
    for (int i = 0; i < 30; i++) {
        a = ask(t, i % SERVERS, key, "GET", "/v1/queues", NULL);
        granted += a.status == 200;
        if (a.status == 429) {
            refused++;
            assert_in_range(strtol(httptest_header(&a, "retry-after"), NULL, 10), 1, 10);
            assert_string_equal(httptest_header(&a, "x-ratelimit-limit"), "10");
            httptest_expect(&a, 429, "/code", "\"RATE_LIMITED\"");
        }
        httptest_release(&a);
    }
    assert_int_equal(granted + refused, 30);
    assert_in_range(granted, 9, 13); /* one may be in the other's hands; one comes each 10 s */
}

static void a_token_is_let_in_until_its_key_goes(void **state)
{
    struct fixture *t = *state;
    struct signtest *pair = signtest_open("ED25519");
    struct httptest_answer a;
    char token[TEXT_SIZE], payload[256], body[TEXT_SIZE], pem[1024] = "";
    long long now = (long long)(clock_real_us() / 1000000);

    for (const char *c = signtest_pem(pair); *c; c++)
        (void)snprintf(pem + strlen(pem), sizeof(pem) - strlen(pem), "%s%.*s",
                       *c == '\n' ? "\\n" : "", *c != '\n', c);
    (void)snprintf(body, sizeof(body),
                   "{\"kid\":\"2026\",\"alg\":\"EdDSA\",\"issuer\":\"me\",\"audience\":\"us\","
                   "\"scopes\":[\"queues:read\"],\"publicKey\":\"%s\"}",
                   pem);
    (void)snprintf(payload, sizeof(payload), "{\"iss\":\"me\",\"aud\":\"us\",\"exp\":%lld}",
                   now + 3600);
    (void)snprintf(token, sizeof(token), "%s",
                   signtest_token(pair, "{\"alg\":\"EdDSA\",\"kid\":\"2026\"}", payload));
    until_status(t, token, 401);
    a = ask(t, 0, NULL, "POST", "/v1/jwt-keys", body);
    httptest_expect(&a, 201, "/kid", "\"2026\"");
    httptest_release(&a);
    until_status(t, token, 200);
    assert_int_equal(status_of(t, 0, token, "GET", "/v1/keys", NULL), 403);
    a = ask(t, 0, NULL, "GET", "/v1/jwt-keys", NULL);
    httptest_expect(&a, 200, "/data/0/alg", "\"EdDSA\"");
    httptest_expect(&a, 200, "/nextCursor", "null");
    httptest_release(&a);
    assert_int_equal(status_of(t, 1, NULL, "DELETE", "/v1/jwt-keys/2026", NULL), 204);
    until_status(t, token, 401);
    assert_int_equal(status_of(t, 1, NULL, "DELETE", "/v1/jwt-keys/2026", NULL), 404);
    signtest_close(pair);
}

static void a_secret_goes_in_and_never_out(void **state)
{
    static const char *const bad[] = {
        "{\"kid\":\"hs\",\"alg\":\"HS256\",\"issuer\":\"i\",\"audience\":\"a\"}",
        "{\"kid\":\"hs\",\"alg\":\"HS256\",\"issuer\":\"i\",\"audience\":\"a\",\"secret\":"
        "\"short\"}",
        "{\"kid\":\"hs\",\"alg\":\"none\",\"issuer\":\"i\",\"audience\":\"a\"}",
        "{\"kid\":\"hs\",\"alg\":\"RS256\",\"issuer\":\"i\",\"audience\":\"a\",\"publicKey\":"
        "\"x\"}",
        "{\"kid\":\"a b\",\"alg\":\"HS256\",\"issuer\":\"i\",\"audience\":\"a\",\"secret\":"
        "\"canary-0123456789-0123456789-0123\"}",
        "{\"kid\":\"hs\",\"alg\":\"HS256\",\"audience\":\"a\",\"secret\":"
        "\"canary-0123456789-0123456789-0123\"}",
    };
    struct fixture *t = *state;
    struct httptest_answer a;
    char payload[128], token[TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(status_of(t, 0, NULL, "POST", "/v1/jwt-keys", bad[i]), 400);
    a = ask(t, 0, NULL, "POST", "/v1/jwt-keys",
            "{\"kid\":\"hs\",\"alg\":\"HS256\",\"issuer\":\"i\",\"audience\":\"a\",\"secret\":"
            "\"canary-0123456789-0123456789-0123\"}");
    assert_int_equal(a.status, 201);
    assert_null(strstr(a.body, "canary"));
    httptest_release(&a);
    (void)snprintf(payload, sizeof(payload), "{\"iss\":\"i\",\"aud\":[\"a\"],\"exp\":%lld}",
                   (long long)(clock_real_us() / 1000000) + 3600);
    (void)snprintf(token, sizeof(token), "%s",
                   signtest_token_hmac("{\"alg\":\"HS256\",\"kid\":\"hs\"}", payload,
                                       "canary-0123456789-0123456789-0123", 33));
    until_status(t, token, 200);
    a = ask(t, 1, NULL, "GET", "/v1/jwt-keys", NULL);
    assert_null(strstr(a.body, "canary"));
    httptest_release(&a);
    for (int i = 0; i < SERVERS; i++) {
        assert_int_equal(httptest_log_count(&t->servers[i], "canary-"), 0);
        assert_int_equal(httptest_log_count(&t->servers[i], token), 0);
    }
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_jwt_keys"
                                 " where position('canary'::bytea in material) > 0"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_made_shown_once_and_used),
        cmocka_unit_test(mistakes_are_named_by_pointer),
        cmocka_unit_test(nobody_gives_more_than_he_has),
        cmocka_unit_test(a_rotated_and_a_revoked_key_stop_everywhere),
        cmocka_unit_test(two_servers_share_a_rate),
        cmocka_unit_test(a_token_is_let_in_until_its_key_goes),
        cmocka_unit_test(a_secret_goes_in_and_never_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
