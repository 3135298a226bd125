/*
 * tests/unit/test_jwt.c - tokens: those that the key made pass, and of the forgeries none does.
 */
#include "api/jwt.h"
#include "base/fault.h"
#include "base/mem.h"
#include "lib/signtest.h"

#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW = 1800000000 };
#define CLAIMS "\"iss\":\"https://id.example\",\"aud\":\"inferpipe\""
#define GOOD "{" CLAIMS ",\"exp\":1800000100,\"sub\":\"u1\",\"scope\":\"keys:read\"}"
#define HEAD(alg) "{\"alg\":\"" alg "\",\"typ\":\"JWT\",\"kid\":\"k1\"}"

struct fixture {
    struct signtest *pairs[CRYPTO_ALGS], *other[CRYPTO_ALGS];
    struct crypto_verifier *verifiers[CRYPTO_ALGS];
    struct arena arena;
    struct jwt_claims claims;
    struct err e;
};

static const char *const kinds[CRYPTO_ALGS] = { "SECRET", "RSA2048", "P-256", "ED25519" };
static const char *const heads[CRYPTO_ALGS] = { HEAD("HS256"), HEAD("RS256"), HEAD("ES256"),
                                                HEAD("EdDSA") };

static int set_up(void **state)
{
    static struct fixture t;

    for (int i = 0; i < CRYPTO_ALGS; i++) {
        uint8_t *der = NULL;
        const uint8_t *material;
        size_t len;

        t.pairs[i] = signtest_open(kinds[i]);
        t.other[i] = signtest_open(kinds[i]);
        material = signtest_secret(t.pairs[i], &len);
        if (i != CRYPTO_HS256) {
            const char *pem = signtest_pem(t.pairs[i]);

            assert_int_equal(
                crypto_public_read((enum crypto_alg)i, pem, strlen(pem), &der, &len, &t.e), 0);
            material = der;
        }
        assert_int_equal(
            crypto_verifier_open((enum crypto_alg)i, material, len, &t.verifiers[i], &t.e), 0);
        mem_free(der);
    }
    arena_init(&t.arena, 0);
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    for (int i = 0; i < CRYPTO_ALGS; i++) {
        signtest_close(t->pairs[i]);
        signtest_close(t->other[i]);
        crypto_verifier_close(t->verifiers[i]);
    }
    arena_release(&t->arena);
    return 0;
}

/* Parses and checks against the key of this algorithm. */
static int check(struct fixture *t, const char *token, enum crypto_alg alg)
{
    struct slice text = { token, strlen(token) };
    struct jwt_rules rules = { .verifier = t->verifiers[alg],
                               .issuer = "https://id.example",
                               .audience = "inferpipe" };
    struct jwt jwt;
    int rc;

    arena_reset(&t->arena);
    err_clear(&t->e);
    rc = jwt_parse(text, &t->arena, &jwt, &t->e);
    if (rc == 0)
        rc = jwt_check(&jwt, &rules, NOW, &t->arena, &t->claims, &t->e);
    return rc;
}

static int check_claims(struct fixture *t, const char *payload)
{
    return check(t, signtest_token(t->pairs[CRYPTO_ES256], heads[CRYPTO_ES256], payload),
                 CRYPTO_ES256);
}

static int check_head(struct fixture *t, const char *head)
{
    return check(t, signtest_token(t->pairs[CRYPTO_ES256], head, GOOD), CRYPTO_ES256);
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        assert_int_equal((call), IFP_EUNAUTHORIZED);                                               \
        assert_int_equal(t->e.code, IFP_EUNAUTHORIZED);                                            \
    } while (0)

static void tokens_of_the_key_pass(void **state)
{
    struct fixture *t = *state;

    for (int i = 0; i < CRYPTO_ALGS; i++) {
        const char *token = signtest_token(t->pairs[i], heads[i], GOOD);

        assert_true(jwt_is((struct slice){ token, strlen(token) }));
        if (check(t, token, (enum crypto_alg)i) != 0)
            fail_msg("%s: %s", heads[i], t->e.text);
        assert_string_equal(t->claims.subject, "u1");
        assert_string_equal(t->claims.scope, "keys:read");
        assert_int_equal(t->claims.expires_s, 1800000100);
    }
    assert_int_equal(check_claims(t,
                                  "{\"aud\":[\"x\",\"inferpipe\"],\"iss\":\"https://id.example\","
                                  "\"exp\":1800000000.5,\"nbf\":1799999999,\"iat\":1.8e9}"),
                     0);
    assert_string_equal(t->claims.subject, "");
    assert_null(t->claims.scope);
}

static void no_token_is_taken_for_another_key_or_algorithm(void **state)
{
    struct fixture *t = *state;

    for (int i = 0; i < CRYPTO_ALGS; i++) {
        REFUSED(check(t, signtest_token(t->other[i], heads[i], GOOD), (enum crypto_alg)i));
        for (int j = 0; j < CRYPTO_ALGS; j++) {
            if (i == j)
                continue;
            /* the key of one, called another's; and checked by another's */
            REFUSED(check(t, signtest_token(t->pairs[i], heads[j], GOOD), (enum crypto_alg)i));
            REFUSED(check(t, signtest_token(t->pairs[i], heads[j], GOOD), (enum crypto_alg)j));
            REFUSED(check(t, signtest_token(t->pairs[i], heads[i], GOOD), (enum crypto_alg)j));
        }
    }
}

/* The classic: the public key as the secret of an HMAC, in each form that it has. */
static void a_public_key_is_no_secret(void **state)
{
    struct fixture *t = *state;

    for (int i = CRYPTO_RS256; i < CRYPTO_ALGS; i++) {
        const char *pem = signtest_pem(t->pairs[i]);
        uint8_t *der;
        size_t len;

        REFUSED(check(t, signtest_token_hmac(heads[CRYPTO_HS256], GOOD, pem, strlen(pem)),
                      (enum crypto_alg)i));
        REFUSED(
            check(t, signtest_token_hmac(heads[i], GOOD, pem, strlen(pem)), (enum crypto_alg)i));
        assert_int_equal(
            crypto_public_read((enum crypto_alg)i, pem, strlen(pem), &der, &len, &t->e), 0);
        REFUSED(
            check(t, signtest_token_hmac(heads[CRYPTO_HS256], GOOD, der, len), (enum crypto_alg)i));
        mem_free(der);
    }
    REFUSED(check(t, signtest_token_hmac(heads[CRYPTO_HS256], GOOD, "", 0), CRYPTO_HS256));
    REFUSED(check(t, signtest_token_hmac(heads[CRYPTO_HS256], GOOD, "secret", 6), CRYPTO_HS256));
}

static void signatures_cannot_be_left_out_or_made_up(void **state)
{
    /* r = s = 0; r = s = 1; r = 0; the order of P-256; all ones */
    static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                       0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
    struct fixture *t = *state;
    uint8_t sig[SIGNTEST_SIG_MAX] = { 0 };

    for (int i = 0; i < CRYPTO_ALGS; i++) {
        static const size_t sizes[] = { 0, 1, 32, 63, 64, 65, 256 };

        for (size_t j = 0; j < ARRAY_LEN(sizes); j++)
            REFUSED(
                check(t, signtest_token_raw(heads[i], GOOD, sig, sizes[j]), (enum crypto_alg)i));
    }
    sig[31] = sig[63] = 1;
    REFUSED(check(t, signtest_token_raw(heads[CRYPTO_ES256], GOOD, sig, 64), CRYPTO_ES256));
    sig[31] = 0;
    REFUSED(check(t, signtest_token_raw(heads[CRYPTO_ES256], GOOD, sig, 64), CRYPTO_ES256));
    memcpy(sig, order, sizeof(order));
    memcpy(sig + 32, order, sizeof(order));
    REFUSED(check(t, signtest_token_raw(heads[CRYPTO_ES256], GOOD, sig, 64), CRYPTO_ES256));
    memset(sig, 0xff, sizeof(sig));
    for (int i = 0; i < CRYPTO_ALGS; i++)
        REFUSED(check(t, signtest_token_raw(heads[i], GOOD, sig, 64), (enum crypto_alg)i));
}

static void bad_headers_are_refused(void **state)
{
    static const char *const bad[] = {
        "{\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"None\",\"kid\":\"k1\"}",
        "{\"alg\":\"nOnE\",\"kid\":\"k1\"}",
        "{\"alg\":\"\",\"kid\":\"k1\"}",
        "{\"alg\":null,\"kid\":\"k1\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"k1\"}",
        "{\"alg\":\"es256\",\"kid\":\"k1\"}",
        "{\"alg\":\"ES384\",\"kid\":\"k1\"}",
        "{\"alg\":\"PS256\",\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\"}",
        "{\"alg\":\"ES256\",\"kid\":1}",
        "{\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"kid\":\"k2\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"secevent+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\"",
        "{\"alg\":\"ES256\",\"kid\":\"k1\"}{}",
        "[\"ES256\"]",
        "",
    };
    struct fixture *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        REFUSED(check_head(t, bad[i]));
    assert_int_equal(check_head(t, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jku\":\"https://evil\","
                                   "\"jwk\":{},\"x5c\":[]}"),
                     0); /* never looked at */
}

static void bad_claims_are_refused(void **state)
{
    static const char *const bad[] = {
        "{" CLAIMS "}",
        "{" CLAIMS ",\"exp\":1799999940}",
        "{" CLAIMS ",\"exp\":0}",
        "{" CLAIMS ",\"exp\":-1}",
        "{" CLAIMS ",\"exp\":\"1800000100\"}",
        "{" CLAIMS ",\"exp\":null}",
        "{" CLAIMS ",\"exp\":1e999}",
        "{" CLAIMS ",\"exp\":1800000100000000000}",
        "{" CLAIMS ",\"exp\":true}",
        "{" CLAIMS ",\"exp\":1,\"exp\":1800000100}",
        "{" CLAIMS ",\"exp\":1800000100,\"nbf\":1800000061}",
        "{" CLAIMS ",\"exp\":1800000100,\"nbf\":\"0\"}",
        "{" CLAIMS ",\"exp\":1800000100,\"iat\":1800000061}",
        "{" CLAIMS ",\"exp\":1800000100,\"sub\":1}",
        "{" CLAIMS ",\"exp\":1800000100,\"scope\":[\"keys:read\"]}",
        "{" CLAIMS ",\"aud\":\"x\",\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":\"other\",\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":\"inferpipe2\",\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":[],\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":[\"x\"],\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":[\"inferpipe\",1],\"exp\":1800000100}",
        "{\"iss\":\"https://id.example\",\"aud\":{\"inferpipe\":1},\"exp\":1800000100}",
        "{\"aud\":\"inferpipe\",\"exp\":1800000100}",
        "{\"iss\":\"https://id.example/\",\"aud\":\"inferpipe\",\"exp\":1800000100}",
        "{\"iss\":[\"https://id.example\"],\"aud\":\"inferpipe\",\"exp\":1800000100}",
        "[]",
        "null",
        "",
        GOOD "x",
    };
    struct fixture *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        REFUSED(check_claims(t, bad[i]));
}

static void the_leeway_is_a_minute_and_no_more(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(check_claims(t, "{" CLAIMS ",\"exp\":1799999941}"), 0);
    REFUSED(check_claims(t, "{" CLAIMS ",\"exp\":1799999940}"));
    assert_int_equal(check_claims(t, "{" CLAIMS ",\"exp\":1800000100,\"nbf\":1800000060}"), 0);
    REFUSED(check_claims(t, "{" CLAIMS ",\"exp\":1800000100,\"nbf\":1800000060.5}"));
}

/* Each character of a good token but one, changed, added and taken away. */
static void a_changed_token_is_another(void **state)
{
    struct fixture *t = *state;
    char token[SIGNTEST_TOKEN_MAX], changed[SIGNTEST_TOKEN_MAX + 2];
    size_t len;

    (void)snprintf(token, sizeof(token), "%s",
                   signtest_token(t->pairs[CRYPTO_ES256], heads[CRYPTO_ES256], GOOD));
    len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, token, len + 1);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        REFUSED(check(t, changed, CRYPTO_ES256));
        memmove(changed + i, token + i + 1, len - i);
        REFUSED(check(t, changed, CRYPTO_ES256));
    }
    for (const char *tail = "=.A \n"; *tail; tail++) {
        (void)snprintf(changed, sizeof(changed), "%s%c", token, *tail);
        REFUSED(check(t, changed, CRYPTO_ES256));
    }
    (void)snprintf(changed, sizeof(changed), " %s", token);
    REFUSED(check(t, changed, CRYPTO_ES256));
    assert_int_equal(check(t, token, CRYPTO_ES256), 0);
}

/* 86 characters hold 64 bytes and four bits to spare: only zero ones are taken. */
static void there_is_one_spelling_of_a_signature(void **state)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct fixture *t = *state;
    char token[SIGNTEST_TOKEN_MAX];
    size_t last;
    int passed = 0;

    (void)snprintf(token, sizeof(token), "%s",
                   signtest_token(t->pairs[CRYPTO_EDDSA], heads[CRYPTO_EDDSA], GOOD));
    last = strlen(token) - 1;
    for (const char *c = letters; *c; c++) {
        token[last] = *c;
        passed += check(t, token, CRYPTO_EDDSA) == 0;
    }
    assert_int_equal(passed, 1);
}

static void sizes_and_shapes_are_bounded(void **state)
{
    struct fixture *t = *state;
    static const char *const bad[] = { "", ".", "..", "a.b", "a.b.c.d", "e30.e30.", "...." };
    char token[JWT_SIZE_MAX + 2];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        REFUSED(check(t, bad[i], CRYPTO_ES256));
    memset(token, 'A', sizeof(token));
    token[1] = token[3] = '.';
    token[JWT_SIZE_MAX + 1] = '\0';
    REFUSED(check(t, token, CRYPTO_ES256));
    assert_non_null(strstr(t->e.text, "too long"));
    assert_false(jwt_is((struct slice){ "ifp_x_y", 7 }));
    assert_false(jwt_is((struct slice){ "a.b", 3 }));
}

/* The n-th allocation fails: no token is let in by that, and none is refused as forged. */
static void missing_memory_is_no_verdict(void **state)
{
    struct fixture *t = *state;
    char token[SIGNTEST_TOKEN_MAX];
    uint64_t n = 1, hits;
    int rc;

    (void)snprintf(token, sizeof(token), "%s",
                   signtest_token(t->pairs[CRYPTO_ES256], heads[CRYPTO_ES256], GOOD));
    do {
        arena_release(&t->arena);
        fault_arm(FAULT_ALLOC, n, false);
        rc = check(t, token, CRYPTO_ES256);
        hits = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_int_equal(rc, hits >= n ? IFP_ENOMEM : 0);
    } while (hits >= n++);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_the_key_pass),
        cmocka_unit_test(no_token_is_taken_for_another_key_or_algorithm),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(signatures_cannot_be_left_out_or_made_up),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(bad_claims_are_refused),
        cmocka_unit_test(the_leeway_is_a_minute_and_no_more),
        cmocka_unit_test(a_changed_token_is_another),
        cmocka_unit_test(there_is_one_spelling_of_a_signature),
        cmocka_unit_test(sizes_and_shapes_are_bounded),
        cmocka_unit_test(missing_memory_is_no_verdict),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
