/* tests/unit/test_pgargs.c - the bytes of parameters and arrays; what the server reads from them is
 * checked in tests/integration/test_pgsync.c. */
#include "pg/pgargs.h"

#include "base/fault.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct pgargs *a, int i, const char *bytes, int len)
{
    assert_true(i < a->count);
    assert_int_equal(a->items[i].len, len);
    if (len > 0)
        assert_memory_equal(a->data.data + a->items[i].offset, bytes, (size_t)len);
}

static void numbers_are_in_network_order(void **state)
{
    struct pgargs a;

    (void)state;
    pgargs_init(&a);
    pgargs_int2(&a, -2);
    pgargs_int4(&a, 0x01020304);
    pgargs_int8(&a, INT64_MIN);
    pgargs_bool(&a, true);
    pgargs_bool(&a, false);
    expect(&a, 0, "\xff\xfe", 2);
    expect(&a, 1, "\x01\x02\x03\x04", 4);
    expect(&a, 2, "\x80\0\0\0\0\0\0\0", 8);
    expect(&a, 3, "\x01", 1);
    expect(&a, 4, "\0", 1);
    pgargs_release(&a);
}

static void times_count_from_2000_and_their_ends_are_infinite(void **state)
{
    struct pgargs a;

    (void)state;
    pgargs_init(&a);
    pgargs_timestamptz(&a, PG_EPOCH_UNIX_US + 1);
    pgargs_timestamptz(&a, INT64_MAX);
    pgargs_timestamptz(&a, INT64_MIN);
    pgargs_timestamptz(&a, INT64_MIN + 5);
    expect(&a, 0, "\0\0\0\0\0\0\0\x01", 8);
    expect(&a, 1, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    expect(&a, 2, "\x80\0\0\0\0\0\0\0", 8);
    expect(&a, 3, "\x80\0\0\0\0\0\0\0", 8);
    pgargs_release(&a);
}

static void null_and_empty_are_told_apart(void **state)
{
    struct pgargs a;

    (void)state;
    pgargs_init(&a);
    pgargs_text(&a, NULL);
    pgargs_text(&a, "");
    pgargs_bytes(&a, NULL, 0);
    pgargs_bytes(&a, "", 0);
    pgargs_uuid(&a, NULL);
    pgargs_null(&a, PGTYPE_INT8);
    expect(&a, 0, "", -1);
    expect(&a, 1, "", 0);
    expect(&a, 2, "", -1);
    expect(&a, 3, "", 0);
    expect(&a, 4, "", -1);
    expect(&a, 5, "", -1);
    assert_int_equal(a.items[0].type, PGTYPE_TEXT);
    assert_int_equal(a.items[2].type, PGTYPE_BYTEA);
    assert_int_equal(a.items[5].type, PGTYPE_INT8);
    pgargs_release(&a);
}

static void an_array_has_one_dimension_and_an_empty_one_none(void **state)
{
    struct pgarray array;
    struct pgargs a;

    (void)state;
    pgargs_init(&a);
    pgarray_init(&array, PGTYPE_INT2);
    pgargs_array(&a, &array);
    pgarray_int2(&array, 7);
    pgarray_null(&array);
    pgargs_array(&a, &array);
    pgarray_reset(&array);
    pgargs_array(&a, &array);
    expect(&a, 0, "\0\0\0\0\0\0\0\0\0\0\0\x15", 12);
    expect(&a, 1,
           "\0\0\0\x01\0\0\0\x01\0\0\0\x15\0\0\0\x02\0\0\0\x01"
           "\0\0\0\x02\0\x07\xff\xff\xff\xff",
           30);
    expect(&a, 2, "\0\0\0\0\0\0\0\0\0\0\0\x15", 12);
    assert_true(a.items[1].array);
    pgarray_release(&array);
    pgargs_release(&a);
}

static void too_long_a_value_breaks_the_builder(void **state)
{
    struct pgarray array;
    struct pgargs a;

    (void)state;
    pgargs_init(&a);
    pgarray_init(&array, PGTYPE_BYTEA);
    pgarray_bytes(&array, "", (size_t)INT_MAX + 1);
    pgargs_array(&a, &array);
    assert_true(buf_broken(&a.data));
    pgarray_release(&array);
    pgargs_release(&a);
}

static void build_all(struct pgargs *a, struct pgarray *array)
{
    for (int i = 0; i < 100; i++)
        pgarray_text(array, "an element of some length");
    pgargs_text(a, "a text");
    pgargs_array(a, array);
    pgargs_int8(a, 1);
}

static void missing_memory_is_remembered_until_reset(void **state)
{
    bool broken = true;

    (void)state;
    for (uint64_t n = 1; broken; n++) {
        struct pgarray array;
        struct pgargs a;

        pgargs_init(&a);
        pgarray_init(&array, PGTYPE_TEXT);
        fault_arm(FAULT_ALLOC, n, false);
        build_all(&a, &array);
        fault_arm(FAULT_ALLOC, 0, false);
        broken = buf_broken(&a.data);
        assert_int_equal(a.count, 3);
        pgargs_reset(&a);
        pgargs_int2(&a, 3);
        assert_false(buf_broken(&a.data));
        expect(&a, 0, "\0\x03", 2);
        pgarray_release(&array);
        pgargs_release(&a);
        assert_true(n < 50);
        assert_true(n > 1 || broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(times_count_from_2000_and_their_ends_are_infinite),
        cmocka_unit_test(null_and_empty_are_told_apart),
        cmocka_unit_test(an_array_has_one_dimension_and_an_empty_one_none),
        cmocka_unit_test(too_long_a_value_breaks_the_builder),
        cmocka_unit_test(missing_memory_is_remembered_until_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
