/*
 * api/steer.c - what can be done to an execution that exists: cancel, retry, fork, send it a
 * message, delete it.  One statement each, one function of the schema.
 *
 * When an answer is lost the statement goes out again, so each must bear that: a fork and a message
 * carry a key (the client's, else one made here), asking for a cancel twice is fine, and what a
 * second retry, cancel or delete is refused for tells whether the first one was carried out.
 */
#include "api/executions.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "store/client.h"
#include "store/payload.h"

#include <assert.h>
#include <string.h>

enum { STEP_BYTES = 220, VERSION_BYTES = 63, KEY_BYTES = 255 };

static route_handler_fn cancel, retry, fork_one, message, delete_one;

#define ONE "/v1/executions/{id}"

const struct route routes_steer[] = {
    { HTTP_POST, ONE "/cancel", SCOPE_EXECUTIONS_WRITE, ROUTE_BODY, cancel, "executions.cancel",
      "executions", "Ask an execution to end, or end it at once", NULL, "CancelRequest",
      "CancelResult", 202 },
    { HTTP_POST, ONE "/retry", SCOPE_EXECUTIONS_WRITE, 0, retry, "executions.retry", "executions",
      "Let a failed or canceled execution go on from its last completed step", NULL, NULL,
      "ExecutionInfo", 202 },
    { HTTP_POST, ONE "/fork", SCOPE_EXECUTIONS_WRITE, ROUTE_BODY | ROUTE_CREATES, fork_one,
      "executions.fork", "executions", "Start anew from a step of an execution", NULL,
      "ForkRequest", "ExecutionInfo", 202 },
    { HTTP_POST, ONE "/messages/{name}", SCOPE_EXECUTIONS_WRITE, ROUTE_BODY | ROUTE_CREATES,
      message, "executions.message", "executions", "Send a message, which is any JSON", NULL, NULL,
      "MessageResult", 202 },
    { HTTP_DELETE, ONE, SCOPE_EXECUTIONS_WRITE, 0, delete_one, "executions.delete", "executions",
      "Delete an execution that has ended, and all it has recorded", "force", NULL, NULL, 204 },
};
const size_t routes_steer_count = ARRAY_LEN(routes_steer);

/* ---- shared --------------------------------------------------------------------------------- */

/* ExecutionInfo, from STATEMENT_SHOW. */
static void answer_info(struct run_ask *ask, const struct pgres *res)
{
    struct http_request *r = ask->request;
    struct answer a;

    if (pgres_rows(res) == 0) {
        runs_answer_missing(r);
        return;
    }
    answer_begin(&a, &r->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", ask->exec_id);
    answer_text(&a, "status", pgres_text(res, 0, 0));
    answer_text(&a, "workflowId", pgres_text(res, 0, 1));
    answer_time(&a, "createdAt", pgres_timestamptz(res, 0, 8));
    if (!pgres_null(res, 0, 18))
        answer_id(&a, "forkedFrom", pgres_int8(res, 0, 18));
    answer_close(&a);
    answer_send(&a, r, 202);
}

/* Looks at the execution that something was done to, and answers what is there. */
static void show(struct run_ask *done, int64_t exec_id,
                 void (*answer)(struct run_ask *, const struct pgres *))
{
    struct api *api = done->data;
    struct run_ask *ask = runs_ask(api, done->request, STATEMENT_SHOW, answer);

    if (!ask)
        return;
    ask->exec_id = exec_id;
    ask->data = done->data;
    pgargs_int8(&ask->req.args, exec_id);
    runs_ask_send(ask);
}

static char *random_key(struct arena *a)
{
    uint8_t bytes[16];
    char text[IDS_UUID_SIZE];

    if (ids_random(bytes, sizeof(bytes)) != 0)
        return NULL;
    ids_uuid4(bytes, text);
    return arena_printf(a, "once %s", text);
}

/* A body's payload as two arguments: the text, and its hash when it is large. */
static int add_payload(struct pgargs *args, struct slice text, int64_t inline_max)
{
    struct payload p;
    int err = 0;

    pgargs_bytes(args, text.text, text.len);
    if (text.text && (int64_t)text.len > inline_max) {
        err = payload_split(&p, text, inline_max);
        pgargs_bytes(args, p.hash, sizeof(p.hash));
    } else {
        pgargs_null(args, PGTYPE_BYTEA);
    }
    return err;
}

static void drop(struct run_ask *ask, int code, const char *text)
{
    struct err e;

    pgreq_release(&ask->req);
    err_set(&e, code, "%s", text);
    http_answer_error(ask->request, &e);
}

/* ---- cancel --------------------------------------------------------------------------------- */

static void answer_cancel(struct http_request *r, int64_t exec_id, bool ended)
{
    struct answer a;

    answer_begin(&a, &r->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", exec_id);
    answer_text(&a, "status", ended ? "canceled" : "running");
    answer_bool(&a, "cancelRequested", true);
    answer_close(&a);
    answer_send(&a, r, 202);
}

static void on_canceled(struct run_ask *ask, const struct pgres *res)
{
    enum { ENDED = 2 }; /* of execution_cancel */

    answer_cancel(ask->request, ask->exec_id, pgres_int4(res, 0, 0) == ENDED);
}

/* It had ended when the second try came: by the first one? */
static void on_cancel_unknown(struct run_ask *ask, const struct pgres *res)
{
    struct err e;

    if (pgres_rows(res) > 0 && strcmp(pgres_text(res, 0, 0), "canceled") == 0) {
        answer_cancel(ask->request, ask->exec_id, true);
        return;
    }
    err_set(&e, IFP_ECONFLICT, "execution %s has ended", ask->request->params[0].text);
    answer_problem(ask->request, &e, &(struct answer_problem){ .execution = ask->exec_id });
}

/* Errors of one execution name it. */
static bool tell_execution(struct run_ask *ask, const struct err *e)
{
    answer_problem(ask->request, e, &(struct answer_problem){ .execution = ask->exec_id });
    return true;
}

static bool cancel_failed(struct run_ask *ask, const struct err *e)
{
    if (!ask->unknown || e->code != IFP_ECONFLICT)
        return tell_execution(ask, e);
    show(ask, ask->exec_id, on_cancel_unknown);
    return true;
}

struct cancel_wanted {
    bool force;
};

static void cancel(void *ctx, struct http_request *r)
{
    static const struct body_field fields[] = { BODY_FIELD("force", BODY_BOOL, struct cancel_wanted,
                                                           force) };
    struct cancel_wanted wanted = { .force = false };
    struct run_ask *ask;
    struct body b;
    struct err e;

    body_init(&b, &r->arena);
    if (body_read(&b, r->body, "", fields, ARRAY_LEN(fields), &wanted, &e) != 0) {
        executions_refuse(r, &b, &e);
        return;
    }
    ask = runs_ask_one(ctx, r, STATEMENT_CANCEL, on_canceled);
    if (!ask)
        return;
    ask->data = ctx;
    ask->failed = cancel_failed;
    pgargs_bool(&ask->req.args, wanted.force);
    runs_ask_send(ask);
}

/* ---- retry ---------------------------------------------------------------------------------- */

static void on_retried(struct run_ask *ask, const struct pgres *res)
{
    (void)res;
    show(ask, ask->exec_id, answer_info);
}

static bool retry_failed(struct run_ask *ask, const struct err *e)
{
    if (!ask->unknown || e->code != IFP_ECONFLICT)
        return tell_execution(ask, e);
    show(ask, ask->exec_id, answer_info); /* it lives: the first try was carried out */
    return true;
}

static void retry(void *ctx, struct http_request *r)
{
    struct run_ask *ask = runs_ask_one(ctx, r, STATEMENT_RETRY, on_retried);

    if (!ask)
        return;
    ask->data = ctx;
    ask->failed = retry_failed;
    runs_ask_send(ask);
}

/* ---- fork ----------------------------------------------------------------------------------- */

struct fork_wanted {
    const char *step, *version, *key;
    struct slice input;
};

static const struct body_field fork_fields[] = {
    BODY_FIELD("step", BODY_TEXT, struct fork_wanted, step, .min = 1, .max = STEP_BYTES),
    BODY_FIELD("version", BODY_TEXT, struct fork_wanted, version, .min = 1, .max = VERSION_BYTES),
    BODY_FIELD("input", BODY_VALUE, struct fork_wanted, input),
    BODY_FIELD("idempotencyKey", BODY_TEXT, struct fork_wanted, key, .min = 1, .max = KEY_BYTES),
};

static void on_forked(struct run_ask *ask, const struct pgres *res)
{
    struct http_request *r = ask->request;
    int64_t id = pgres_int8(res, 0, 0);
    char text[IFP_ID_SIZE];
    char *location;

    ids_execution_format(id, text);
    location = arena_printf(&r->arena, "/v1/executions/%s", text);
    if (location)
        http_answer_header(r, "location", location);
    if (!pgres_bool(res, 0, 1) && !ask->unknown) {
        http_answer_header(r, "idempotency-replayed", "true");
        metrics_add(METRIC_REPLAYS, NULL, 1);
    }
    show(ask, id, answer_info);
}

static void add_fork_args(struct pgargs *args, const struct fork_wanted *w,
                          const struct config *config, int *ret_err)
{
    struct pgarray texts, values;

    pgarray_init(&texts, PGTYPE_TEXT);
    pgarray_init(&values, PGTYPE_BYTEA);
    pgargs_text(args, w->step);
    pgargs_text(args, w->version);
    *ret_err = add_payload(args, w->input, config_int(config, CONFIG_PAYLOAD_INLINE));
    pgargs_array(args, &texts);
    pgargs_array(args, &values);
    pgargs_array(args, &values);
    pgargs_text(args, w->key);
    pgargs_int8(args, config_int(config, CONFIG_IDEMPOTENCY_TTL));
    pgarray_release(&values);
    pgarray_release(&texts);
}

static void fork_one(void *ctx, struct http_request *r)
{
    struct fork_wanted wanted = { 0 };
    struct api *api = ctx;
    struct run_ask *ask;
    struct body b;
    struct err e;
    int err;

    body_init(&b, &r->arena);
    err = body_read(&b, r->body, "", fork_fields, ARRAY_LEN(fork_fields), &wanted, &e);
    if (err != IFP_ENOMEM) {
        wanted.key = executions_key(r, &b, wanted.key);
        err = body_result(&b, &e);
    }
    if (err) {
        executions_refuse(r, &b, &e);
        return;
    }
    ask = runs_ask_one(ctx, r, STATEMENT_FORK, on_forked);
    if (!ask)
        return;
    ask->data = ctx;
    ask->failed = tell_execution;
    if (!wanted.key)
        wanted.key = random_key(&r->arena);
    add_fork_args(&ask->req.args, &wanted, api->config, &err);
    if (err || !wanted.key)
        drop(ask, IFP_ENOMEM, "fork: out of memory");
    else
        runs_ask_send(ask);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void on_sent(struct run_ask *ask, const struct pgres *res)
{
    bool fresh = pgres_bool(res, 0, 0);
    struct answer a;

    answer_begin(&a, &ask->request->arena);
    answer_object(&a, NULL);
    answer_bool(&a, "accepted", true);
    answer_bool(&a, "duplicate", !fresh && !ask->unknown);
    answer_close(&a);
    if (!fresh && !ask->unknown) {
        http_answer_header(ask->request, "idempotency-replayed", "true");
        metrics_add(METRIC_REPLAYS, NULL, 1);
    }
    answer_send(&a, ask->request, 202);
}

static int check_message(struct http_request *r, const struct config *config, struct body *b,
                         const char **ret_key, struct err *e)
{
    int64_t max = config_int(config, CONFIG_PAYLOAD_MAX);
    int err = jsonscan_check(r->body.text ? r->body.text : "", r->body.len, e);

    if (err == IFP_ENOMEM)
        return err;
    if (err)
        body_refuse(b, "", "%s", e->text);
    if ((int64_t)r->body.len > max)
        body_refuse(b, "", "has %zu bytes, at most %lld are allowed (payload-max)", r->body.len,
                    (long long)max);
    if (client_check_name("name", r->params[1].text, e) != 0)
        body_refuse(b, "", "%s", e->text);
    *ret_key = executions_key(r, b, NULL);
    return body_result(b, e);
}

static void message(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    const char *key;
    struct run_ask *ask;
    struct body b;
    struct err e;
    int err;

    body_init(&b, &r->arena);
    if (check_message(r, api->config, &b, &key, &e) != 0) {
        executions_refuse(r, &b, &e);
        return;
    }
    ask = runs_ask_one(ctx, r, STATEMENT_SEND, on_sent);
    if (!ask)
        return;
    ask->failed = tell_execution;
    if (!key)
        key = random_key(&r->arena);
    pgargs_text(&ask->req.args, r->params[1].text);
    err = add_payload(&ask->req.args, r->body, config_int(api->config, CONFIG_PAYLOAD_INLINE));
    pgargs_text(&ask->req.args, key);
    if (err || !key)
        drop(ask, IFP_ENOMEM, "message: out of memory");
    else
        runs_ask_send(ask);
}

/* ---- delete --------------------------------------------------------------------------------- */

static void on_deleted(struct run_ask *ask, const struct pgres *res)
{
    (void)res;
    http_answer(ask->request, 204, NULL, (struct slice){ 0 });
}

static bool delete_failed(struct run_ask *ask, const struct err *e)
{
    if (!ask->unknown || e->code != IFP_ENOTFOUND)
        return tell_execution(ask, e);
    on_deleted(ask, NULL); /* by the first try */
    return true;
}

static void delete_one(void *ctx, struct http_request *r)
{
    struct slice force;
    struct run_ask *ask;
    struct err e;
    int err = http_query(r, "force", &force, &e);

    if (!err && strcmp(force.text, "true") != 0 && strcmp(force.text, "false") != 0)
        err = err_set(&e, IFP_EINVALID, "query parameter force: must be true or false");
    if (err && err != IFP_ENOTFOUND) {
        http_answer_error(r, &e);
        return;
    }
    ask = runs_ask_one(ctx, r, STATEMENT_DELETE, on_deleted);
    if (!ask)
        return;
    ask->failed = delete_failed;
    pgargs_bool(&ask->req.args, !err && strcmp(force.text, "true") == 0);
    runs_ask_send(ask);
}
