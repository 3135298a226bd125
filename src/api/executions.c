/*
 * api/executions.c - the routes of executions, and looking at one of them.
 *
 * GET /v1/executions/{id} is one statement.  With ?wait= it is answered when the execution has
 * ended, or when the time is over: a watch of the hub, then the same statement.
 */
#include "api/executions.h"

#include "base/duration.h"
#include "base/ids.h"

#include <assert.h>
#include <string.h>

#define ONE "/v1/executions/{id}"

const struct route routes_executions[] = {
    { HTTP_POST, "/v1/workflows/{workflowId}/executions", SCOPE_EXECUTIONS_WRITE,
      ROUTE_BODY | ROUTE_CREATES | ROUTE_LONG, executions_start, "executions.start", "executions",
      "Start an execution: at once, waiting for its result, or as a stream", NULL, "StartExecution",
      "ExecutionInfo", 202 },
    { HTTP_POST, "/v1/executions", SCOPE_EXECUTIONS_WRITE, ROUTE_BODY | ROUTE_CREATES,
      executions_bulk, "executions.startMany", "executions",
      "Start many executions, each with its own outcome", NULL, "StartMany", "StartManyResult",
      200 },
    { HTTP_GET, "/v1/executions", SCOPE_EXECUTIONS_READ, 0, executions_list, "executions.list",
      "executions", "List executions, the newest first",
      "workflow status queue parent limit cursor", NULL, "ExecutionList", 200 },
    { HTTP_GET, ONE, SCOPE_EXECUTIONS_READ, ROUTE_LONG, executions_get, "executions.get",
      "executions", "Look at an execution; with wait, once it has ended", "wait", NULL,
      "ExecutionStatus", 200 },
    { HTTP_GET, ONE "/steps", SCOPE_EXECUTIONS_READ, 0, executions_steps, "executions.steps",
      "executions", "List what an execution has recorded", "limit cursor", NULL, "StepList", 200 },
    { HTTP_GET, ONE "/events", SCOPE_EXECUTIONS_READ, ROUTE_LONG, executions_events,
      "executions.events", "executions",
      "Read the stream of an execution, as JSON or as Server-Sent Events", "limit cursor", NULL,
      "EventList", 200 },
};
const size_t routes_executions_count = ARRAY_LEN(routes_executions);

/* ---- one execution -------------------------------------------------------------------------- */

enum show_column { /* of STATEMENT_SHOW */
                   SHOW_STATUS,
                   SHOW_WORKFLOW,
                   SHOW_VERSION,
                   SHOW_QUEUE,
                   SHOW_WAITING,
                   SHOW_OUTPUT,
                   SHOW_ERROR_CODE,
                   SHOW_ERROR,
                   SHOW_CREATED,
                   SHOW_STARTED,
                   SHOW_FINISHED,
                   SHOW_TOKENS,
                   SHOW_USD,
                   SHOW_UPDATED,
                   SHOW_TRACEPARENT,
                   SHOW_METADATA,
                   SHOW_INPUT,
                   SHOW_PARENT,
                   SHOW_FORKED_FROM,
                   SHOW_PRIORITY,
                   SHOW_CANCEL,
                   SHOW_OPTIONS
};

static int64_t time_at(const struct pgres *res, enum show_column col)
{
    return pgres_null(res, 0, col) ? 0 : pgres_timestamptz(res, 0, col);
}

static int64_t number_at(const struct pgres *res, enum show_column col, int64_t fallback)
{
    return pgres_null(res, 0, col) ? fallback : pgres_int8(res, 0, col);
}

static struct slice raw_at(const struct pgres *res, enum show_column col)
{
    const char *text = pgres_text(res, 0, col);

    return (struct slice){ text, text ? strlen(text) : 0 };
}

static void write_outcome(struct answer *a, const struct pgres *res)
{
    static const struct slice null = { "null", 4 };
    struct slice output = pgres_bytes(res, 0, SHOW_OUTPUT);

    if (strcmp(pgres_text(res, 0, SHOW_STATUS), "completed") == 0)
        answer_raw(a, "data", output.text ? output : null);
    if (pgres_null(res, 0, SHOW_ERROR_CODE) && pgres_null(res, 0, SHOW_ERROR))
        return;
    answer_object(a, "error");
    answer_text(a, "code", pgres_text(res, 0, SHOW_ERROR_CODE));
    answer_text(a, "message", pgres_null(res, 0, SHOW_ERROR) ? "" : pgres_text(res, 0, SHOW_ERROR));
    answer_close(a);
}

static void write_times(struct answer *a, const struct pgres *res)
{
    int64_t created = time_at(res, SHOW_CREATED), finished = time_at(res, SHOW_FINISHED);

    answer_time(a, "createdAt", created);
    answer_time(a, "startedAt", time_at(res, SHOW_STARTED));
    answer_time(a, "finishedAt", finished);
    answer_time(a, "updatedAt", time_at(res, SHOW_UPDATED));
    if (finished)
        answer_int(a, "durationMs", (finished - created) / 1000);
}

static void answer_execution(struct run_ask *ask, const struct pgres *res)
{
    struct http_request *r = ask->request;
    struct answer a;

    if (pgres_rows(res) == 0) {
        runs_answer_missing(r);
        return;
    }
    runs_trace_header(r, ask->exec_id, pgres_text(res, 0, SHOW_TRACEPARENT));
    answer_begin(&a, &r->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", ask->exec_id);
    answer_text(&a, "status", pgres_text(res, 0, SHOW_STATUS));
    answer_text(&a, "workflowId", pgres_text(res, 0, SHOW_WORKFLOW));
    answer_text(&a, "version", pgres_text(res, 0, SHOW_VERSION));
    answer_text(&a, "queue", pgres_text(res, 0, SHOW_QUEUE));
    write_outcome(&a, res);
    answer_text(&a, "waitingFor", pgres_text(res, 0, SHOW_WAITING));
    write_times(&a, res);
    runs_answer_cost(&a, number_at(res, SHOW_TOKENS, -1), pgres_text(res, 0, SHOW_USD));
    runs_answer_trace(ask->runs, &a, ask->exec_id, pgres_text(res, 0, SHOW_TRACEPARENT),
                      pgres_text(res, 0, SHOW_OPTIONS));
    answer_raw(&a, "metadata", raw_at(res, SHOW_METADATA));
    answer_raw(&a, "input", pgres_bytes(res, 0, SHOW_INPUT));
    answer_id(&a, "parentId", number_at(res, SHOW_PARENT, 0));
    answer_id(&a, "forkedFrom", number_at(res, SHOW_FORKED_FROM, 0));
    answer_int(&a, "priority", pgres_int2(res, 0, SHOW_PRIORITY));
    if (pgres_bool(res, 0, SHOW_CANCEL))
        answer_bool(&a, "cancelRequested", true);
    answer_close(&a);
    answer_send(&a, r, 200);
}

static void show(struct api *api, struct http_request *r)
{
    struct run_ask *ask = runs_ask_one(api, r, STATEMENT_SHOW, answer_execution);

    if (ask)
        runs_ask_send(ask);
}

/* ---- a long poll ---------------------------------------------------------------------------- */

/* In the request's arena. */
struct waiting {
    struct hub_watch watch;
    struct timer timer;
    struct http_request *request; /* borrowed */
    struct api *api;              /* borrowed */
    int64_t exec_id, wait_ms;
};

static void stop_waiting(struct waiting *w)
{
    timer_stop(&w->timer);
    hub_leave(&w->watch);
    w->request->gone = NULL;
    show(w->api, w->request);
}

static void on_ended(struct hub_watch *watch, const struct hub_end *end)
{
    (void)end;
    stop_waiting(watch->ctx);
}

static void on_timeout(void *ctx)
{
    stop_waiting(ctx);
}

static void on_gone(void *ctx, struct http_request *r)
{
    (void)r;
    stop_waiting(ctx);
}

/* It is the caller's, as far as the first look said; so it may be waited for. */
static void begin_waiting(struct run_ask *ask, const struct pgres *res)
{
    struct waiting *w = ask->data;
    const char *status;

    if (pgres_rows(res) > 0) {
        status = pgres_text(res, 0, SHOW_STATUS);
        w->watch.ended = on_ended;
        w->watch.ctx = w;
        timer_init(&w->timer, w->api->loop, on_timeout, w);
        if ((strcmp(status, "queued") == 0 || strcmp(status, "running") == 0) &&
            !http_is_gone(ask->request) && !w->api->runs->draining &&
            timer_start(&w->timer, w->wait_ms * 1000) == 0) {
            w->request->gone = on_gone;
            w->request->gone_ctx = w;
            if (hub_wait(w->api->runs->hub, &w->watch, ask->exec_id, false) == 0)
                return;
            timer_stop(&w->timer);
            w->request->gone = NULL;
        }
    }
    answer_execution(ask, res);
}

static void wait_and_show(struct api *api, struct http_request *r, int64_t wait_ms)
{
    struct run_ask *ask;
    struct waiting *w;

    if (runs_answer_full(api->runs, r))
        return;
    ask = runs_ask_one(api, r, STATEMENT_SHOW, begin_waiting);
    if (!ask)
        return;
    w = arena_zalloc(&r->arena, sizeof(*w));
    if (w) {
        w->request = r;
        w->api = api;
        w->wait_ms = wait_ms;
        ask->data = w;
    } else {
        ask->answer = answer_execution;
    }
    runs_ask_send(ask);
}

void executions_get(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    int64_t max = config_int(api->config, CONFIG_SYNC_MAX), wait_ms = 0;
    struct slice wait;
    struct err e;
    int err = http_query(r, "wait", &wait, &e);

    if (!err)
        err = duration_parse(wait.text, &wait_ms, &e);
    if (!err && wait_ms > max)
        err = err_set(&e, IFP_EINVALID, "must be at most %lld ms (sync-max)", (long long)max);
    if (err && err != IFP_ENOTFOUND) {
        err_wrap(&e, "query parameter wait");
        http_answer_error(r, &e);
    } else if (wait_ms > 0) {
        wait_and_show(api, r, wait_ms);
    } else {
        show(api, r);
    }
}
