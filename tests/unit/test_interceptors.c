/*
 * tests/unit/test_interceptors.c - the interceptors that need no database, each alone in a chain,
 * on requests that are doubles (lib/requestdouble.h) and a clock that the test sets.
 */
#include "http/interceptors.h"

#include "api/answer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/access_log.h"
#include "http/breaker.h"
#include "http/compress.h"
#include "http/deadline.h"
#include "http/mediatype.h"
#include "http/meter.h"
#include "http/shield.h"
#include "lib/looptest.h"
#include "lib/requestdouble.h"

#include <unistd.h>
#include <zlib.h>

static struct err answer; /* what the handler answers: an error, or 200 */
static struct http_request *held;
static bool hold;

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    if (hold)
        held = r;
    else if (answer.code)
        http_answer_error(r, &answer);
    else
        http_answer(r, 200, "application/json", (struct slice){ "{}", 2 });
}

static const struct route routes[] = {
    { .method = HTTP_GET, .path = "/a", .id = "a", .handler = handler, .scope = 1 },
    { .method = HTTP_POST, .path = "/a", .id = "a.post", .handler = handler, .flags = ROUTE_BODY },
    { .method = HTTP_GET, .path = "/p", .id = "p", .handler = handler, .scope = ROUTE_PUBLIC },
    { .method = HTTP_GET, .path = "/l", .id = "l", .handler = handler, .flags = ROUTE_LONG },
    { .method = HTTP_PUT,
      .path = "/a",
      .id = "a.put",
      .handler = handler,
      .flags = ROUTE_BODY | ROUTE_ANY_BODY },
};
enum { GET_A, POST_A, PUBLIC, LONG, PUT_ANY };

struct fixture {
    struct chain *chain;
    struct double_request d;
    struct err e;
    int64_t now_us; /* of the test's clock */
    struct loop *loop;
    struct deadline *deadline;
    struct breaker *breaker;
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_us;
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .now_us = 1000000 };
    answer.code = 0;
    held = NULL;
    hold = false;
    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, 2);
    clock_replace(now, now, &f);
    assert_int_equal(
        chain_open(&(struct chain_options){ .pool_max = 8, .body_max = 100 }, &f.chain, &f.e), 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    chain_close(f->chain);
    deadline_close(f->deadline);
    breaker_close(f->breaker);
    clock_replace(NULL, NULL, NULL);
    if (f->loop)
        looptest_close(f->loop);
    return 0;
}

static void use(struct fixture *f, const struct interceptor *i, void *self)
{
    assert_int_equal(chain_add(f->chain, i, self, &f->e), 0);
}

/* A request for this route goes through; its answer is in f->d. */
static int run(struct fixture *f, int route)
{
    double_init(&f->d, routes[route].method, &routes[route]);
    f->d.r.start_us = f->now_us;
    chain_run(f->chain, &f->d.r, NULL, NULL);
    return f->d.r.status;
}

/* The same, to its end. */
static int done(struct fixture *f, int route)
{
    int status = run(f, route);

    double_end(&f->d);
    return status;
}

/* ---- logging -------------------------------------------------------------------------------- */

static const char *caller_name(const struct http_request *r)
{
    (void)r;
    return "ci";
}

/* Runs a request and gives what was logged of it. */
static void logged(struct fixture *f, enum log_level level, int route, char *ret, size_t size)
{
    int ends[2];
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    log_open(level, LOG_FORMAT_LOGFMT, ends[1]);
    double_init(&f->d, routes[route].method, &routes[route]);
    double_put(&f->d, "authorization", "Bearer ifp_secret");
    double_put(&f->d, "cookie", "session=secret");
    f->d.r.query = (struct slice){ "q=secret", 8 };
    f->d.r.path = (struct slice){ routes[route].path, 2 };
    f->d.r.start_us = f->now_us - 1500;
    chain_run(f->chain, &f->d.r, NULL, NULL);
    double_end(&f->d);
    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, 2);
    close(ends[1]);
    n = read(ends[0], ret, size - 1);
    assert_true(n >= 0);
    ret[n] = '\0';
    close(ends[0]);
}

static void each_answer_is_a_line_without_secrets(void **state)
{
    struct fixture *f = *state;
    struct access_log log = { caller_name };
    char line[1000];

    use(f, &access_log_interceptor, &log);
    logged(f, LOG_LEVEL_INFO, GET_A, line, sizeof(line));
    assert_non_null(strstr(line, "level=info msg=request method=GET route=a path=/a status=200"));
    assert_non_null(strstr(line, "bytes=2 ms=1.5"));
    assert_non_null(strstr(line, "request=req-1 peer=127.0.0.1 key=ci"));
    assert_null(strstr(line, "secret"));
    (void)err_set(&answer, IFP_ESERVER, "broken");
    logged(f, LOG_LEVEL_INFO, GET_A, line, sizeof(line));
    assert_non_null(strstr(line, "level=error msg=request"));
}

static void probes_are_logged_for_debugging_alone(void **state)
{
    struct fixture *f = *state;
    struct access_log log = { NULL };
    char line[1000];

    use(f, &access_log_interceptor, &log);
    logged(f, LOG_LEVEL_INFO, PUBLIC, line, sizeof(line));
    assert_string_equal(line, "");
    logged(f, LOG_LEVEL_DEBUG, PUBLIC, line, sizeof(line));
    assert_non_null(strstr(line, "level=debug"));
    (void)err_set(&answer, IFP_EUNAVAILABLE, "no");
    logged(f, LOG_LEVEL_INFO, PUBLIC, line, sizeof(line));
    assert_non_null(strstr(line, "status=503"));
}

/* ---- metrics -------------------------------------------------------------------------------- */

static void requests_are_counted(void **state)
{
    struct fixture *f = *state;
    int64_t before = metrics_get(METRIC_HTTP_REQUESTS, "a");
    int64_t timed = metrics_get(METRIC_HTTP_SECONDS, "a");

    use(f, &meter_interceptor, NULL);
    assert_int_equal(done(f, GET_A), 200);
    (void)err_set(&answer, IFP_ENOTFOUND, "no such thing");
    assert_int_equal(done(f, GET_A), 404);
    assert_int_equal(metrics_get(METRIC_HTTP_REQUESTS, "a") - before, 2);
    assert_int_equal(metrics_get(METRIC_HTTP_SECONDS, "a") - timed, 2);
    assert_int_equal(metrics_get(METRIC_HTTP_RESPONSES, "2xx"), 1);
    assert_int_equal(metrics_get(METRIC_HTTP_RESPONSES, "4xx"), 1);
    assert_int_equal(metrics_get(METRIC_HTTP_ERRORS, "NOT_FOUND"), 1);
    assert_int_equal(metrics_get(METRIC_HTTP_ACTIVE, NULL), 0);
    hold = true;
    run(f, GET_A);
    assert_int_equal(metrics_get(METRIC_HTTP_ACTIVE, NULL), 1);
    f->d.gone = true; /* no status, no class */
    http_answer(held, 200, NULL, (struct slice){ 0 });
    double_end(&f->d);
    assert_int_equal(metrics_get(METRIC_HTTP_ACTIVE, NULL), 0);
}

/* ---- headers -------------------------------------------------------------------------------- */

static void answers_are_neither_cached_nor_framed_nor_sniffed(void **state)
{
    struct fixture *f = *state;

    use(f, &shield_interceptor, NULL);
    assert_int_equal(run(f, GET_A), 200);
    assert_string_equal(double_answered(&f->d, "cache-control"), "no-store");
    assert_string_equal(double_answered(&f->d, "x-content-type-options"), "nosniff");
    assert_string_equal(double_answered(&f->d, "x-frame-options"), "DENY");
    assert_string_equal(double_answered(&f->d, "referrer-policy"), "no-referrer");
    assert_non_null(double_answered(&f->d, "content-security-policy"));
    assert_null(double_answered(&f->d, "strict-transport-security"));
    double_end(&f->d);
    double_init(&f->d, HTTP_GET, &routes[GET_A]);
    f->d.r.secure = true;
    chain_run(f->chain, &f->d.r, NULL, NULL);
    assert_non_null(double_answered(&f->d, "strict-transport-security"));
    double_end(&f->d);
}

/* ---- content-type --------------------------------------------------------------------------- */

static int typed(struct fixture *f, int route, const char *type)
{
    double_init(&f->d, routes[route].method, &routes[route]);
    if (type)
        double_put(&f->d, "content-type", type);
    chain_run(f->chain, &f->d.r, NULL, NULL);
    double_end(&f->d);
    return f->d.r.status;
}

static void a_body_must_be_json(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=\"utf-8\" ; x=y",
        "application/json;",
        "application/problem+json",
    };
    static const char *const bad[] = {
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/jsonp",
        "application/json; charset=latin1",
        "json",
        "multipart/form-data",
        "application/jso",
        "+json",
        "text/plain;application/json",
    };

    use(f, &mediatype_interceptor, NULL);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(typed(f, POST_A, good[i]), 200);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(typed(f, POST_A, bad[i]), 415);
    assert_non_null(strstr(f->d.body, "application/json"));
    assert_int_equal(f->d.r.error, IFP_EINVALID);
    assert_int_equal(typed(f, POST_A, NULL), 200);
    assert_int_equal(typed(f, PUT_ANY, "text/plain"), 200);
    assert_int_equal(typed(f, GET_A, "text/plain"), 200);
}

/* ---- timeout -------------------------------------------------------------------------------- */

static bool was_answered(void *ctx)
{
    return ((struct double_request *)ctx)->answers > 0;
}

static void open_deadline(struct fixture *f, int64_t ms)
{
    f->loop = looptest_open();
    assert_int_equal(deadline_open(f->loop, ms, &f->deadline, &f->e), 0);
    use(f, &deadline_interceptor, f->deadline);
}

static void a_late_handler_is_answered_for(void **state)
{
    struct fixture *f = *state;

    clock_replace(NULL, NULL, NULL);
    open_deadline(f, 20);
    hold = true;
    run(f, GET_A);
    looptest_until(f->loop, was_answered, &f->d);
    assert_int_equal(f->d.r.status, 504);
    assert_int_equal(f->d.finishing, 0);
    http_answer(held, 200, NULL, (struct slice){ 0 });
    assert_int_equal(f->d.answers, 1);
    assert_int_equal(f->d.r.status, 504);
    double_end(&f->d);
}

static void a_body_that_does_not_come_is_answered_for(void **state)
{
    struct fixture *f = *state;

    clock_replace(NULL, NULL, NULL);
    open_deadline(f, 20);
    double_init(&f->d, HTTP_POST, &routes[POST_A]);
    f->d.body_late = true;
    chain_run(f->chain, &f->d.r, NULL, NULL);
    looptest_until(f->loop, was_answered, &f->d);
    assert_int_equal(f->d.r.status, 504);
    double_end(&f->d);
}

/* Of four, the first and the third are late, the second has answered, the fourth may wait. */
static void only_those_that_are_late_are_answered_for(void **state)
{
    struct fixture *f = *state;
    struct double_request d[4];
    static const int which[] = { GET_A, GET_A, GET_A, LONG };

    clock_replace(NULL, NULL, NULL);
    open_deadline(f, 20);
    hold = true;
    for (size_t i = 0; i < 4; i++) {
        double_init(&d[i], HTTP_GET, &routes[which[i]]);
        chain_run(f->chain, &d[i].r, NULL, NULL);
    }
    http_answer(&d[1].r, 200, NULL, (struct slice){ 0 });
    looptest_until(f->loop, was_answered, &d[0]);
    looptest_until(f->loop, was_answered, &d[2]);
    assert_true(d[0].early && !d[1].early && d[2].early && !d[3].early);
    for (size_t i = 0; i < 4; i++) {
        if (i != 1)
            http_answer(&d[i].r, 200, NULL, (struct slice){ 0 });
        assert_int_equal(d[i].r.status, i == 0 || i == 2 ? 504 : 200);
        double_end(&d[i]);
    }
}

static void an_answer_that_has_begun_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct double_request late;

    clock_replace(NULL, NULL, NULL);
    open_deadline(f, 20);
    hold = true;
    double_init(&late, HTTP_GET, &routes[GET_A]);
    run(f, GET_A);
    http_stream_begin(held, 200, "text/plain", NULL, NULL);
    chain_run(f->chain, &late.r, NULL, NULL);
    looptest_until(f->loop, was_answered, &late);
    assert_false(f->d.early);
    http_stream_end(&f->d.r);
    double_end(&f->d);
    http_answer(&late.r, 200, NULL, (struct slice){ 0 });
    double_end(&late);
}

/* ---- circuit breaker ------------------------------------------------------------------------ */

enum { LIMIT = 3, OPEN_MS = 2000 };

static void open_breaker(struct fixture *f, int64_t limit)
{
    assert_int_equal(breaker_open(limit, OPEN_MS, &f->breaker, &f->e), 0);
    use(f, &breaker_interceptor, f->breaker);
}

static void fail_times(struct fixture *f, int times)
{
    (void)err_set(&answer, IFP_EUNAVAILABLE, "the database is away");
    for (int i = 0; i < times; i++) {
        assert_int_equal(done(f, GET_A), 503);
        assert_null(double_answered(&f->d, "retry-after"));
    }
    answer.code = 0;
}

static void expect_refused(struct fixture *f)
{
    assert_int_equal(done(f, GET_A), 503);
    assert_non_null(double_answered(&f->d, "retry-after"));
}

static void failures_in_a_row_open_the_circuit_of_their_route(void **state)
{
    struct fixture *f = *state;

    int64_t before = metrics_get(METRIC_HTTP_CIRCUITS, "a");

    open_breaker(f, LIMIT);
    fail_times(f, LIMIT - 1);
    assert_int_equal(done(f, GET_A), 200); /* not in a row */
    fail_times(f, LIMIT);
    assert_int_equal(metrics_get(METRIC_HTTP_CIRCUITS, "a") - before, 1);
    expect_refused(f);
    assert_string_equal(double_answered(&f->d, "retry-after"), "3");
    assert_int_equal(done(f, POST_A), 200);
    f->now_us += OPEN_MS * 1000 - 1;
    expect_refused(f);
    assert_string_equal(double_answered(&f->d, "retry-after"), "1");
}

static void a_probe_that_is_answered_closes_it(void **state)
{
    struct fixture *f = *state;

    open_breaker(f, LIMIT);
    fail_times(f, LIMIT);
    f->now_us += OPEN_MS * 1000;
    assert_int_equal(done(f, GET_A), 200);
    fail_times(f, LIMIT - 1);
    assert_int_equal(done(f, GET_A), 200);
}

static void a_probe_that_fails_keeps_it_open(void **state)
{
    struct fixture *f = *state;

    open_breaker(f, LIMIT);
    fail_times(f, LIMIT);
    f->now_us += OPEN_MS * 1000;
    fail_times(f, 1);
    expect_refused(f);
}

static void one_probe_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct double_request probe;

    open_breaker(f, LIMIT);
    fail_times(f, LIMIT);
    f->now_us += OPEN_MS * 1000;
    hold = true;
    double_init(&probe, HTTP_GET, &routes[GET_A]);
    chain_run(f->chain, &probe.r, NULL, NULL);
    hold = false;
    expect_refused(f);
    probe.gone = true; /* it will tell nothing */
    f->now_us += OPEN_MS * 1000;
    assert_int_equal(done(f, GET_A), 200);
    http_answer(&probe.r, 200, NULL, (struct slice){ 0 });
    double_end(&probe);
}

static void what_is_not_the_servers_fault_does_not_count(void **state)
{
    struct fixture *f = *state;
    static const int codes[] = { IFP_EINVALID, IFP_ENOTFOUND, IFP_ERATELIMITED, IFP_ESTEP_FAILED,
                                 IFP_ECANCELED };

    open_breaker(f, LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        (void)err_set(&answer, codes[i], "not ours");
        for (int k = 0; k < LIMIT; k++)
            (void)done(f, GET_A);
        answer.code = 0;
        assert_int_equal(done(f, GET_A), 200);
    }
    (void)err_set(&answer, IFP_EUNAVAILABLE, "not ready");
    for (int k = 0; k < 2 * LIMIT; k++) {
        assert_int_equal(done(f, PUBLIC), 503);
        assert_null(double_answered(&f->d, "retry-after"));
    }
}

/* As a synchronous start answers when the workflow itself failed. */
static void fail_execution(void *ctx, struct http_request *r)
{
    struct err e;

    (void)ctx;
    (void)err_set(&e, IFP_ESERVER, "the card was declined");
    answer_problem(r, &e, &(struct answer_problem){ .code = "CARD_DECLINED", .execution = 1 });
}

static void executions_that_fail_do_not_count(void **state)
{
    static const struct route route = { .id = "start", .handler = fail_execution, .scope = 1 };
    struct fixture *f = *state;

    open_breaker(f, LIMIT);
    for (int i = 0; i < 3 * LIMIT; i++) {
        double_init(&f->d, HTTP_POST, &route);
        chain_run(f->chain, &f->d.r, NULL, NULL);
        double_end(&f->d);
        assert_int_equal(f->d.r.status, 500);
        assert_string_equal(f->d.body, "CARD_DECLINED: the card was declined");
    }
}

static void timeouts_open_it_too(void **state)
{
    struct fixture *f = *state;

    open_breaker(f, LIMIT);
    hold = true;
    for (int i = 0; i < LIMIT; i++) {
        struct err e;

        run(f, GET_A);
        (void)err_set(&e, IFP_ETIMEOUT, "late");
        assert_true(http_answer_early(&f->d.r, &e));
        http_answer(held, 200, NULL, (struct slice){ 0 });
        double_end(&f->d);
    }
    expect_refused(f);
}

static void with_a_limit_of_none_it_never_opens(void **state)
{
    struct fixture *f = *state;

    open_breaker(f, 0);
    fail_times(f, 100);
    assert_int_equal(done(f, GET_A), 200);
}

/* ---- compression ---------------------------------------------------------------------------- */

static char large[GZIP_MAX + 1];
static struct slice body;
static const char *body_type;

static void send_body(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, body_type, body);
}

static const struct route sends = { .method = HTTP_GET, .id = "sends", .handler = send_body };

/* Sends `len` bytes to a client that takes this; true when they were compressed. */
static bool compressed(struct fixture *f, size_t len, const char *type, const char *accept)
{
    body = (struct slice){ large, len };
    body_type = type;
    double_init(&f->d, HTTP_GET, &sends);
    if (accept)
        double_put(&f->d, "accept-encoding", accept);
    chain_run(f->chain, &f->d.r, NULL, NULL);
    double_end(&f->d);
    return double_answered(&f->d, "content-encoding") != NULL;
}

static struct gzip *use_compression(struct fixture *f)
{
    struct gzip *g;

    assert_int_equal(gzip_open(&g, &f->e), 0);
    use(f, &compress_interceptor, g);
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = "{\"key\":\"value\"}"[i % 15];
    return g;
}

static void a_compressed_answer_is_the_same_text(void **state)
{
    struct fixture *f = *state;
    struct gzip *g = use_compression(f);
    static char text[GZIP_MAX];

    for (int round = 0; round < 2; round++) {
        z_stream z = { 0 };

        body = (struct slice){ large, 3000 };
        body_type = "application/json";
        double_init(&f->d, HTTP_GET, &sends);
        double_put(&f->d, "accept-encoding", "gzip");
        chain_run(f->chain, &f->d.r, NULL, NULL);
        assert_string_equal(double_answered(&f->d, "content-encoding"), "gzip");
        assert_true(f->d.r.answer.len < 300);
        assert_int_equal(inflateInit2(&z, 31), Z_OK);
        z.next_in = (Bytef *)f->d.body;
        z.avail_in = (uInt)f->d.r.answer.len;
        z.next_out = (Bytef *)text;
        z.avail_out = sizeof(text);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.total_out, 3000);
        assert_memory_equal(text, large, 3000);
        (void)inflateEnd(&z);
        double_end(&f->d);
    }
    gzip_close(g);
}

static void what_is_worth_it_is_compressed(void **state)
{
    struct fixture *f = *state;
    struct gzip *g = use_compression(f);

    assert_false(compressed(f, GZIP_MIN - 1, "application/json", "gzip"));
    assert_null(double_answered(&f->d, "vary"));
    assert_true(compressed(f, GZIP_MIN, "application/json", "gzip"));
    assert_string_equal(double_answered(&f->d, "vary"), "accept-encoding");
    assert_true(compressed(f, GZIP_MAX, "text/html; charset=utf-8", "gzip"));
    assert_false(compressed(f, GZIP_MAX + 1, "application/json", "gzip"));
    assert_false(compressed(f, 2000, "image/png", "gzip"));
    assert_false(compressed(f, 2000, NULL, "gzip"));
    assert_false(compressed(f, 2000, "application/json", NULL));
    assert_string_equal(double_answered(&f->d, "vary"), "accept-encoding");
    for (size_t i = 0; i < sizeof(large); i++) /* nothing to gain */
        large[i] = (char)(i * i * 2654435761U >> 13);
    assert_false(compressed(f, 2000, "application/json", "gzip"));
    gzip_close(g);
}

static void clients_say_what_they_take(void **state)
{
    static const char *const yes[] = {
        "gzip", "x-gzip",      "GZIP",           "br, gzip",    "deflate,gzip;q=0.5",
        "*",    "*;q=0.1, br", "gzip ; q=1.000", "br;q=1, gzip"
    };
    static const char *const no[] = { "",         "br",          "gzip;q=0", "gzip; q=0.000",
                                      "*;q=0",    "gzip;q=0, *", "identity", "gzipped",
                                      "gzip;x=1", "gzip;q=",     "br;gzip" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(gzip_accepted((struct slice){ yes[i], strlen(yes[i]) }));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(gzip_accepted((struct slice){ no[i], strlen(no[i]) }));
    assert_false(gzip_accepted((struct slice){ 0 }));
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void they_stand_in_their_order(void **state)
{
    struct fixture *f = *state;
    struct interceptors *all;
    struct config config = { 0 };
    struct interceptor auth = { .name = "auth" };
    char text[200];

    f->loop = looptest_open();
    config.values[CONFIG_HTTP_TIMEOUT].num = 1000;
    assert_int_equal(interceptors_open(f->loop, &config, NULL, &all, &f->e), 0);
    assert_int_equal(interceptors_add_outer(all, f->chain, &f->e), 0);
    use(f, &auth, NULL);
    assert_int_equal(interceptors_add_inner(all, f->chain, &f->e), 0);
    chain_describe(f->chain, NULL, text, sizeof(text));
    assert_string_equal(text, "logging,metrics,security-headers,timeout,auth,circuit-breaker,"
                              "content-type,compression");
    assert_int_equal(done(f, GET_A), 200);
    interceptors_close(all);
}

static void without_memory_none_are_opened(void **state)
{
    struct fixture *f = *state;
    struct config config = { 0 };
    int rc = IFP_ENOMEM;

    f->loop = looptest_open();
    config.values[CONFIG_HTTP_TIMEOUT].num = 1000;
    for (uint64_t n = 1; rc == IFP_ENOMEM; n++) {
        struct interceptors *all;

        fault_arm(FAULT_ALLOC, n, false);
        rc = interceptors_open(f->loop, &config, NULL, &all, &f->e);
        assert_true(rc == IFP_ENOMEM || n > 3);
        interceptors_close(all);
    }
    assert_int_equal(rc, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_answer_is_a_line_without_secrets),
        CASE(probes_are_logged_for_debugging_alone),
        CASE(requests_are_counted),
        CASE(answers_are_neither_cached_nor_framed_nor_sniffed),
        CASE(a_body_must_be_json),
        CASE(a_late_handler_is_answered_for),
        CASE(a_body_that_does_not_come_is_answered_for),
        CASE(only_those_that_are_late_are_answered_for),
        CASE(an_answer_that_has_begun_is_left_alone),
        CASE(failures_in_a_row_open_the_circuit_of_their_route),
        CASE(a_probe_that_is_answered_closes_it),
        CASE(a_probe_that_fails_keeps_it_open),
        CASE(one_probe_at_a_time),
        CASE(what_is_not_the_servers_fault_does_not_count),
        CASE(executions_that_fail_do_not_count),
        CASE(timeouts_open_it_too),
        CASE(with_a_limit_of_none_it_never_opens),
        CASE(a_compressed_answer_is_the_same_text),
        CASE(what_is_worth_it_is_compressed),
        CASE(clients_say_what_they_take),
        CASE(they_stand_in_their_order),
        CASE(without_memory_none_are_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
