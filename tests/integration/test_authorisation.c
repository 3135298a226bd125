/*
 * tests/integration/test_authorisation.c - every route of the server beside every kind of caller,
 * made from the tables of routes: a route that is added is tested without a line here.
 *
 * In workspace "other" there is one of everything, by the name "quetzal" and with the word "canary"
 * in it.  What a caller of workspace "default" gets may never hold these (the name only when he
 * made one of that name himself), and is 404 where he asks for it by name.
 */
#include "api/api.h"
#include "lib/httptest.h"
#include "lib/signtest.h"
#include "lib/testdb.h"
#include "store/client_keys.h"
#include "store/client_webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
enum { PATH_SIZE = 512, HEADERS_SIZE = 512, IDS_SIZE = 64 };

#define TABLE(name) { name, &name##_count },
static const struct {
    const struct route *routes;
    const size_t *count;
} tables[] = { API_TABLES(TABLE) };
#undef TABLE

/* Who asks; the keys are of workspace "default" unless said. */
enum caller_kind {
    NOBODY,
    MALFORMED,
    FORGED, /* the id of a good key, with another secret */
    UNKNOWN,
    REVOKED,
    EXPIRED,
    OTHER_HERE, /* a key of "other" that names "default" */
    WITHOUT,    /* all scopes but the route's */
    WITH,       /* the route's scope alone */
    CALLERS
};
static const char *const caller_names[CALLERS] = { "nobody",
                                                   "malformed",
                                                   "forged",
                                                   "unknown",
                                                   "revoked",
                                                   "expired",
                                                   "a key of another workspace",
                                                   "without the scope",
                                                   "with the scope" };

struct fixture {
    struct httptest http;
    struct httptest_server server;
    char keys[CALLERS][HTTPTEST_KEY_SIZE];
    char with[SCOPES][HTTPTEST_KEY_SIZE], without[SCOPES][HTTPTEST_KEY_SIZE];
    char execution[IDS_SIZE], key_id[IDS_SIZE], webhook[IDS_SIZE]; /* of "other" */
    int requests, leaks, wrong;
};

/* ---- the other workspace -------------------------------------------------------------------- */

static void make_jwt_key(struct fixture *t, struct client *c)
{
    struct signtest *pair = signtest_open("ED25519");
    struct client_jwt_key key = { .kid = "quetzal",
                                  .alg = "EdDSA",
                                  .issuer = "canary",
                                  .audience = "canary",
                                  .material = signtest_pem(pair),
                                  .material_len = strlen(signtest_pem(pair)) };
    struct secretbox none = { 0 };
    struct err e;

    (void)t;
    if (client_jwt_key_create(c, &key, &none, NULL, NULL, &e) != 0)
        fail_msg("%s", e.text);
    signtest_close(pair);
}

static void make_webhook(struct fixture *t, struct client *c)
{
    struct client_webhook w = { .url = "https://quetzal.example/canary" };
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
    struct err e;
    int64_t id;

    if (client_webhook_create(c, &w, SECRET_KEY, &id, secret, &e) != 0)
        fail_msg("%s", e.text);
    client_webhook_id_format(id, t->webhook);
}

static void make_other(struct fixture *t)
{
    static const struct client_limits limits = { .payload_max = 1, .payload_inline = 0 };
    struct client_key_wanted wanted = { .name = "canary" };
    struct client c;
    struct err e;
    bool new;

    assert_int_equal(client_open(&c, t->http.url, "other", &limits, &e), 0);
    if (client_workspace_create(&c, "other", &new, &e) != 0 ||
        client_key_create(&c, &wanted, t->keys[OTHER_HERE], NULL, NULL, &e) != 0)
        fail_msg("%s", e.text);
    (void)snprintf(t->key_id, sizeof(t->key_id), "%.16s", t->keys[OTHER_HERE]);
    make_jwt_key(t, &c);
    make_webhook(t, &c);
    client_release(&c);
    testdb_exec("select inferpipe.workflow_register(inferpipe.workspace_id('other'),"
                " array['quetzal'], array['canary'], array['quetzal'], array[null::int8])");
    testdb_exec("select inferpipe.limit('quetzal', 5, p_workspace => 'other')");
    testdb_exec("select inferpipe_test.schedule('quetzal', now() + interval '1 day',"
                " p_workflow => 'quetzal', p_workspace => inferpipe.workspace_id('other'))");
    (void)snprintf(t->execution, sizeof(t->execution), "%s",
                   testdb_text("select inferpipe.start('quetzal', '\"canary\"', p_workspace => "
                               "'other')"));
}

/* ---- the callers ---------------------------------------------------------------------------- */

static void make_scoped(struct fixture *t)
{
    for (int i = 0; i < SCOPES; i++) {
        char all_but[1024] = "";

        for (int j = 0; j < SCOPES; j++)
            if (j != i)
                (void)snprintf(all_but + strlen(all_but), sizeof(all_but) - strlen(all_but), "%s%s",
                               *all_but ? " " : "", scope_name((enum scope)j));
        httptest_make_key(&t->http, "default", scope_name((enum scope)i), t->with[i]);
        httptest_make_key(&t->http, "default", all_but, t->without[i]);
    }
}

static int set_up(void **state)
{
    static const char *const args[] = { "--auth-failures", "1000000", NULL };
    static struct fixture t;

    memset(&t, 0, sizeof(t));
    setenv("INFERPIPE_SECRET_KEY", SECRET_KEY, 1);
    httptest_open(&t.http);
    make_other(&t);
    make_scoped(&t);
    (void)snprintf(t.keys[MALFORMED], HTTPTEST_KEY_SIZE, "ifp_not-a-key");
    memcpy(t.keys[FORGED], t.http.key, HTTPTEST_KEY_SIZE);
    t.keys[FORGED][30] = t.keys[FORGED][30] == 'A' ? 'B' : 'A';
    assert_int_equal(apikey_generate(t.keys[UNKNOWN]), 0);
    httptest_make_key(&t.http, "default", NULL, t.keys[REVOKED]);
    httptest_make_key(&t.http, "default", NULL, t.keys[EXPIRED]);
    testdb_execf("update inferpipe._inferpipe_api_keys set revoked_at = now()"
                 " where prefix = substr('%s', 5, 12)",
                 t.keys[REVOKED]);
    testdb_execf("update inferpipe._inferpipe_api_keys"
                 " set expires_at = created_at + interval '1 microsecond'"
                 " where prefix = substr('%s', 5, 12)",
                 t.keys[EXPIRED]);
    httptest_serve(&t.http, &t.server, "inferpipe", args);
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    httptest_stop(&t->server);
    httptest_close(&t->http);
    return httptest_cleanup(state);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The name of what is in the other workspace, for a parameter of this path. */
static const char *other_name(const struct fixture *t, const char *path, const char *parameter)
{
    if (strncmp(path, "/v1/executions/", 15) == 0 && strncmp(parameter, "{id}", 4) == 0)
        return t->execution;
    if (strncmp(path, "/v1/keys/", 9) == 0)
        return t->key_id;
    if (strncmp(path, "/v1/webhooks/{id}", 17) == 0 && strncmp(parameter, "{id}", 4) == 0)
        return t->webhook;
    return "quetzal";
}

static void fill_path(const struct fixture *t, const struct route *route, char ret[PATH_SIZE])
{
    size_t len = 0;

    for (const char *at = route->path; *at && len < PATH_SIZE - 1; at++) {
        if (*at != '{') {
            ret[len++] = *at;
            continue;
        }
        len += (size_t)snprintf(ret + len, PATH_SIZE - len, "%s", other_name(t, route->path, at));
        at = strchr(at, '}');
    }
    ret[len] = '\0';
}

static const char *key_for(const struct fixture *t, const struct route *route, enum caller_kind who)
{
    bool scoped = route->scope >= 0;

    if (who == WITH)
        return scoped ? t->with[route->scope] : t->http.key;
    if (who == WITHOUT)
        return scoped ? t->without[route->scope] : t->http.key;
    return t->keys[who];
}

/* An error may name what was asked for; and in the end there may be an own one of that name. */
static bool gives_away(const struct route *route, const struct httptest_answer *a)
{
    if (a->status >= 400 || !a->body)
        return false;
    return strstr(a->body, "canary") != NULL ||
           (route->method == HTTP_GET && strstr(a->body, "quetzal") != NULL);
}

static int ask(struct fixture *t, const struct route *route, enum caller_kind who)
{
    struct httptest_answer a;
    char path[PATH_SIZE], headers[HEADERS_SIZE];
    bool body = route->flags & ROUTE_BODY;
    int status;

    fill_path(t, route, path);
    (void)snprintf(headers, sizeof(headers), "%s%s%s%s%s",
                   who == NOBODY ? "" : "authorization: Bearer ",
                   who == NOBODY ? "" : key_for(t, route, who), who == NOBODY ? "" : "\r\n",
                   who == OTHER_HERE ? "x-inferpipe-workspace: default\r\n" : "",
                   body ? "content-type: application/json\r\n" : "");
    httptest_request(NULL, t->server.port, route_method_name(route->method), path, headers,
                     body ? "{}" : NULL, &a);
    status = a.status;
    t->requests++;
    if (gives_away(route, &a)) {
        t->leaks++;
        print_error("%s %s for %s gives away: %s\n", route_method_name(route->method), path,
                    caller_names[who], a.body);
    }
    httptest_release(&a);
    return status;
}

/* What this caller may get from this route. */
static bool is_right(const struct route *route, enum caller_kind who, int status)
{
    bool named = strchr(route->path, '{') != NULL;
    bool reads = route->method == HTTP_GET || route->method == HTTP_DELETE;

    if (route->scope == ROUTE_PUBLIC)
        return status != 401 && status != 403;
    if (who <= EXPIRED)
        return status == 401;
    if (who == OTHER_HERE)
        return status == 403;
    if (who == WITHOUT && route->scope >= 0)
        return status == 403;
    if (named && reads)
        return status == 404;
    return status != 401 && status != 403 && status < 500;
}

static void ask_all(struct fixture *t, const struct route *route)
{
    for (int who = 0; who < CALLERS; who++) {
        int status = ask(t, route, (enum caller_kind)who);

        if (is_right(route, (enum caller_kind)who, status))
            continue;
        t->wrong++;
        print_error("%s %s: %d for %s\n", route_method_name(route->method), route->path, status,
                    caller_names[who]);
    }
}

/* Last of all what may make something. */
static int turn_of(const struct route *route)
{
    return route->method == HTTP_GET ? 0 : route->method == HTTP_DELETE ? 1 : 2;
}

static void every_route_asks_every_caller(void **state)
{
    struct fixture *t = *state;

    for (int turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < ARRAY_LEN(tables); i++)
            for (size_t j = 0; j < *tables[i].count; j++)
                if (turn_of(&tables[i].routes[j]) == turn)
                    ask_all(t, &tables[i].routes[j]);
    print_message("%d requests, %d wrong, %d leaks\n", t->requests, t->wrong, t->leaks);
    assert_true(t->requests >= CALLERS * 20);
    assert_int_equal(t->wrong, 0);
    assert_int_equal(t->leaks, 0);
}

/* The same things are there for who owns them: what was 404 above is no mistake of the test. */
static void the_owner_finds_them(void **state)
{
    struct fixture *t = *state;
    char headers[HEADERS_SIZE];
    int found = 0;

    (void)snprintf(headers, sizeof(headers), "authorization: Bearer %s\r\n", t->keys[OTHER_HERE]);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t j = 0; j < *tables[i].count; j++) {
            const struct route *route = &tables[i].routes[j];
            struct httptest_answer a;
            char path[PATH_SIZE];

            if (route->method != HTTP_GET || !strchr(route->path, '{') || route->flags & ROUTE_LONG)
                continue;
            fill_path(t, route, path);
            httptest_request(NULL, t->server.port, "GET", path, headers, NULL, &a);
            found += a.status == 200;
            httptest_release(&a);
        }
    assert_true(found >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_asks_every_caller),
        cmocka_unit_test(the_owner_finds_them),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
