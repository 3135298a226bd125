/* tests/unit/test_map.c - the hash map against an array that does the same. */
#include "base/map.h"

#include "base/fault.h"
#include "base/ids.h"

#include <inferpipe.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int values[1000];

static void an_empty_map_has_nothing(void **state)
{
    struct map m;
    size_t pos = 0;
    uint64_t key;

    (void)state;
    map_init(&m);
    assert_null(map_get(&m, 0));
    assert_null(map_del(&m, 0));
    assert_null(map_next(&m, &pos, &key));
    map_release(&m);
}

static void put_replaces_and_del_gives_back(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    assert_int_equal(map_put(&m, 0, &values[0]), 0);
    assert_int_equal(map_put(&m, UINT64_MAX, &values[1]), 0);
    assert_int_equal(map_put(&m, 0, &values[2]), 0);
    assert_int_equal(m.count, 2);
    assert_ptr_equal(map_get(&m, 0), &values[2]);
    assert_ptr_equal(map_del(&m, 0), &values[2]);
    assert_null(map_del(&m, 0));
    assert_ptr_equal(map_get(&m, UINT64_MAX), &values[1]);
    assert_int_equal(m.count, 1);
    map_release(&m);
}

/* Sum of all values' indexes; each key must belong to its value. */
static size_t walk(const struct map *m, size_t *ret_sum)
{
    size_t pos = 0, count = 0;
    uint64_t key;
    const int *value;

    *ret_sum = 0;
    while ((value = map_next(m, &pos, &key)) != NULL) {
        assert_ptr_equal(map_get(m, key), value);
        *ret_sum += (size_t)(value - values);
        count++;
    }
    return count;
}

/* Random puts and deletes over few keys in a small map: clusters form, wrap and close. */
static void it_agrees_with_a_plain_array(void **state)
{
    const uint64_t seed = 20261120;
    void *model[64] = { NULL };
    struct map m;

    (void)state;
    map_init(&m);
    for (uint64_t i = 0; i < 50000; i++) {
        uint64_t r = ids_derive(seed, i, 0);
        size_t slot = r % 64;
        uint64_t key = slot;

        if (r >> 32 & 1) {
            model[slot] = &values[r >> 40 & 511];
            assert_int_equal(map_put(&m, key, model[slot]), 0);
        } else {
            assert_ptr_equal(map_del(&m, key), model[slot]);
            model[slot] = NULL;
        }
        for (size_t k = 0; k < 64; k++)
            assert_ptr_equal(map_get(&m, k), model[k]);
    }
    map_release(&m);
}

static void a_walk_sees_every_entry_once(void **state)
{
    struct map m;
    size_t sum;

    (void)state;
    map_init(&m);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_int_equal(map_put(&m, (uint64_t)i << 40, &values[i]), 0);
    assert_int_equal(walk(&m, &sum), 1000);
    assert_int_equal(sum, 999 * 1000 / 2);
    for (size_t i = 0; i < ARRAY_LEN(values); i += 2)
        assert_ptr_equal(map_del(&m, (uint64_t)i << 40), &values[i]);
    assert_int_equal(walk(&m, &sum), 500);
    assert_int_equal(sum, 500 * 500);
    assert_true(m.count * 4 <= m.cap * 3);
    map_release(&m);
}

static void a_failed_put_leaves_the_map_as_it_was(void **state)
{
    size_t fails = 0;
    struct map m;

    (void)state;
    map_init(&m);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        fault_arm(FAULT_ALLOC, 1, false);
        if (map_put(&m, i, &values[i]) != 0) {
            assert_int_equal(m.count, i);
            assert_null(map_get(&m, i));
            assert_true(i == 0 || map_get(&m, i - 1) == &values[i - 1]);
            fails++;
            assert_int_equal(map_put(&m, i, &values[i]), 0);
        }
    }
    fault_arm(FAULT_ALLOC, 0, false);
    assert_int_equal(m.count, 1000);
    assert_int_equal(fails, 8); /* 16 to 2048 slots */
    map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(put_replaces_and_del_gives_back),
        cmocka_unit_test(it_agrees_with_a_plain_array),
        cmocka_unit_test(a_walk_sees_every_entry_once),
        cmocka_unit_test(a_failed_put_leaves_the_map_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
