/*
 * tests/integration/test_client_keys.c - keys and workspaces for administrators against a real
 * database: what is made, shown, rotated and revoked, and that a lost answer makes nothing twice.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "lib/clienttest.h"
#include "lib/signtest.h"
#include "store/client_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct seen {
    int count;
    char id[APIKEY_ID_SIZE], from[APIKEY_ID_SIZE], name[64], scopes[64], state[16];
    int64_t rate, burst, created_us, expires_us, revoked_us;
};

static void take_key(void *ctx, const struct client_key *key)
{
    struct seen *s = ctx;

    s->count++;
    (void)snprintf(s->id, sizeof(s->id), "%s", key->id);
    (void)snprintf(s->from, sizeof(s->from), "%s", key->rotated_from ? key->rotated_from : "");
    (void)snprintf(s->name, sizeof(s->name), "%s", key->name);
    (void)snprintf(s->scopes, sizeof(s->scopes), "%s", key->scopes);
    (void)snprintf(s->state, sizeof(s->state), "%s", key->state);
    s->rate = key->rate_per_min;
    s->burst = key->burst;
    s->created_us = key->created_us;
    s->expires_us = key->expires_us;
    s->revoked_us = key->revoked_us;
}

static struct seen made(struct clienttest *t, const struct client_key_wanted *w, char *text)
{
    struct seen s = { 0 };

    if (client_key_create(&t->c, w, text, take_key, &s, &t->e) != 0)
        fail_msg("%s", t->e.text);
    assert_int_equal(s.count, 1);
    assert_memory_equal(text, s.id, strlen(s.id));
    return s;
}

static void a_key_is_made_and_its_secret_stored_nowhere(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { .name = "ci",
                                   .scopes = "executions:read keys:read",
                                   .lifetime_ms = 60000,
                                   .rate_per_min = 600,
                                   .burst = 20 };
    char text[APIKEY_SIZE], sql[256];
    struct seen s = made(t, &w, text);

    assert_string_equal(s.name, "ci");
    assert_string_equal(s.scopes, "executions:read keys:read");
    assert_string_equal(s.state, "active");
    assert_int_equal(s.rate, 600);
    assert_int_equal(s.burst, 20);
    assert_int_equal(s.expires_us - s.created_us, 60000000);
    (void)snprintf(sql, sizeof(sql),
                   "select count(*) from inferpipe._inferpipe_api_keys k"
                   " where to_jsonb(k)::text like '%%%s%%'",
                   text + APIKEY_LEN - APIKEY_SECRET_LEN);
    assert_int_equal(testdb_int8(sql), 0);
    w = (struct client_key_wanted){ 0 };
    s = made(t, &w, text);
    assert_string_equal(s.scopes, "*");
    assert_int_equal(s.rate, 0);
    assert_int_equal(s.expires_us, 0);
}

static void bad_wishes_are_refused_by_name(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { .rate_per_min = -1 };
    char text[APIKEY_SIZE];

    assert_int_equal(client_key_create(&t->c, &w, text, NULL, NULL, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "ratePerMinute");
    w = (struct client_key_wanted){ .burst = 5 };
    assert_int_equal(client_key_create(&t->c, &w, text, NULL, NULL, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "burst");
    w = (struct client_key_wanted){ .lifetime_ms = 1 };
    assert_int_equal(client_key_create(&t->c, &w, text, NULL, NULL, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "expiresInMs");
    w = (struct client_key_wanted){ .text = "ifp_secret" };
    assert_int_equal(client_key_create(&t->c, &w, text, NULL, NULL, &t->e), IFP_EINVALID);
    assert_null(strstr(t->e.text, "ifp_secret"));
    assert_int_equal(client_key_get(&t->c, "nope", NULL, NULL, &t->e), IFP_EINVALID);
    assert_int_equal(client_key_get(&t->c, "ifp_000000000000", NULL, NULL, &t->e), IFP_ENOTFOUND);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_api_keys"), 0);
}

static void keys_are_listed_page_by_page(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { .name = "first" };
    struct seen s = { 0 };
    char text[APIKEY_SIZE];

    (void)made(t, &w, text);
    w.name = "second";
    (void)made(t, &w, text);
    assert_int_equal(client_key_list(&t->c, NULL, 1, take_key, &s, &t->e), 0);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.name, "second");
    assert_int_equal(client_key_list(&t->c, s.id, 10, take_key, &s, &t->e), 0);
    assert_int_equal(s.count, 2);
    assert_string_equal(s.name, "first");
}

static void a_rotated_key_ends_after_the_overlap(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { .name = "ci", .scopes = "keys:read" };
    struct seen old, s = { 0 };
    char text[APIKEY_SIZE], next[APIKEY_SIZE];

    old = made(t, &w, text);
    assert_int_equal(client_key_rotate(&t->c, old.id, 3600000, next, take_key, &s, &t->e), 0);
    assert_memory_equal(next, s.id, strlen(s.id));
    assert_string_equal(s.from, old.id);
    assert_string_equal(s.scopes, "keys:read");
    assert_int_equal(client_key_get(&t->c, old.id, take_key, &s, &t->e), 0);
    assert_string_equal(s.state, "active");
    testdb_exec("update inferpipe_test.clock set shift = '1 hour'");
    assert_int_equal(client_key_get(&t->c, old.id, take_key, &s, &t->e), 0);
    assert_string_equal(s.state, "expired");
    assert_int_equal(client_key_rotate(&t->c, old.id, 0, next, NULL, NULL, &t->e), IFP_ECONFLICT);
}

static void a_revoked_key_stays_so(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { 0 };
    char text[APIKEY_SIZE];
    struct seen s = made(t, &w, text), again = { 0 };

    assert_int_equal(client_key_revoke(&t->c, s.id, take_key, &s, &t->e), 0);
    assert_string_equal(s.state, "revoked");
    assert_int_equal(client_key_revoke(&t->c, s.id, take_key, &again, &t->e), 0);
    assert_int_equal(again.revoked_us, s.revoked_us);
}

static void a_lost_answer_makes_nothing_twice(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { 0 };
    struct seen s = { 0 };
    char text[APIKEY_SIZE], id[APIKEY_ID_SIZE];
    bool new;

    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    s = made(t, &w, text);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_api_keys"), 1);
    memcpy(id, s.id, sizeof(id));
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_key_rotate(&t->c, id, 0, text, take_key, &s, &t->e), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_api_keys"), 2);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_key_revoke(&t->c, s.id, take_key, &s, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_workspace_create(&t->c, "other", &new, &t->e), 0);
    w.text = text;
    assert_int_equal(client_key_create(&t->c, &w, text, take_key, &s, &t->e), 0);
    assert_string_equal(s.state, "revoked"); /* it was there */
}

static void take_jwt(void *ctx, const struct client_jwt_key *key)
{
    struct seen *s = ctx;

    s->count++;
    (void)snprintf(s->id, sizeof(s->id), "%s", key->kid);
    (void)snprintf(s->name, sizeof(s->name), "%s %s %s", key->alg, key->issuer, key->audience);
    (void)snprintf(s->scopes, sizeof(s->scopes), "%s", key->scopes);
}

static void jwt_keys_come_and_go(void **state)
{
    struct clienttest *t = *state;
    struct signtest *pair = signtest_open("P-256");
    struct client_jwt_key key = { .kid = "k1",
                                  .alg = "ES256",
                                  .issuer = "https://id.example",
                                  .audience = "inferpipe",
                                  .scopes = "servers:write",
                                  .material = signtest_pem(pair),
                                  .material_len = strlen(signtest_pem(pair)) };
    struct secretbox none = { 0 };
    struct seen s = { 0 };

    assert_int_equal(client_jwt_key_create(&t->c, &key, &none, take_jwt, &s, &t->e), 0);
    assert_string_equal(s.name, "ES256 https://id.example inferpipe");
    assert_string_equal(s.scopes, "servers:write");
    key.alg = "RS256";
    assert_int_equal(client_jwt_key_create(&t->c, &key, &none, NULL, NULL, &t->e), IFP_EINVALID);
    key.alg = "none";
    assert_int_equal(client_jwt_key_create(&t->c, &key, &none, NULL, NULL, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "alg");
    assert_int_equal(client_jwt_key_list(&t->c, NULL, 10, take_jwt, &s, &t->e), 0);
    assert_int_equal(client_jwt_key_list(&t->c, "k1", 10, take_jwt, &s, &t->e), 0);
    assert_int_equal(s.count, 2);
    assert_int_equal(client_jwt_key_delete(&t->c, "k1", &t->e), 0);
    assert_int_equal(client_jwt_key_delete(&t->c, "k1", &t->e), IFP_ENOTFOUND);
    signtest_close(pair);
}

static void a_secret_is_stored_sealed(void **state)
{
    struct clienttest *t = *state;
    struct client_jwt_key key = { .kid = "hs",
                                  .alg = "HS256",
                                  .issuer = "i",
                                  .audience = "a",
                                  .material = "canary-canary-canary-canary-canary",
                                  .material_len = 34 };
    struct secretbox box;

    assert_int_equal(secretbox_init(&box, "", &t->e), 0);
    assert_int_equal(client_jwt_key_create(&t->c, &key, &box, NULL, NULL, &t->e), IFP_EUNAVAILABLE);
    assert_int_equal(secretbox_init(&box, BOX, &t->e), 0);
    assert_int_equal(client_jwt_key_create(&t->c, &key, &box, NULL, NULL, &t->e), 0);
    assert_int_equal(testdb_int8("select position('canary'::bytea in material)"
                                 " from inferpipe._inferpipe_jwt_keys"),
                     0);
    key.kid = "short";
    key.material_len = 31;
    assert_int_equal(client_jwt_key_create(&t->c, &key, &box, NULL, NULL, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "secret");
    secretbox_release(&box);
}

static void count_workspace(void *ctx, const char *slug, int64_t created_us, int64_t keys)
{
    struct seen *s = ctx;

    assert_true(created_us > 0);
    s->count++;
    s->rate = keys;
    (void)snprintf(s->name, sizeof(s->name), "%s", slug);
}

static void workspaces_are_made_once(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { 0 };
    struct seen s = { 0 };
    char text[APIKEY_SIZE];
    bool new;

    assert_int_equal(client_workspace_create(&t->c, "zoo", &new, &t->e), 0);
    assert_true(new);
    assert_int_equal(client_workspace_create(&t->c, "zoo", &new, &t->e), 0);
    assert_false(new);
    assert_int_equal(client_workspace_create(&t->c, "Not A Slug", &new, &t->e), IFP_EINVALID);
    assert_int_equal(
        client_set_workspace(
            &t->c, "zoo",
            (int32_t)testdb_int8(
                "select workspace_id from inferpipe._inferpipe_workspaces where slug = 'zoo'"),
            &t->e),
        0);
    (void)made(t, &w, text);
    assert_int_equal(client_workspace_list(&t->c, count_workspace, &s, &t->e), 0);
    assert_int_equal(s.count, 2);
    assert_string_equal(s.name, "zoo");
    assert_int_equal(s.rate, 1);
}

/* The n-th allocation fails: an error, and what was made is whole or not there. */
static void missing_memory_is_an_error(void **state)
{
    struct clienttest *t = *state;
    struct client_key_wanted w = { .name = "ci" };
    char text[APIKEY_SIZE];
    struct seen s = { 0 };
    uint64_t n = 1, hits;
    int rc;

    do {
        fault_arm(FAULT_ALLOC, n, false);
        rc = client_key_create(&t->c, &w, text, take_key, &s, &t->e);
        hits = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM || rc == IFP_EUNAVAILABLE);
    } while (hits >= n++ && n < 1000);
    assert_int_equal(rc, 0);
    assert_true(s.count >= 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_api_keys"
                                 " where name <> 'ci' or scopes <> '{*}'"),
                     0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_key_is_made_and_its_secret_stored_nowhere),
        CASE(bad_wishes_are_refused_by_name),
        CASE(keys_are_listed_page_by_page),
        CASE(a_rotated_key_ends_after_the_overlap),
        CASE(a_revoked_key_stays_so),
        CASE(a_lost_answer_makes_nothing_twice),
        CASE(jwt_keys_come_and_go),
        CASE(a_secret_is_stored_sealed),
        CASE(workspaces_are_made_once),
        CASE(missing_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
