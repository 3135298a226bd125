/* tests/unit/test_value.c - the public JSON values: getters and their defaults, and the builder. */
#include "base/value.h"

#include "base/err.h"
#include "base/fault.h"
#include "lib/deathtest.h"

#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct value_owner owner; /* first, as in ifp_run */
    struct arena arena;
};

static int open_owner(void **state)
{
    static struct fixture f;

    arena_init(&f.arena, 0);
    value_owner_init(&f.owner, &f.arena);
    *state = &f;
    return 0;
}

static int close_owner(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    arena_release(&f->arena);
    return 0;
}

static const ifp_json *doc(struct fixture *f, const char *text)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_parse(f, text, strlen(text), &value), 0);
    assert_non_null(value);
    return value;
}

static void assert_text(const ifp_json *value, const char *want)
{
    size_t len = 4711;

    assert_string_equal(ifp_json_text(value, &len), want);
    assert_int_equal(len, strlen(want));
}

/* ---- getters -------------------------------------------------------------------------------- */

static const char kinds[] = "{\"null\":null,\"bool\":true,\"number\":7,\"string\":\"x\","
                            "\"array\":[1,2],\"object\":{\"a\":1,\"b\":2,\"c\":3}}";

static const struct {
    const char *pointer;
    enum ifp_json_type type;
    size_t len;
} pointers[] = {
    { "/null", IFP_JSON_NULL, 0 },     { "/bool", IFP_JSON_BOOL, 0 },
    { "/number", IFP_JSON_NUMBER, 0 }, { "/string", IFP_JSON_STRING, 0 },
    { "/array", IFP_JSON_ARRAY, 2 },   { "/object", IFP_JSON_OBJECT, 3 },
    { "", IFP_JSON_OBJECT, 6 },        { "/missing", IFP_JSON_NONE, 0 },
    { "/array/2", IFP_JSON_NONE, 0 },  { "/array/00", IFP_JSON_NONE, 0 },
    { "bad", IFP_JSON_NONE, 0 },       { "/bad~2", IFP_JSON_NONE, 0 },
    { NULL, IFP_JSON_NONE, 0 },
};

static void each_getter_gives_its_default_for_every_other_kind(void **state)
{
    const ifp_json *value = doc(*state, kinds);

    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        const char *at = pointers[i].pointer;
        enum ifp_json_type type = pointers[i].type;

        assert_int_equal(ifp_json_typeof(value, at), type);
        assert_int_equal(ifp_json_len(value, at), pointers[i].len);
        assert_int_equal(ifp_json_get(value, at) != NULL, type != IFP_JSON_NONE);
        assert_string_equal(ifp_json_str(value, at, "-"), type == IFP_JSON_STRING ? "x" : "-");
        assert_int_equal(ifp_json_int(value, at, -9), type == IFP_JSON_NUMBER ? 7 : -9);
        assert_true(ifp_json_double(value, at, -9) == (type == IFP_JSON_NUMBER ? 7 : -9));
        assert_int_equal(ifp_json_bool(value, at, false), type == IFP_JSON_BOOL);
    }
}

static void no_value_gives_the_defaults(void **state)
{
    static const char fallback[] = "x";

    (void)state;
    assert_null(ifp_json_get(NULL, ""));
    assert_int_equal(ifp_json_typeof(NULL, ""), IFP_JSON_NONE);
    assert_ptr_equal(ifp_json_str(NULL, "", fallback), fallback);
    assert_null(ifp_json_str(NULL, "", NULL));
    assert_int_equal(ifp_json_int(NULL, "", INT64_MIN), INT64_MIN);
    assert_true(ifp_json_double(NULL, "", 0.5) == 0.5);
    assert_true(ifp_json_bool(NULL, "", true));
    assert_false(ifp_json_bool(NULL, "", false));
    assert_int_equal(ifp_json_len(NULL, ""), 0);
    assert_text(NULL, "null");
    assert_string_equal(ifp_json_text(NULL, NULL), "null");
    assert_int_equal(value_slice(NULL).len, 4);
    assert_memory_equal(value_slice(NULL).text, "null", 4);
}

static void booleans_are_told_apart_from_their_default(void **state)
{
    const ifp_json *value = doc(*state, "[true,false,\"true\"]");

    assert_true(ifp_json_bool(value, "/0", false));
    assert_false(ifp_json_bool(value, "/1", true));
    assert_true(ifp_json_bool(value, "/2", true));
}

static void an_integer_is_a_number_without_fraction_that_fits(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } numbers[] = {
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "9223372036854775808", 42 },
        { "-9223372036854775809", 42 },
        { "1e3", 1000 },
        { "1.50e1", 15 },
        { "1.5", 42 },
        { "-0", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_int_equal(ifp_json_int(doc(*state, numbers[i].text), "", 42), numbers[i].want);
}

static void a_double_is_any_number_in_range(void **state)
{
    const ifp_json *value = doc(*state, "[1.5,-2e3,1e400,\"1\"]");

    assert_true(ifp_json_double(value, "/0", 42) == 1.5);
    assert_true(ifp_json_double(value, "/1", 42) == -2000);
    assert_true(ifp_json_double(value, "/2", 42) == 42);
    assert_true(ifp_json_double(value, "/3", 42) == 42);
}

static void strings_are_decoded(void **state)
{
    const ifp_json *value = doc(*state, "{\"a/b\":\"\\u00e9\\n\\\"\\ud83d\\ude00\",\"\":\"\"}");

    assert_string_equal(ifp_json_str(value, "/a~1b", "-"), "\xc3\xa9\n\"\xf0\x9f\x98\x80");
    assert_string_equal(ifp_json_str(value, "/", "-"), "");
}

static void a_value_inside_is_the_exact_slice(void **state)
{
    const ifp_json *value = doc(*state, " {\"a\" : { \"b\" : [ 1 ,2 ]  } , \"n\": 12 }\n");
    const ifp_json *inner = ifp_json_get(value, "/a");

    assert_text(value, " {\"a\" : { \"b\" : [ 1 ,2 ]  } , \"n\": 12 }\n");
    assert_text(inner, "{ \"b\" : [ 1 ,2 ]  }");
    assert_text(ifp_json_get(inner, "/b"), "[ 1 ,2 ]");
    assert_text(ifp_json_get(value, "/n"), "12");
    assert_int_equal(ifp_json_int(inner, "/b/1", 0), 2);
    assert_int_equal(ifp_json_int(ifp_json_get(value, "/n"), "", 0), 12);
    assert_int_equal(value_slice(inner).len, 19);
    assert_true(value_slice(inner).text > value_slice(value).text); /* no copy */
    assert_true(value_slice(inner).text < value_slice(value).text + value_slice(value).len);
}

static void the_whole_value_is_got_as_itself(void **state)
{
    const ifp_json *value = doc(*state, " [1] ");
    const ifp_json *inner = ifp_json_get(value, "/0");

    assert_ptr_equal(ifp_json_get(value, ""), value);
    assert_ptr_equal(ifp_json_get(inner, ""), inner);
}

static void a_text_is_copied_only_to_end_it_with_a_zero(void **state)
{
    const ifp_json *value = doc(*state, "{\"a\":12,\"b\":3}");
    const ifp_json *inner = ifp_json_get(value, "/a");

    assert_ptr_equal(ifp_json_text(value, NULL), value_slice(value).text);
    assert_ptr_not_equal(ifp_json_text(inner, NULL), value_slice(inner).text);
    assert_string_equal(ifp_json_text(inner, NULL), "12");
}

static void wrapped_text_is_not_copied_and_copied_text_is(void **state)
{
    struct fixture *f = *state;
    char text[] = "[1]#";
    struct slice slice = { text, 3 };
    const ifp_json *copied = value_copy(&f->arena, slice);
    const ifp_json *wrapped;

    text[3] = '\0';
    wrapped = value_wrap(&f->arena, slice);
    assert_ptr_equal(ifp_json_text(wrapped, NULL), text);
    text[1] = '2';
    assert_text(copied, "[1]");
    assert_text(wrapped, "[2]");
}

/* ---- parse ---------------------------------------------------------------------------------- */

static void parse_takes_a_copy_of_exactly_len_bytes(void **state)
{
    const ifp_json *value = NULL;
    char text[] = "[1] and what follows";

    assert_int_equal(ifp_json_parse(*state, text, 3, &value), 0);
    text[1] = '2';
    assert_text(value, "[1]");
}

static void parse_refuses_what_is_not_json(void **state)
{
    static const char *const bad[] = { "",
                                       " ",
                                       "[1",
                                       "1 2",
                                       "{\"a\"}",
                                       "\"\xff",
                                       "\"\\u0000\"",
                                       "nul",
                                       "[1,]",
                                       "NaN",
                                       "{\"a\":1,\"\\u0061\":2}" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const ifp_json *value = NULL;

        assert_int_equal(ifp_json_parse(*state, bad[i], strlen(bad[i]), &value), IFP_EINVALID);
        assert_null(value);
    }
}

/* ---- build ---------------------------------------------------------------------------------- */

static void every_placeholder_is_built(void **state)
{
    const ifp_json *value = NULL;
    const ifp_json *nested = ifp_json_get(doc(*state, "{\"in\": [ 1 ] }"), "/in");

    assert_int_equal(ifp_json_build(*state, &value, "{s:s,s:b,s:b,s:i,s:I,s:f,s:v,s:n}", "s", "t",
                                    "b", 2, "c", 0, "i", INT32_MIN, "I", INT64_MIN, "f", -0.25, "v",
                                    nested, "n"),
                     0);
    assert_text(value, "{\"s\":\"t\",\"b\":true,\"c\":false,\"i\":-2147483648,"
                       "\"I\":-9223372036854775808,\"f\":-0.25,\"v\":[ 1 ],\"n\":null}");
    assert_int_equal(ifp_json_build(*state, &value, "[i,I]", INT32_MAX, INT64_MAX), 0);
    assert_text(value, "[2147483647,9223372036854775807]");
}

static void white_space_and_nesting_in_a_format_are_fine(void **state)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_build(*state, &value, " {\n\ts : [ i , [ ] , { } ] }\r\n", "a", 1),
                     0);
    assert_text(value, "{\"a\":[1,[],{}]}");
    assert_int_equal(ifp_json_build(*state, &value, "s", "alone"), 0);
    assert_text(value, "\"alone\"");
    assert_int_equal(ifp_json_build(*state, &value, "[[i],[i]]", 1, 2), 0);
    assert_text(value, "[[1],[2]]");
}

static void nothing_gives_null(void **state)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_build(*state, &value, "[s,v,n]", NULL, NULL), 0);
    assert_text(value, "[null,null,null]");
}

static void strings_and_keys_are_escaped(void **state)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_build(*state, &value, "{s:s}", "k\"", "a\n\x01\\\xc3\xa9"), 0);
    assert_text(value, "{\"k\\\"\":\"a\\n\\u0001\\\\\xc3\xa9\"}");
    assert_string_equal(ifp_json_str(value, "/k\"", "-"), "a\n\x01\\\xc3\xa9");
}

static void doubles_come_back_as_they_were(void **state)
{
    static const double numbers[] = {
        0.1, -0.0, 1e300, 0x1.fffffffffffffp1023, 0x1p-1074, 1e22, 3
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const ifp_json *value = NULL;

        assert_int_equal(ifp_json_build(*state, &value, "f", numbers[i]), 0);
        assert_true(ifp_json_double(value, "", 42) == numbers[i]);
        assert_int_equal(signbit(ifp_json_double(value, "", 42)), signbit(numbers[i]));
    }
}

static void doubles_are_as_short_as_they_can_be(void **state)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_build(*state, &value, "[f,f,f]", 0.5 + 0.45, 0.1 + 0.2, 1e22), 0);
    assert_text(value, "[0.95,0.30000000000000004,1e+22]");
}

static void a_built_value_holds_nothing_of_its_parts(void **state)
{
    struct fixture *f = *state;
    struct fixture other;
    const ifp_json *part, *value = NULL;

    arena_init(&other.arena, 0);
    value_owner_init(&other.owner, &other.arena);
    part = doc(&other, "{\"a\":1}");
    assert_int_equal(ifp_json_build(f, &value, "[v,v]", part, part), 0);
    arena_release(&other.arena);
    assert_text(value, "[{\"a\":1},{\"a\":1}]");
}

static void a_bad_format_is_refused(void **state)
{
    static const char *const bad[] = {
        "",   " ",     "x",   "%s",  "[",    "]",     "{",     "}",     "[n",  "[n}",
        "n]", "[,]",   "[n,", "n,n", "[n,]", "{n}",   "{:}",   "{n:n}", "nn",  "n n",
        ":",  "[n n]", "{]",  "1",   "[-]",  "\"a\"", "[n;n]", "[][]",  "n x", "[n,\xc3\xa9]",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const ifp_json *value = NULL;

        assert_int_equal(ifp_json_build(*state, &value, bad[i]), IFP_EINVALID);
        assert_null(value);
    }
}

/* Each pair would make one number, were it written without a comma. */
static void values_in_a_row_do_not_run_together(void **state)
{
    const ifp_json *value = NULL, *seven = doc(*state, "7");

    assert_int_equal(ifp_json_build(*state, &value, "ii", 1, 2), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[i i]", 1, 2), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[I\nI]", INT64_C(1), INT64_C(2)),
                     IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{s:i f}", "a", 1, 0.5), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[v v]", seven, seven), IFP_EINVALID);
    assert_null(value);
    assert_int_equal(ifp_json_build(*state, &value, "[i , i]", 1, 2), 0);
    assert_text(value, "[1,2]");
}

static void bad_arguments_are_refused(void **state)
{
    const ifp_json *value = NULL;
    const ifp_json *number = doc(*state, "1");

    assert_int_equal(ifp_json_build(*state, &value, "s", "\xff"), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{s:n}", "\xc3"), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "f", NAN), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "f", INFINITY), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[f]", -INFINITY), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{s:i}", NULL, 1), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{i:i}", 1, 1), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{v:i}", number, 1), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "{s:i,s:i}", "a", 1, "a", 2), IFP_EINVALID);
    assert_null(value);
}

/* Without its mistake each of these would be fine, and a space follows it, which is no mistake. */
static void a_mistake_is_not_forgotten_over_what_follows(void **state)
{
    const ifp_json *value = NULL;

    assert_int_equal(ifp_json_build(*state, &value, "x n"), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "n n "), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[f ]", NAN), IFP_EINVALID);
    assert_int_equal(ifp_json_build(*state, &value, "[s ]", "\xff"), IFP_EINVALID);
    assert_null(value);
}

static void values_nest_64_deep(void **state)
{
    const ifp_json *value = doc(*state, "[]"), *deepest;

    for (int depth = 1; depth < JSONSCAN_DEPTH_MAX; depth++)
        assert_int_equal(ifp_json_build(*state, &value, "[v]", value), 0);
    deepest = value;
    assert_int_equal(ifp_json_build(*state, &value, "[v]", value), IFP_EINVALID);
    assert_ptr_equal(value, deepest);
    assert_int_equal(ifp_json_typeof(value, "/0/0/0"), IFP_JSON_ARRAY);
}

/* ---- memory --------------------------------------------------------------------------------- */

static int build_much(struct fixture *f, const ifp_json **ret)
{
    static char long_text[6000];

    memset(long_text, 'x', sizeof(long_text) - 1);
    return ifp_json_build(f, ret, "{s:s,s:[i,f,b,n]}", "long", long_text, "rest", 1, 0.5, 1);
}

static int parse_much(struct fixture *f, const ifp_json **ret)
{
    static char text[6000];

    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"a\":{\"b\":1}}", 13);
    return ifp_json_parse(f, text, sizeof(text), ret);
}

/* Fails each allocation in turn; gives how many there were. */
static uint64_t fail_each(int (*make)(struct fixture *f, const ifp_json **ret))
{
    for (uint64_t n = 1;; n++) {
        struct fixture f;
        const ifp_json *value = NULL;
        int rc;

        arena_init(&f.arena, 0);
        value_owner_init(&f.owner, &f.arena);
        fault_arm(FAULT_ALLOC, n, false);
        rc = make(&f, &value);
        arena_release(&f.arena);
        if (fault_count(FAULT_ALLOC) < n) {
            assert_int_equal(rc, 0);
            assert_non_null(value);
            return n - 1;
        }
        assert_int_equal(rc, IFP_ENOMEM);
        assert_null(value);
    }
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    assert_true(fail_each(build_much) >= 4); /* the buffer twice, the keys, the arena */
    assert_true(fail_each(parse_much) >= 2);
}

/* In a full arena a copy of the text may fit, and the value over it not. */
static void a_full_arena_is_an_error(void **state)
{
    struct fixture *f = *state;
    const ifp_json *value = NULL;
    size_t limit = 1;

    for (;; limit++) {
        arena_reset(&f->arena);
        f->arena.limit = limit;
        if (ifp_json_parse(f, "[1]", 3, &value) == 0)
            break;
        assert_null(value);
        assert_null(value_wrap(&f->arena, (struct slice){ "1", 1 }));
        assert_null(value_copy(&f->arena, (struct slice){ "1", 1 }));
        arena_reset(&f->arena);
        assert_int_equal(ifp_json_build(f, &value, "[i]", 1), IFP_ENOMEM);
    }
    assert_true(limit > sizeof(struct ifp_json));
}

static void getters_give_their_default_without_memory(void **state)
{
    struct fixture *f = *state;
    const ifp_json *value = doc(f, "{\"s\":\"x\",\"n\":1}");
    const ifp_json *inner = ifp_json_get(value, "/s");

    f->arena.broken = true;
    assert_string_equal(ifp_json_str(value, "/s", "-"), "-");
    assert_null(ifp_json_get(value, "/s"));
    assert_ptr_equal(ifp_json_get(value, ""), value);
    assert_text(inner, "null");
    assert_text(value, "{\"s\":\"x\",\"n\":1}");
    assert_int_equal(ifp_json_int(value, "/n", 42), 1);
}

static void a_long_number_needs_memory_too(void **state)
{
    char text[100];
    const ifp_json *value;

    memset(text, '0', sizeof(text));
    text[0] = '[';
    text[2] = '.';
    text[98] = ']';
    text[99] = '\0';
    text[1] = '2';
    value = doc(*state, text);
    assert_true(ifp_json_double(value, "/0", 42) == 2);
    fault_arm(FAULT_ALLOC, 1, false);
    assert_true(ifp_json_double(value, "/0", 42) == 42);
}

/* ---- bugs of the caller --------------------------------------------------------------------- */

static struct value_owner stranger = { .magic = VALUE_OWNER_MAGIC + 1 };
static struct value_owner known;
static const ifp_json *made;

static void build_for_a_stranger(void)
{
    (void)!ifp_json_build(&stranger, &made, "n");
}

static void build_for_nobody(void)
{
    (void)!ifp_json_build(NULL, &made, "n");
}

static void build_to_nowhere(void)
{
    (void)!ifp_json_build(&known, NULL, "n");
}

static void build_without_a_format(void)
{
    (void)!ifp_json_build(&known, &made, NULL);
}

static void parse_for_a_stranger(void)
{
    (void)!ifp_json_parse(&stranger, "1", 1, &made);
}

static void parse_for_nobody(void)
{
    (void)!ifp_json_parse(NULL, "1", 1, &made);
}

static void parse_to_nowhere(void)
{
    (void)!ifp_json_parse(&known, "1", 1, NULL);
}

static void bugs_of_the_caller_abort(void **state)
{
    struct fixture *f = *state;

    known = f->owner;
    stranger.arena = &f->arena;
    assert_true(deathtest_aborts(build_for_a_stranger));
    assert_true(deathtest_aborts(build_for_nobody));
    assert_true(deathtest_aborts(build_to_nowhere));
    assert_true(deathtest_aborts(build_without_a_format));
    assert_true(deathtest_aborts(parse_for_a_stranger));
    assert_true(deathtest_aborts(parse_for_nobody));
    assert_true(deathtest_aborts(parse_to_nowhere));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_owner, close_owner)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_getter_gives_its_default_for_every_other_kind),
        TEST(no_value_gives_the_defaults),
        TEST(booleans_are_told_apart_from_their_default),
        TEST(an_integer_is_a_number_without_fraction_that_fits),
        TEST(a_double_is_any_number_in_range),
        TEST(strings_are_decoded),
        TEST(a_value_inside_is_the_exact_slice),
        TEST(the_whole_value_is_got_as_itself),
        TEST(a_text_is_copied_only_to_end_it_with_a_zero),
        TEST(wrapped_text_is_not_copied_and_copied_text_is),
        TEST(parse_takes_a_copy_of_exactly_len_bytes),
        TEST(parse_refuses_what_is_not_json),
        TEST(every_placeholder_is_built),
        TEST(white_space_and_nesting_in_a_format_are_fine),
        TEST(nothing_gives_null),
        TEST(strings_and_keys_are_escaped),
        TEST(doubles_come_back_as_they_were),
        TEST(doubles_are_as_short_as_they_can_be),
        TEST(a_built_value_holds_nothing_of_its_parts),
        TEST(a_bad_format_is_refused),
        TEST(values_in_a_row_do_not_run_together),
        TEST(bad_arguments_are_refused),
        TEST(a_mistake_is_not_forgotten_over_what_follows),
        TEST(values_nest_64_deep),
        TEST(every_failed_allocation_is_an_error),
        TEST(a_full_arena_is_an_error),
        TEST(getters_give_their_default_without_memory),
        TEST(a_long_number_needs_memory_too),
        TEST(bugs_of_the_caller_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
