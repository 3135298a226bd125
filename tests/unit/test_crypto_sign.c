/*
 * tests/unit/test_crypto_sign.c - signatures of the four algorithms: those of the key pass, all
 * others do not, and a key serves one algorithm alone.
 */
#include "base/crypto.h"
#include "base/mem.h"
#include "lib/signtest.h"

#include <inferpipe.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    enum crypto_alg alg;
    const char *kind;
} pairs[] = {
    { CRYPTO_HS256, "SECRET" },
    { CRYPTO_RS256, "RSA2048" },
    { CRYPTO_ES256, "P-256" },
    { CRYPTO_EDDSA, "ED25519" },
};

static struct crypto_verifier *verifier(enum crypto_alg alg, const struct signtest *s)
{
    struct crypto_verifier *v;
    uint8_t *der = NULL;
    size_t len;
    struct err e;
    int rc = 0;

    err_clear(&e);
    if (alg == CRYPTO_HS256) {
        const uint8_t *secret = signtest_secret(s, &len);

        rc = crypto_verifier_open(alg, secret, len, &v, &e);
    } else {
        rc = crypto_public_read(alg, signtest_pem(s), strlen(signtest_pem(s)), &der, &len, &e);
        if (rc == 0)
            rc = crypto_verifier_open(alg, der, len, &v, &e);
        mem_free(der);
    }
    if (rc != 0)
        fail_msg("%s", e.text);
    assert_int_equal(crypto_verifier_alg(v), alg);
    return v;
}

static void only_the_signature_of_the_key_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct signtest *s = signtest_open(pairs[i].kind), *other = signtest_open(pairs[i].kind);
        struct crypto_verifier *v = verifier(pairs[i].alg, s);
        uint8_t sig[SIGNTEST_SIG_MAX];
        size_t len = signtest_sign(s, "hello", 5, sig);

        assert_int_equal(crypto_verify(v, "hello", 5, sig, len), 0);
        assert_int_equal(crypto_verify(v, "hellp", 5, sig, len), IFP_EUNAUTHORIZED);
        assert_int_equal(crypto_verify(v, "hello", 5, sig, len - 1), IFP_EUNAUTHORIZED);
        assert_int_equal(crypto_verify(v, "hello", 5, sig, 0), IFP_EUNAUTHORIZED);
        for (size_t bit = 0; bit < 8 * len; bit += 7) {
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(crypto_verify(v, "hello", 5, sig, len), IFP_EUNAUTHORIZED);
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        memset(sig, 0, sizeof(sig));
        assert_int_equal(crypto_verify(v, "hello", 5, sig, len), IFP_EUNAUTHORIZED);
        memset(sig, 0xff, sizeof(sig));
        assert_int_equal(crypto_verify(v, "hello", 5, sig, len), IFP_EUNAUTHORIZED);
        len = signtest_sign(other, "hello", 5, sig);
        assert_int_equal(crypto_verify(v, "hello", 5, sig, len), IFP_EUNAUTHORIZED);
        crypto_verifier_close(v);
        signtest_close(other);
        signtest_close(s);
    }
}

static int read_as(enum crypto_alg alg, const char *pem, struct err *e)
{
    uint8_t *der;
    size_t len;
    int rc;

    err_clear(e);
    rc = crypto_public_read(alg, pem, strlen(pem), &der, &len, e);
    if (rc == 0)
        mem_free(der);
    return rc;
}

static void a_key_serves_its_algorithm_alone(void **state)
{
    static const char *const kinds[] = { "RSA1024", "RSA2048", "P-256", "P-384", "ED25519" };
    static const int fits[] = { -1, CRYPTO_RS256, CRYPTO_ES256, -1, CRYPTO_EDDSA };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct signtest *s = signtest_open(kinds[i]);

        for (int alg = 0; alg < CRYPTO_ALGS; alg++)
            assert_int_equal(read_as((enum crypto_alg)alg, signtest_pem(s), &e),
                             alg == fits[i] ? 0 : IFP_EINVALID);
        signtest_close(s);
    }
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "secret",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    };
    struct crypto_verifier *v;
    uint8_t secret[CRYPTO_SECRET_MAX + 1] = { 1 };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(read_as(CRYPTO_RS256, bad[i], &e), IFP_EINVALID);
    assert_int_equal(crypto_verifier_open(CRYPTO_HS256, secret, CRYPTO_SECRET_MIN - 1, &v, &e),
                     IFP_EINVALID);
    assert_int_equal(crypto_verifier_open(CRYPTO_HS256, secret, sizeof(secret), &v, &e),
                     IFP_EINVALID);
    assert_int_equal(crypto_verifier_open(CRYPTO_ES256, secret, 91, &v, &e), IFP_EINVALID);
    assert_int_equal(crypto_verifier_open(CRYPTO_RS256, secret, 0, &v, &e), IFP_EINVALID);
    crypto_verifier_close(NULL);
}

static void names_are_exact(void **state)
{
    static const char *const bad[] = { "none", "None", "hs256", "HS384", "RS256 ", "EDDSA", "" };

    (void)state;
    for (int alg = 0; alg < CRYPTO_ALGS; alg++)
        assert_int_equal(crypto_alg_find(crypto_alg_name((enum crypto_alg)alg)), alg);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(crypto_alg_find(bad[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_signature_of_the_key_passes),
        cmocka_unit_test(a_key_serves_its_algorithm_alone),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(names_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
