/* tests/unit/test_crypto.c - what FIPS 180-4, RFC 4231 and the GCM specification give. */
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

static void known_codes_of_messages(void **state)
{
    static const char hex[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    uint8_t mac[CRYPTO_SHA256_SIZE];
    char text[sizeof(hex)];

    (void)state;
    assert_int_equal(crypto_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
    for (size_t i = 0; i < sizeof(mac); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", mac[i]);
    assert_string_equal(text, hex);
    assert_true(crypto_equal("abc", "abd", 2));
    assert_false(crypto_equal("abc", "abd", 3));
}

/* Test case 14 of the GCM specification, and the same with something beside it. */
static void sealing_is_aes_256_gcm(void **state)
{
    static const uint8_t zero[16],
        want[32] = { 0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5,
                     0xd3, 0xba, 0xf3, 0x9d, 0x18, 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99,
                     0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19 };
    static const uint8_t key[CRYPTO_KEY_SIZE], nonce[CRYPTO_NONCE_SIZE];
    struct crypto_aead how = { .key = key, .nonce = nonce, .aad = "" };
    uint8_t sealed[32], plain[16] = { 1 };

    (void)state;
    assert_int_equal(crypto_seal(&how, zero, sizeof(zero), sealed), 0);
    assert_memory_equal(sealed, want, sizeof(want));
    assert_int_equal(crypto_open(&how, sealed, sizeof(sealed), plain), 0);
    assert_memory_equal(plain, zero, sizeof(zero));
    how.aad = "x";
    how.aad_len = 1;
    assert_int_equal(crypto_open(&how, sealed, sizeof(sealed), plain), IFP_EINVALID);
    assert_int_equal(crypto_open(&how, sealed, CRYPTO_TAG_SIZE - 1, plain), IFP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages_have_known_digests),
        cmocka_unit_test(a_zero_byte_counts),
        cmocka_unit_test(known_codes_of_messages),
        cmocka_unit_test(sealing_is_aes_256_gcm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
