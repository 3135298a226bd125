/*
 * tests/unit/test_body.c - bodies read by a table: what is taken, what each mistake is called and
 * where it points; and that memory which runs out is never the client's mistake.
 */
#include "api/body.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct wanted {
    const char *name, *slug;
    int mode;
    int64_t count, at_us;
    bool loud;
    struct slice input, meta, list;
    int64_t attempts;
};

static const char *const modes[] = { "sync", "async", NULL };
static const struct body_field retry[] = { BODY_FIELD("attempts", BODY_INT, struct wanted, attempts,
                                                      .min = 1, .max = 10, .required = true) };
static const struct body_field fields[] = {
    BODY_FIELD("input", BODY_VALUE, struct wanted, input, .required = true),
    BODY_FIELD("name", BODY_TEXT, struct wanted, name, .min = 1, .max = 5),
    BODY_FIELD("slug", BODY_SLUG, struct wanted, slug),
    BODY_FIELD("mode", BODY_WORD, struct wanted, mode, .words = modes),
    BODY_FIELD("count", BODY_INT, struct wanted, count, .min = -3, .max = 3),
    BODY_FIELD("at", BODY_TIME, struct wanted, at_us),
    BODY_FIELD("loud", BODY_BOOL, struct wanted, loud),
    BODY_FIELD("meta", BODY_OBJECT, struct wanted, meta, .max = 10),
    BODY_FIELD("list", BODY_ARRAY, struct wanted, list, .min = 1, .max = 2),
    { .name = "retry", .type = BODY_GROUP, .fields = retry, .count = ARRAY_LEN(retry) },
};

struct fixture {
    struct arena arena;
    struct body body;
    struct wanted wanted;
    struct err e;
};

static int read_text(struct fixture *t, const char *text)
{
    arena_reset(&t->arena);
    body_init(&t->body, &t->arena);
    memset(&t->wanted, 0, sizeof(t->wanted));
    t->wanted.count = 77;
    return body_read(&t->body, (struct slice){ text, strlen(text) }, "", fields, ARRAY_LEN(fields),
                     &t->wanted, &t->e);
}

static int setup(void **state)
{
    static struct fixture t;

    arena_init(&t.arena, 0);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    arena_release(&((struct fixture *)*state)->arena);
    return 0;
}

static void all_fields_are_read(void **state)
{
    struct fixture *t = *state;
    int err =
        read_text(t, "{\"input\": {\"n\":1e400}, \"name\":\"a\\u00e9\", \"slug\":\"a.b\","
                     "\"mode\":\"async\",\"count\":-3,\"at\":\"1970-01-01T00:00:01Z\","
                     "\"loud\":true,\"meta\":{},\"list\":[1, 2],\"retry\":{\"attempts\":10}}");

    assert_int_equal(err, 0);
    assert_int_equal(t->wanted.input.len, strlen("{\"n\":1e400}"));
    assert_memory_equal(t->wanted.input.text, "{\"n\":1e400}", t->wanted.input.len);
    assert_string_equal(t->wanted.name, "a\xc3\xa9");
    assert_string_equal(t->wanted.slug, "a.b");
    assert_int_equal(t->wanted.mode, 1);
    assert_int_equal(t->wanted.count, -3);
    assert_int_equal(t->wanted.at_us, 1000000);
    assert_true(t->wanted.loud);
    assert_int_equal(t->wanted.meta.len, 2);
    assert_int_equal(t->wanted.list.len, strlen("[1, 2]"));
    assert_int_equal(t->wanted.attempts, 10);
}

static void what_is_left_out_or_null_keeps_its_default(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(read_text(t, "{\"input\":null, \"count\":null, \"retry\":null}"), 0);
    assert_int_equal(t->wanted.count, 77);
    assert_memory_equal(t->wanted.input.text, "null", 4);
    assert_null(t->wanted.name);
}

static void a_name_with_escapes_is_the_same_name(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(read_text(t, "{\"\\u0069nput\": 5}"), 0);
    assert_memory_equal(t->wanted.input.text, "5", 1);
}

struct mistake {
    const char *text, *pointer, *message;
};

static const struct mistake mistakes[] = {
    { "", "/input", "is missing" },
    { "{}", "/input", "is missing" },
    { "[]", "", "must be an object" },
    { "{\"input\":1,\"inputs\":1}", "/inputs", "there is no such field" },
    { "{\"input\":1,\"a/~b\":1}", "/a~1~0b", "there is no such field" },
    { "{\"input\":1,\"name\":\"\"}", "/name", "must be 1 to 5 bytes long" },
    { "{\"input\":1,\"name\":\"123456\"}", "/name", "must be 1 to 5 bytes long" },
    { "{\"input\":1,\"name\":7}", "/name", "must be a string" },
    { "{\"input\":1,\"slug\":\"A\"}", "/slug",
      "must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit" },
    { "{\"input\":1,\"mode\":\"fast\"}", "/mode", "must be one of sync, async" },
    { "{\"input\":1,\"count\":4}", "/count", "must be a whole number from -3 to 3" },
    { "{\"input\":1,\"count\":1.5}", "/count", "must be a whole number from -3 to 3" },
    { "{\"input\":1,\"count\":\"1\"}", "/count", "must be a whole number from -3 to 3" },
    { "{\"input\":1,\"at\":\"tomorrow\"}", "/at", "must be a time as 2026-03-08T07:00:00Z" },
    { "{\"input\":1,\"loud\":\"true\"}", "/loud", "must be true or false" },
    { "{\"input\":1,\"meta\":[]}", "/meta", "must be an object" },
    { "{\"input\":1,\"meta\":{\"abc\":1000}}", "/meta", "must be at most 10 bytes long" },
    { "{\"input\":1,\"list\":{}}", "/list", "must be an array" },
    { "{\"input\":1,\"list\":[]}", "/list", "must have 1 to 2 elements" },
    { "{\"input\":1,\"list\":[1,2,3]}", "/list", "must have 1 to 2 elements" },
    { "{\"input\":1,\"retry\":{}}", "/retry/attempts", "is missing" },
    { "{\"input\":1,\"retry\":{\"attempts\":0}}", "/retry/attempts",
      "must be a whole number from 1 to 10" },
    { "{\"input\":1,\"retry\":{\"attempts\":1,\"x\":2}}", "/retry/x", "there is no such field" },
    { "{\"input\":1,\"retry\":7}", "/retry", "must be an object" },
};

static void each_mistake_is_named_with_its_pointer(void **state)
{
    struct fixture *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        assert_int_equal(read_text(t, mistakes[i].text), IFP_EINVALID);
        assert_int_equal(t->body.error_count, 1);
        assert_string_equal(t->body.errors[0].pointer, mistakes[i].pointer);
        assert_string_equal(t->body.errors[0].message, mistakes[i].message);
        assert_non_null(strstr(t->e.text, mistakes[i].message));
    }
}

static void several_mistakes_are_all_told_up_to_a_limit(void **state)
{
    char text[2048] = "{\"input\":1";
    struct fixture *t = *state;

    assert_int_equal(read_text(t, "{\"loud\":1,\"count\":9}"), IFP_EINVALID);
    assert_int_equal(t->body.error_count, 3);
    assert_string_equal(t->body.errors[2].pointer, "/input");
    for (int i = 0; i < BODY_ERRORS_MAX + 3; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\"x%d\":1", i);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "}");
    assert_int_equal(read_text(t, text), IFP_EINVALID);
    assert_int_equal(t->body.error_count, BODY_ERRORS_MAX);
}

static void broken_json_says_where(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(read_text(t, "{\"input\":1,}"), IFP_EINVALID);
    assert_string_equal(t->body.errors[0].pointer, "");
    assert_non_null(strstr(t->e.text, "11"));
    assert_int_equal(read_text(t, "{\"input\":1,\"input\":2}"), IFP_EINVALID);
    assert_int_equal(read_text(t, "{\"input\":\"\\ud800\"}"), IFP_EINVALID);
}

static void a_very_long_name_is_pointed_at_in_part(void **state)
{
    struct fixture *t = *state;
    char text[1024] = "{\"input\":1,\"";

    memset(text + strlen(text), '/', 600);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "\":1}");
    assert_int_equal(read_text(t, text), IFP_EINVALID);
    assert_true(strlen(t->body.errors[0].pointer) < BODY_POINTER_MAX);
}

static void a_rule_of_the_handler_is_told_like_the_others(void **state)
{
    struct fixture *t = *state;

    assert_int_equal(read_text(t, "{\"input\":1}"), 0);
    body_refuse(&t->body, "/count", "must not be %d", 5);
    assert_int_equal(body_result(&t->body, &t->e), IFP_EINVALID);
    assert_string_equal(t->e.text, "/count: must not be 5");
}

static void memory_that_runs_out_is_no_mistake_of_the_client(void **state)
{
    int err = IFP_ENOMEM, n;

    (void)state;
    for (n = 1; err == IFP_ENOMEM && n < 100; n++) {
        struct fixture t;

        arena_init(&t.arena, 0);
        fault_arm(FAULT_ALLOC, (uint64_t)n, false);
        err = read_text(&t, "{\"inp\\u0075t\":1,\"slug\":\"!\"}");
        fault_arm(FAULT_ALLOC, 0, false);
        arena_release(&t.arena);
        assert_true(err == IFP_ENOMEM || err == IFP_EINVALID);
    }
    assert_int_equal(err, IFP_EINVALID);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields_are_read),
        cmocka_unit_test(what_is_left_out_or_null_keeps_its_default),
        cmocka_unit_test(a_name_with_escapes_is_the_same_name),
        cmocka_unit_test(each_mistake_is_named_with_its_pointer),
        cmocka_unit_test(several_mistakes_are_all_told_up_to_a_limit),
        cmocka_unit_test(broken_json_says_where),
        cmocka_unit_test(a_very_long_name_is_pointed_at_in_part),
        cmocka_unit_test(a_rule_of_the_handler_is_told_like_the_others),
        cmocka_unit_test(memory_that_runs_out_is_no_mistake_of_the_client),
    };

    return cmocka_run_group_tests_name("body", tests, setup, teardown);
}
