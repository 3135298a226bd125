/* tests/unit/test_crypto.c - the digests that FIPS 180-4's examples give. */
#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_digest(const void *data, size_t len, const char *hex)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char text[2 * CRYPTO_SHA256_SIZE + 1];

    assert_int_equal(crypto_sha256(data, len, digest), 0);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

static void known_messages_have_known_digests(void **state)
{
    (void)state;
    assert_digest(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_zero_byte_counts(void **state)
{
    uint8_t with[CRYPTO_SHA256_SIZE], without[CRYPTO_SHA256_SIZE];

    (void)state;
    assert_int_equal(crypto_sha256("a\0", 2, with), 0);
    assert_int_equal(crypto_sha256("a", 1, without), 0);
    assert_memory_not_equal(with, without, sizeof(with));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages_have_known_digests),
        cmocka_unit_test(a_zero_byte_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
