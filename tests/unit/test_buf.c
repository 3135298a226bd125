/* tests/unit/test_buf.c - growth, network order, and the sticky failure of a buffer. */
#include "base/buf.h"

#include "base/fault.h"
#include "base/mem.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void writes_come_out_in_order(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_put(&b, "a\0b", 3);
    buf_puts(&b, "cd");
    buf_putc(&b, 'e');
    buf_printf(&b, "%d%s", -12, "f");
    buf_put(&b, NULL, 0);
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, "a\0bcde-12f", 10);
    buf_release(&b);
}

static void numbers_go_in_network_order(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_be16(&b, 0x0102);
    buf_be32(&b, 0xfffefdfc);
    buf_be64(&b, UINT64_C(0x0102030405060708));
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "\x01\x02\xff\xfe\xfd\xfc\1\2\3\4\5\6\7\10", 14);
    buf_release(&b);
}

static void a_large_buffer_keeps_every_byte(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, (char)('a' + i % 26));
    buf_printf(&b, "%*d", 70000, 7);
    assert_false(buf_broken(&b));
    assert_int_equal(b.len, 170000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], 'a' + (char)(i % 26));
    assert_int_equal(b.data[169999], '7');
    buf_release(&b);
}

static void cstr_terminates_also_when_it_is_exactly_full(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_string_equal(buf_cstr(&b), "");
    while (b.len < b.cap)
        buf_putc(&b, 'x');
    assert_int_equal(strlen(buf_cstr(&b)), b.len);
    buf_release(&b);
}

static void take_hands_the_memory_over(void **state)
{
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b);
    buf_puts(&b, "mine");
    text = buf_take(&b);
    assert_string_equal(text, "mine");
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    mem_free(text);
    text = buf_take(&b);
    assert_string_equal(text, "");
    mem_free(text);
}

static void sizes_that_overflow_break(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_putc(&b, 'x');
    buf_put(&b, "y", SIZE_MAX);
    assert_true(buf_broken(&b));
    assert_null(buf_cstr(&b));
    buf_release(&b);
    assert_false(buf_broken(&b));
}

static void fill(struct buf *b)
{
    for (int i = 0; i < 40; i++)
        buf_puts(b, "0123456789");
    buf_printf(b, "%*d", 2000, 1);
    buf_be64(b, 1);
}

static void any_failed_allocation_breaks_until_reset(void **state)
{
    bool done = false;

    (void)state;
    for (uint64_t n = 1; !done; n++) {
        struct buf b;
        size_t len;

        buf_init(&b);
        fault_arm(FAULT_ALLOC, n, false);
        fill(&b);
        done = fault_count(FAULT_ALLOC) < n;
        fault_arm(FAULT_ALLOC, 0, false);
        assert_int_equal(buf_broken(&b), !done);
        len = b.len;
        buf_putc(&b, 'z');
        assert_int_equal(b.len, done ? len + 1 : len);
        buf_reset(&b);
        fill(&b);
        assert_int_equal(b.len, 2408);
        buf_release(&b);
        assert_true(n < 20);
    }
}

static void take_of_a_broken_buffer_gives_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_puts(&b, "part");
    fault_arm(FAULT_ALLOC, 1, true);
    buf_printf(&b, "%*d", 2000, 1);
    assert_null(buf_take(&b));
    fault_arm(FAULT_ALLOC, 0, false);
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_come_out_in_order),
        cmocka_unit_test(numbers_go_in_network_order),
        cmocka_unit_test(a_large_buffer_keeps_every_byte),
        cmocka_unit_test(cstr_terminates_also_when_it_is_exactly_full),
        cmocka_unit_test(take_hands_the_memory_over),
        cmocka_unit_test(sizes_that_overflow_break),
        cmocka_unit_test(any_failed_allocation_breaks_until_reset),
        cmocka_unit_test(take_of_a_broken_buffer_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
