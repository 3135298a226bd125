/* tests/unit/test_traceparent.c - what is a trace context and what is not, and the ids of spans. */
#include "base/traceparent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_context_is_read_and_written_as_it_came(void **state)
{
    struct traceparent t;
    char text[TRACEPARENT_SIZE], trace[TRACE_ID_SIZE], span[SPAN_ID_SIZE];

    (void)state;
    assert_int_equal(traceparent_parse(GOOD, strlen(GOOD), &t), 0);
    assert_true(t.high == UINT64_C(0x0af7651916cd43dd));
    assert_true(t.low == UINT64_C(0x8448eb211c80319c));
    assert_true(t.span == UINT64_C(0xb7ad6b7169203331));
    assert_true(t.sampled);
    traceparent_format(&t, text);
    assert_string_equal(text, GOOD);
    traceparent_trace_id(&t, trace);
    assert_string_equal(trace, "0af7651916cd43dd8448eb211c80319c");
    traceparent_span_id(t.span, span);
    assert_string_equal(span, "b7ad6b7169203331");
}

static void only_the_sampled_flag_is_kept(void **state)
{
    char text[] = GOOD, out[TRACEPARENT_SIZE];
    struct traceparent t;

    (void)state;
    memcpy(text + 53, "fe", 2);
    assert_int_equal(traceparent_parse(text, strlen(text), &t), 0);
    assert_false(t.sampled);
    traceparent_format(&t, out);
    assert_string_equal(out + 52, "-00");
    memcpy(text + 53, "ff", 2);
    assert_int_equal(traceparent_parse(text, strlen(text), &t), 0);
    assert_true(t.sampled);
}

static void what_is_not_exactly_a_context_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333G-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
        " 0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    struct traceparent t = { .high = 42 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(traceparent_parse(bad[i], strlen(bad[i]), &t), IFP_EINVALID);
    assert_int_equal(traceparent_parse(GOOD "\0", sizeof(GOOD), &t), IFP_EINVALID);
    assert_true(t.high == 42); /* nothing is written then */
}

static void new_ones_differ_and_can_be_read(void **state)
{
    struct traceparent a = traceparent_new(), b = traceparent_new(), read;
    char text[TRACEPARENT_SIZE];

    (void)state;
    assert_true(a.high != b.high && a.low != b.low && a.span != b.span);
    assert_true(traceparent_span() != traceparent_span());
    traceparent_format(&a, text);
    assert_int_equal(traceparent_parse(text, strlen(text), &read), 0);
    assert_memory_equal(&read.high, &a.high, sizeof(a.high));
    assert_true(read.span == a.span && read.sampled);
}

/* The same on every worker; apart from each other by all that makes them. */
static void spans_follow_from_the_execution(void **state)
{
    uint64_t step = traceparent_step(7, 0, -12);

    (void)state;
    assert_true(traceparent_execution(7) == 7);
    assert_true(step == traceparent_step(7, 0, -12));
    assert_true(step != traceparent_step(8, 0, -12));
    assert_true(step != traceparent_step(7, 1, -12));
    assert_true(step != traceparent_step(7, 0, 12));
    assert_true(traceparent_attempt(step, 1) == traceparent_attempt(step, 1));
    assert_true(traceparent_attempt(step, 1) != traceparent_attempt(step, 2));
    assert_true(traceparent_attempt(step, 1) != step);
}

static void an_execution_without_a_context_has_a_trace_of_its_own(void **state)
{
    struct traceparent own = traceparent_of(0x1234, NULL), given = traceparent_of(0x1234, GOOD);
    char trace[TRACE_ID_SIZE];

    (void)state;
    traceparent_trace_id(&own, trace);
    assert_string_equal(trace, "00000000000012340000000000001234");
    assert_true(own.span == 0 && own.sampled);
    assert_true(given.high == UINT64_C(0x0af7651916cd43dd) && given.span != 0);
    assert_true(traceparent_of(0x1234, "rubbish").high == own.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_is_read_and_written_as_it_came),
        cmocka_unit_test(only_the_sampled_flag_is_kept),
        cmocka_unit_test(what_is_not_exactly_a_context_is_refused),
        cmocka_unit_test(new_ones_differ_and_can_be_read),
        cmocka_unit_test(spans_follow_from_the_execution),
        cmocka_unit_test(an_execution_without_a_context_has_a_trace_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
