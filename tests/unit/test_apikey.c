/*
 * tests/unit/test_apikey.c - texts of keys: what is generated has the form, and nothing else has.
 */
#include "base/apikey.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PREFIX "k3v9x0a1b2c7"
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KEY "ifp_" PREFIX "_" SECRET

static void a_new_key_has_the_form_and_is_like_no_other(void **state)
{
    char last[APIKEY_SIZE] = "", text[APIKEY_SIZE], prefix[APIKEY_PREFIX_SIZE];
    bool seen[36] = { false };
    int kinds = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(apikey_generate(text), 0);
        assert_int_equal(strlen(text), APIKEY_LEN);
        assert_string_not_equal(text, last);
        assert_true(apikey_parse(text, strlen(text), prefix));
        assert_memory_equal(text + 4, prefix, APIKEY_PREFIX_LEN);
        for (int j = 0; j < APIKEY_PREFIX_LEN; j++) {
            int letter = prefix[j] <= '9' ? prefix[j] - '0' : prefix[j] - 'a' + 10;

            kinds += !seen[letter];
            seen[letter] = true;
        }
        memcpy(last, text, sizeof(last));
    }
    assert_int_equal(kinds, 36);
}

static void nothing_else_is_a_key(void **state)
{
    static const char *const bad[] = {
        "",
        "ifp_",
        "ifq_" PREFIX "_" SECRET,
        "IFP_" PREFIX "_" SECRET,
        "ifp_K3v9x0a1b2c7_" SECRET,
        "ifp_k3v9x0a1b2c_7" SECRET,
        "ifp_" PREFIX "-" SECRET,
        "ifp_" PREFIX "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
        "ifp_" PREFIX "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh=",
        "ifp_" PREFIX "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+",
        "ifp_" PREFIX "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        KEY "A",
        KEY " ",
        " " KEY,
    };
    char prefix[APIKEY_PREFIX_SIZE];
    char zero[] = KEY;

    (void)state;
    assert_true(apikey_parse(KEY, strlen(KEY), prefix));
    assert_string_equal(prefix, PREFIX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(apikey_parse(bad[i], strlen(bad[i]), prefix));
    zero[8] = '\0';
    assert_false(apikey_parse(zero, APIKEY_LEN, prefix));
}

static void every_character_counts_in_the_hash(void **state)
{
    uint8_t one[CRYPTO_SHA256_SIZE], other[CRYPTO_SHA256_SIZE];
    char text[] = KEY;

    (void)state;
    assert_int_equal(apikey_hash(KEY, one), 0);
    for (size_t i = 0; i < APIKEY_LEN; i++) {
        text[i] ^= 1;
        assert_int_equal(apikey_hash(text, other), 0);
        assert_memory_not_equal(one, other, sizeof(one));
        text[i] ^= 1;
    }
}

static void ids_are_the_first_part(void **state)
{
    static const char *const bad[] = {
        "", PREFIX, "ifp_", "ifp_" PREFIX "x", "ifp_k3v9x0a1b2c", "ifp_K3v9x0a1b2c7", KEY
    };
    char id[APIKEY_ID_SIZE], prefix[APIKEY_PREFIX_SIZE];

    (void)state;
    apikey_id_format(PREFIX, id);
    assert_string_equal(id, "ifp_" PREFIX);
    assert_true(apikey_id_parse(id, prefix));
    assert_string_equal(prefix, PREFIX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(apikey_id_parse(bad[i], prefix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_key_has_the_form_and_is_like_no_other),
        cmocka_unit_test(nothing_else_is_a_key),
        cmocka_unit_test(every_character_counts_in_the_hash),
        cmocka_unit_test(ids_are_the_first_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
