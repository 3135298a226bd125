/*
 * tests/integration/test_auth.c - who is let in: every kind of key and token at the interceptors,
 * with the database behind them and without a connection in front.
 */
#include "lib/requestdouble.h"

#include "api/auth_private.h"
#include "api/scope.h"
#include "base/clock.h"
#include "http/chain.h"
#include "http/server.h"
#include "lib/fronttest.h"
#include "lib/looptest.h"
#include "lib/signtest.h"
#include "lib/testdb.h"
#include "store/client_keys.h"

#include <stdlib.h>

enum { HEADER_SIZE = 9000 };

struct fixture {
    struct fronttest front;
    struct api_auth *auth;
    struct client client, other; /* of workspaces "default" and "other" */
    struct err e;
    int resumed;
};

/* What a request came to. */
struct came {
    int status; /* 200: let in */
    struct caller caller;
    char body[512], retry[24], challenge[64], limit[24], remaining[24], reset[24];
};

static struct fixture *current;
static enum chain_verdict resumed_verdict;
static struct err resumed_error;
static bool conn_claimed;

void chain_resume(struct http_request *r, enum chain_verdict verdict, const struct err *e)
{
    (void)r;
    resumed_verdict = verdict;
    resumed_error = *e;
    current->resumed++;
}

bool http_conn_claim(struct http_request *r, int64_t key)
{
    (void)r;
    assert_int_not_equal(key, 0);
    return conn_claimed;
}

static const struct route reading = { .scope = SCOPE_EXECUTIONS_READ, .id = "test.read" };
static const struct route writing = { .scope = SCOPE_EXECUTIONS_WRITE, .id = "test.write" };
static const struct route any_key = { .scope = ROUTE_ANY_KEY, .id = "test.any" };
static const struct route open_to_all = { .scope = ROUTE_PUBLIC, .id = "test.public" };

/* Runs one interceptor; true: it lets the request go on. */
static bool pass(struct fixture *t, const struct interceptor *i, struct double_request *d,
                 void *slot)
{
    enum chain_verdict verdict;
    struct err e;
    int before = t->resumed;

    err_clear(&e);
    memset(slot, 0, CHAIN_SLOT_MAX);
    verdict = i->enter(t->auth, &d->r, slot, &e);
    if (verdict == CHAIN_WAIT) {
        looptest_count(t->front.loop, &t->resumed, before + 1);
        verdict = resumed_verdict;
        if (verdict == CHAIN_ANSWERED)
            http_answer_error(&d->r, &resumed_error);
    }
    assert_true(verdict == CHAIN_NEXT || d->finished);
    return verdict == CHAIN_NEXT;
}

static void keep_header(const struct double_request *d, const char *name, char *ret, size_t size)
{
    const char *value = double_answered(d, name);

    (void)snprintf(ret, size, "%s", value ? value : "");
}

/* A request with this authorization (NULL: none) and x-inferpipe-workspace (NULL: none). */
static struct came ask_from(struct fixture *t, const struct route *route, const char *authorization,
                            const char *workspace, const char *peer)
{
    _Alignas(16) char slots[2][CHAIN_SLOT_MAX];
    struct double_request d;
    struct came c = { 0 };

    double_init(&d, HTTP_GET, route);
    (void)snprintf(d.r.peer, sizeof(d.r.peer), "%s", peer);
    if (authorization)
        double_put(&d, "authorization", authorization);
    if (workspace)
        double_put(&d, "x-inferpipe-workspace", workspace);
    if (pass(t, &auth_interceptor, &d, slots[0]) && pass(t, &auth_rate_interceptor, &d, slots[1])) {
        if (d.r.caller)
            c.caller = *caller_of(&d.r);
        http_answer(&d.r, 200, NULL, (struct slice){ 0 });
    }
    c.status = d.r.status;
    (void)snprintf(c.body, sizeof(c.body), "%.500s", d.body);
    keep_header(&d, "retry-after", c.retry, sizeof(c.retry));
    keep_header(&d, "www-authenticate", c.challenge, sizeof(c.challenge));
    keep_header(&d, "x-ratelimit-limit", c.limit, sizeof(c.limit));
    keep_header(&d, "x-ratelimit-remaining", c.remaining, sizeof(c.remaining));
    keep_header(&d, "x-ratelimit-reset", c.reset, sizeof(c.reset));
    double_end(&d);
    return c;
}

static struct came ask(struct fixture *t, const struct route *route, const char *key)
{
    char header[HEADER_SIZE];

    (void)snprintf(header, sizeof(header), "Bearer %s", key);
    return ask_from(t, route, header, NULL, "127.0.0.1");
}

static void open_client(struct fixture *t, struct client *c, const char *workspace)
{
    struct client_limits limits = { .payload_max = 1000, .payload_inline = 100 };

    assert_int_equal(client_open(c, t->front.url, workspace, &limits, &t->e), 0);
}

static int set_up(void **state)
{
    static struct fixture t;
    bool new;

    memset(&t, 0, sizeof(t));
    current = &t;
    conn_claimed = true;
    fronttest_open(&t.front, NULL);
    fronttest_set(&t.front, CONFIG_AUTH_FAILURES, "30");
    fronttest_set(&t.front, CONFIG_KEY_CACHE_TIME, "60s"); /* nothing changes by its age */
    fronttest_hear(&t.front, "inferpipe_keys");
    assert_int_equal(auth_open(t.front.loop, &t.front.config, t.front.front, &t.auth, &t.e), 0);
    open_client(&t, &t.client, "default");
    assert_int_equal(client_workspace_create(&t.client, "other", &new, &t.e), 0);
    open_client(&t, &t.other, "other");
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    auth_close(t->auth, fronttest_closed, &t->front);
    looptest_count(t->front.loop, &t->front.closed, 1);
    client_release(&t->client);
    client_release(&t->other);
    fronttest_close(&t->front, NULL);
    return 0;
}

static void make_key(struct fixture *t, struct client *c, const struct client_key_wanted *w,
                     char text[APIKEY_SIZE])
{
    char prefix[APIKEY_PREFIX_SIZE];

    if (client_key_create(c, w, text, NULL, NULL, &t->e) != 0)
        fail_msg("%s", t->e.text);
    assert_true(apikey_parse(text, APIKEY_LEN, prefix));
    fronttest_until_heard(&t->front, prefix);
}

static void a_key_with_the_scope_is_let_in(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { .name = "ci", .scopes = "executions:read" };
    char text[APIKEY_SIZE], header[HEADER_SIZE];
    struct came c;

    make_key(t, &t->client, &w, text);
    for (int i = 0; i < 2; i++) { /* looked up, and then known */
        c = ask(t, &reading, text);
        assert_int_equal(c.status, 200);
        assert_int_equal(c.caller.workspace_id, 1);
        assert_string_equal(c.caller.workspace, "default");
        assert_string_equal(c.caller.name, "ci");
        assert_int_equal(c.caller.scopes, 1u << SCOPE_EXECUTIONS_READ);
        assert_string_equal(c.limit, "");
    }
    assert_int_equal(t->resumed, 1);
    assert_int_equal(ask(t, &any_key, text).status, 200);
    (void)snprintf(header, sizeof(header), "bEaReR %s", text);
    assert_int_equal(ask_from(t, &reading, header, "default", "::1").status, 200);
}

static void rights_are_checked(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { .scopes = "executions:read" };
    char text[APIKEY_SIZE], header[HEADER_SIZE];
    struct came c;

    make_key(t, &t->client, &w, text);
    c = ask(t, &writing, text);
    assert_int_equal(c.status, 403);
    assert_non_null(strstr(c.body, "executions:write"));
    (void)snprintf(header, sizeof(header), "Bearer %s", text);
    c = ask_from(t, &reading, header, "other", "::1");
    assert_int_equal(c.status, 403);
    assert_int_equal(ask_from(t, &reading, header, "defaul", "::1").status, 403);
    assert_int_equal(ask_from(t, &reading, header, "default2", "::1").status, 403);
    assert_int_equal(ask_from(t, &reading, header, "", "::1").status, 403);
    make_key(t, &t->other, &w, text);
    c = ask(t, &reading, text);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.caller.workspace, "other");
    conn_claimed = false;
    c = ask(t, &reading, text);
    assert_int_equal(c.status, 429);
    assert_non_null(strstr(c.body, "connections"));
}

struct forgetting {
    struct fixture *t;
    char prefix[APIKEY_PREFIX_SIZE];
};

static bool is_forgotten(void *ctx)
{
    const struct forgetting *f = ctx;
    const struct keyring_key *key;

    return keyring_look(f->t->auth->ring, f->prefix, &key) == KEYRING_STALE;
}

/* Until the change of this key has been heard of. */
static void until_forgotten(struct fixture *t, const char *text)
{
    struct forgetting f = { .t = t };

    assert_true(apikey_parse(text, APIKEY_LEN, f.prefix));
    looptest_until(t->front.loop, is_forgotten, &f);
}

/* All of them the same, but for those that show nothing at all. */
static void whatever_is_wrong_the_answer_is_the_same(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { .lifetime_ms = 60000 };
    char text[APIKEY_SIZE], bad[APIKEY_SIZE], id[APIKEY_ID_SIZE];
    struct came want = ask_from(t, &reading, NULL, NULL, "::1"), c;

    assert_int_equal(want.status, 401);
    assert_string_equal(want.challenge, "Bearer realm=\"inferpipe\"");
#define SAME(call)                                                                                 \
    do {                                                                                           \
        c = (call);                                                                                \
        assert_int_equal(c.status, 401);                                                           \
        assert_string_equal(c.body, want.body);                                                    \
        assert_string_equal(c.challenge, want.challenge);                                          \
    } while (0)
    make_key(t, &t->client, &w, text);
    assert_int_equal(ask(t, &reading, text).status, 200);
    memcpy(bad, text, sizeof(bad));
    bad[20] = bad[20] == 'A' ? 'B' : 'A'; /* the secret is wrong */
    SAME(ask(t, &reading, bad));
    memcpy(bad, text, sizeof(bad));
    bad[5] = bad[5] == 'a' ? 'b' : 'a'; /* nobody's */
    SAME(ask(t, &reading, bad));
    SAME(ask(t, &reading, bad));
    SAME(ask(t, &reading, "ifp_"));
    SAME(ask(t, &reading, ""));
    SAME(ask(t, &reading, "e30.e30.e30"));
    SAME(ask_from(t, &reading, text, NULL, "::1"));
    SAME(ask_from(t, &reading, "Basic eDp5", NULL, "::1"));
    assert_int_equal(ask(t, &reading, text).status, 200);
    (void)snprintf(id, sizeof(id), "%.16s", text);
    assert_int_equal(client_key_revoke(&t->client, id, NULL, NULL, &t->e), 0);
    until_forgotten(t, text);
    SAME(ask(t, &reading, text)); /* revoked */
}

static void a_revoked_key_stops_at_once(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { 0 };
    char text[APIKEY_SIZE], next[APIKEY_SIZE], id[APIKEY_ID_SIZE];

    make_key(t, &t->client, &w, text);
    assert_int_equal(ask(t, &reading, text).status, 200);
    (void)snprintf(id, sizeof(id), "%.16s", text);
    assert_int_equal(client_key_rotate(&t->client, id, 3600000, next, NULL, NULL, &t->e), 0);
    until_forgotten(t, text);
    assert_int_equal(ask(t, &reading, text).status, 200);
    assert_int_equal(ask(t, &reading, next).status, 200);
    assert_int_equal(client_key_revoke(&t->client, id, NULL, NULL, &t->e), 0);
    until_forgotten(t, text);
    assert_int_equal(ask(t, &reading, text).status, 401);
    assert_int_equal(ask(t, &reading, next).status, 200);
}

/* By the time of the database, whatever this process thinks. */
static void an_expired_key_ends(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { .lifetime_ms = 60000 };
    char text[APIKEY_SIZE];

    make_key(t, &t->client, &w, text);
    assert_int_equal(ask(t, &reading, text).status, 200);
    testdb_exec("update inferpipe_test.clock set shift = '61 seconds'");
    testdb_exec("select pg_notify('inferpipe_keys', prefix) from inferpipe._inferpipe_api_keys");
    until_forgotten(t, text);
    assert_int_equal(ask(t, &reading, text).status, 401);
}

static void public_routes_and_unknown_paths_pass(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(ask_from(t, &open_to_all, NULL, NULL, "::1").status, 200);
    assert_int_equal(ask_from(t, &open_to_all, "Bearer junk", "x", "::1").status, 200);
    assert_int_equal(ask_from(t, NULL, NULL, NULL, "::1").status, 200);
    assert_int_equal(ask_from(t, &any_key, NULL, NULL, "::1").status, 401);
}

static void an_address_that_guesses_is_slowed(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { 0 };
    char text[APIKEY_SIZE], fresh[APIKEY_SIZE], guess[APIKEY_SIZE], header[HEADER_SIZE];
    struct came c;

    make_key(t, &t->client, &w, text);
    make_key(t, &t->client, &w, fresh);
    assert_int_equal(ask(t, &reading, text).status, 200);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(apikey_generate(guess), 0);
        assert_int_equal(ask(t, &reading, guess).status, 401);
    }
    assert_int_equal(apikey_generate(guess), 0);
    c = ask(t, &reading, guess);
    assert_int_equal(c.status, 429);
    assert_in_range(strtol(c.retry, NULL, 10), 1, 60);
    memcpy(guess, text, sizeof(guess));
    guess[20] = guess[20] == 'A' ? 'B' : 'A';
    assert_int_equal(ask(t, &reading, guess).status, 429); /* of a key that is known */
    assert_int_equal(ask_from(t, &reading, NULL, NULL, "127.0.0.1").status, 429);
    assert_int_equal(ask(t, &reading, text).status, 200);  /* it is in use */
    assert_int_equal(ask(t, &reading, fresh).status, 429); /* it is not */
    (void)snprintf(header, sizeof(header), "Bearer %s", fresh);
    assert_int_equal(ask_from(t, &reading, header, NULL, "10.0.0.9").status, 200);
    assert_int_equal(ask(t, &reading, fresh).status, 200); /* now it is known */
}

static void a_rate_is_kept_and_told(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { .rate_per_min = 6, .burst = 3 };
    char text[APIKEY_SIZE];
    struct came c;

    make_key(t, &t->client, &w, text);
    for (int i = 2; i >= 0; i--) {
        c = ask(t, &reading, text);
        assert_int_equal(c.status, 200);
        assert_string_equal(c.limit, "3");
        assert_int_equal(strtol(c.remaining, NULL, 10), i);
        assert_in_range(strtol(c.reset, NULL, 10), 9 * (3 - i),
                        30); /* what is in hand counts as taken */
    }
    c = ask(t, &reading, text);
    assert_int_equal(c.status, 429);
    assert_string_equal(c.remaining, "0");
    assert_in_range(strtol(c.retry, NULL, 10), 1, 10);
    assert_non_null(strstr(c.body, "RATE_LIMITED"));
}

static void tokens_are_let_in_as_their_key_allows(void **state)
{
    struct fixture *t = *state;
    struct signtest *pair = signtest_open("P-256");
    struct client_jwt_key key = { .kid = "k1",
                                  .alg = "ES256",
                                  .issuer = "me",
                                  .audience = "us",
                                  .scopes = "executions:read executions:write",
                                  .material = signtest_pem(pair),
                                  .material_len = strlen(signtest_pem(pair)),
                                  .rate_per_min = 60 };
    static const char head[] = "{\"alg\":\"ES256\",\"kid\":\"k1\"}";
    char payload[256], header[HEADER_SIZE],
        format[] = "{\"iss\":\"me\",\"aud\":\"us\",\"sub\":"
                   "\"ann\",\"exp\":%lld%s}";
    struct secretbox none = { 0 };
    long long now = (long long)(clock_real_us() / 1000000);
    struct came c;

    assert_int_equal(client_jwt_key_create(&t->client, &key, &none, NULL, NULL, &t->e), 0);
    fronttest_until_heard(&t->front, "default/k1");
    (void)snprintf(payload, sizeof(payload), format, now + 100, ",\"scope\":\"executions:read x\"");
    c = ask(t, &reading, signtest_token(pair, head, payload));
    assert_int_equal(c.status, 200);
    assert_string_equal(c.caller.name, "ann");
    assert_string_equal(c.caller.workspace, "default");
    assert_int_equal(c.caller.scopes, 1u << SCOPE_EXECUTIONS_READ);
    assert_string_equal(c.limit, "60");
    assert_int_equal(ask(t, &writing, signtest_token(pair, head, payload)).status, 403);
    (void)snprintf(payload, sizeof(payload), format, now + 100, "");
    assert_int_equal(ask(t, &writing, signtest_token(pair, head, payload)).status, 200);
    (void)snprintf(payload, sizeof(payload), format, now + 100, ",\"scope\":\"keys:write\"");
    assert_int_equal(ask(t, &reading, signtest_token(pair, head, payload)).status, 403);
    (void)snprintf(payload, sizeof(payload), format, now - 100, "");
    assert_int_equal(ask(t, &reading, signtest_token(pair, head, payload)).status, 401);
    /* the other workspace has no such key */
    (void)snprintf(payload, sizeof(payload), format, now + 100, "");
    (void)snprintf(header, sizeof(header), "Bearer %s", signtest_token(pair, head, payload));
    assert_int_equal(ask_from(t, &reading, header, "default", "::1").status, 200);
    assert_int_equal(ask_from(t, &reading, header, "other", "::1").status, 401);
    assert_int_equal(ask_from(t, &reading, header, "o'ther/k1", "::1").status, 401);
    assert_int_equal(client_jwt_key_create(&t->other, &key, &none, NULL, NULL, &t->e), 0);
    signtest_close(pair);
}

/* What is known is good; what must be asked is 503, not a verdict on the key. */
static void without_the_database_known_keys_go_on(void **state)
{
    struct fixture *t = *state;
    struct client_key_wanted w = { 0 };
    char known[APIKEY_SIZE], unknown[APIKEY_SIZE];
    struct came c;

    make_key(t, &t->client, &w, known);
    make_key(t, &t->client, &w, unknown);
    assert_int_equal(ask(t, &reading, known).status, 200);
    testdb_exec("alter function inferpipe.key_find rename to key_find_gone");
    assert_int_equal(ask(t, &reading, known).status, 200);
    c = ask(t, &reading, unknown);
    assert_int_equal(c.status, 503);
    assert_string_equal(c.challenge, "");
    testdb_exec("alter function inferpipe.key_find_gone rename to key_find");
    assert_int_equal(ask(t, &reading, unknown).status, 200);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_key_with_the_scope_is_let_in),
        CASE(rights_are_checked),
        CASE(whatever_is_wrong_the_answer_is_the_same),
        CASE(a_revoked_key_stops_at_once),
        CASE(an_expired_key_ends),
        CASE(public_routes_and_unknown_paths_pass),
        CASE(an_address_that_guesses_is_slowed),
        CASE(a_rate_is_kept_and_told),
        CASE(tokens_are_let_in_as_their_key_allows),
        CASE(without_the_database_known_keys_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
