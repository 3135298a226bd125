/*
 * tests/unit/test_base64.c - RFC 4648's vectors, and what must not be taken: a second spelling of
 * the same bytes, padding, white space, letters of the other alphabet.
 */
#include "base/base64.h"

#include <inferpipe.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *plain, *text, *padded;
} vectors[] = {
    { "", "", "" },
    { "f", "Zg", "Zg==" },
    { "fo", "Zm8", "Zm8=" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg", "Zm9vYg==" },
    { "fooba", "Zm9vYmE", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "-__-", "+//+" },
};

static void the_vectors_come_out_and_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        size_t len = strlen(vectors[i].plain), got;
        uint8_t bytes[8];
        char text[16];

        base64_encode((const uint8_t *)vectors[i].plain, len, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(strlen(text), BASE64_LEN(len));
        assert_int_equal(BASE64_BYTES(strlen(text)), len);
        assert_int_equal(base64_decode(text, strlen(text), bytes), 0);
        assert_memory_equal(bytes, vectors[i].plain, len);
        assert_int_equal(
            base64_decode_padded(vectors[i].padded, strlen(vectors[i].padded), bytes, &got), 0);
        assert_int_equal(got, len);
        assert_memory_equal(bytes, vectors[i].plain, len);
    }
}

static void a_second_spelling_is_refused(void **state)
{
    static const char *const bad[] = { "Zh",  "Zm9",   "Z",     "Zg==", "Zm8=",  "Zm9v\n",
                                       " Zg", "Zm9v+", "Zm 9v", "Zm/v", "Zm9vY", "Z\xc3\xa9" };
    uint8_t bytes[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(base64_decode(bad[i], strlen(bad[i]), bytes), IFP_EINVALID);
    assert_int_equal(base64_decode("Zm\0v", 4, bytes), IFP_EINVALID);
}

static void padding_must_fit(void **state)
{
    static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Zm9v=", "====", "Z===", "-__-" };
    uint8_t bytes[8];
    size_t len;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(base64_decode_padded(bad[i], strlen(bad[i]), bytes, &len), IFP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_come_out_and_go_back),
        cmocka_unit_test(a_second_spelling_is_refused),
        cmocka_unit_test(padding_must_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
