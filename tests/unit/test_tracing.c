/* tests/unit/test_tracing.c - the trace of a request: taken on, or begun. */
#include "http/tracing.h"

#include "lib/looptest.h"
#include "lib/receiver.h"
#include "lib/requestdouble.h"

#include "http/tracer.h"

static const struct route route = { HTTP_POST, "/v1/things/{id}", 0,    0,    NULL, "things.make",
                                    "things",  "Makes one",       NULL, NULL, NULL, 200 };

struct state {
    uint64_t words[8];
};

static void enter(struct double_request *d, void *self, struct state *slot)
{
    struct err e;

    memset(slot, 0, sizeof(*slot));
    assert_true(tracing_interceptor.slot_size <= sizeof(*slot));
    assert_int_equal(tracing_interceptor.enter(self, &d->r, slot, &e), CHAIN_NEXT);
}

static void give(struct double_request *d, const char *text)
{
    d->headers[0] = (struct http_header){ { "traceparent", 11 }, { text, strlen(text) } };
    d->r.header_count = 1;
}

static void a_trace_that_comes_is_gone_on_with(void **state)
{
    struct double_request d;
    struct state slot;

    (void)state;
    double_init(&d, HTTP_POST, &route);
    give(&d, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    enter(&d, NULL, &slot);
    assert_true(d.r.trace.high == UINT64_C(0x0af7651916cd43dd));
    assert_true(d.r.trace.low == UINT64_C(0x8448eb211c80319c));
    assert_true(d.r.trace.span != UINT64_C(0xb7ad6b7169203331) && d.r.trace.span != 0);
    assert_false(d.r.trace.sampled);
    arena_release(&d.r.arena);
}

static void without_one_a_trace_begins(void **state)
{
    static const char *const none[] = { NULL, "", "00-zz",
                                        "01-0af7651916cd43dd8448eb211c80319c-"
                                        "b7ad6b7169203331-01" };
    struct double_request d;
    struct state slot;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        double_init(&d, HTTP_POST, &route);
        if (none[i])
            give(&d, none[i]);
        enter(&d, NULL, &slot);
        assert_true(d.r.trace.high != 0 && d.r.trace.low != 0 && d.r.trace.span != 0);
        assert_true(d.r.trace.high != UINT64_C(0x0af7651916cd43dd));
        assert_true(d.r.trace.sampled);
        tracing_interceptor.finished(NULL, &d.r, &slot);
        arena_release(&d.r.arena);
    }
}

static void on_drained(void *ctx)
{
    ++*(int *)ctx;
}

static void assert_has(const struct receiver_request *r, const char *text)
{
    if (!strstr(r->body, text))
        fail_msg("no %s in %s", text, r->body);
}

static void a_request_is_a_span_of_its_callers(void **state)
{
    struct receiver *receiver = receiver_open(NULL, NULL);
    struct loop *loop = looptest_open();
    struct double_request d;
    struct tracer *tracer;
    char endpoint[64], span[SPAN_ID_SIZE];
    struct state slot;
    struct err e;
    int drained = 0;

    (void)state;
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", receiver_port(receiver));
    assert_int_equal(tracer_open(loop,
                                 &(struct tracer_options){ .endpoint = endpoint,
                                                           .headers = "",
                                                           .service = "x",
                                                           .queue = 10,
                                                           .timeout_ms = 5000 },
                                 &tracer, &e),
                     0);
    double_init(&d, HTTP_POST, &route);
    give(&d, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    enter(&d, tracer, &slot);
    d.r.status = 503;
    d.r.error = IFP_EUNAVAILABLE;
    tracing_interceptor.finished(tracer, &d.r, &slot);
    tracer_drain(tracer, 10000, on_drained, &drained);
    looptest_count(loop, &drained, 1);
    assert_int_equal(receiver_count(receiver), 1);
    traceparent_span_id(d.r.trace.span, span);
    assert_has(receiver_get(receiver, 1), "\"traceId\":\"0af7651916cd43dd8448eb211c80319c\"");
    assert_has(receiver_get(receiver, 1), "\"parentSpanId\":\"b7ad6b7169203331\"");
    assert_has(receiver_get(receiver, 1), span);
    assert_has(receiver_get(receiver, 1), "\"name\":\"things.make\",\"kind\":2");
    assert_has(receiver_get(receiver, 1), "\"intValue\":\"503\"");
    assert_has(receiver_get(receiver, 1), "\"code\":2,\"message\":\"UNAVAILABLE\"");
    tracer_close(tracer);
    arena_release(&d.r.arena);
    receiver_close(receiver);
    looptest_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_that_comes_is_gone_on_with),
        cmocka_unit_test(without_one_a_trace_begins),
        cmocka_unit_test(a_request_is_a_span_of_its_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
