/*
 * tests/integration/test_keyring.c - what a server knows of keys: looked up once for many,
 * forgotten when the database says so, bounded, and good for its time when the database is away.
 */
#include "api/keyring.h"
#include "api/scope.h"
#include "base/clock.h"
#include "base/fault.h"
#include "lib/fronttest.h"
#include "lib/looptest.h"
#include "lib/signtest.h"
#include "lib/testdb.h"
#include "store/client_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
enum { WAITS = 20 };

struct asked {
    struct keyring_wait wait;
    struct fixture *t;
    int err;
    bool found;
    char workspace[64];
};

struct fixture {
    struct fronttest front;
    struct keyring *ring;
    struct client client;
    struct err e;
    int done;
    struct asked asked[WAITS];
};

static int64_t shift_us;

static int64_t shifted(void *ctx)
{
    (void)ctx;
    return shift_us;
}

static int set_up_with(void **state, const char *key_time, const char *cache)
{
    static struct fixture t;
    struct client_limits limits = { .payload_max = 1000, .payload_inline = 100 };

    memset(&t, 0, sizeof(t));
    fronttest_open(&t.front, NULL);
    fronttest_set(&t.front, CONFIG_KEY_CACHE_TIME, key_time);
    fronttest_set(&t.front, CONFIG_KEY_CACHE, cache);
    fronttest_set(&t.front, CONFIG_SECRET_KEY, BOX);
    fronttest_hear(&t.front, "inferpipe_keys");
    assert_int_equal(keyring_open(t.front.loop, &t.front.config, t.front.front, &t.ring, &t.e), 0);
    assert_int_equal(client_open(&t.client, t.front.url, "default", &limits, &t.e), 0);
    *state = &t;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, "60s", "10000");
}

static int set_up_small(void **state)
{
    return set_up_with(state, "60s", "10");
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    clock_replace(NULL, NULL, NULL);
    keyring_close(t->ring, fronttest_closed, &t->front);
    looptest_count(t->front.loop, &t->front.closed, 1);
    client_release(&t->client);
    fronttest_close(&t->front, NULL);
    return 0;
}

static void make_key(struct fixture *t, char text[APIKEY_SIZE], char prefix[APIKEY_PREFIX_SIZE])
{
    struct client_key_wanted w = { .scopes = "keys:read executions:read new:scope",
                                   .rate_per_min = 60 };

    if (client_key_create(&t->client, &w, text, NULL, NULL, &t->e) != 0)
        fail_msg("%s", t->e.text);
    assert_true(apikey_parse(text, APIKEY_LEN, prefix));
    fronttest_until_heard(&t->front, prefix);
}

static void on_asked(struct keyring_wait *w, int err, const struct keyring_key *key,
                     const struct err *e)
{
    struct asked *a = CONTAINER_OF(w, struct asked, wait);

    assert_true(err == 0 || e->code == err);
    a->err = err;
    a->found = key != NULL;
    (void)snprintf(a->workspace, sizeof(a->workspace), "%s", key ? key->workspace : "");
    a->t->done++;
}

static void ask(struct fixture *t, int n, const char *name)
{
    t->asked[n].t = t;
    t->asked[n].wait.done = on_asked;
    if (keyring_ask(t->ring, name, &t->asked[n].wait, &t->e) != 0)
        fail_msg("%s", t->e.text);
}

/* Asks and waits; true: there is such a key. */
static bool found(struct fixture *t, const char *name)
{
    int done = t->done;

    ask(t, 0, name);
    looptest_count(t->front.loop, &t->done, done + 1);
    assert_int_equal(t->asked[0].err, 0);
    return t->asked[0].found;
}

static enum keyring_answer look(struct fixture *t, const char *name)
{
    const struct keyring_key *key;

    return keyring_look(t->ring, name, &key);
}

struct until {
    struct fixture *t;
    const char *name;
    enum keyring_answer wanted;
};

static bool is_so(void *ctx)
{
    struct until *u = ctx;

    return look(u->t, u->name) == u->wanted;
}

static void until(struct fixture *t, const char *name, enum keyring_answer wanted)
{
    struct until u = { t, name, wanted };

    looptest_until(t->front.loop, is_so, &u);
}

static void a_key_is_known_after_it_was_asked_for(void **state)
{
    struct fixture *t = *state;
    const struct keyring_key *key;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];

    make_key(t, text, prefix);
    assert_int_equal(look(t, prefix), KEYRING_UNKNOWN);
    assert_true(found(t, prefix));
    assert_string_equal(t->asked[0].workspace, "default");
    assert_int_equal(keyring_look(t->ring, prefix, &key), KEYRING_KNOWN);
    assert_int_equal(apikey_hash(text, hash), 0);
    assert_memory_equal(key->hash, hash, sizeof(hash));
    assert_int_equal(key->scopes, 1u << SCOPE_KEYS_READ | 1u << SCOPE_EXECUTIONS_READ);
    assert_int_equal(key->rate_per_min, 60);
    assert_int_equal(key->workspace_id, 1);
    assert_false(key->revoked);
    assert_false(found(t, "nobodynobody"));
    assert_int_equal(look(t, "nobodynobody"), KEYRING_NOBODY);
}

static void many_who_ask_share_one_statement(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], one[APIKEY_PREFIX_SIZE], two[APIKEY_PREFIX_SIZE];

    make_key(t, text, one);
    make_key(t, text, two);
    for (int i = 0; i < WAITS; i++)
        ask(t, i, i % 2 ? one : i % 4 ? two : "nobodynobody");
    looptest_count(t->front.loop, &t->done, WAITS);
    assert_int_equal(keyring_stats(t->ring).statements, 1);
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(t->asked[i].found, i % 2 || i % 4);
    assert_int_equal(t->done, WAITS);
}

static void a_change_is_heard_of(void **state)
{
    struct fixture *t = *state;
    const struct keyring_key *key;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE], id[APIKEY_ID_SIZE];
    struct client_key_wanted w = { .text = text };

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    apikey_id_format(prefix, id);
    assert_int_equal(client_key_revoke(&t->client, id, NULL, NULL, &t->e), 0);
    until(t, prefix, KEYRING_STALE);
    assert_true(found(t, prefix));
    assert_int_equal(keyring_look(t->ring, prefix, &key), KEYRING_KNOWN);
    assert_true(key->revoked);

    /* and of a key that was nobody's a moment ago */
    assert_int_equal(apikey_generate(text), 0);
    assert_true(apikey_parse(text, APIKEY_LEN, prefix));
    assert_false(found(t, prefix));
    assert_int_equal(client_key_create(&t->client, &w, text, NULL, NULL, &t->e), 0);
    until(t, prefix, KEYRING_UNKNOWN);
    assert_true(found(t, prefix));
}

static void what_was_lost_with_the_listener_is_asked_again(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    assert_int_equal(look(t, prefix), KEYRING_KNOWN);
    testdb_exec("select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and query like 'listen%'");
    until(t, prefix, KEYRING_STALE);
    assert_true(found(t, prefix));
}

/* The clock is moved: what is known is good for its time, and looked up anew at half of it. */
static void a_key_ages(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];
    int64_t before;

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    assert_false(found(t, "nobodynobody"));
    shift_us = clock_mono_us() + 29000000;
    clock_replace(shifted, NULL, NULL);
    before = keyring_stats(t->ring).statements;
    assert_int_equal(look(t, prefix), KEYRING_KNOWN);
    assert_int_equal(look(t, "nobodynobody"), KEYRING_NOBODY);
    shift_us += 2000000;
    assert_int_equal(look(t, prefix), KEYRING_KNOWN); /* and it was asked for */
    shift_us += 40000000;
    assert_int_equal(look(t, prefix), KEYRING_STALE);
    assert_int_equal(look(t, "nobodynobody"), KEYRING_UNKNOWN);
    clock_replace(NULL, NULL, NULL);
    assert_true(found(t, prefix)); /* joins the look-up under way */
    assert_int_equal(keyring_stats(t->ring).statements, before + 1);
}

static void guesses_do_not_push_keys_out(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE], guess[APIKEY_PREFIX_SIZE];

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    for (int i = 0; i < 30; i++) {
        (void)snprintf(guess, sizeof(guess), "guess%07u", (unsigned)i % 100);
        assert_false(found(t, guess));
    }
    assert_int_equal(look(t, prefix), KEYRING_KNOWN);
    assert_int_equal(look(t, guess), KEYRING_NOBODY);
    assert_int_equal(keyring_stats(t->ring).nobodies, 2);
    for (int i = 0; i < 12; i++) {
        make_key(t, text, guess);
        assert_true(found(t, guess));
        assert_int_equal(look(t, prefix), KEYRING_KNOWN); /* it is in use */
    }
    assert_int_equal(keyring_stats(t->ring).keys, 10);
}

static bool is_used(void *ctx)
{
    (void)ctx;
    return testdb_int8("select count(last_used_at) from inferpipe._inferpipe_api_keys") == 1;
}

static void use_is_written_down(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    keyring_used(t->ring, prefix);
    keyring_used(t->ring, prefix);
    keyring_used(t->ring, "nobodynobody");
    looptest_until(t->front.loop, is_used, NULL);
}

static void take_nothing(void *ctx, const struct client_jwt_key *key)
{
    (void)ctx;
    (void)key;
}

static void jwt_keys_are_found_by_workspace_and_kid(void **state)
{
    struct fixture *t = *state;
    const struct keyring_key *key;
    struct signtest *pair = signtest_open("ED25519");
    struct client_jwt_key wanted = { .kid = "k1",
                                     .alg = "EdDSA",
                                     .issuer = "i",
                                     .audience = "a",
                                     .scopes = "servers:write",
                                     .material = signtest_pem(pair),
                                     .material_len = strlen(signtest_pem(pair)) };
    struct secretbox box;

    assert_int_equal(secretbox_init(&box, BOX, &t->e), 0);
    assert_int_equal(client_jwt_key_create(&t->client, &wanted, &box, take_nothing, NULL, &t->e),
                     0);
    wanted.kid = "hs";
    wanted.alg = "HS256";
    wanted.material = "a secret of no less than 32 bytes";
    wanted.material_len = strlen(wanted.material);
    assert_int_equal(client_jwt_key_create(&t->client, &wanted, &box, NULL, NULL, &t->e), 0);
    fronttest_until_heard(&t->front, "default/hs");
    assert_true(found(t, "default/k1"));
    assert_int_equal(keyring_look(t->ring, "default/k1", &key), KEYRING_KNOWN);
    assert_int_equal(crypto_verifier_alg(key->verifier), CRYPTO_EDDSA);
    assert_string_equal(key->issuer, "i");
    assert_string_equal(key->audience, "a");
    assert_true(key->id < 0);
    assert_int_equal(key->scopes, 1u << SCOPE_SERVERS_WRITE);
    assert_true(found(t, "default/hs"));
    assert_false(found(t, "other/k1"));
    assert_false(found(t, "default/k2"));
    testdb_exec("update inferpipe._inferpipe_jwt_keys set kid = 'moved' where kid = 'hs'");
    assert_false(found(t, "default/moved")); /* sealed for another row */
    assert_int_equal(client_jwt_key_delete(&t->client, "k1", &t->e), 0);
    until(t, "default/k1", KEYRING_STALE);
    assert_false(found(t, "default/k1"));
    secretbox_release(&box);
    signtest_close(pair);
}

static void a_database_that_fails_is_no_verdict(void **state)
{
    struct fixture *t = *state;
    char text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];
    int done;

    make_key(t, text, prefix);
    assert_true(found(t, prefix));
    testdb_exec("alter function inferpipe.key_find rename to key_find_gone");
    assert_int_equal(look(t, prefix), KEYRING_KNOWN); /* for the rest of its time */
    done = t->done;
    ask(t, 1, "newnewnewnew");
    ask(t, 2, "newnewnewnew");
    looptest_count(t->front.loop, &t->done, done + 2);
    assert_int_not_equal(t->asked[1].err, 0);
    assert_int_equal(t->asked[1].err, t->asked[2].err);
    assert_int_equal(look(t, "newnewnewnew"), KEYRING_UNKNOWN);
    testdb_exec("alter function inferpipe.key_find_gone rename to key_find");
    assert_false(found(t, "newnewnewnew"));
}

/* Asks that wait for nobody in particular. */
static void on_dropped(struct keyring_wait *w, int err, const struct keyring_key *key,
                       const struct err *e)
{
    struct asked *a = CONTAINER_OF(w, struct asked, wait);

    (void)e;
    assert_null(key);
    a->err = err;
    a->t->done++;
}

static void look_ups_are_bounded(void **state)
{
    static struct asked many[KEYRING_LOOKUPS_MAX + 1];
    struct fixture *t = *state;
    char name[APIKEY_PREFIX_SIZE];

    for (int i = 0; i <= KEYRING_LOOKUPS_MAX; i++) {
        int rc;

        many[i] = (struct asked){ .t = t, .wait.done = on_dropped };
        (void)snprintf(name, sizeof(name), "many%08u", (unsigned)i % 10000);
        rc = keyring_ask(t->ring, name, &many[i].wait, &t->e);
        assert_int_equal(rc, i < KEYRING_LOOKUPS_MAX ? 0 : IFP_EUNAVAILABLE);
    }
    assert_int_equal(keyring_ask(t->ring, "many00000001", &many[KEYRING_LOOKUPS_MAX].wait, &t->e),
                     0); /* joins one that waits */
    looptest_count(t->front.loop, &t->done, KEYRING_LOOKUPS_MAX + 1);
    assert_in_range(keyring_stats(t->ring).statements, 4, 5); /* 256 each */
}

/* The n-th allocation fails: who asked hears of it once, and the keyring goes on. */
static void missing_memory_is_an_error(void **state)
{
    struct fixture *t = *state;
    uint64_t n = 1, hits;
    char name[APIKEY_PREFIX_SIZE];

    do {
        int done = t->done;

        (void)snprintf(name, sizeof(name), "none%08u", (unsigned)n % 10000);
        t->asked[0] = (struct asked){ .t = t, .wait.done = on_dropped };
        fault_arm(FAULT_ALLOC, n, false);
        if (keyring_ask(t->ring, name, &t->asked[0].wait, &t->e) == 0)
            looptest_count(t->front.loop, &t->done, done + 1);
        hits = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
    } while (hits >= n++ && n < 1000);
    assert_in_range(n, 3, 999);
    assert_false(found(t, "nobodynobody"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_key_is_known_after_it_was_asked_for),
        CASE(many_who_ask_share_one_statement),
        CASE(a_change_is_heard_of),
        CASE(what_was_lost_with_the_listener_is_asked_again),
        CASE(a_key_ages),
        cmocka_unit_test_setup_teardown(guesses_do_not_push_keys_out, set_up_small, tear_down),
        CASE(use_is_written_down),
        CASE(jwt_keys_are_found_by_workspace_and_kid),
        CASE(a_database_that_fails_is_no_verdict),
        CASE(look_ups_are_bounded),
        CASE(missing_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
