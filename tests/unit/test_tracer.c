/*
 * tests/unit/test_tracer.c - spans on their way to a collector: their JSON, batches, what is sent
 * again and what is dropped, and the end of the process.
 */
#include "http/tracer.h"

#include "base/jsonscan.h"
#include "base/metrics.h"
#include "http/otlp.h"
#include "lib/looptest.h"
#include "lib/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture {
    struct loop *loop;
    struct receiver *receiver;
    struct tracer *tracer;
    int drained;
    atomic_int status;    /* that the collector answers with */
    const char *rejected; /* its body */
} fixture;

static void answer(void *ctx, const struct receiver_request *r, struct receiver_answer *ret)
{
    struct fixture *t = ctx;

    (void)r;
    ret->status = atomic_load(&t->status);
    ret->body = t->rejected;
    ret->keep = true;
}

static void open_tracer(struct fixture *t, const char *endpoint, int queue)
{
    struct tracer_options o = {
        .endpoint = endpoint,
        .headers = "x-token=a=b,x-two=2",
        .service = "tests",
        .queue = queue,
        .timeout_ms = 5000,
    };
    struct err e;

    if (tracer_open(t->loop, &o, &t->tracer, &e) != 0)
        fail_msg("%s", e.text);
}

static int setup(void **state)
{
    struct fixture *t = *state = &fixture;
    char endpoint[64];

    memset(t, 0, sizeof(*t));
    t->loop = looptest_open();
    atomic_store(&t->status, 200);
    t->receiver = receiver_open(answer, t);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/", receiver_port(t->receiver));
    open_tracer(t, endpoint, 2000);
    return 0;
}

static void on_drained(void *ctx)
{
    ((struct fixture *)ctx)->drained++;
}

static void drain(struct fixture *t, int64_t ms)
{
    tracer_drain(t->tracer, ms, on_drained, t);
    looptest_count(t->loop, &t->drained, 1);
}

static int teardown(void **state)
{
    struct fixture *t = *state;

    if (t->drained == 0)
        drain(t, 10000);
    tracer_close(t->tracer);
    receiver_close(t->receiver);
    looptest_close(t->loop);
    return 0;
}

static struct span span_of(int n)
{
    static const struct span_attribute attributes[] = {
        SPAN_TEXT("inferpipe.step", "charge \"it\""), SPAN_NUMBER("inferpipe.attempt", 2)
    };

    return (struct span){
        .trace = { .high = 0x1234, .low = 0xabcd, .span = (uint64_t)n, .sampled = true },
        .parent = 0x77,
        .kind = SPAN_CLIENT,
        .name = "charge",
        .start_us = 1700000000000001,
        .end_us = 1700000000000001 + n,
        .failed = true,
        .error = "no \xff stock",
        .attributes = attributes,
        .attribute_count = ARRAY_LEN(attributes)
    };
}

static void take(struct fixture *t, int count)
{
    for (int i = 0; i < count; i++) {
        struct span s = span_of(i + 1);

        tracer_span(t->tracer, &s);
    }
}

struct wish {
    struct receiver *receiver;
    int count;
};

static bool has_come(void *ctx)
{
    const struct wish *w = ctx;

    return receiver_count(w->receiver) >= w->count;
}

static const struct receiver_request *request(struct fixture *t, int n)
{
    struct wish wish = { t->receiver, n };

    looptest_until(t->loop, has_come, &wish);
    return receiver_get(t->receiver, n);
}

/* The text at a pointer in a request's body, as it stands there. */
static void assert_at(const struct receiver_request *r, const char *pointer, const char *wanted)
{
    struct slice body = { r->body, r->body_len }, value;
    struct err e;

    if (jsonscan_check(body.text, body.len, &e) != 0)
        fail_msg("%s in %.*s", e.text, (int)body.len, body.text);
    if (jsonscan_find(body, pointer, &value) != 0)
        fail_msg("nothing at %s in %.*s", pointer, (int)body.len, body.text);
    if (value.len != strlen(wanted) || memcmp(value.text, wanted, value.len) != 0)
        fail_msg("%s is %.*s, not %s", pointer, (int)value.len, value.text, wanted);
}

static size_t spans_in(const struct receiver_request *r)
{
    struct slice body = { r->body, r->body_len }, value;

    assert_int_equal(jsonscan_find(body, "/resourceSpans/0/scopeSpans/0/spans", &value), 0);
    return jsonscan_len(value);
}

#define SPAN "/resourceSpans/0/scopeSpans/0/spans/0"

static void a_span_arrives_as_otlp_says(void **state)
{
    struct fixture *t = *state;
    const struct receiver_request *r;
    char value[64];

    take(t, 1);
    r = request(t, 1);
    assert_memory_equal(r->head, "POST /v1/traces HTTP/1.1\r\n", 26);
    receiver_header(r, "content-type", value, sizeof(value));
    assert_string_equal(value, "application/json");
    receiver_header(r, "x-token", value, sizeof(value));
    assert_string_equal(value, "a=b");
    receiver_header(r, "x-two", value, sizeof(value));
    assert_string_equal(value, "2");
    assert_at(r, "/resourceSpans/0/resource/attributes/0/key", "\"service.name\"");
    assert_at(r, "/resourceSpans/0/resource/attributes/0/value/stringValue", "\"tests\"");
    assert_at(r, SPAN "/traceId", "\"0000000000001234000000000000abcd\"");
    assert_at(r, SPAN "/spanId", "\"0000000000000001\"");
    assert_at(r, SPAN "/parentSpanId", "\"0000000000000077\"");
    assert_at(r, SPAN "/name", "\"charge\"");
    assert_at(r, SPAN "/kind", "3");
    assert_at(r, SPAN "/startTimeUnixNano", "\"1700000000000001000\"");
    assert_at(r, SPAN "/endTimeUnixNano", "\"1700000000000002000\"");
    assert_at(r, SPAN "/attributes/0/value/stringValue", "\"charge \\\"it\\\"\"");
    assert_at(r, SPAN "/attributes/1/value/intValue", "\"2\"");
    assert_at(r, SPAN "/status/code", "2");
    assert_at(r, SPAN "/status/message", "\"no ? stock\"");
}

static void a_root_that_went_well_has_neither_parent_nor_error(void **state)
{
    struct span s = span_of(5);
    struct slice value;
    struct buf b;

    (void)state;
    s.parent = 0;
    s.failed = false;
    s.attribute_count = 0;
    buf_init(&b);
    otlp_head(&b, &(struct otlp_resource){ .service = "x" });
    otlp_span(&b, &s);
    otlp_tail(&b);
    assert_int_equal(jsonscan_check(b.data, b.len, &(struct err){ 0 }), 0);
    assert_int_equal(jsonscan_find((struct slice){ b.data, b.len }, SPAN "/parentSpanId", &value),
                     IFP_ENOTFOUND);
    assert_int_equal(jsonscan_find((struct slice){ b.data, b.len }, SPAN "/status/code", &value),
                     IFP_ENOTFOUND);
    buf_release(&b);
}

static void spans_that_are_not_sampled_stay_here(void **state)
{
    struct fixture *t = *state;
    struct span s = span_of(1);

    s.trace.sampled = false;
    tracer_span(t->tracer, &s);
    tracer_span(NULL, &s);
    drain(t, 10000);
    assert_int_equal(receiver_count(t->receiver), 0);
}

static void many_spans_go_in_batches_none_is_lost(void **state)
{
    struct fixture *t = *state;
    int64_t before = metrics_get(METRIC_SPANS, NULL);
    size_t sum = 0;

    take(t, 1300);
    drain(t, 10000);
    assert_int_equal(receiver_count(t->receiver), 3);
    for (int i = 1; i <= 3; i++)
        sum += spans_in(receiver_get(t->receiver, i));
    assert_int_equal(sum, 1300);
    assert_int_equal(metrics_get(METRIC_SPANS, NULL), before + 1300);
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
    struct fixture *t = *state;
    int64_t before = metrics_get(METRIC_SPANS_DROPPED, "queue_full");

    take(t, 2001);
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "queue_full"), before + 1);
    drain(t, 10000);
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "queue_full"), before + 1);
}

static void a_collector_that_is_busy_gets_the_same_again(void **state)
{
    struct fixture *t = *state;
    const struct receiver_request *first, *second;

    atomic_store(&t->status, 503);
    take(t, 3);
    first = request(t, 1);
    atomic_store(&t->status, 200);
    second = request(t, 2);
    assert_int_equal(first->body_len, second->body_len);
    assert_memory_equal(first->body, second->body, first->body_len);
    drain(t, 10000);
    assert_int_equal(receiver_count(t->receiver), 2);
}

static void what_a_collector_refuses_is_dropped(void **state)
{
    struct fixture *t = *state;
    int64_t refused = metrics_get(METRIC_SPANS_DROPPED, "refused");
    int64_t taken = metrics_get(METRIC_SPANS, NULL);

    atomic_store(&t->status, 400);
    take(t, 3);
    drain(t, 10000);
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "refused"), refused + 3);
    assert_int_equal(metrics_get(METRIC_SPANS, NULL), taken);
}

static void a_part_may_be_refused(void **state)
{
    struct fixture *t = *state;
    int64_t refused = metrics_get(METRIC_SPANS_DROPPED, "refused");
    int64_t taken = metrics_get(METRIC_SPANS, NULL);

    t->rejected = "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"old\"}}";
    take(t, 5);
    drain(t, 10000);
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "refused"), refused + 2);
    assert_int_equal(metrics_get(METRIC_SPANS, NULL), taken + 3);
}

static void the_answer_of_a_collector_is_read_with_care(void **state)
{
#define REJECTED(text) otlp_rejected((struct slice){ text, sizeof(text) - 1 })
    (void)state;
    assert_int_equal(REJECTED("{\"partialSuccess\":{\"rejectedSpans\":7}}"), 7);
    assert_int_equal(REJECTED("{\"partialSuccess\":{}}"), 0);
    assert_int_equal(REJECTED("{\"partialSuccess\":{\"rejectedSpans\":\"\"}}"), 0);
    assert_int_equal(REJECTED("{\"partialSuccess\":{\"rejectedSpans\":-1}}"), 0);
    assert_int_equal(REJECTED("<html>"), 0);
    assert_int_equal(otlp_rejected((struct slice){ 0 }), 0);
#undef REJECTED
}

static void a_process_that_ends_does_not_wait_for_ever(void **state)
{
    struct fixture *t = *state;
    int64_t before = metrics_get(METRIC_SPANS_DROPPED, "unreachable");

    atomic_store(&t->status, 503);
    take(t, 4);
    drain(t, 50);
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "unreachable"), before + 4);
    take(t, 1); /* too late */
    assert_int_equal(metrics_get(METRIC_SPANS_DROPPED, "unreachable"), before + 4);
}

static void bad_settings_are_errors_that_name_them(void **state)
{
    struct fixture *t = *state;
    struct tracer_options o = {
        .endpoint = "ftp://x", .headers = "", .service = "s", .queue = 1, .timeout_ms = 1
    };
    struct tracer *none;
    struct err e;

    assert_int_equal(tracer_open(t->loop, &o, &none, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "otlp-endpoint"));
    o.endpoint = "http://localhost/v1/traces";
    o.headers = "nonsense";
    assert_int_equal(tracer_open(t->loop, &o, &none, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "otlp-headers"));
}

static void without_an_endpoint_there_is_no_tracer(void **state)
{
    struct fixture *t = *state;
    struct tracer *none = t->tracer;
    struct config config;
    struct err e;

    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_int_equal(config_init(&config, &e), 0);
    assert_int_equal(tracer_open_from(t->loop, &config, &none, &e), 0);
    assert_null(none);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", 1);
    assert_int_equal(tracer_open_from(t->loop, &config, &none, &e), IFP_EINVALID);
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    config_release(&config);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_span_arrives_as_otlp_says),
        cmocka_unit_test(a_root_that_went_well_has_neither_parent_nor_error),
        TEST(spans_that_are_not_sampled_stay_here),
        TEST(many_spans_go_in_batches_none_is_lost),
        TEST(what_does_not_fit_is_dropped_and_counted),
        TEST(a_collector_that_is_busy_gets_the_same_again),
        TEST(what_a_collector_refuses_is_dropped),
        TEST(a_part_may_be_refused),
        cmocka_unit_test(the_answer_of_a_collector_is_read_with_care),
        TEST(a_process_that_ends_does_not_wait_for_ever),
        TEST(bad_settings_are_errors_that_name_them),
        TEST(without_an_endpoint_there_is_no_tracer),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
