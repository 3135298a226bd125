/*
 * api/executions_start.c - POST /v1/workflows/{workflowId}/executions: starts an execution, and
 * answers at once, waits for its end, or streams it.
 *
 *   body -> start (store/starts.h) -> async:  202 with its id
 *                                     sync:   a watch of the hub -> its result, or 202 in time
 *                                     stream: runs_stream
 *
 * A replay of an idempotency key is the same road with created = false: an asynchronous one gets
 * the same answer, as everything in it follows from the id; a synchronous one waits for the same
 * execution.
 *
 * What if the client goes: a start that was sent is not taken back, and the request ends when its
 * answer is here; a wait ends at once.
 */
#include "api/executions.h"
#include "api/runs_start.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/traceparent.h"
#include "store/client.h"

#include <assert.h>
#include <string.h>

enum { KEY_BYTES = 255 };
#define STARTED "queued" /* what every execution is when its start is acknowledged */

/* In the request's arena. */
struct starting {
    struct start start;
    struct hub_watch watch;
    struct timer timer;           /* armed while it waits */
    struct http_request *request; /* borrowed */
    struct api *api;              /* borrowed */
    struct api_runs *runs;        /* borrowed */
    int mode;
    int64_t timeout_ms;
};

static void on_started(struct start *start, int err, const struct err *e);
static void on_ended(struct hub_watch *watch, const struct hub_end *end);
static void on_timeout(void *ctx);
static void on_gone(void *ctx, struct http_request *r);

/* ---- reading -------------------------------------------------------------------------------- */

const char *executions_key(struct http_request *r, struct body *b, const char *in_body)
{
    struct slice header = http_header(r, "idempotency-key");
    char *key;

    if (!header.text)
        return in_body;
    if (header.len < 1 || header.len > KEY_BYTES || !jsonscan_utf8_ok(header.text, header.len)) {
        body_refuse(b, "", "header Idempotency-Key: must be 1 to %d bytes of UTF-8", KEY_BYTES);
        return NULL;
    }
    key = arena_strndup(&r->arena, header.text, header.len);
    if (key && in_body && strcmp(key, in_body) != 0)
        body_refuse(b, "/idempotencyKey", "differs from the header Idempotency-Key");
    return key;
}

void executions_refuse(struct http_request *r, const struct body *b, const struct err *e)
{
    answer_problem(r, e, &(struct answer_problem){ .body = b });
}

const char *executions_trace(struct http_request *r)
{
    char *text;

    if (r->trace.high == 0 && r->trace.low == 0)
        return NULL;
    text = arena_alloc(&r->arena, TRACEPARENT_SIZE);
    if (text)
        traceparent_format(&r->trace, text);
    return text;
}

static int read_start(struct starting *s, struct body *b, struct err *e)
{
    const struct config *config = s->runs->config;
    struct http_request *r = s->request;
    struct run_limits limits = { config_int(config, CONFIG_PAYLOAD_MAX),
                                 config_int(config, CONFIG_SYNC_MAX) };
    struct run_wanted wanted;
    const char *key;
    int err = runs_start_read(b, r->body, "", false, &limits, &wanted, e);

    if (err == IFP_ENOMEM)
        return err;
    key = executions_key(r, b, wanted.idempotency_key);
    wanted.workflow = r->params[0].text;
    if (client_check_slug("workflowId", wanted.workflow, e) != 0)
        body_refuse(b, "", "%s", e->text);
    err = body_result(b, e);
    if (err)
        return err;
    s->mode = wanted.mode;
    s->timeout_ms = wanted.timeout_ms ? wanted.timeout_ms : config_int(config, CONFIG_SYNC_TIME);
    return runs_start_fill(&r->arena, &wanted, caller_of(r), key, executions_trace(r), &s->start,
                           e);
}

void executions_start(void *ctx, struct http_request *r)
{
    struct starting *s = arena_zalloc(&r->arena, sizeof(*s));
    struct api *api = ctx;
    struct body b;
    struct err e;
    int err;

    body_init(&b, &r->arena);
    if (!s) {
        err_set(&e, IFP_ENOMEM, "start: out of memory");
        http_answer_error(r, &e);
        return;
    }
    s->request = r;
    s->api = api;
    s->runs = api->runs;
    err = read_start(s, &b, &e);
    if (err) {
        executions_refuse(r, &b, &e);
        return;
    }
    if (s->mode != RUN_ASYNC && runs_answer_full(s->runs, r))
        return;
    s->start.done = on_started;
    starts_add(s->runs->starts, &s->start);
}

/* ---- answering ------------------------------------------------------------------------------ */

/* Also of a stream: whose client loses it before the first event knows where to go on. */
static void put_location(struct starting *s, const char *id)
{
    char *location = arena_printf(&s->request->arena, "/v1/executions/%s", id);

    if (location)
        http_answer_header(s->request, "location", location);
}

static void answer_info(struct starting *s, const char *status)
{
    struct http_request *r = s->request;
    char id[IFP_ID_SIZE];
    struct answer a;

    ids_execution_format(s->start.exec_id, id);
    put_location(s, id);
    answer_begin(&a, &r->arena);
    answer_object(&a, NULL);
    answer_text(&a, "id", id);
    answer_text(&a, "status", status);
    answer_text(&a, "workflowId", s->start.workflow);
    answer_time(&a, "createdAt", starts_created_us(s->start.exec_id));
    answer_close(&a);
    answer_send(&a, r, 202);
}

static void wait_for_end(struct starting *s)
{
    struct http_request *r = s->request;
    struct err e;

    timer_init(&s->timer, s->runs->loop, on_timeout, s);
    s->watch.ended = on_ended;
    s->watch.ctx = s;
    if (timer_start(&s->timer, s->timeout_ms * 1000) != 0 ||
        hub_wait(s->runs->hub, &s->watch, s->start.exec_id, s->start.created) != 0) {
        timer_stop(&s->timer);
        err_set(&e, IFP_ENOMEM, "the execution was started, but cannot be waited for");
        answer_problem(r, &e, &(struct answer_problem){ .execution = s->start.exec_id });
        return;
    }
    r->gone = on_gone;
    r->gone_ctx = s;
}

static void answer_refused(struct starting *s, const struct err *e)
{
    struct err told;

    answer_tell(s->request, e, &told);
    if (s->start.unknown)
        err_wrap(&told, "it may have been started all the same");
    if (e->code == IFP_ERATELIMITED)
        http_answer_header(s->request, "retry-after", "1");
    http_answer_error(s->request, &told);
}

static void answer_stream(struct starting *s)
{
    char id[IFP_ID_SIZE];

    ids_execution_format(s->start.exec_id, id);
    put_location(s, id);
    runs_stream(s->runs, s->request, s->start.exec_id, s->start.created);
}

static void on_started(struct start *start, int err, const struct err *e)
{
    struct starting *s = CONTAINER_OF(start, struct starting, start);
    struct http_request *r = s->request;

    if (err) {
        answer_refused(s, e);
        return;
    }
    if (!start->created) {
        http_answer_header(r, "idempotency-replayed", "true");
        metrics_add(METRIC_REPLAYS, NULL, 1);
    }
    runs_trace_header(r, start->exec_id, start->created ? start->traceparent : NULL);
    if (s->mode == RUN_ASYNC || http_is_gone(r))
        answer_info(s, STARTED);
    else if (s->mode == RUN_STREAM)
        answer_stream(s);
    else
        wait_for_end(s);
}

/* What became of it in time. */
static void on_status(struct run_ask *ask, const struct pgres *res)
{
    answer_info(ask->data, pgres_rows(res) > 0 ? pgres_text(res, 0, 0) : STARTED);
}

/* It was started, and is no less so while the database is away. */
static bool on_no_status(struct run_ask *ask, const struct err *e)
{
    (void)e;
    answer_info(ask->data, STARTED);
    return true;
}

static void on_timeout(void *ctx)
{
    struct starting *s = ctx;
    struct run_ask *ask = runs_ask(s->api, s->request, STATEMENT_STATUS, on_status);

    hub_leave(&s->watch);
    s->request->gone = NULL;
    if (!ask)
        return; /* and the request is finished */
    ask->data = s;
    ask->failed = on_no_status;
    pgargs_int8(&ask->req.args, s->start.exec_id);
    runs_ask_send(ask);
}

static void on_gone(void *ctx, struct http_request *r)
{
    struct starting *s = ctx;

    (void)r;
    timer_stop(&s->timer);
    hub_leave(&s->watch);
    answer_info(s, STARTED); /* nobody reads it: it ends the request */
}

static void answer_result(const struct starting *s, const struct hub_end *end)
{
    static const struct slice null = { "null", 4 };
    struct http_request *r = s->request;
    struct answer a;

    answer_begin(&a, &r->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", end->exec_id);
    answer_text(&a, "status", "completed");
    answer_text(&a, "workflowId", end->workflow);
    answer_raw(&a, "data", end->output.text ? end->output : null);
    answer_int(&a, "durationMs", (end->finished_us - end->created_us) / 1000);
    runs_answer_cost(&a, end->tokens, end->usd);
    runs_answer_trace(s->runs, &a, end->exec_id, end->traceparent, NULL);
    answer_time(&a, "createdAt", end->created_us);
    answer_time(&a, "startedAt", end->started_us);
    answer_time(&a, "finishedAt", end->finished_us);
    answer_close(&a);
    answer_send(&a, r, 200);
}

static void on_ended(struct hub_watch *watch, const struct hub_end *end)
{
    struct starting *s = watch->ctx;
    struct http_request *r = s->request;

    timer_stop(&s->timer);
    runs_trace_header(r, end->exec_id, end->traceparent);
    if (end->status == HUB_COMPLETED)
        answer_result(s, end);
    else
        runs_answer_failed(r, end);
}
