/* tests/unit/test_pack.c - bodies, bombs, streams. */
#include "http/pack.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static struct slice slice_of(const char *text)
{
    return (struct slice){ text, strlen(text) };
}

/* The whole text packed, in the arena. */
static struct slice packed_text(struct slice text, struct arena *a)
{
    struct pack *z = pack_open();
    struct slice packed = { NULL, 0 };
    struct buf out;

    buf_init(&out);
    if (z && pack_put(z, text.text, text.len, true, &out) == 0)
        packed = (struct slice){ arena_strndup(a, out.data, out.len), out.len };
    buf_release(&out);
    pack_close(z);
    return packed;
}

static void what_was_packed_comes_out_again(void **state)
{
    enum { SIZE = 100000 };
    char *text = malloc(SIZE);
    struct slice packed, back;
    struct arena a;
    struct err e;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = "{\"a\":[1,2,3]}"[i * i % 13];
    arena_init(&a, 0);
    packed = packed_text((struct slice){ text, SIZE }, &a);
    assert_non_null(packed.text);
    assert_true(packed.len < SIZE / 2);
    assert_int_equal(pack_undo(packed, SIZE, &a, &back, &e), 0); /* at the limit */
    assert_int_equal(back.len, SIZE);
    assert_memory_equal(back.text, text, SIZE);
    assert_int_equal(pack_undo(packed, SIZE - 1, &a, &back, &e), IFP_ETOOLARGE);
    arena_release(&a);
    free(text);
}

static void a_bomb_does_not_go_off(void **state)
{
    enum { SIZE = 64 * 1024 * 1024, LIMIT = 1024 * 1024 };
    char *zeros = calloc(1, SIZE);
    struct slice packed, back;
    struct arena a, b;
    struct err e;

    (void)state;
    assert_non_null(zeros);
    arena_init(&a, 0);
    arena_init(&b, 4 * LIMIT); /* the doubling takes up to twice what comes out */
    packed = packed_text((struct slice){ zeros, SIZE }, &a);
    assert_in_range(packed.len, 1, LIMIT);
    assert_int_equal(pack_undo(packed, LIMIT, &b, &back, &e), IFP_ETOOLARGE);
    arena_release(&a);
    arena_release(&b);
    free(zeros);
}

static void what_is_not_one_whole_member_is_refused(void **state)
{
    struct slice packed, back;
    struct arena a;
    struct err e;
    char bad[600];

    (void)state;
    arena_init(&a, 0);
    packed = packed_text(slice_of("a text that is long enough to become shorter shorter shorter "
                                  "shorter shorter shorter shorter shorter shorter shorter"),
                         &a);
    assert_in_range(packed.len, 1, 250);
    for (size_t len = 0; len < packed.len; len++)
        assert_int_equal(pack_undo((struct slice){ packed.text, len }, 1000, &a, &back, &e),
                         IFP_EINVALID);
    memcpy(bad, packed.text, packed.len);
    memcpy(bad + packed.len, packed.text, packed.len);
    assert_int_equal(pack_undo((struct slice){ bad, packed.len * 2 }, 1000, &a, &back, &e),
                     IFP_EINVALID);
    bad[packed.len - 6] ^= 1; /* the checksum */
    assert_int_equal(pack_undo((struct slice){ bad, packed.len }, 1000, &a, &back, &e),
                     IFP_EINVALID);
    assert_int_equal(pack_undo(slice_of("hello"), 1000, &a, &back, &e), IFP_EINVALID);
    arena_release(&a);
}

static void each_part_of_a_stream_can_be_read_when_it_comes(void **state)
{
    z_stream in = { 0 };
    struct pack *z = pack_open();
    struct buf out;
    char text[64];

    (void)state;
    assert_non_null(z);
    assert_int_equal(inflateInit2(&in, 15 + 16), Z_OK);
    for (int i = 0; i < 3; i++) {
        buf_init(&out);
        assert_int_equal(pack_put(z, "data: tick\n\n", 12, i == 2, &out), 0);
        in.next_in = (Bytef *)out.data;
        in.avail_in = (uInt)out.len;
        in.next_out = (Bytef *)text;
        in.avail_out = sizeof(text);
        assert_int_equal(inflate(&in, Z_SYNC_FLUSH), i == 2 ? Z_STREAM_END : Z_OK);
        assert_int_equal(sizeof(text) - in.avail_out, 12);
        assert_memory_equal(text, "data: tick\n\n", 12);
        buf_release(&out);
    }
    assert_int_equal(inflateEnd(&in), Z_OK);
    pack_close(z);
}

static void no_memory_is_an_error_and_no_crash(void **state)
{
    char text[4096];
    bool failed = true;

    (void)state;
    memset(text, 'x', sizeof(text));
    for (uint64_t n = 1; failed; n++) {
        struct slice packed, back = { NULL, 0 };
        struct arena a;
        struct err e;
        int rc = IFP_ENOMEM;

        arena_init(&a, 0);
        fault_arm(FAULT_ALLOC, n, false);
        packed = packed_text((struct slice){ text, sizeof(text) }, &a);
        if (packed.text)
            rc = pack_undo(packed, sizeof(text), &a, &back, &e);
        failed = fault_count(FAULT_ALLOC) >= n;
        fault_arm(FAULT_ALLOC, 0, false);
        assert_int_equal(rc, failed ? IFP_ENOMEM : 0);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_out_again),
        cmocka_unit_test(a_bomb_does_not_go_off),
        cmocka_unit_test(what_is_not_one_whole_member_is_refused),
        cmocka_unit_test(each_part_of_a_stream_can_be_read_when_it_comes),
        cmocka_unit_test(no_memory_is_an_error_and_no_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
