/*
 * api/executions_read.c - the lists around executions: themselves, their steps, their events.
 *
 * Every list is {"data": [...], "nextCursor": ...}: a page in a stable order, and a cursor that
 * means "behind this one", null at the end.  A cursor is opaque to clients; it is the id of the
 * last execution, or the number of the last step or event, so rows that come meanwhile change no
 * page.
 */
#define _GNU_SOURCE 1 /* memmem */
#include "api/executions.h"
#include "base/ids.h"
#include "store/client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

/* ---- parameters ----------------------------------------------------------------------------- */

/* What is wrong with the parameters; the first counts. */
struct query {
    struct http_request *request; /* borrowed */
    int err;
    struct err e;
};

/* NULL: absent. */
static const char *text_param(struct query *q, const char *name)
{
    struct slice value;
    struct err e;
    int err = http_query(q->request, name, &value, &e);

    if (!err)
        return value.text;
    if (err != IFP_ENOTFOUND && !q->err) {
        q->err = err;
        q->e = e;
    }
    return NULL;
}

static void refuse(struct query *q, const char *name, const char *rule)
{
    if (!q->err)
        q->err = err_set(&q->e, IFP_EINVALID, "query parameter %s: %s", name, rule);
}

static int64_t int_param(struct query *q, const char *name, int64_t max, int64_t fallback)
{
    const char *text = text_param(q, name);
    size_t len = text ? strlen(text) : 0;
    int64_t value = 0;

    if (!text)
        return fallback;
    for (size_t i = 0; i < len && len <= 18 && value >= 0; i++)
        value = text[i] >= '0' && text[i] <= '9' ? value * 10 + (text[i] - '0') : -1;
    if (len >= 1 && len <= 18 && value >= 0 && value <= max)
        return value;
    refuse(q, name, "is not a number, or too large");
    return fallback;
}

static int limit_param(struct query *q)
{
    int64_t limit = int_param(q, "limit", LIMIT_MAX, LIMIT_DEFAULT);

    if (limit < 1)
        refuse(q, "limit", "must be 1 to 1000");
    return (int)limit;
}

static const char *slug_param(struct query *q, const char *name)
{
    const char *text = text_param(q, name);
    struct err e;

    if (text && client_check_slug("", text, &e) != 0)
        refuse(q, name, e.text + strlen(": "));
    return text;
}

static int64_t id_param(struct query *q, const char *name, int64_t fallback)
{
    const char *text = text_param(q, name);
    int64_t id = fallback;

    if (text && (ids_execution_parse(text, &id) != 0 || id <= 0))
        refuse(q, name, "is not the id of an execution");
    return id;
}

/* True: the request is finished. */
static bool answer_query(struct query *q)
{
    if (q->err)
        http_answer_error(q->request, &q->e);
    return q->err != 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

struct page {
    int limit;
};

static struct page *page_new(struct run_ask *ask, int limit)
{
    struct page *p = arena_alloc(&ask->request->arena, sizeof(*p));

    if (p)
        p->limit = limit;
    ask->data = p;
    return p;
}

static void page_send(struct run_ask *ask, struct page *p)
{
    struct err e;

    if (p) {
        runs_ask_send(ask);
        return;
    }
    pgreq_release(&ask->req);
    err_set(&e, IFP_ENOMEM, "out of memory");
    http_answer_error(ask->request, &e);
}

static void write_number_cursor(struct answer *a, bool more, int64_t last)
{
    char text[24];

    if (!more) {
        answer_null(a, "nextCursor");
        return;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, last);
    answer_text(a, "nextCursor", text);
}

static int64_t time_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_timestamptz(res, row, col);
}

static struct slice raw_at(const struct pgres *res, int row, int col)
{
    const char *text = pgres_text(res, row, col);

    return (struct slice){ text, text ? strlen(text) : 0 };
}

static void write_error(struct answer *a, const char *code, const char *text)
{
    if (!code && !text)
        return;
    answer_object(a, "error");
    answer_text(a, "code", code);
    answer_text(a, "message", text ? text : "");
    answer_close(a);
}

/* ---- executions ----------------------------------------------------------------------------- */

static void write_execution(struct answer *a, const struct pgres *res, int row)
{
    answer_object(a, NULL);
    answer_id(a, "id", pgres_int8(res, row, 0));
    answer_text(a, "status", pgres_text(res, row, 4));
    answer_text(a, "workflowId", pgres_text(res, row, 1));
    answer_text(a, "version", pgres_text(res, row, 2));
    answer_text(a, "queue", pgres_text(res, row, 3));
    answer_text(a, "waitingFor", pgres_text(res, row, 5));
    write_error(a, pgres_text(res, row, 6), pgres_text(res, row, 7));
    answer_time(a, "createdAt", time_at(res, row, 8));
    answer_time(a, "finishedAt", time_at(res, row, 9));
    answer_id(a, "parentId", pgres_null(res, row, 13) ? 0 : pgres_int8(res, row, 13));
    answer_close(a);
}

static void answer_list(struct run_ask *ask, const struct pgres *res)
{
    const struct page *p = ask->data;
    int rows = pgres_rows(res);
    struct answer a;

    answer_begin(&a, &ask->request->arena);
    answer_object(&a, NULL);
    answer_array(&a, "data");
    for (int i = 0; i < rows; i++)
        write_execution(&a, res, i);
    answer_close(&a);
    if (rows == p->limit)
        answer_id(&a, "nextCursor", pgres_int8(res, rows - 1, 0));
    else
        answer_null(&a, "nextCursor");
    answer_close(&a);
    answer_send(&a, ask->request, 200);
}

/* Which statement lists those of a status: its index has the order that is asked for. */
static const struct {
    const char *name;
    enum statement statement;
    bool queued;
    int16_t result;
} statuses[] = {
    { "queued", STATEMENT_LIST_LIVE, true, 0 },      { "running", STATEMENT_LIST_LIVE, false, 0 },
    { "completed", STATEMENT_LIST_ENDED, false, 1 }, { "failed", STATEMENT_LIST_ENDED, false, 2 },
    { "canceled", STATEMENT_LIST_ENDED, false, 3 },
};

static size_t find_status(struct query *q, const char *name)
{
    size_t i = 0;

    if (!name)
        return ARRAY_LEN(statuses);
    while (i < ARRAY_LEN(statuses) && strcmp(statuses[i].name, name) != 0)
        i++;
    if (i == ARRAY_LEN(statuses))
        refuse(q, "status", "must be one of queued, running, completed, failed, canceled");
    return i;
}

void executions_list(void *ctx, struct http_request *r)
{
    struct query q = { .request = r };
    const char *workflow = slug_param(&q, "workflow"), *queue = slug_param(&q, "queue");
    const char *status = text_param(&q, "status");
    int64_t before = id_param(&q, "cursor", INT64_MAX), parent = id_param(&q, "parent", 0);
    size_t which = find_status(&q, status);
    enum statement statement = parent                        ? STATEMENT_LIST_CHILDREN
                               : which < ARRAY_LEN(statuses) ? statuses[which].statement
                                                             : STATEMENT_LIST_ALL;
    int limit = limit_param(&q);
    struct run_ask *ask;

    if (answer_query(&q))
        return;
    ask = runs_ask(ctx, r, statement, answer_list);
    if (!ask)
        return;
    pgargs_text(&ask->req.args, workflow);
    pgargs_int8(&ask->req.args, before);
    pgargs_int4(&ask->req.args, limit);
    if (statement == STATEMENT_LIST_CHILDREN) {
        pgargs_int8(&ask->req.args, parent);
        pgargs_text(&ask->req.args, status);
    } else if (statement == STATEMENT_LIST_LIVE) {
        pgargs_bool(&ask->req.args, statuses[which].queued);
    } else if (statement == STATEMENT_LIST_ENDED) {
        pgargs_int2(&ask->req.args, statuses[which].result);
    }
    pgargs_text(&ask->req.args, queue);
    page_send(ask, page_new(ask, limit));
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void write_step(struct answer *a, const struct pgres *res, int row)
{
    const char *name = pgres_text(res, row, 2);
    int64_t nth = pgres_int8(res, row, 11);

    answer_object(a, NULL);
    answer_text(a, "key", nth > 1 ? arena_printf(a->arena, "%s#%" PRId64, name, nth) : name);
    answer_int(a, "seq", pgres_int4(res, row, 0));
    answer_text(a, "name", name);
    answer_text(a, "kind", pgres_text(res, row, 3));
    answer_text(a, "status", pgres_text(res, row, 4));
    answer_int(a, "attempts", pgres_null(res, row, 1) ? 0 : pgres_int2(res, row, 1));
    answer_raw(a, "result", raw_at(res, row, 5));
    write_error(a, pgres_text(res, row, 6), pgres_text(res, row, 7));
    answer_time(a, "finishedAt", time_at(res, row, 8));
    answer_time(a, "wakesAt", time_at(res, row, 9));
    if (!pgres_null(res, row, 10))
        answer_int(a, "durationMs", pgres_int8(res, row, 10) / 1000);
    runs_answer_cost(a, pgres_null(res, row, 12) ? -1 : pgres_int8(res, row, 12),
                     pgres_text(res, row, 13));
    answer_raw(a, "progress", raw_at(res, row, 14));
    answer_close(a);
}

static void answer_steps(struct run_ask *ask, const struct pgres *res)
{
    const struct page *p = ask->data;
    int rows = pgres_rows(res);
    struct answer a;

    if (rows == 0) {
        runs_answer_missing(ask->request);
        return;
    }
    if (pgres_null(res, 0, 0))
        rows = 0; /* there is an execution, and no step */
    answer_begin(&a, &ask->request->arena);
    answer_object(&a, NULL);
    answer_array(&a, "data");
    for (int i = 0; i < rows; i++)
        write_step(&a, res, i);
    answer_close(&a);
    write_number_cursor(&a, rows >= p->limit, rows > 0 ? pgres_int4(res, rows - 1, 0) : 0);
    answer_close(&a);
    answer_send(&a, ask->request, 200);
}

void executions_steps(void *ctx, struct http_request *r)
{
    struct query q = { .request = r };
    int limit = limit_param(&q);
    int64_t after = int_param(&q, "cursor", INT32_MAX, 0);
    struct run_ask *ask;

    if (answer_query(&q))
        return;
    ask = runs_ask_one(ctx, r, STATEMENT_LIST_STEPS, answer_steps);
    if (!ask)
        return;
    pgargs_int4(&ask->req.args, (int32_t)after);
    pgargs_int8(&ask->req.args, limit);
    page_send(ask, page_new(ask, limit));
}

/* ---- events --------------------------------------------------------------------------------- */

static bool is_plain(const char *kind)
{
    return strcmp(kind, "log") == 0 || strcmp(kind, "token") == 0 || strcmp(kind, "data") == 0;
}

static void write_event(struct answer *a, const struct pgres *res, int row)
{
    const char *kind = pgres_text(res, row, 2);

    answer_object(a, NULL);
    answer_int(a, "id", pgres_int4(res, row, 0));
    answer_text(a, "type", is_plain(kind) ? kind : "data");
    answer_time(a, "timestamp", pgres_timestamptz(res, row, 1));
    if (is_plain(kind)) {
        answer_raw(a, "payload", pgres_bytes(res, row, 5));
    } else {
        answer_object(a, "payload");
        answer_text(a, "kind", kind);
        answer_raw(a, "data", pgres_bytes(res, row, 5));
        answer_close(a);
    }
    answer_close(a);
}

static void answer_events(struct run_ask *ask, const struct pgres *res)
{
    const struct page *p = ask->data;
    int rows = pgres_rows(res);
    bool more;
    struct answer a;

    if (rows == 0) {
        runs_answer_missing(ask->request);
        return;
    }
    answer_begin(&a, &ask->request->arena);
    answer_object(&a, NULL);
    answer_array(&a, "data");
    if (pgres_null(res, 0, 0))
        rows = 0;
    for (int i = 0; i < rows; i++)
        write_event(&a, res, i);
    answer_close(&a);
    more = rows == p->limit;
    answer_bool(&a, "ended", !more && pgres_bool(res, 0, 6));
    write_number_cursor(&a, more, rows > 0 ? pgres_int4(res, rows - 1, 0) : 0);
    answer_close(&a);
    answer_send(&a, ask->request, 200);
}

static void begin_stream(struct run_ask *ask, const struct pgres *res)
{
    struct http_request *r = ask->request;

    if (pgres_rows(res) == 0) {
        runs_answer_missing(r);
        return;
    }
    runs_trace_header(r, ask->exec_id, pgres_text(res, 0, 0));
    runs_stream(ask->runs, r, ask->exec_id, false);
}

static bool wants_stream(const struct http_request *r)
{
    static const char type[] = "text/event-stream";
    struct slice accept = http_header(r, "accept");

    return accept.text && memmem(accept.text, accept.len, type, sizeof(type) - 1) != NULL;
}

void executions_events(void *ctx, struct http_request *r)
{
    struct query q = { .request = r };
    struct api *api = ctx;
    int limit = limit_param(&q);
    int64_t after = int_param(&q, "cursor", INT32_MAX, 0);
    bool stream = wants_stream(r);
    struct run_ask *ask;

    if (answer_query(&q) || (stream && runs_answer_full(api->runs, r)))
        return;
    ask = runs_ask_one(api, r, stream ? STATEMENT_HAS : STATEMENT_EVENTS,
                       stream ? begin_stream : answer_events);
    if (!ask)
        return;
    if (stream) {
        runs_ask_send(ask);
        return;
    }
    pgargs_int4(&ask->req.args, (int32_t)after);
    pgargs_int4(&ask->req.args, limit);
    page_send(ask, page_new(ask, limit));
}
