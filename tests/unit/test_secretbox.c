/*
 * tests/unit/test_secretbox.c - sealed secrets: what goes in comes out, nothing that was changed
 * or moved does, keys are replaced by putting a new one in front, and no memory is lost when
 * some is missing.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "base/secretbox.h"

#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "ff0102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f"

static struct secretbox box(const char *text)
{
    struct secretbox b;
    struct err e;

    err_clear(&e);
    if (secretbox_init(&b, text, &e) != 0)
        fail_msg("%s", e.text);
    return b;
}

static size_t seal(const struct secretbox *b, const char *text, uint8_t **ret)
{
    struct err e;
    size_t len;

    err_clear(&e);
    if (secretbox_seal(b, "test 1", text, strlen(text), ret, &len, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(len, strlen(text) + SECRETBOX_OVERHEAD);
    return len;
}

static int open_as(const struct secretbox *b, const char *purpose, const uint8_t *sealed,
                   size_t len, const char *want)
{
    struct err e;
    uint8_t *plain;
    size_t plain_len;
    int rc;

    err_clear(&e);
    rc = secretbox_open(b, purpose, sealed, len, &plain, &plain_len, &e);
    if (rc == 0) {
        assert_string_equal((const char *)plain, want);
        assert_int_equal(plain_len, strlen(want));
        secretbox_forget(plain, plain_len);
    } else {
        assert_int_equal(e.code, rc);
    }
    return rc;
}

static bool holds(const uint8_t *data, size_t len, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= len; i++)
        if (memcmp(data + i, text, strlen(text)) == 0)
            return true;
    return false;
}

static void what_was_sealed_opens(void **state)
{
    struct secretbox b = box(HEX);
    uint8_t *one, *two;
    size_t len = seal(&b, "whsec_canary", &one);

    (void)state;
    assert_int_equal(seal(&b, "whsec_canary", &two), len);
    assert_memory_not_equal(one, two, len); /* another nonce */
    assert_false(holds(one, len, "canary"));
    assert_int_equal(open_as(&b, "test 1", one, len, "whsec_canary"), 0);
    assert_int_equal(open_as(&b, "test 1", two, len, "whsec_canary"), 0);
    mem_free(one);
    len = seal(&b, "", &one);
    assert_int_equal(open_as(&b, "test 1", one, len, ""), 0);
    mem_free(one);
    mem_free(two);
}

static void no_bit_may_change(void **state)
{
    struct secretbox b = box(HEX);
    uint8_t *sealed;
    size_t len = seal(&b, "secret", &sealed);

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(open_as(&b, "test 1", sealed, len, ""), 0);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(open_as(&b, "test 1", sealed, cut, ""), 0);
    assert_int_equal(open_as(&b, "test 2", sealed, len, ""), IFP_ESERVER);
    assert_int_equal(open_as(&b, "test 1", sealed, len, "secret"), 0);
    mem_free(sealed);
}

static void a_new_key_goes_in_front(void **state)
{
    struct secretbox old = box(HEX), both = box(OTHER "," HEX), new = box(OTHER);
    uint8_t *sealed;
    size_t len = seal(&old, "secret", &sealed);

    (void)state;
    assert_int_equal(open_as(&both, "test 1", sealed, len, "secret"), 0);
    assert_int_equal(open_as(&new, "test 1", sealed, len, ""), IFP_EUNAVAILABLE);
    mem_free(sealed);
    len = seal(&both, "secret", &sealed);
    assert_int_equal(open_as(&new, "test 1", sealed, len, "secret"), 0);
    assert_int_equal(open_as(&old, "test 1", sealed, len, ""), IFP_EUNAVAILABLE);
    mem_free(sealed);
    secretbox_release(&both);
    assert_int_equal(both.count, 0);
}

static void keys_come_in_three_spellings(void **state)
{
    struct secretbox hex = box(HEX), url = box("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
                     padded = box("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    char made[SECRETBOX_TEXT_SIZE], again[SECRETBOX_TEXT_SIZE];

    (void)state;
    assert_memory_equal(&hex, &url, sizeof(hex));
    assert_memory_equal(&hex, &padded, sizeof(hex));
    assert_int_equal(secretbox_generate(made), 0);
    assert_int_equal(secretbox_generate(again), 0);
    assert_string_not_equal(made, again);
    assert_int_equal(box(made).count, 1);
}

static void bad_keys_are_named_and_not_shown(void **state)
{
    static const char *const bad[] = { "x",      HEX "0",     HEX ",",
                                       HEX ",,", ",",         "g" HEX,
                                       " " HEX,  "change-me", HEX "," HEX "," HEX "," HEX "," HEX };
    struct secretbox b;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err_clear(&e);
        assert_int_equal(secretbox_init(&b, bad[i], &e), IFP_EINVALID);
        assert_non_null(strstr(e.text, "secret-key"));
        assert_null(strstr(e.text, "change-me"));
        assert_int_equal(b.count, 0);
    }
}

static void without_a_key_nothing_is_stored(void **state)
{
    struct secretbox b = box("");
    struct err e;
    uint8_t *sealed;
    size_t len;

    (void)state;
    err_clear(&e);
    assert_int_equal(secretbox_seal(&b, "test 1", "x", 1, &sealed, &len, &e), IFP_EUNAVAILABLE);
    assert_non_null(strstr(e.text, "INFERPIPE_SECRET_KEY"));
}

static void missing_memory_is_an_error(void **state)
{
    struct secretbox b = box(HEX);
    struct err e;
    uint8_t *sealed, *plain;
    size_t len;

    (void)state;
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(secretbox_seal(&b, "test 1", "x", 1, &sealed, &len, &e), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    len = seal(&b, "x", &sealed);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_int_equal(secretbox_open(&b, "test 1", sealed, len, &plain, &len, &e), IFP_ENOMEM);
    fault_arm(FAULT_ALLOC, 0, false);
    mem_free(sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(no_bit_may_change),
        cmocka_unit_test(a_new_key_goes_in_front),
        cmocka_unit_test(keys_come_in_three_spellings),
        cmocka_unit_test(bad_keys_are_named_and_not_shown),
        cmocka_unit_test(without_a_key_nothing_is_stored),
        cmocka_unit_test(missing_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
