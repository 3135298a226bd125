/* tests/unit/test_mem.c - the allocator's edges: zero, overflow, and failures on request. */
#include "base/mem.h"

#include "base/fault.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void zero_bytes_are_a_valid_pointer(void **state)
{
    void *a = mem_alloc(0), *b = mem_zalloc(0), *c = mem_resize(NULL, 0, 8);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
}

static void zalloc_clears(void **state)
{
    static const char zeros[333];
    char *p = mem_zalloc(sizeof(zeros));

    (void)state;
    assert_non_null(p);
    assert_memory_equal(p, zeros, sizeof(zeros));
    mem_free(p);
}

static void sizes_that_overflow_are_refused_and_leave_the_memory(void **state)
{
    char *p = mem_strdup("kept");

    (void)state;
    assert_non_null(p);
    assert_null(mem_resize(p, SIZE_MAX / 2 + 1, 2));
    assert_null(mem_resize(p, SIZE_MAX, 1));
    assert_null(mem_alloc(SIZE_MAX));
    assert_null(mem_zalloc((size_t)PTRDIFF_MAX + 1));
    assert_string_equal(p, "kept");
    mem_free(p);
}

static void copies_end_with_a_zero_byte(void **state)
{
    char *a = mem_strndup("abcdef", 3), *b = mem_strndup(NULL, 0);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "");
    assert_null(mem_strdup(NULL));
    mem_free(a);
    mem_free(b);
}

static void every_function_is_a_fault_site(void **state)
{
    char *p = mem_alloc(1);

    (void)state;
    assert_non_null(p);
    fault_arm(FAULT_ALLOC, 1, true);
    assert_null(mem_alloc(1));
    assert_null(mem_zalloc(1));
    assert_null(mem_resize(p, 2, 1));
    assert_null(mem_strdup("x"));
    assert_null(mem_strndup("x", 1));
    assert_int_equal(fault_count(FAULT_ALLOC), 5);
    fault_arm(FAULT_ALLOC, 0, false);
    p = mem_resize(p, 2, 1);
    assert_non_null(p);
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_bytes_are_a_valid_pointer),
        cmocka_unit_test(zalloc_clears),
        cmocka_unit_test(sizes_that_overflow_are_refused_and_leave_the_memory),
        cmocka_unit_test(copies_end_with_a_zero_byte),
        cmocka_unit_test(every_function_is_a_fault_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
