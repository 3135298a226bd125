/* tests/unit/test_arena.c - alignment, limits, failures and reuse of an arena. */
#include "base/arena.h"

#include "base/fault.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena a;
    char *pieces[300];

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        pieces[i] = arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0x7f), i);
    }
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], i & 0x7f);
    arena_release(&a);
}

static void a_piece_larger_than_any_block_is_given(void **state)
{
    struct arena a;
    char *large, *small;

    (void)state;
    arena_init(&a, 0);
    small = arena_zalloc(&a, 10);
    large = arena_zalloc(&a, 1 << 20);
    assert_non_null(small);
    assert_non_null(large);
    assert_int_equal(large[(1 << 20) - 1], 0);
    arena_release(&a);
}

static void the_limit_counts_and_breaks_for_good(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 64);
    assert_non_null(arena_alloc(&a, 32));
    assert_non_null(arena_alloc(&a, 32));
    assert_int_equal(a.used, 64);
    assert_false(a.broken);
    assert_null(arena_alloc(&a, 1));
    assert_true(a.broken);
    arena_reset(&a);
    assert_false(a.broken);
    assert_non_null(arena_alloc(&a, 64));
    assert_null(arena_alloc(&a, 0)); /* also an empty piece takes room */
    arena_release(&a);
}

static void absurd_sizes_break_instead_of_wrapping(void **state)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 15, (size_t)PTRDIFF_MAX };
    struct arena a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        arena_init(&a, 0);
        assert_null(arena_alloc(&a, sizes[i]));
        assert_true(a.broken);
        arena_release(&a);
    }
}

static void reset_reuses_the_first_block(void **state)
{
    struct arena a;
    char *first;

    (void)state;
    arena_init(&a, 0);
    first = arena_alloc(&a, 8);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 1000));
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_ptr_equal(arena_alloc(&a, 8), first);
    arena_release(&a);
    arena_release(&a);
}

static void texts_are_copied_and_formatted(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_string_equal(arena_strndup(&a, "abcdef", 4), "abcd");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_string_equal(arena_printf(&a, "%s-%05d", "n", 42), "n-00042");
    assert_int_equal(strlen(arena_printf(&a, "%*d", 9000, 1)), 9000);
    arena_release(&a);
}

/* Four kinds of use, each in a block of its own; true when none failed. */
static bool use_all(struct arena *a)
{
    void *p = arena_alloc(a, 5000);
    void *q = arena_zalloc(a, 20000);
    const char *s = arena_printf(a, "%*d", 50000, 1);
    const char *t = arena_strndup(a, "x", 1);

    assert_true(!a->broken || t == NULL);
    return p && q && s && t;
}

static void any_failed_allocation_breaks_until_reset(void **state)
{
    bool done = false;

    (void)state;
    for (uint64_t n = 1; !done; n++) {
        struct arena a;

        arena_init(&a, 0);
        fault_arm(FAULT_ALLOC, n, false);
        done = use_all(&a);
        assert_int_equal(done, fault_count(FAULT_ALLOC) < n);
        assert_int_equal(a.broken, !done);
        fault_arm(FAULT_ALLOC, 0, false);
        arena_reset(&a);
        assert_true(use_all(&a));
        arena_release(&a);
        assert_true(n < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(a_piece_larger_than_any_block_is_given),
        cmocka_unit_test(the_limit_counts_and_breaks_for_good),
        cmocka_unit_test(absurd_sizes_break_instead_of_wrapping),
        cmocka_unit_test(reset_reuses_the_first_block),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(any_failed_allocation_breaks_until_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
