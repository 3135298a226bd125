/* tests/unit/test_ids.c - the forms of ids, and values that databases have stored for ever. */
#include "base/ids.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void execution_ids_have_a_pinned_form_both_ways(void **state)
{
    static const struct {
        int64_t id;
        const char *text;
    } rows[] = {
        { 0, "exe_0000000000000" },
        { 1, "exe_0000000000001" },
        { 31, "exe_000000000000z" },
        { 32, "exe_0000000000010" },
        { INT64_C(1) << 60, "exe_1000000000000" },
        { INT64_MAX, "exe_7zzzzzzzzzzzz" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[IFP_ID_SIZE];
        int64_t id = -1;

        ids_execution_format(rows[i].id, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(ids_execution_parse(text, &id), 0);
        assert_int_equal(id, rows[i].id);
    }
}

static void every_bit_of_an_id_survives(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        int64_t id = (int64_t)(ids_derive(1, 2, i) >> 1), back = -1;
        char text[IFP_ID_SIZE];

        ids_execution_format(id, text);
        assert_int_equal(ids_execution_parse(text, &back), 0);
        assert_int_equal(back, id);
    }
}

static void upper_case_is_read_too(void **state)
{
    int64_t id;

    (void)state;
    assert_int_equal(ids_execution_parse("EXE_7ZZZZZZZZZZZZ", &id), 0);
    assert_int_equal(id, INT64_MAX);
    assert_int_equal(ids_execution_parse("exe_000000000000H", &id), 0);
    assert_int_equal(id, 17);
}

static void anything_else_is_refused_and_writes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "exe_",
        "exe_000000000000",   /* one short */
        "exe_00000000000000", /* one long */
        "exe_8000000000000",  /* 2^63 */
        "exe_z000000000000",
        "exe_000000000000i",
        "exe_000000000000l",
        "exe_000000000000o",
        "exe_000000000000u",
        "exe_00000000000-0",
        "exe_ 000000000000",
        "exf_0000000000000",
        "exe-0000000000000",
        "0000000000000exe_",
        "exe_000000000000\xc3",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t id = 77;

        assert_int_equal(ids_execution_parse(bad[i], &id), IFP_EINVALID);
        assert_int_equal(id, 77);
    }
}

static void step_keys_are_pinned(void **state)
{
    (void)state;
    assert_true((uint64_t)ids_step_key("charge", 6, 1) == UINT64_C(0xec8e74bf152d46b6));
    assert_true((uint64_t)ids_step_key("charge", 6, 2) == UINT64_C(0x2efb4aa095331e45));
    assert_true((uint64_t)ids_step_key("", 0, 1) == UINT64_C(0xfc30245581410856));
    assert_true((uint64_t)ids_step_key("\xc3\xa9tape", 6, 258) == UINT64_C(0x5b5dd650114b007f));
}

static void name_and_occurrence_do_not_run_together(void **state)
{
    (void)state;
    assert_true(ids_step_key("a\0\1", 3, 1) != ids_step_key("a", 1, 1));
    assert_true(ids_step_key("a1", 2, 1) != ids_step_key("a", 1, 11));
}

static void derived_numbers_are_pinned(void **state)
{
    (void)state;
    assert_true(ids_derive(0, 0, 0) == UINT64_C(0x238275bc38fcbe91));
    assert_true(ids_derive(42, 7, 3) == UINT64_C(0xf55e4254d4655539));
    assert_true(ids_derive(42, 3, 7) != ids_derive(42, 7, 3));
}

static void uuids_carry_version_variant_and_time(void **state)
{
    static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255 };
    static const uint8_t zeros[16];
    char text[IDS_UUID_SIZE];

    (void)state;
    ids_uuid4(ones, text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    ids_uuid4(zeros, text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
    ids_uuid7(INT64_C(0x0123456789ab), ones, text);
    assert_string_equal(text, "01234567-89ab-7fff-bfff-ffffffffffff");
    ids_uuid7(0, zeros, text);
    assert_string_equal(text, "00000000-0000-7000-8000-000000000000");
}

static void uuids_use_every_random_byte(void **state)
{
    static const uint8_t count[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    char text[IDS_UUID_SIZE];

    (void)state;
    ids_uuid4(count, text);
    assert_string_equal(text, "00010203-0405-4607-8809-0a0b0c0d0e0f");
    ids_uuid7(1, count, text);
    assert_string_equal(text, "00000000-0001-7001-8203-040506070809");
}

static void random_sources_give_fresh_positive_ids(void **state)
{
    uint8_t a[64] = { 0 }, b[64] = { 0 };
    int64_t first, second;

    (void)state;
    assert_int_equal(ids_random(a, sizeof(a)), 0);
    assert_int_equal(ids_random(b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(ids_random(a, 0), 0);
    assert_int_equal(ids_worker(&first), 0);
    assert_int_equal(ids_worker(&second), 0);
    assert_true(first > 0 && second > 0 && first != second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(execution_ids_have_a_pinned_form_both_ways),
        cmocka_unit_test(every_bit_of_an_id_survives),
        cmocka_unit_test(upper_case_is_read_too),
        cmocka_unit_test(anything_else_is_refused_and_writes_nothing),
        cmocka_unit_test(step_keys_are_pinned),
        cmocka_unit_test(name_and_occurrence_do_not_run_together),
        cmocka_unit_test(derived_numbers_are_pinned),
        cmocka_unit_test(uuids_carry_version_variant_and_time),
        cmocka_unit_test(uuids_use_every_random_byte),
        cmocka_unit_test(random_sources_give_fresh_positive_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
