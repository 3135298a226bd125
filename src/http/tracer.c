/*
 * http/tracer.c - see the header.
 *
 * Spans are written as JSON when they come, so what waits is text: a batch is one request body
 * without its end.  `waiting` has full batches, the oldest first; the first is also the one that is
 * sent, and stays until the collector took it or refused it for good.
 */
#include "http/tracer.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/client.h"
#include "http/otlp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH_SPANS = 512,
    BATCH_BYTES = 1 << 20,
    BATCH_AGE_US = 1000 * 1000,
    BACKOFF_FIRST_US = 500 * 1000,
    BACKOFF_MAX_US = 30 * 1000 * 1000,
    HEADERS_MAX = 16,
    ANSWER_MAX = 64 * 1024
};

struct batch {
    struct list link; /* in tracer->waiting */
    struct buf body;  /* owned */
    int spans;
};

struct tracer {
    struct loop *loop;
    struct http_client *client; /* owned */
    struct http_call call;
    struct timer send_timer;  /* the batch is old enough, or the backoff is over */
    struct timer drain_timer; /* the time of the drain is over */
    struct deferred drained_turn;
    struct batch *filling; /* owned; NULL: none */
    struct list waiting;   /* struct batch, owned */
    char *url;             /* owned */
    char *header_text;     /* owned */
    const char *headers[HEADERS_MAX + 2];
    char *service; /* owned */
    char instance[IDS_UUID_SIZE], host[65];
    int queue, spans; /* limit; kept now */
    int64_t timeout_ms, backoff_us;
    bool busy; /* the call is under way */
    bool draining, ended;
    bool warned; /* the last export failed and was told of */
    loop_fn *drained;
    void *drained_ctx;
};

static void send_next(struct tracer *t);

static void send_now(struct tracer *t)
{
    timer_stop(&t->send_timer);
    send_next(t);
}

static void drop(int spans, const char *why)
{
    if (spans > 0)
        metrics_add(METRIC_SPANS_DROPPED, why, spans);
}

static void batch_free(struct tracer *t, struct batch *b)
{
    t->spans -= b->spans;
    list_del(&b->link);
    buf_release(&b->body);
    mem_free(b);
}

/* ---- taking --------------------------------------------------------------------------------- */

static struct batch *batch_new(struct tracer *t)
{
    struct batch *b = mem_zalloc(sizeof(*b));

    if (!b)
        return NULL;
    list_init(&b->link);
    buf_init(&b->body);
    otlp_head(&b->body, &(struct otlp_resource){ .service = t->service,
                                                 .version = IFP_VERSION,
                                                 .instance = t->instance,
                                                 .host = t->host[0] ? t->host : NULL });
    return b;
}

static void seal(struct tracer *t)
{
    struct batch *b = t->filling;

    if (!b)
        return;
    t->filling = NULL;
    otlp_tail(&b->body);
    list_push(&t->waiting, &b->link);
    if (!buf_broken(&b->body))
        return;
    drop(b->spans, "no_memory");
    batch_free(t, b);
}

void tracer_span(void *tracer, const struct span *s)
{
    struct tracer *t = tracer;

    if (!t || !s->trace.sampled)
        return;
    assert((s->trace.high | s->trace.low) != 0 && s->trace.span != 0);
    if (t->draining || t->spans >= t->queue) {
        drop(1, "queue_full");
        return;
    }
    if (!t->filling)
        t->filling = batch_new(t);
    if (!t->filling) {
        drop(1, "no_memory");
        return;
    }
    if (t->filling->spans > 0)
        buf_putc(&t->filling->body, ',');
    otlp_span(&t->filling->body, s);
    t->filling->spans++;
    t->spans++;
    if (t->filling->spans >= BATCH_SPANS || t->filling->body.len >= BATCH_BYTES) {
        seal(t);
        if (!t->busy && t->backoff_us == 0)
            send_now(t);
    } else if (!t->busy && !timer_armed(&t->send_timer) &&
               timer_start(&t->send_timer, BATCH_AGE_US) != 0) {
        seal(t); /* goes with the next one that finds memory for the timer */
    }
}

/* ---- sending -------------------------------------------------------------------------------- */

static void finish_drain(struct tracer *t)
{
    if (t->ended)
        return;
    assert(!t->busy);
    while (!list_empty(&t->waiting)) {
        struct batch *b = CONTAINER_OF(t->waiting.next, struct batch, link);

        drop(b->spans, "unreachable");
        batch_free(t, b);
    }
    timer_stop(&t->drain_timer);
    timer_stop(&t->send_timer);
    t->ended = true;
    deferred_call(&t->drained_turn);
}

/* The collector may take it another time: OTLP names these answers, and there may be none. */
static bool is_passing(const struct http_call *c)
{
    switch (c->failure) {
    case HTTP_FAILURE_NONE:
        break;
    case HTTP_FAILURE_INVALID:
    case HTTP_FAILURE_REFUSED:
    case HTTP_FAILURE_TOO_LARGE:
    case HTTP_FAILURE_REDIRECTS:
        return false;
    case HTTP_FAILURE_CONNECT:
    case HTTP_FAILURE_TLS:
    case HTTP_FAILURE_TIMEOUT:
    case HTTP_FAILURE_BROKEN:
    case HTTP_FAILURE_OVERLOADED:
    case HTTP_FAILURE_CANCELED:
        return true;
    }
    return c->status == 429 || (c->status >= 502 && c->status <= 504);
}

static void tell_failure(struct tracer *t, const struct http_call *c)
{
    if (t->warned)
        return;
    t->warned = true;
    LOG_WARN("traces could not be exported", LOG_STR("endpoint", t->url),
             LOG_INT("status", c->status), LOG_STR("detail", c->err.text));
}

static void back_off(struct tracer *t)
{
    t->backoff_us = t->backoff_us ? MIN(t->backoff_us * 2, BACKOFF_MAX_US) : BACKOFF_FIRST_US;
    if (timer_start(&t->send_timer, t->backoff_us) != 0)
        LOG_ERROR("no memory for the timer of traces");
}

static void take_answer(struct tracer *t, const struct http_call *c, struct batch *b)
{
    bool good = c->failure == HTTP_FAILURE_NONE && c->status >= 200 && c->status < 300;
    int64_t rejected =
        good ? otlp_rejected((struct slice){ c->answer.data, c->answer.len }) : b->spans;

    rejected = MIN(rejected, (int64_t)b->spans);
    metrics_add(METRIC_SPANS, NULL, b->spans - rejected);
    drop((int)rejected, "refused");
    if (good)
        t->warned = false;
    else
        tell_failure(t, c);
    t->backoff_us = 0;
    batch_free(t, b);
}

static void on_done(struct http_call *c)
{
    struct tracer *t = CONTAINER_OF(c, struct tracer, call);
    bool over = t->draining && !timer_armed(&t->drain_timer);

    assert(t->busy && !list_empty(&t->waiting));
    t->busy = false;
    if (is_passing(c)) {
        tell_failure(t, c);
        back_off(t);
    } else {
        take_answer(t, c, CONTAINER_OF(t->waiting.next, struct batch, link));
    }
    http_call_release(c);
    if (over)
        finish_drain(t);
    else if (!timer_armed(&t->send_timer))
        send_next(t);
}

/* While there is something it is sent, full batches first; a young one waits for company. */
static void send_next(struct tracer *t)
{
    struct batch *b;

    assert(!t->busy && !timer_armed(&t->send_timer));
    if (list_empty(&t->waiting) && t->draining)
        seal(t);
    if (list_empty(&t->waiting)) {
        if (t->draining)
            finish_drain(t);
        else if (t->filling && timer_start(&t->send_timer, BATCH_AGE_US) != 0)
            seal(t);
        return;
    }
    b = CONTAINER_OF(t->waiting.next, struct batch, link);
    t->busy = true;
    t->call.method = "POST";
    t->call.url = t->url;
    t->call.headers = t->headers;
    t->call.body = (struct slice){ b->body.data, b->body.len };
    t->call.connect_ms = t->timeout_ms;
    t->call.total_ms = t->timeout_ms;
    t->call.answer_max = ANSWER_MAX;
    t->call.done = on_done;
    http_client_start(t->client, &t->call);
}

static void on_send_timer(void *ctx)
{
    struct tracer *t = ctx;

    if (t->busy)
        return; /* its end goes on from here */
    if (list_empty(&t->waiting))
        seal(t);
    if (!list_empty(&t->waiting) || t->draining)
        send_next(t);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* "a=b,c=d" in place to "a: b" and "c: d". */
static int split_headers(struct tracer *t, const char *text, struct err *e)
{
    size_t count = 0, room = strlen(text) * 2 + 1;
    char *to, *copy = mem_strdup(text), *rest = copy;

    t->header_text = to = mem_alloc(room);
    if (!copy || !to) {
        mem_free(copy);
        return err_set(e, IFP_ENOMEM, "traces: out of memory");
    }
    t->headers[count++] = "content-type: application/json";
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(part, '=');

        if (*part == '\0')
            continue;
        if (!value || value == part || count > HEADERS_MAX) {
            mem_free(copy);
            return err_set(e, IFP_EINVALID,
                           "otlp-headers: must be name=value with commas between, at most %d",
                           HEADERS_MAX);
        }
        *value = '\0';
        t->headers[count++] = to;
        to += snprintf(to, room - (size_t)(to - t->header_text), "%s: %s", part, value + 1) + 1;
    }
    mem_free(copy);
    return 0;
}

static int make_url(struct tracer *t, const char *endpoint, struct err *e)
{
    static const char path[] = "/v1/traces";
    size_t len = strlen(endpoint);
    struct buf b;

    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    buf_init(&b);
    buf_put(&b, endpoint, len);
    if (len < sizeof(path) - 1 ||
        memcmp(endpoint + len - (sizeof(path) - 1), path, sizeof(path) - 1) != 0)
        buf_puts(&b, path);
    t->url = buf_take(&b);
    if (!t->url)
        return err_set(e, IFP_ENOMEM, "traces: out of memory");
    if (http_url_check(t->url, e) != 0)
        return err_wrap(e, "otlp-endpoint");
    return 0;
}

static void on_drain_timer(void *ctx);
static void on_drained(void *ctx);

static void release(struct tracer *t)
{
    http_client_close(t->client);
    mem_free(t->url);
    mem_free(t->header_text);
    mem_free(t->service);
    mem_free(t);
}

int tracer_open(struct loop *l, const struct tracer_options *o, struct tracer **ret, struct err *e)
{
    struct tracer *t = mem_zalloc(sizeof(*t));
    uint8_t random[16] = { 0 };
    int rc;

    assert(o->endpoint && o->headers && o->service && o->queue > 0 && o->timeout_ms > 0);
    if (!t)
        return err_set(e, IFP_ENOMEM, "traces: out of memory");
    t->loop = l;
    t->queue = o->queue;
    t->timeout_ms = o->timeout_ms;
    list_init(&t->waiting);
    timer_init(&t->send_timer, l, on_send_timer, t);
    timer_init(&t->drain_timer, l, on_drain_timer, t);
    deferred_init(&t->drained_turn, l, on_drained, t);
    if (gethostname(t->host, sizeof(t->host) - 1) != 0)
        t->host[0] = '\0';
    rc = ids_random(random, sizeof(random));
    ids_uuid4(random, t->instance);
    t->service = mem_strdup(o->service);
    if (rc != 0)
        rc = err_set(e, rc, "traces: no random numbers");
    else if (!t->service)
        rc = err_set(e, IFP_ENOMEM, "traces: out of memory");
    if (rc == 0)
        rc = make_url(t, o->endpoint, e);
    if (rc == 0)
        rc = split_headers(t, o->headers, e);
    if (rc == 0)
        rc = http_client_open(l, &(struct http_client_options){ .in_flight = 1, .per_host = 1 },
                              &t->client, e);
    if (rc != 0) {
        release(t);
        return rc;
    }
    *ret = t;
    return 0;
}

static const char *or_environment(const char *text, const char *variable)
{
    const char *value = text[0] ? text : getenv(variable);

    return value ? value : "";
}

int tracer_open_from(struct loop *l, const struct config *config, struct tracer **ret,
                     struct err *e)
{
    const char *service = or_environment("", "OTEL_SERVICE_NAME");
    struct tracer_options o = {
        .endpoint = or_environment(config_text(config, CONFIG_OTLP_ENDPOINT),
                                   "OTEL_EXPORTER_OTLP_ENDPOINT"),
        .headers =
            or_environment(config_text(config, CONFIG_OTLP_HEADERS), "OTEL_EXPORTER_OTLP_HEADERS"),
        .service = service[0] ? service : "inferpipe",
        .queue = (int)config_int(config, CONFIG_OTLP_QUEUE),
        .timeout_ms = config_int(config, CONFIG_OTLP_TIMEOUT),
    };

    *ret = NULL;
    return o.endpoint[0] ? tracer_open(l, &o, ret, e) : 0;
}

/* ---- ending --------------------------------------------------------------------------------- */

static void on_drain_timer(void *ctx)
{
    struct tracer *t = ctx;

    if (t->busy)
        http_client_cancel(&t->call); /* on_done ends the drain */
    else
        finish_drain(t);
}

static void on_drained(void *ctx)
{
    struct tracer *t = ctx;

    t->drained(t->drained_ctx);
}

void tracer_drain(struct tracer *t, int64_t ms, loop_fn *drained, void *ctx)
{
    if (!t) {
        drained(ctx);
        return;
    }
    assert(!t->draining && ms >= 0);
    seal(t);
    t->draining = true;
    t->drained = drained;
    t->drained_ctx = ctx;
    if (timer_start(&t->drain_timer, ms * 1000) != 0)
        on_drain_timer(t);
    else if (!t->busy)
        send_now(t);
}

void tracer_close(struct tracer *t)
{
    if (!t)
        return;
    assert(!t->busy && list_empty(&t->waiting) && !t->filling);
    deferred_cancel(&t->drained_turn);
    release(t);
}
