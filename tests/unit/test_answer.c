/* tests/unit/test_answer.c - the JSON of answers: commas, quoting, what is left out, no memory. */
#include "api/answer.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct slice write_all(struct answer *a)
{
    answer_object(a, NULL);
    answer_text(a, "text", "a\"b\\c\n\x01\xc3\xa9");
    answer_text(a, "none", NULL);
    answer_int(a, "int", INT64_MIN);
    answer_bool(a, "yes", true);
    answer_raw(a, "raw", (struct slice){ "{\"n\": 1e400}", 12 });
    answer_raw(a, "gone", (struct slice){ 0 });
    answer_time(a, "at", 1500);
    answer_time(a, "never", 0);
    answer_id(a, "id", 1);
    answer_id(a, "no id", 0);
    answer_array(a, "list");
    answer_int(a, NULL, 1);
    answer_null(a, NULL);
    answer_object(a, NULL);
    answer_close(a);
    answer_array(a, NULL);
    answer_close(a);
    answer_close(a);
    answer_bool(a, "no", false);
    answer_close(a);
    return answer_end(a);
}

static const char expected[] =
    "{\"text\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\",\"int\":-9223372036854775808,\"yes\":true,"
    "\"raw\":{\"n\": 1e400},\"at\":\"1970-01-01T00:00:00.001Z\",\"id\":\"exe_0000000000001\","
    "\"list\":[1,null,{},[]],\"no\":false}";

static void all_kinds_of_members_are_written(void **state)
{
    struct arena arena;
    struct answer a;
    struct slice text;

    (void)state;
    arena_init(&arena, 0);
    answer_begin(&a, &arena);
    text = write_all(&a);
    assert_int_equal(text.len, sizeof(expected) - 1);
    assert_memory_equal(text.text, expected, text.len);
    arena_release(&arena);
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
    struct arena arena;
    struct answer a;
    struct slice text;

    (void)state;
    arena_init(&arena, 0);
    answer_begin(&a, &arena);
    answer_text(&a, NULL, "a\xff");
    text = answer_end(&a);
    assert_int_equal(text.len, 6);
    assert_memory_equal(text.text, "\"a\xef\xbf\xbd\"", 6);
    arena_release(&arena);
}

static void an_answer_grows_to_any_size(void **state)
{
    struct arena arena;
    struct answer a;
    struct slice text;

    (void)state;
    arena_init(&arena, 0);
    answer_begin(&a, &arena);
    answer_array(&a, NULL);
    for (int i = 0; i < 100000; i++)
        answer_int(&a, NULL, 7);
    answer_close(&a);
    text = answer_end(&a);
    assert_int_equal(text.len, 200001);
    assert_memory_equal(text.text, "[7,7,", 5);
    assert_memory_equal(text.text + text.len - 4, "7,7]", 4);
    arena_release(&arena);
}

static void an_error_lists_what_is_wrong(void **state)
{
    struct arena arena;
    struct answer a;
    struct body body;
    struct err e;
    struct slice text;
    static const char wanted[] =
        "{\"code\":\"INVALID_INPUT\",\"message\":\"/a: bad\",\"executionId\":\"exe_0000000000002\","
        "\"errors\":[{\"pointer\":\"/a\",\"message\":\"bad\"},"
        "{\"pointer\":\"/b\",\"message\":\"worse\"}]}";

    (void)state;
    arena_init(&arena, 0);
    body_init(&body, &arena);
    body_refuse(&body, "/a", "bad");
    body_refuse(&body, "/b", "worse");
    assert_int_equal(body_result(&body, &e), IFP_EINVALID);
    answer_begin(&a, &arena);
    answer_object(&a, NULL);
    answer_error_members(&a, &e, &(struct answer_problem){ .execution = 2, .body = &body });
    answer_close(&a);
    text = answer_end(&a);
    assert_int_equal(text.len, sizeof(wanted) - 1);
    assert_memory_equal(text.text, wanted, text.len);
    arena_release(&arena);
}

static void memory_that_runs_out_leaves_no_half_answer(void **state)
{
    struct slice text = { 0 };
    int n;

    (void)state;
    for (n = 1; !text.text && n < 100; n++) {
        struct arena arena;
        struct answer a;

        arena_init(&arena, 0);
        answer_begin(&a, &arena);
        fault_arm(FAULT_ALLOC, (uint64_t)n, false);
        text = write_all(&a);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(!text.text || text.len == sizeof(expected) - 1);
        arena_release(&arena);
    }
    assert_non_null(text.text);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_members_are_written),
        cmocka_unit_test(text_that_is_not_utf8_is_repaired),
        cmocka_unit_test(an_answer_grows_to_any_size),
        cmocka_unit_test(an_error_lists_what_is_wrong),
        cmocka_unit_test(memory_that_runs_out_leaves_no_half_answer),
    };

    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
