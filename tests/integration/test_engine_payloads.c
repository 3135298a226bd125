/*
 * tests/integration/test_engine_payloads.c - payloads come out byte for byte as they went in,
 * inline or in their own table, and what is over the limit is refused with a text that names it.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 2048, MAX_DEFAULT = 4 << 20 };
#define SETTINGS "payload-inline=100 payload-max=2048"

static atomic_int attempts;

/* ---- workflows ------------------------------------------------------------------------------- */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

/* A JSON string of /size bytes with its quotes. */
static int make_text(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    size_t size = (size_t)ifp_json_int(input, "", 0);
    char *text = ifp_step_alloc(step, size);

    atomic_fetch_add(&attempts, 1);
    memset(text, 'x', size);
    text[0] = text[size - 1] = '"';
    return ifp_json_parse(step, text, size, ret);
}

/* Input, message, result and output: all four ways of a payload. */
static int all_ways(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *back, *message;

    IFP_TRY(ifp_step(run, "back", give_back, input, &back));
    IFP_TRY(ifp_receive(run, "more", NULL, &message));
    return ifp_json_build(run, ret, "[v, v]", back, message);
}

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "back", give_back, input, ret);
}

static int made_by_step(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *text;

    IFP_TRY(ifp_step(run, "text", make_text, input, &text));
    return ifp_json_build(run, ret, "i", (int)strlen(ifp_json_str(text, "", "")));
}

/* An output of /size bytes that no step gave. */
static int made_by_workflow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    static char text[MAX + 2];
    int size = (int)ifp_json_int(input, "", 0);

    memset(text, 'y', sizeof(text));
    text[size - 2] = '\0';
    return ifp_json_build(run, ret, "s", text);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(all_ways),
    ENGINETEST_WORKFLOW(echo),
    ENGINETEST_WORKFLOW(made_by_step),
    ENGINETEST_WORKFLOW(made_by_workflow),
};

static int setup(void **state)
{
    enginetest_setup(state);
    atomic_store(&attempts, 0);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

/* A JSON string of so many bytes with its quotes; the caller frees it. */
static char *quoted(size_t size, char fill)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, fill, size);
    text[0] = text[size - 1] = '"';
    text[size] = '\0';
    return text;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void takes_all_ways(struct enginetest *t, size_t input_size, size_t message_size)
{
    char *input = quoted(input_size, 'i'), *message = quoted(message_size, 'm');
    char *expected = malloc(input_size + message_size + 8);
    int64_t id = enginetest_start(t, "all_ways", input, NULL);

    snprintf(expected, input_size + message_size + 8, "[%s,%s]", input, message);
    enginetest_send(t, id, "more", message);
    enginetest_completes(t, id, expected);
    free(input);
    free(message);
    free(expected);
}

static void inline_limit_is_exact(void **state)
{
    struct enginetest *t = *state;
    int64_t at, above;

    enginetest_worker(t, SETTINGS);
    at = enginetest_start(t, "made_by_step", "100", NULL);
    above = enginetest_start(t, "made_by_step", "101", NULL);
    enginetest_completes(t, at, "98");
    enginetest_completes(t, above, "99");
    enginetest_sql("0", "select codec from inferpipe._inferpipe_steps where exec_id = %" PRId64,
                   at);
    enginetest_sql("1", "select codec from inferpipe._inferpipe_steps where exec_id = %" PRId64,
                   above);
    enginetest_sql("101", "select octet_length(data) from inferpipe._inferpipe_payloads");
}

static void payloads_around_the_inline_limit_come_back(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    for (size_t size = (32 << 10) - 1; size <= (32 << 10) + 1; size++)
        takes_all_ways(t, size, size);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_executions"
                                 " where codec = 1"),
                     1);
}

/* The journal with large results and messages is read back by another worker. */
static void large_payloads_survive_a_change_of_worker(void **state)
{
    struct enginetest *t = *state;
    char *input = quoted(200000, 'i'), *message = quoted(100000, 'm'), *expected = malloc(300010);
    int64_t id = enginetest_start(t, "all_ways", input, NULL);
    struct enginetest_worker *first = enginetest_worker(t, NULL);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_leave(t, first);
    enginetest_send(t, id, "more", message);
    enginetest_worker(t, NULL);
    snprintf(expected, 300010, "[%s,%s]", input, message);
    enginetest_completes(t, id, expected);
    free(input);
    free(message);
    free(expected);
}

static void the_largest_payload_makes_the_round_trip(void **state)
{
    struct enginetest *t = *state;
    char *input = quoted(MAX_DEFAULT, 'x');
    int64_t id = enginetest_start(t, "echo", input, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, input);
    free(input);
}

static void a_larger_input_or_message_is_refused(void **state)
{
    struct enginetest *t = *state;
    char *text = quoted(MAX_DEFAULT + 1, 'x');
    int64_t waiting = enginetest_start(t, "all_ways", "1", NULL), id;
    bool created;
    struct err e;

    assert_int_equal(
        client_start(&t->client, "echo", text, MAX_DEFAULT + 1, NULL, &id, &created, &e),
        IFP_ETOOLARGE);
    assert_non_null(strstr(e.text, "input"));
    assert_int_equal(
        client_send(&t->client, waiting, "more", text, MAX_DEFAULT + 1, NULL, &created, &e),
        IFP_ETOOLARGE);
    assert_non_null(strstr(e.text, "message"));
    text[MAX_DEFAULT - 1] = '"';
    text[MAX_DEFAULT] = '\0';
    enginetest_send(t, waiting, "more", text);
    free(text);
}

/* A result over the limit is a final failure: the next attempt would make the same. */
static void a_result_over_the_limit_fails_the_step_for_good(void **state)
{
    struct enginetest *t = *state;
    int64_t at = enginetest_start(t, "made_by_step", "2048", NULL);
    int64_t above = enginetest_start(t, "made_by_step", "2049", NULL);

    enginetest_worker(t, SETTINGS);
    enginetest_completes(t, at, "2046");
    enginetest_fails(t, above, "PAYLOAD_TOO_LARGE", "2049 bytes are over the limit of 2048");
    assert_int_equal(attempts, 2);
}

static void an_output_over_the_limit_fails_the_execution(void **state)
{
    struct enginetest *t = *state;
    int64_t at = enginetest_start(t, "made_by_workflow", "2048", NULL);
    int64_t above = enginetest_start(t, "made_by_workflow", "2049", NULL);
    char *expected = quoted(2048, 'y');

    enginetest_worker(t, SETTINGS);
    enginetest_completes(t, at, expected);
    enginetest_fails(t, above, "PAYLOAD_TOO_LARGE", "2049 bytes are over the limit of 2048");
    free(expected);
}

static void odd_texts_come_back_byte_for_byte(void **state)
{
    static const char *const odd[] = {
        "123456789012345678901234567890.12345678901234567890e-400",
        "-0",
        "1E+2",
        "{\"\":1,\" a \":2,\"\\u0061\":3,\"a/b~c\":4}",
        "{ \"spaces\" :\t[ 1 ,\n2 ] }",
        "\"\\ud83d\\ude00 \xf0\x9f\x98\x80 \\/ \\u00e9 \xc3\xa9\"",
        "[9007199254740993, 1e999, 0.1000]",
        "\"\"",
        "[]",
        "false",
    };
    struct enginetest *t = *state;
    int64_t ids[ARRAY_LEN(odd)];
    char expected[512];

    enginetest_worker(t, NULL);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        ids[i] = enginetest_start(t, "all_ways", odd[i], NULL);
        enginetest_send(t, ids[i], "more", odd[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        snprintf(expected, sizeof(expected), "[%s,%s]", odd[i], odd[i]);
        enginetest_completes(t, ids[i], expected);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inline_limit_is_exact),
        TEST(payloads_around_the_inline_limit_come_back),
        TEST(large_payloads_survive_a_change_of_worker),
        TEST(the_largest_payload_makes_the_round_trip),
        TEST(a_larger_input_or_message_is_refused),
        TEST(a_result_over_the_limit_fails_the_step_for_good),
        TEST(an_output_over_the_limit_fails_the_execution),
        TEST(odd_texts_come_back_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
