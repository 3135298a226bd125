/*
 * api/runs.c - what the handlers of executions share: opening and closing, one statement of one
 * request, and the parts of answers that several have.
 *
 * A statement whose answer was lost is sent again, ASK_TRIES times in all; each waits for a
 * connection.  So the statements bear repeating: reads, and functions that do nothing the second
 * time.  `unknown` tells those whose answer is then another one.
 */
#include "api/runs.h"

#include "api/api.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/traceparent.h"

#include <assert.h>
#include <string.h>

enum { ASK_TRIES = 4 };

/* ---- open and close ------------------------------------------------------------------------- */

int runs_open(struct loop *l, const struct config *config, struct front *front,
              struct api_runs **ret, struct err *e)
{
    struct api_runs *r = mem_zalloc(sizeof(*r));
    int err;

    if (!r)
        return err_set(e, IFP_ENOMEM, "executions: out of memory");
    r->loop = l;
    r->config = config;
    r->front = front;
    list_init(&r->streams);
    err = starts_open(front, &r->starts, e);
    if (err)
        goto free_runs;
    err = hub_open(front, &r->hub, e);
    if (err)
        goto close_starts;
    *ret = r;
    return 0;

close_starts:
    starts_close(r->starts, NULL, NULL);
free_runs:
    mem_free(r);
    return err;
}

static void on_part_closed(void *ctx)
{
    struct api_runs *r = ctx;
    loop_fn *closed = r->closed;
    void *closed_ctx = r->closed_ctx;

    if (--r->closing_left > 0)
        return;
    mem_free(r);
    if (closed)
        closed(closed_ctx);
}

void runs_close(struct api_runs *r, loop_fn *closed, void *ctx)
{
    if (!r) {
        if (closed)
            closed(ctx);
        return;
    }
    assert(list_empty(&r->streams));
    r->closed = closed;
    r->closed_ctx = ctx;
    r->closing_left = 2;
    starts_close(r->starts, on_part_closed, r);
    hub_close(r->hub, on_part_closed, r);
}

/* ---- one statement -------------------------------------------------------------------------- */

static void on_asked(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct run_ask *ask = CONTAINER_OF(req, struct run_ask, req);
    struct err told;

    if (err == IFP_EUNAVAILABLE && req->sent && ++ask->tries < ASK_TRIES) {
        ask->unknown = true;
        front_exec(ask->runs->front, req);
        return;
    }
    pgreq_release(&ask->req);
    if (!err) {
        ask->answer(ask, res);
        return;
    }
    answer_tell(ask->request, e, &told);
    if (!ask->failed || !ask->failed(ask, &told))
        http_answer_error(ask->request, &told);
}

struct run_ask *runs_ask(struct api *api, struct http_request *r, enum statement statement,
                         void (*answer)(struct run_ask *, const struct pgres *))
{
    struct run_ask *ask = arena_zalloc(&r->arena, sizeof(*ask));
    struct err e;

    if (!ask) {
        err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return NULL;
    }
    pgreq_init(&ask->req);
    ask->req.stmt = statements_get(statement);
    ask->req.done = on_asked;
    ask->runs = api->runs;
    ask->request = r;
    ask->answer = answer;
    pgargs_int4(&ask->req.args, caller_of(r)->workspace_id);
    return ask;
}

struct run_ask *runs_ask_one(struct api *api, struct http_request *r, enum statement statement,
                             void (*answer)(struct run_ask *, const struct pgres *))
{
    struct run_ask *ask;
    int64_t id;

    if (ids_execution_parse(r->params[0].text, &id) != 0 || id <= 0) {
        runs_answer_missing(r);
        return NULL;
    }
    ask = runs_ask(api, r, statement, answer);
    if (!ask)
        return NULL;
    ask->exec_id = id;
    pgargs_int8(&ask->req.args, id);
    return ask;
}

void runs_ask_send(struct run_ask *ask)
{
    front_exec(ask->runs->front, &ask->req);
}

/* ---- answers -------------------------------------------------------------------------------- */

void runs_answer_missing(struct http_request *r)
{
    struct err e;

    err_set(&e, IFP_ENOTFOUND, "there is no execution %s", r->params[0].text);
    http_answer_error(r, &e);
}

bool runs_answer_full(struct api_runs *runs, struct http_request *r)
{
    struct err e;

    if (!hub_full(runs->hub))
        return false;
    err_set(&e, IFP_EUNAVAILABLE, "%d requests wait for executions already (waits-max)",
            hub_count(runs->hub));
    http_answer_header(r, "retry-after", "1");
    http_answer_error(r, &e);
    return true;
}

void runs_trace_header(struct http_request *r, int64_t exec_id, const char *traceparent)
{
    struct traceparent t = traceparent_of(exec_id, traceparent);
    char text[TRACE_ID_SIZE];

    traceparent_trace_id(&t, text);
    http_answer_header(r, "x-inferpipe-trace", text);
}

/* Where people look at it (CONFIG_TRACE_URL). */
static void add_trace_url(const struct api_runs *runs, struct answer *a, const char *trace_id)
{
    const char *url = config_text(runs->config, CONFIG_TRACE_URL);
    const char *hole = strstr(url, CONFIG_TRACE_ID);

    if (hole)
        answer_text(a, "url",
                    arena_printf(a->arena, "%.*s%s%s", (int)(hole - url), url, trace_id,
                                 hole + strlen(CONFIG_TRACE_ID)));
}

void runs_answer_trace(const struct api_runs *runs, struct answer *a, int64_t exec_id,
                       const char *traceparent, const char *options)
{
    struct slice text_of = { options, options ? strlen(options) : 0 }, tags;
    struct traceparent t = traceparent_of(exec_id, traceparent);
    char text[TRACE_ID_SIZE];

    traceparent_trace_id(&t, text);
    answer_object(a, "trace");
    answer_text(a, "id", text);
    add_trace_url(runs, a, text);
    if (options && jsonscan_find(text_of, "/tags", &tags) == 0)
        answer_raw(a, "tags", tags);
    answer_close(a);
}

void runs_answer_cost(struct answer *a, int64_t tokens, const char *usd)
{
    if (tokens < 0 && !usd)
        return;
    answer_object(a, "cost");
    if (tokens >= 0)
        answer_int(a, "tokens", tokens);
    if (usd)
        answer_raw(a, "usd", (struct slice){ usd, strlen(usd) });
    answer_close(a);
}

void runs_answer_failed(struct http_request *r, const struct hub_end *end)
{
    const char *code = end->error_code ? end->error_code : "SERVER_ERROR";
    int known = err_from_name(code);
    struct err e;

    err_set(&e, known ? known : IFP_ESERVER, "%s", end->error ? end->error : code);
    answer_problem(r, &e,
                   &(struct answer_problem){ .code = arena_strndup(&r->arena, code, strlen(code)),
                                             .execution = end->exec_id });
}
