/* tests/unit/test_sign.c - signatures of webhooks: known values, rotation, and every forgery. */
#include "api/sign.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh1234567"
#define NOW INT64_C(1614265330)

static const struct slice body = { "{\"test\": 2432232314}", 20 };

static const char *header_of(struct buf *b, const char *const *secrets, size_t n, int64_t t)
{
    buf_init(b);
    assert_int_equal(sign_header(secrets, n, t, body, b), 0);
    return buf_cstr(b);
}

static int check(const char *secret, const char *header, struct slice text, int64_t now)
{
    struct err e;

    return sign_verify(secret, (struct slice){ header, strlen(header) }, text, now, &e);
}

/* The example of the specification's own libraries. */
static void the_standard_value_is_the_published_one(void **state)
{
    const char *secrets[] = { SECRET };
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_int_equal(sign_standard(secrets, 1, "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, body, &b), 0);
    assert_string_equal(buf_cstr(&b), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    buf_release(&b);
}

/* printf '%s' '1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac whsec_... */
static void our_value_is_what_openssl_gives(void **state)
{
    const char *secrets[] = { SECRET };
    struct buf b;

    (void)state;
    assert_string_equal(
        header_of(&b, secrets, 1, NOW),
        "t=1614265330,v1=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964");
    buf_release(&b);
}

static void both_secrets_verify_while_one_rotates(void **state)
{
    const char *secrets[] = { OTHER, SECRET };
    struct buf b;
    const char *header = header_of(&b, secrets, 2, NOW);

    (void)state;
    assert_int_equal(check(SECRET, header, body, NOW), 0);
    assert_int_equal(check(OTHER, header, body, NOW), 0);
    assert_int_equal(check("whsec_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", header, body, NOW),
                     IFP_EUNAUTHORIZED);
    buf_release(&b);
}

static void the_time_may_be_300_seconds_off(void **state)
{
    const char *secrets[] = { SECRET };
    struct buf b;
    const char *header = header_of(&b, secrets, 1, NOW);

    (void)state;
    assert_int_equal(check(SECRET, header, body, NOW + 300), 0);
    assert_int_equal(check(SECRET, header, body, NOW - 300), 0);
    assert_int_equal(check(SECRET, header, body, NOW + 301), IFP_EUNAUTHORIZED);
    assert_int_equal(check(SECRET, header, body, NOW - 301), IFP_EUNAUTHORIZED);
    buf_release(&b);
}

/* Every flipped bit of header and body, but those that only change the case of a name. */
static void no_flipped_bit_is_accepted(void **state)
{
    const char *secrets[] = { SECRET };
    char header[128], text[32];
    struct buf b;
    size_t len;

    (void)state;
    header_of(&b, secrets, 1, NOW);
    len = b.len;
    for (size_t i = 0; i < len * 8; i++) {
        struct err e;

        memcpy(header, b.data, len);
        header[i / 8] = (char)(header[i / 8] ^ (1 << i % 8));
        assert_int_equal(sign_verify(SECRET, (struct slice){ header, len }, body, NOW, &e),
                         IFP_EUNAUTHORIZED);
    }
    for (size_t i = 0; i < body.len * 8; i++) {
        memcpy(text, body.text, body.len);
        text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
        assert_int_equal(check(SECRET, b.data, (struct slice){ text, body.len }, NOW),
                         IFP_EUNAUTHORIZED);
    }
    assert_int_equal(check(SECRET, b.data, (struct slice){ body.text, body.len - 1 }, NOW),
                     IFP_EUNAUTHORIZED);
    buf_release(&b);
}

static void odd_headers_are_refused_and_unknown_names_skipped(void **state)
{
    static const struct {
        const char *format;
        int rc;
    } cases[] = {
        { "t=1614265330,v1=%s", 0 },
        { "v1=%s,t=1614265330", 0 },
        { "t=1614265330,v0=abc,v1=%s,x=y", 0 },
        { "t=1614265330,v1=00,v1=%s", 0 },
        { "t=1614265330,v1=%s,", 0 },
        { "", IFP_EUNAUTHORIZED },
        { "v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330", IFP_EUNAUTHORIZED },
        { "t=1614265330,v0=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330,t=1614265330,v1=%s", IFP_EUNAUTHORIZED },
        { "t=1,v1=%s,t=1614265330", IFP_EUNAUTHORIZED },
        { "t=01614265330,v1=%s", IFP_EUNAUTHORIZED },
        { "t=+1614265330,v1=%s", IFP_EUNAUTHORIZED },
        { "t= 1614265330,v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330 ,v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330.0,v1=%s", IFP_EUNAUTHORIZED },
        { "t=99999999999999999999,v1=%s", IFP_EUNAUTHORIZED },
        { "t=,v1=%s", IFP_EUNAUTHORIZED },
        { "T=1614265330,v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330;v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330,V1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330, v1=%s", IFP_EUNAUTHORIZED },
        { "t=1614265330,v1==%s", IFP_EUNAUTHORIZED },
        { "t=1614265330,v1=%s0", IFP_EUNAUTHORIZED },
    };
    const char *secrets[] = { SECRET };
    char header[256];
    struct buf b;
    const char *hex = strstr(header_of(&b, secrets, 1, NOW), "v1=") + 3;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof(header), cases[i].format, hex);
#pragma GCC diagnostic pop
        if (check(SECRET, header, body, NOW) != cases[i].rc)
            fail_msg("%s", cases[i].format);
    }
    buf_release(&b);
}

static void a_secret_is_well_formed_or_not(void **state)
{
    (void)state;
    assert_true(sign_secret_ok(SECRET));
    assert_false(sign_secret_ok("whsec_"));
    assert_false(sign_secret_ok("whsec_YWJj"));
    assert_false(sign_secret_ok(SECRET + 1));
    assert_false(sign_secret_ok("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!"));
}

static void want_of_memory_is_an_error(void **state)
{
    const char *secrets[] = { SECRET, OTHER };
    int rc = -1;

    (void)state;
    for (uint64_t n = 1; rc != 0; n++) {
        struct buf a, b;
        struct err e;

        buf_init(&a);
        buf_init(&b);
        fault_arm(FAULT_ALLOC, n, false);
        rc = sign_header(secrets, 2, NOW, body, &a);
        if (rc == 0)
            rc = sign_standard(secrets, 2, "id", NOW, body, &b);
        if (rc == 0)
            rc = sign_verify(SECRET, (struct slice){ a.data, a.len }, body, NOW, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
        buf_release(&b);
        buf_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_value_is_the_published_one),
        cmocka_unit_test(our_value_is_what_openssl_gives),
        cmocka_unit_test(both_secrets_verify_while_one_rotates),
        cmocka_unit_test(the_time_may_be_300_seconds_off),
        cmocka_unit_test(no_flipped_bit_is_accepted),
        cmocka_unit_test(odd_headers_are_refused_and_unknown_names_skipped),
        cmocka_unit_test(a_secret_is_well_formed_or_not),
        cmocka_unit_test(want_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
